//! What the program is and has: user, capabilities, limits, directory, environment.

use std::fs;

use serde_json::json;

use crate::bundle::{Bundle, ours};

#[test]
fn errors_are_dockers_sentences() {
    let bundle = |args: serde_json::Value| {
        let mut bundle = Bundle::new("");
        bundle.config["process"]["args"] = args;
        bundle.run().failed()
    };
    for (args, sentence) in [
        (json!(["nosuch"]), "exec: \"nosuch\": executable file not found in $PATH"),
        (json!(["/nosuch"]), "exec: \"/nosuch\": stat /nosuch: no such file or directory"),
        (json!(["/etc/passwd"]), "exec: \"/etc/passwd\": permission denied"),
    ] {
        let said = bundle(args);
        assert!(said.contains(sentence), "{said}");
    }
    if ours() {
        assert!(bundle(json!(["/etc"])).contains("exec: \"/etc\": is a directory"));
    }
}

#[test]
fn a_program_that_is_none_is_told_at_start() {
    let mut bundle = Bundle::new("");
    fs::write(bundle.root().join("bin/bad"), "\u{1}garbage").unwrap();
    std::process::Command::new("chmod").arg("755").arg(bundle.root().join("bin/bad")).status().unwrap();
    bundle.config["process"]["args"] = json!(["bad"]);
    bundle.create().ok();
    if ours() {
        let said = bundle.command(&["start", &bundle.id]).failed();
        assert!(said.contains("exec /bin/bad: exec format error"), "{said}");
    }
}

#[test]
fn user_groups_umask_and_home() {
    let mut bundle = Bundle::new("id; umask; echo $HOME; grep CapEff /proc/self/status");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [5, 6], "umask": 0o077 });
    let out = bundle.run().ok();
    assert!(out.starts_with("uid=1000(me) gid=1000 groups=5,6"), "{out}");
    assert!(out.contains("\n0077\n/home/me\n"), "{out}");
    assert!(out.contains("CapEff:\t0000000000000000"), "{out}");
}

#[test]
fn all_five_sets_of_capabilities() {
    let mut bundle = Bundle::new("grep Cap /proc/self/status");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    bundle.config["process"]["capabilities"] = json!({
        "bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NET_RAW"],
        "permitted": ["CAP_KILL", "CAP_CHOWN"],
        "effective": ["CAP_KILL"],
        "inheritable": ["CAP_KILL", "CAP_CHOWN"],
        "ambient": ["CAP_KILL"],
    });
    let out = bundle.run().ok();
    let set = |name: &str| {
        let line = out.lines().find(|line| line.starts_with(name)).unwrap();
        u64::from_str_radix(line.split('\t').nth(1).unwrap(), 16).unwrap()
    };
    assert_eq!((set("CapInh"), set("CapPrm"), set("CapEff")), (0x21, 0x20, 0x20));
    assert_eq!((set("CapBnd"), set("CapAmb")), (0x2021, 0x20));
}

#[test]
fn no_new_privileges_is_as_asked() {
    for (wanted, line) in [(true, "NoNewPrivs:\t1"), (false, "NoNewPrivs:\t0")] {
        let mut bundle = Bundle::new("grep NoNewPrivs /proc/self/status");
        bundle.config["process"]["noNewPrivileges"] = json!(wanted);
        assert_eq!(bundle.run().ok().trim(), line);
    }
}

#[test]
fn limits_are_set_and_those_beyond_the_hosts_are_refused_in_one_sentence() {
    let mut bundle = Bundle::new("ulimit -n; ulimit -H -n");
    bundle.config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 200 }]);
    assert_eq!(bundle.run().ok(), "100\n200\n");
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    let raises = u64::from_str_radix(effective, 16).unwrap() & (1 << 24) != 0;
    if raises || !ours() {
        eprintln!("skipped: this host has CAP_SYS_RESOURCE, or the runtime is not ours");
        return;
    }
    bundle.config["process"]["rlimits"] = json!([{ "type": "RLIMIT_NOFILE", "soft": 100, "hard": 2_000_000_000 }]);
    let said = bundle.run().failed();
    assert!(said.contains("cannot raise the limit RLIMIT_NOFILE to 2000000000: this host's hard limit is"), "{said}");
}

#[test]
fn a_missing_working_directory_is_made() {
    let mut bundle = Bundle::new("pwd");
    bundle.config["process"]["cwd"] = json!("/new/directory");
    if ours() {
        assert_eq!(bundle.run().ok(), "/new/directory\n");
    }
}

