//! Health checks: from flags and from images, what they say and where, and what follows from it.

use std::time::Duration;

use crate::host::{Cli, Host, until};

rows![
    a185_healthcheck_from_flags,
    a185_healthcheck_of_an_image,
    a185_events_of_checks,
    a185_the_log_is_bounded,
    a185_a_hanging_check_is_killed,
    a185_failures_at_the_start_do_not_count,
    a185_no_check_while_paused,
    a185_bad_checks_are_refused,
    ours_health_on_failure,
];

/// Healthy as long as there is no `/sick`.
const SOUND: &str = "echo checked; test ! -e /sick";

/// A container that sleeps, with more options.
fn sleeping(host: &Host, options: &[&str]) -> String {
    let (image, name) = (host.image(), host.name("checked"));
    host.run(&[&["run", "-d", "--name", &name], options, &[&image, "sleep", "300"]].concat());
    name
}

fn checked(host: &Host, command: &str) -> String {
    sleeping(host, &["--health-cmd", command, "--health-interval", "200ms", "--health-retries", "2"])
}

fn health(host: &Host, name: &str) -> String {
    host.inspect(name, "{{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}")
}

fn becomes(host: &Host, name: &str, status: &str) {
    until(&format!("it becomes {status}"), || health(host, name) == status);
}

fn status(host: &Host, name: &str) -> String {
    host.run(&["ps", "-a", "--filter", &format!("name={name}"), "--format", "{{.Status}}"])
}

/// The names that a filter of `ps` leaves.
fn found(host: &Host, name: &str, filter: &str) -> bool {
    let filters = [&format!("name={name}"), filter].map(|filter| filter.to_owned());
    !host.run(&["ps", "-q", "--filter", &filters[0], "--filter", &filters[1]]).is_empty()
}

