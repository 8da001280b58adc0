//! `run --dry-run` and `create --dry-run`: told what would happen, and nothing happens.

use std::path::{Path, PathBuf};

use crate::host::{Cli, Host};

/// Everything below a directory, which need not be there.
fn tree(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// What a dry run must leave as it is.
fn state(host: &Host) -> (String, String, Vec<PathBuf>, Vec<PathBuf>) {
    let data = host.daemon().data_root();
    let events = std::fs::read_to_string(data.join("events.jsonl")).unwrap_or_default();
    let lists = format!("{}\n{}", host.run(&["ps", "-aq"]), host.run(&["volume", "ls", "-q"]));
    (lists, events, tree(&data.join("containers")), tree(&data.join("volumes")))
}

#[test]
fn dry_run_tells_and_does_nothing() {
    let host = Host::start(Cli::Ours);
    let (image, taken, fresh) = (host.image(), host.name("taken"), host.name("fresh"));
    host.run(&["create", "--name", &taken, "-v", "kept:/kept", &image]);
    let data = host.daemon().data_root();
    let missing = host.daemon().root().join("not-there");
    let bind = format!("{}:/there:ro", missing.display());
    let before = state(&host);
    let wanted = ["-m", "64m", "--name", &fresh, "-v", &bind, "-v", "new:/new", "-v", "kept:/old", "-v", "/anonymous"];
    let rest = ["--init", "-e", "A=b", &image, "sh", "-c", "echo hi"];
    let told = host.run(&[&["run", "-it", "--rm", "--dry-run"][..], &wanted, &rest].concat());
    for part in [
        "`run` would create and start",
        &fresh,
        "sh -c 'echo hi'",
        "memory 64MiB",
        "bridge, address given at the start",
        &format!("bind {} -> /there (rbind,rprivate,rro), would be made", missing.display()),
        "volume new -> /new (rbind,rprivate), would be made",
        "volume kept -> /old (rbind,rprivate)\n",
        "-> /anonymous",
        "A=b",
        "removed when it exits",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let json =
        host.run(&[&["create", "--dry-run", "--format", "json", "--network", "none"][..], &wanted, &rest].concat());
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["Command"], serde_json::json!(["sh", "-c", "echo hi"]));
    assert_eq!(plan["Limits"]["Memory"], 64 << 20);
    assert_eq!(plan["Network"]["Mode"], "none");
    assert_eq!(plan["Mounts"][0]["Type"], "bind");
    assert_eq!(plan["Spec"]["linux"]["resources"]["memory"]["limit"], 64 << 20);
    assert_eq!(plan["Spec"]["process"]["args"].as_array().unwrap().last().unwrap(), "echo hi");
    assert_eq!(plan["ImageID"].as_str().unwrap(), host.run(&["image", "inspect", "-f", "{{.Id}}", &image]));
    let mode = host.run(&["run", "--dry-run", "--format", "{{.Network.Mode}}", "--network", "host", &image]);
    assert_eq!(mode, "host");
    // Neither a volume nor a directory, not the copy that --init wants, no container, no event.
    assert_eq!(state(&host), before);
    assert!(!missing.exists() && !data.join("init").exists());
    // What a dry run said is what is made.
    host.run(&[&["create"][..], &wanted, &rest].concat());
    assert_eq!(host.inspect(&fresh, "{{.HostConfig.Memory}}"), (64 << 20).to_string());
    host.run(&["rm", "-v", &taken, &fresh]);
}

#[test]
fn dry_run_refusals() {
    let host = Host::start(Cli::Ours);
    let (image, taken) = (host.image(), host.name("taken"));
    host.run(&["create", "--name", &taken, &image]);
    let before = state(&host);
    let refused = |args: &[&str], code: i32, why: &str| host.try_run(args).fails_with(code, why);
    refused(&["run", "--dry-run", "--name", &taken, &image], 125, "is already in use by container");
    refused(&["run", "--dry-run", "localhost:1/no/such:image"], 125, "would be pulled first");
    refused(&["create", "--dry-run", "--pull", "never", "localhost:1/no/such:image"], 125, "No such image");
    refused(&["create", "--dry-run", "--user", "nobody-known", &image], 125, "nobody-known");
    refused(&["create", "--dry-run", "--mount", "type=bind,src=/not/there,dst=/x", &image], 125, "/not/there");
    refused(&["create", "--format", "json", &image], 1, "--dry-run");
    refused(&["run", "--dry-run", "--format", "{{.NoSuch}}", &image], 1, "NoSuch");
    let shared = format!("container:{taken}");
    let told = host.run(&["run", "--dry-run", "--network", &shared, &image]);
    assert!(
        told.contains("as things are it could not be started: cannot join network of a non running container"),
        "{told}"
    );
    assert_eq!(state(&host), before);
    host.run(&["rm", &taken]);
}