#[test]
fn the_oom_score_is_set() {
    let mut bundle = Bundle::new("cat /proc/self/oom_score_adj");
    bundle.config["process"]["oomScoreAdj"] = json!(321);
    assert_eq!(bundle.run().ok(), "321\n");
}

#[test]
fn later_variables_win_and_nothing_of_ours_is_inherited() {
    let mut bundle = Bundle::new("env | grep -v -e SHLVL -e PWD | sort");
    bundle.config["process"]["env"] = json!(["PATH=/bin", "A=1", "HOME=/x", "A=2"]);
    assert_eq!(bundle.run().ok(), "A=2\nHOME=/x\nPATH=/bin\n");
}

#[test]
fn exec_joins_everything() {
    let mut bundle = Bundle::new("exec sleep 1000");
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "cgroup" }));
    bundle.start();
    let pid = bundle.state()["pid"].to_string();
    for namespace in ["pid", "net", "ipc", "uts", "mnt", "cgroup"] {
        let host = fs::read_link(format!("/proc/{pid}/ns/{namespace}")).unwrap();
        let inside = bundle.exec(&format!("readlink /proc/self/ns/{namespace}")).ok();
        assert_eq!(inside.trim(), host.to_str().unwrap(), "{namespace}");
    }
    let groups = bundle.exec("cat /proc/1/cgroup > /tmp/a; cat /proc/self/cgroup > /tmp/b; wc -l < /tmp/a").ok();
    assert!(groups.trim().parse::<u32>().unwrap() > 0);
    assert_eq!(
        fs::read_to_string(bundle.root().join("tmp/a")).unwrap(),
        fs::read_to_string(bundle.root().join("tmp/b")).unwrap()
    );
    assert_eq!(bundle.exec("exit 9").code, 9);
    let done = bundle.command(&[
        "exec",
        "--user",
        "1000:1000",
        "--cwd",
        "/tmp",
        "-e",
        "A=b",
        &bundle.id,
        "sh",
        "-c",
        "id -u; pwd; echo $A",
    ]);
    assert_eq!(done.ok(), "1000\n/tmp\nb\n");
    let said = bundle.command(&["exec", &bundle.id, "nosuch"]).failed();
    assert!(said.contains("exec: \"nosuch\": executable file not found in $PATH"), "{said}");
}

#[test]
fn seccomp_applies_to_init_and_exec_with_and_without_new_privileges() {
    for privileges in [true, false] {
        let mut bundle = Bundle::new("mkdir /tmp/x || echo refused; exec sleep 1000");
        bundle.config["process"]["noNewPrivileges"] = json!(privileges);
        bundle.config["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64"],
            "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }],
        });
        bundle.start();
        super::lifecycle::until("init is refused", || bundle.output().contains("refused"));
        let said = bundle.exec("mkdir /tmp/y").failed();
        assert!(said.contains("Operation not permitted"), "{said}");
        let seccomp = bundle.exec("grep Seccomp: /proc/self/status").ok();
        assert_eq!(seccomp.trim(), "Seccomp:\t2");
    }
}

#[test]
fn scheduler_priority_and_personality() {
    if !ours() {
        eprintln!("skipped: older runtimes do not know these");
        return;
    }
    let mut bundle = Bundle::new("cut -d' ' -f19,41 /proc/self/stat; cat /proc/self/personality");
    bundle.config["process"]["scheduler"] = json!({ "policy": "SCHED_BATCH", "nice": 5 });
    bundle.config["process"]["ioPriority"] = json!({ "class": "IOPRIO_CLASS_IDLE", "priority": 0 });
    bundle.config["linux"]["personality"] = json!({ "domain": "LINUX32" });
    let out = bundle.run().ok();
    assert!(out.starts_with("5 3\n"), "{out}");
}

#[test]
fn what_cannot_be_done_is_refused_clearly() {
    if !ours() {
        return;
    }
    let refused = |edit: &dyn Fn(&mut serde_json::Value), sentence: &str| {
        let mut bundle = Bundle::new("true");
        edit(&mut bundle.config);
        let said = bundle.run().failed();
        assert!(said.contains(sentence), "{said}");
    };
    refused(&|config| config["linux"]["intelRdt"] = json!({ "closID": "x" }), "linux.intelRdt is not supported");
    refused(
        &|config| config["linux"]["sysctl"] = json!({ "kernel.core_pattern": "|/x" }),
        "is not in a separate kernel",
    );
    refused(&|config| config["process"]["args"] = json!([]), "process.args must not be empty");
    refused(&|config| config["process"]["cwd"] = json!("relative"), "is not absolute");
}
