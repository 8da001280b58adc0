//! `berth runtime` by itself: OCI bundles (runtime-spec, "Filesystem Bundle") made by others and by us.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{BERTH, Done};
use crate::leftovers;

/// A directory with the root file system, and no `config.json` yet.
fn bundle() -> TempDir {
    let bundle = TempDir::with_prefix("berth-bundle-").unwrap();
    let archive = bundle.path().join("layer.tar");
    fs::write(&archive, berth_fixtures::busybox()).unwrap();
    let rootfs = bundle.path().join("rootfs");
    fs::create_dir(&rootfs).unwrap();
    berth_fixtures::command("tar", &["-xf", archive.to_str().unwrap(), "-C", rootfs.to_str().unwrap()]);
    bundle
}

/// Changes what the template says of the process.
fn ask_for(bundle: &Path, script: &str) {
    let path = bundle.join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["process"]["terminal"] = json!(false);
    config["process"]["args"] = json!(["sh", "-c", script]);
    config["hostname"] = json!("bundled");
    fs::write(path, config.to_string()).unwrap();
}

fn runtime(bundle: &Path, args: &[&str]) -> Done {
    let mut command = Command::new(BERTH);
    command.args(["runtime", "--root"]).arg(bundle.join("state")).args(args).current_dir(bundle).stdin(Stdio::null());
    Done::from(command.output().unwrap())
}

/// Runs the bundle to its end, of which nothing may be left.
fn run_through(bundle: &Path, id: &str) {
    ask_for(bundle, "echo $$ $(hostname) $(ls / | wc -l); echo aside >&2; exit 7");
    let done = runtime(bundle, &["run", "-b", bundle.to_str().unwrap(), id]);
    // The layer's five directories, and proc, dev and sys.
    assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (7, "1 bundled 8", "aside\n"));
    let listed = runtime(bundle, &["list", "-q"]);
    assert_eq!((listed.code, listed.out.as_str()), (0, ""), "{}", listed.err);
    leftovers::assert_none(bundle, "-", id);
}

#[test]
fn a015_bundle_of_runc() {
    let bundle = bundle();
    berth_fixtures::command("runc", &["spec", "-b", bundle.path().to_str().unwrap()]);
    run_through(bundle.path(), &format!("a015-runc-{}", std::process::id()));
}

#[test]
fn a015_bundle_of_our_own() {
    let bundle = bundle();
    let done = runtime(bundle.path(), &["spec"]);
    assert!(done.ok(), "{}", done.err);
    let config: Value = serde_json::from_slice(&fs::read(bundle.path().join("config.json")).unwrap()).unwrap();
    assert!(config["ociVersion"].as_str().unwrap().starts_with("1."), "{config}");
    assert_eq!(config["root"]["path"], "rootfs");
    run_through(bundle.path(), &format!("a015-own-{}", std::process::id()));
}

#[test]
fn a015_features() {
    let directory = TempDir::new().unwrap();
    let done = runtime(directory.path(), &["features"]);
    let features: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(features["ociVersionMin"], "1.0.0", "{features}");
    let has = |list: &Value, item: &str| list.as_array().unwrap().iter().any(|value| value == item);
    assert!(has(&features["hooks"], "createContainer"), "{features}");
    assert!(has(&features["mountOptions"], "rro"), "{features}");
    assert!(has(&features["linux"]["namespaces"], "user"), "{features}");
    assert_eq!(features["linux"]["seccomp"]["enabled"], true, "{features}");
}