fn a185_healthcheck_from_flags(host: &Host) {
    let name = sleeping(host, &["--health-cmd", "true", "--health-interval", "1h"]);
    assert!(status(host, &name).ends_with(" (health: starting)"), "{}", status(host, &name));
    assert_eq!(host.inspect(&name, "{{json .Config.Healthcheck.Test}}"), r#"["CMD-SHELL","true"]"#);
    assert!(found(host, &name, "health=starting") && !found(host, &name, "health=healthy"));
    let name = checked(host, SOUND);
    becomes(host, &name, "healthy");
    assert!(status(host, &name).starts_with("Up ") && status(host, &name).ends_with(" (healthy)"));
    assert!(found(host, &name, "health=healthy") && !found(host, &name, "health=none"));
    let last = host.inspect(&name, "{{range .State.Health.Log}}{{.ExitCode}} {{.Output}}{{end}}");
    assert!(last.starts_with("0 checked\n"), "{last}");
    host.run(&["exec", &name, "touch", "/sick"]);
    becomes(host, &name, "unhealthy");
    assert!(status(host, &name).ends_with(" (unhealthy)"));
    let streak: u32 = host.inspect(&name, "{{.State.Health.FailingStreak}}").parse().unwrap();
    assert!(streak >= 2, "{streak}");
    host.run(&["exec", &name, "rm", "/sick"]);
    becomes(host, &name, "healthy");
    until("five results are kept", || host.inspect(&name, "{{len .State.Health.Log}}") == "5");
    host.run(&["stop", "-t", "0", &name]);
    assert_eq!(health(host, &name), "unhealthy");
    assert!(status(host, &name).starts_with("Exited (137) "));
    host.run(&["start", &name]);
    becomes(host, &name, "healthy");
    let plain = sleeping(host, &[]);
    assert!(found(host, &plain, "health=none"));
    assert_eq!(health(host, &plain), "none");
}

fn a185_healthcheck_of_an_image(host: &Host) {
    let image = host.fixture("checked");
    let run = |options: &[&str]| {
        let name = host.name("image");
        host.run(&[&["run", "-d", "--name", &name], options, &[&image]].concat());
        name
    };
    let name = run(&[]);
    becomes(host, &name, "healthy");
    let (none, other) = (run(&["--no-healthcheck"]), run(&["--health-cmd", "false", "--health-retries", "1"]));
    assert_eq!(host.inspect(&none, "{{json .Config.Healthcheck.Test}}"), r#"["NONE"]"#);
    assert_eq!(health(host, &none), "none");
    // The interval is still the image's.
    becomes(host, &other, "unhealthy");
    assert_eq!(
        host.inspect(&other, "{{json .Config.Healthcheck.Interval}} {{.Config.Healthcheck.Retries}}"),
        "200000000 1"
    );
    assert_eq!(host.inspect(&other, "{{json .Config.Healthcheck.Test}}"), r#"["CMD-SHELL","false"]"#);
}

fn a185_events_of_checks(host: &Host) {
    let name = checked(host, SOUND);
    becomes(host, &name, "healthy");
    host.run(&["exec", &name, "touch", "/sick"]);
    becomes(host, &name, "unhealthy");
    let events = |more: &[&str]| {
        let filter = format!("container={name}");
        let until =
            format!("{}", std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs());
        let fixed = ["events", "--since", "1h", "--until", &until, "--filter", &filter, "--format", "{{.Action}}"];
        host.run(&[&fixed[..], more].concat())
    };
    let verdicts = |host: &[&str]| events(host).lines().map(str::to_owned).collect::<Vec<_>>();
    // Events are told by whole seconds here: those of the last one come with the next.
    until("both verdicts are told", || {
        verdicts(&["--filter", "event=health_status"]) == ["health_status: healthy", "health_status: unhealthy"]
    });
    assert_eq!(verdicts(&["--filter", "event=health_status: healthy"]), ["health_status: healthy"]);
    let all = events(&[]);
    for expected in
        [&format!("exec_create: /bin/sh -c {SOUND}"), &format!("exec_start: /bin/sh -c {SOUND}"), "exec_die"]
    {
        assert!(all.lines().any(|line| line == expected), "{expected} is missing in\n{all}");
    }
}

fn a185_the_log_is_bounded(host: &Host) {
    let name = checked(host, "head -c 20000 /dev/zero | tr '\\000' x; echo err >&2; exit 3");
    becomes(host, &name, "unhealthy");
    let log = host.inspect(&name, "{{with index .State.Health.Log 0}}{{.ExitCode}} {{len .Output}}{{end}}");
    assert_eq!(log, "3 4099");
}

fn a185_a_hanging_check_is_killed(host: &Host) {
    let flags = ["--health-interval", "100ms", "--health-timeout", "500ms", "--health-retries", "1"];
    let name = sleeping(host, &[&["--health-cmd", "echo begun; exec sleep 299"], &flags[..]].concat());
    becomes(host, &name, "unhealthy");
    let log = host.inspect(&name, "{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}");
    assert_eq!(log, "-1 Health check exceeded timeout (500ms)");
    let hanging = || host.run(&["exec", &name, "ps"]).matches("sleep 299").count();
    // One may be under way.
    until("the hanging ones are gone", || {
        let checks: u32 = host.inspect(&name, "{{len .State.Health.Log}}").parse().unwrap();
        checks == 5 && hanging() <= 1
    });
    if host.is_berth() {
        // And what it started with it.
        let name = sleeping(host, &[&["--health-cmd", "sleep 298 & wait"], &flags[..]].concat());
        until("five checks are made", || {
            host.inspect(&name, "{{if .State.Health}}{{len .State.Health.Log}}{{end}}") == "5"
        });
        // The shell and what it started, of the one that may be under way.
        until("the earlier ones are gone", || host.run(&["exec", &name, "ps"]).matches("sleep 298").count() <= 2);
    }
}

fn a185_failures_at_the_start_do_not_count(host: &Host) {
    let flags = ["--health-interval", "100ms", "--health-start-period", "1h", "--health-retries", "1"];
    let name =
        sleeping(host, &[&["--health-cmd", "test -e /ready", "--health-start-interval", "100ms"], &flags[..]].concat());
    until("three checks are made", || host.inspect(&name, "{{if gt (len .State.Health.Log) 2}}yes{{end}}") == "yes");
    assert_eq!(host.inspect(&name, "{{.State.Health.Status}} {{.State.Health.FailingStreak}}"), "starting 0");
    host.run(&["exec", &name, "touch", "/ready"]);
    becomes(host, &name, "healthy");
    host.run(&["exec", &name, "rm", "/ready"]);
    becomes(host, &name, "unhealthy");
}

fn a185_no_check_while_paused(host: &Host) {
    let name = checked(host, SOUND);
    becomes(host, &name, "healthy");
    host.run(&["pause", &name]);
    let last = || host.inspect(&name, "{{range .State.Health.Log}}{{.End}} {{end}}");
    // Nothing is what has to happen, for several checks' time; one that had ended may still be told.
    let mut before = last();
    until("no check is made", || {
        std::thread::sleep(Duration::from_millis(1200));
        let now = last();
        std::mem::replace(&mut before, now.clone()) == now
    });
    assert!(status(host, &name).ends_with(" (Paused)"), "{}", status(host, &name));
    host.run(&["unpause", &name]);
    until("checks go on", || last() != before);
    becomes(host, &name, "healthy");
}

fn a185_bad_checks_are_refused(host: &Host) {
    let image = host.image();
    let create = |flags: &[&str]| host.try_run(&[&["create"], flags, &[&image]].concat());
    create(&["--health-cmd", "x", "--health-interval", "1us"])
        .fails_with(1, "Interval in Healthcheck cannot be less than 1ms");
    create(&["--health-cmd", "x", "--health-timeout", "999us"])
        .fails_with(1, "Timeout in Healthcheck cannot be less than 1ms");
    // A command that is not there is no error of the container's.
    let name = checked(host, "/nosuch");
    becomes(host, &name, "unhealthy");
    assert!(host.inspect(&name, "{{with index .State.Health.Log 0}}{{.ExitCode}}{{end}}") == "127");
}

/// `--health-on-failure`; Docker's command line has no such flag, but annotations.
fn on_failure(host: &Host, action: &str) -> String {
    let annotation = format!("berth.health-on-failure={action}");
    let flag = match host.cli() {
        Cli::Ours => ["--health-on-failure", action],
        Cli::Docker => ["--annotation", &annotation],
    };
    let check = ["--health-cmd", SOUND, "--health-interval", "200ms", "--health-retries", "1"];
    let name = sleeping(host, &[&flag[..], &check, &["--stop-timeout", "0"]].concat());
    becomes(host, &name, "healthy");
    name
}

fn ours_health_on_failure(host: &Host) {
    if !host.is_berth() {
        return;
    }
    let sicken = |name: &str| host.run(&["exec", name, "touch", "/sick"]);
    for action in ["kill", "stop"] {
        let name = on_failure(host, action);
        sicken(&name);
        until(action, || host.inspect(&name, "{{.State.Status}} {{.State.ExitCode}}") == "exited 137");
    }
    let name = on_failure(host, "restart");
    let started = host.inspect(&name, "{{.State.StartedAt}}");
    sicken(&name);
    until("it is started again", || {
        host.inspect(&name, "{{.State.Running}} {{.State.StartedAt}}") != format!("true {started}")
            && host.inspect(&name, "{{.State.Running}}") == "true"
    });
    let name = on_failure(host, "none");
    sicken(&name);
    becomes(host, &name, "unhealthy");
    assert_eq!(host.inspect(&name, "{{.State.Running}}"), "true");
    let (image, bad) = (host.image(), "berth.health-on-failure=explode");
    host.try_run(&["create", "--annotation", bad, &image]).fails_with(1, "must be none, kill, restart or stop");
}

#[test]
fn a185_checks_go_on_after_the_daemon_was_killed() {
    let mut host = Host::start(Cli::Ours);
    let name = checked(&host, SOUND);
    becomes(&host, &name, "healthy");
    host.kill_daemon_and_restart();
    assert_eq!(health(&host, &name), "healthy");
    host.run(&["exec", &name, "touch", "/sick"]);
    becomes(&host, &name, "unhealthy");
    host.kill_daemon();
    host.restart_daemon();
    assert_eq!(health(&host, &name), "unhealthy");
    host.run(&["exec", &name, "rm", "/sick"]);
    becomes(&host, &name, "healthy");
}
