//! From command lines to create requests.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::flags::RUN;
use super::{Plan, Pull, plan};
use crate::flag::parse::parse;

fn planned(words: &[&str]) -> Result<Plan, String> {
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    plan(&parse(RUN, &words, false).map_err(|e| e.to_string())?)
}

#[test]
fn plain() {
    let plan = planned(&["busybox", "sh", "-c", "true"]).unwrap();
    let (config, host) = (plan.request.config, plan.request.host_config.unwrap());
    assert_eq!((config.image.as_str(), config.cmd.unwrap().len()), ("busybox", 3));
    assert!(config.attach_stdout && config.attach_stderr && !config.attach_stdin && !config.open_stdin);
    assert_eq!((host.network_mode.as_str(), plan.pull), ("default", Pull::Missing));
    assert_eq!(host.console_size, [0, 0]);
}

#[test]
fn streams() {
    let attached = |words: &[&str]| {
        let c = planned(words).unwrap().request.config;
        (c.attach_stdin, c.attach_stdout, c.attach_stderr, c.open_stdin, c.stdin_once)
    };
    assert_eq!(attached(&["-i", "x"]), (true, true, true, true, true));
    assert_eq!(attached(&["-di", "x"]), (false, false, false, true, false));
    assert_eq!(attached(&["-a", "STDOUT", "x"]), (false, true, false, false, false));
    assert_eq!(attached(&["-i", "-a", "stdin", "x"]), (true, false, false, true, true));
}

#[test]
fn limits_and_isolation() {
    let words = "-m 64m --memory-swap -1 --cpus 1.5 --pids-limit 9 --ulimit nofile=1:2 --cap-add NET_ADMIN --cap-drop ALL \
        --init --read-only --network none --oom-score-adj 5 --shm-size 1m --device /dev/null --group-add 7 x";
    let host = planned(&words.split_whitespace().collect::<Vec<_>>()).unwrap().request.host_config.unwrap();
    assert_eq!((host.memory, host.memory_swap, host.nano_cpus), (64 << 20, -1, 1_500_000_000));
    assert_eq!((host.pids_limit, host.oom_score_adj, host.shm_size), (Some(9), 5, 1 << 20));
    assert_eq!((host.cap_add.unwrap(), host.cap_drop.unwrap()), (vec!["NET_ADMIN".to_owned()], vec!["ALL".to_owned()]));
    assert_eq!((host.init, host.readonly_rootfs, host.network_mode.as_str()), (Some(true), true, "none"));
    assert_eq!(host.ulimits.unwrap()[0].hard, 2);
    assert_eq!(host.devices.unwrap()[0].cgroup_permissions, "rwm");
}

#[test]
fn entrypoint_health_and_ports() {
    let config = |words: &[&str]| planned(words).unwrap().request.config;
    assert_eq!(config(&["--entrypoint", "", "x"]).entrypoint, Some(vec![String::new()]));
    assert_eq!(config(&["x"]).entrypoint, None);
    assert_eq!(config(&["--no-healthcheck", "x"]).healthcheck.unwrap().test, ["NONE"]);
    assert_eq!(config(&["--health-cmd", "a b", "x"]).healthcheck.unwrap().test, ["CMD-SHELL", "a b"]);
    assert!(config(&["-p", "1:80", "x"]).exposed_ports.contains_key("80/tcp"));
    assert_eq!(config(&["-v", "/data", "-v", "/a:/b", "x"]).volumes.unwrap().len(), 1);
}

#[test]
fn networks() {
    let endpoints =
        |words: &[&str]| planned(words).unwrap().request.networking_config.map(|n| n.endpoints_config.unwrap());
    assert!(endpoints(&["--net", "host", "x"]).is_none());
    let given = endpoints(&["--network", "n", "--ip", "1.2.3.4", "--network-alias", "a", "x"]).unwrap();
    assert_eq!(given["n"].as_ref().unwrap().aliases.as_ref().unwrap(), &["a"]);
    assert_eq!(endpoints(&["--network", "a", "--network", "b", "x"]).unwrap().len(), 2);
}

#[test]
fn refusals() {
    for (words, reason) in [
        (&["--rm", "--restart", "always", "x"][..], "conflicting options: cannot specify both --restart and --rm"),
        (&["--restart", ":3", "x"], "invalid restart policy format: no policy provided before colon"),
        (&["--restart", "always:x", "x"], "invalid restart policy format: maximum retry count must be an integer"),
        (&["--memory-swappiness", "101", "x"], "invalid value: 101. Valid memory swappiness range is 0-100"),
        (&["UPPER"], "invalid reference format: repository name (library/UPPER) must be lowercase"),
        (&["--pid", "foo", "x"], "--pid: invalid PID mode"),
        (&["--log-driver", "none", "--log-opt", "a=b", "x"], "invalid logging opts for driver none"),
        (&["--no-healthcheck", "--health-cmd", "x", "x"], "--no-healthcheck conflicts with --health-* options"),
        (&["--pull", "foo", "x"], "invalid pull option: 'foo': must be one of \"always\", \"missing\" or \"never\""),
        (&["--mac-address", "foo", "x"], "foo is not a valid mac address"),
        (&["--env-file", "/nope", "x"], "open /nope: no such file or directory"),
    ] {
        assert_eq!(planned(words).unwrap_err(), reason, "{words:?}");
    }
    assert!(planned(&["--restart", "on-failure:3", "x"]).is_ok());
    assert!(planned(&["--rm", "--restart", "no", "x"]).is_ok());
}
