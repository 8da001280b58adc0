//! What is kept of images, and in which form: several platforms' side by side, blobs beside layers, a layout that other
//! tools read; and `system check`, which says whether it is all there.

use std::fs;
use std::path::Path;
use std::process::Command;

use berth_fixtures::host_architecture;
use serde_json::Value;

use crate::clients::json;
use crate::host::{Cli, Host, Wishes, until};
use crate::registry;

rows![a027_platforms_side_by_side];

/// The tag goes to the platform that was pulled last; what it stood for before stays, by its id.
fn a027_platforms_side_by_side(host: &Host) {
    let list = registry::reference("list");
    drop(host.try_run(&["rmi", "-f", &list]));
    let other = if host_architecture() == "amd64" { "arm64" } else { "amd64" };
    host.run(&["pull", "-q", &list]);
    let ours = host.inspect(&list, "{{.Id}}");
    host.run(&["pull", "-q", "--platform", &format!("linux/{other}"), &list]);
    let theirs = host.inspect(&list, "{{.Id}}");
    assert_ne!(ours, theirs);
    let ids = host.run(&["images", "-aq", "--no-trunc"]);
    assert!(ids.contains(&ours) && ids.contains(&theirs), "{ids}");
    assert_eq!(host.inspect(&ours, "{{.Architecture}} {{len .RepoTags}}"), format!("{} 0", host_architecture()));
    assert_eq!(host.run(&["run", "--rm", &ours, "cat", "/version"]), "one");
    assert!(host.run(&["images", "-q", "--no-trunc", "--filter", "dangling=true"]).contains(&ours));
    // Going back fetches nothing anew but the names.
    host.run(&["pull", "-q", &list]);
    assert_eq!(host.inspect(&list, "{{.Id}}"), ours);
    assert_eq!(host.inspect(&theirs, "{{.Architecture}} {{len .RepoTags}}"), format!("{other} 0"));
    host.run(&["rmi", &theirs]);
    assert_eq!(host.run(&["run", "--rm", &list, "cat", "/version"]), "one");
    host.run(&["rmi", &list]);
}

fn skopeo(args: &[&str]) {
    let done = Command::new("skopeo").args(args).output().unwrap();
    assert!(done.status.success(), "skopeo {args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

fn digest(layout: &str) -> Value {
    let done = Command::new("skopeo").args(["inspect", layout]).output().unwrap();
    let text: Value = serde_json::from_slice(&done.stdout).unwrap();
    text["Digest"].clone()
}

#[test]
fn other_tools_copy_images_out_of_the_store() {
    let host = Host::start(Cli::Ours);
    let content = host.daemon().data_root().join("content");
    let target = tempfile::tempdir().unwrap();
    for name in ["team/app:v1", "list"] {
        let reference = host.fixture(name);
        let named = if name.contains(':') { reference.clone() } else { format!("{reference}:latest") };
        let (from, to) =
            (format!("oci:{}:{named}", content.display()), target.path().join(name.replace(['/', ':'], "-")));
        let to = format!("oci:{}:copy", to.display());
        skopeo(&["copy", "-q", &from, &to]);
        assert_eq!(digest(&from), digest(&to), "{name}");
    }
    // What was made here has no blob beside its layer: it is not promised to other tools.
    let name = host.name("made");
    host.run(&["run", "--name", &name, &host.image(), "touch", "/file"]);
    host.run(&["commit", &name, "made:here"]);
    let index = fs::read_to_string(content.join("index.json")).unwrap();
    assert!(index.contains("team/app:v1") && !index.contains("made:here"), "{index}");
}

fn blobs(host: &Host) -> u64 {
    let directory = host.daemon().data_root().join("content/blobs/sha256");
    fs::read_dir(directory).unwrap().flatten().map(|blob| blob.metadata().unwrap().len()).sum()
}

#[test]
fn a185_blobs_beside_layers_are_counted_and_can_be_traded_for_disk() {
    let kept = Host::start(Cli::Ours);
    let dropped = Host::start_as(Cli::Ours, Wishes { flags: vec!["--keep-blobs=false".into()], ..Wishes::default() });
    let [with, without] = [&kept, &dropped].map(|host| {
        let image = host.fixture("team/app:v1");
        assert_eq!(host.run(&["run", "--rm", &image, "cat", "/version"]), "one");
        assert!(host.run(&["system", "check"]).ends_with("Nothing is missing, damaged or left over."));
        let usage = json(host, "GET", "/v1.51/system/df?type=image", None);
        assert_eq!(usage["LayersSize"], usage["Images"][0]["Size"], "{usage}");
        usage["LayersSize"].as_u64().unwrap()
    });
    let compressed = with - without;
    assert!(compressed > 100_000 && blobs(&kept) >= compressed, "{with} {without}");
    assert!(blobs(&dropped) < 10_000, "manifest and configuration only: {}", blobs(&dropped));
}

#[test]
fn a_check_finds_what_the_disk_has_changed() {
    let mut host = Host::start(Cli::Ours);
    let image = host.fixture("team/app:v1");
    let content = host.daemon().data_root().join("content/blobs/sha256");
    let largest = fs::read_dir(&content).unwrap().flatten().max_by_key(|blob| blob.metadata().unwrap().len()).unwrap();
    let mut bytes = fs::read(largest.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest.path(), bytes).unwrap();
    fs::write(content.join("0".repeat(64)), b"stray").unwrap();
    let found = host.try_run(&["system", "check"]);
    assert_eq!(found.code, 1, "{}", found.out);
    assert!(
        found.out.contains("damaged: blob sha256:") && found.out.contains("left over: blob sha256:000"),
        "{}",
        found.out
    );
    assert!(found.out.contains("  hint: "), "{}", found.out);
    let repaired = host.try_run(&["system", "check", "--repair"]);
    assert!(repaired.code == 1 && repaired.out.contains(&format!("`berth pull {image}`")), "{}", repaired.out);
    host.run(&["pull", "-q", &image]);
    host.run(&["system", "check"]);
    // What nobody recorded is swept by the next start.
    fs::write(content.join("0".repeat(64)), b"stray").unwrap();
    host.stop_daemon();
    host.restart_daemon();
    until("the stray blob is gone", || !Path::new(&content.join("0".repeat(64))).exists());
    host.run(&["system", "check"]);
}
