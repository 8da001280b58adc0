//! Archives between engines: what we save is read by others, what others save by us, and it is the same image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::archives::{directory, text};
use crate::dockerd::Dockerd;
use crate::host::{Cli, Host};
use crate::registry;

/// In one layer and in two, compressed in every way, under both kinds of manifest.
const FIXTURES: [&str; 5] = ["busybox:latest", "team/app:v1", "zstd:1", "plain:1", "schema2:1"];

fn output(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// An image of ours: its name, id and diff ids, and an archive of it.
struct Saved {
    name: String,
    id: String,
    diff_ids: Value,
    path: PathBuf,
}

fn saved(host: &Host, fixture: &str, directory: &Path) -> Saved {
    let name = host.fixture(fixture);
    let path = directory.join("ours.tar");
    host.run(&["save", "-o", text(&path), &name]);
    let id = host.inspect(&name, "{{.Id}}");
    let diff_ids = serde_json::from_str(&host.inspect(&name, "{{json .RootFS.Layers}}")).unwrap();
    Saved { name, id, diff_ids, path }
}

/// The id that a tool's copy of an image has: the digest of the configuration that its manifest names.
fn id_in_layout(layout: &Path) -> String {
    let read = |path: PathBuf| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let blob =
        |digest: &Value| layout.join("blobs/sha256").join(digest.as_str().unwrap().trim_start_matches("sha256:"));
    let index = read(layout.join("index.json"));
    read(blob(&index["manifests"][0]["digest"]))["config"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn skopeo_and_umoci_read_what_we_save() {
    let host = Host::start(Cli::Ours);
    for fixture in FIXTURES {
        let directory = directory();
        let ours = saved(&host, fixture, directory.path());
        let archive = text(&ours.path);
        for source in [format!("docker-archive:{archive}"), format!("docker-archive:{archive}:{}", ours.name)] {
            let config: Value =
                serde_json::from_str(&output("skopeo", &["inspect", "--config", "--raw", &source])).unwrap();
            assert_eq!(config["rootfs"]["diff_ids"], ours.diff_ids, "{fixture} {source}");
        }
        let tag = ours.name.rsplit(':').next().filter(|tag| !tag.contains('/')).unwrap_or("latest");
        let copy = directory.path().join("copy");
        output("skopeo", &["copy", "-q", &format!("oci-archive:{archive}:{tag}"), &format!("oci:{}:x", text(&copy))]);
        assert_eq!(id_in_layout(&copy), ours.id, "{fixture}");
        let docker = directory.path().join("docker");
        output("skopeo", &["copy", "-q", &format!("docker-archive:{archive}"), &format!("dir:{}", text(&docker))]);
        let manifest: Value = serde_json::from_slice(&fs::read(docker.join("manifest.json")).unwrap()).unwrap();
        assert_eq!(manifest["config"]["digest"], *ours.id, "{fixture}");
        let layout = directory.path().join("layout");
        fs::create_dir(&layout).unwrap();
        output("tar", &["-C", text(&layout), "-xf", archive]);
        let bundle = directory.path().join("bundle");
        output("umoci", &["unpack", "--image", &format!("{}:{tag}", text(&layout)), text(&bundle)]);
        assert!(bundle.join("rootfs/bin/busybox").is_file(), "{fixture}");
    }
}

#[test]
fn podman_and_buildah_read_what_we_save() {
    let host = Host::start(Cli::Ours);
    for fixture in FIXTURES {
        let directory = directory();
        let ours = saved(&host, fixture, directory.path());
        let stores = [directory.path().join("root"), directory.path().join("run")];
        let global = ["--root", text(&stores[0]), "--runroot", text(&stores[1]), "--storage-driver", "vfs"];
        output("podman", &[&global[..], &["load", "-q", "-i", text(&ours.path)]].concat());
        let id = output("podman", &[&global[..], &["image", "inspect", "--format", "{{.Id}}", &ours.name]].concat());
        assert_eq!(format!("sha256:{id}"), ours.id, "{fixture}");
        let archive = format!("docker-archive:{}", text(&ours.path));
        let id = output("buildah", &[&global[..], &["pull", "-q", &archive]].concat());
        assert_eq!(format!("sha256:{id}"), ours.id, "{fixture}");
    }
}

#[test]
fn dockerd_reads_what_we_save_and_we_what_it_saves() {
    let host = Host::start(Cli::Ours);
    let dockerd = Dockerd::start(&[], &["--bridge=none", "--iptables=false", "--ip6tables=false"]);
    let address = dockerd.address();
    let docker = |args: &[&str]| output("docker", &[&["-H", &address], args].concat());
    for fixture in FIXTURES {
        let directory = directory();
        let ours = saved(&host, fixture, directory.path());
        assert_eq!(docker(&["load", "-i", text(&ours.path)]), format!("Loaded image: {}", ours.name));
        assert_eq!(docker(&["inspect", "-f", "{{.Id}}", &ours.name]), ours.id, "{fixture}");
        let theirs = directory.path().join("theirs.tar");
        docker(&["save", "-o", text(&theirs), &ours.name]);
        host.run(&["rmi", "-f", &ours.id]);
        assert_eq!(host.run(&["load", "-i", text(&theirs)]), format!("Loaded image: {}", ours.name));
        assert_eq!(host.inspect(&ours.name, "{{.Id}}"), ours.id, "{fixture}");
        assert_eq!(host.run(&["run", "--rm", &ours.name, "echo", "hi"]), "hi");
        // Back again: what we save of it is the same to them.
        let again = saved(&host, fixture, directory.path());
        docker(&["rmi", "-f", &ours.id]);
        docker(&["load", "-i", text(&again.path)]);
        assert_eq!(docker(&["inspect", "-f", "{{.Id}}", &ours.name]), ours.id, "{fixture}");
        docker(&["rmi", "-f", &ours.id]);
    }
}

#[test]
fn we_read_what_skopeo_saves() {
    let host = Host::start(Cli::Ours);
    for fixture in FIXTURES {
        let directory = directory();
        let (name, path) = (registry::reference(fixture), directory.path().join("theirs.tar"));
        let id = {
            host.fixture(fixture);
            host.inspect(&name, "{{.Id}}")
        };
        let source = format!("docker://{name}");
        let copy = |target: String| {
            drop(fs::remove_file(&path));
            output("skopeo", &["copy", "-q", "--src-tls-verify=false", &source, &target]);
            host.run(&["rmi", "-f", &id]);
            host.run(&["load", "-i", text(&path)])
        };
        // It has no way to write this kind of layer for Docker.
        if fixture != "zstd:1" {
            let told = copy(format!("docker-archive:{}:{name}", text(&path)));
            assert_eq!(told, format!("Loaded image: {name}"), "{fixture}");
            assert_eq!(host.inspect(&name, "{{.Id}}"), id, "{fixture}");
            assert_eq!(host.run(&["run", "--rm", &name, "echo", "hi"]), "hi");
        }
        // A layout's manifest is kept, and with it its digest; Docker's manifests are made OCI's on the way.
        let told = copy(format!("oci-archive:{}:{name}", text(&path)));
        assert_eq!(told, format!("Loaded image: {name}"), "{fixture}");
        if fixture != "schema2:1" {
            assert_eq!(host.inspect(&name, "{{.Id}}"), id, "{fixture}");
        }
        assert_eq!(host.run(&["run", "--rm", &name, "echo", "hi"]), "hi");
        host.run(&["rmi", "-f", &name]);
    }
}

#[test]
fn we_read_what_umoci_and_buildah_make() {
    let host = Host::start(Cli::Ours);
    let directory = directory();
    let layout = directory.path().join("layout");
    let image = format!("{}:mine", text(&layout));
    output("umoci", &["init", "--layout", text(&layout)]);
    output("umoci", &["new", "--image", &image]);
    output("umoci", &["insert", "--image", &image, "/bin/busybox", "/bin/busybox"]);
    output("umoci", &["config", "--image", &image, "--config.cmd", "/bin/busybox", "--config.cmd", "true"]);
    let path = directory.path().join("umoci.tar");
    output("tar", &["-C", text(&layout), "-cf", text(&path), "."]);
    let told = host.run(&["load", "-i", text(&path)]);
    let id = told.strip_prefix("Loaded image ID: ").unwrap_or_else(|| panic!("{told}"));
    assert_eq!(id, id_in_layout(&layout));
    assert_eq!(host.run(&["run", "--rm", id, "/bin/busybox", "echo", "hi"]), "hi");
    host.run(&["rmi", "-f", id]);

    let stores = [directory.path().join("root"), directory.path().join("run")];
    let global = ["--root", text(&stores[0]), "--runroot", text(&stores[1]), "--storage-driver", "vfs"];
    let buildah = |args: &[&str]| output("buildah", &[&global[..], args].concat());
    let container = buildah(&["from", "scratch"]);
    buildah(&["copy", "-q", &container, "/bin/busybox", "/bin/busybox"]);
    let id = format!("sha256:{}", buildah(&["commit", "-q", &container, "localhost/made:1"]));
    for kind in ["docker-archive", "oci-archive"] {
        let path = directory.path().join(kind);
        buildah(&["push", "-q", "localhost/made:1", &format!("{kind}:{}:localhost/made:1", text(&path))]);
        assert_eq!(host.run(&["load", "-i", text(&path)]), "Loaded image: localhost/made:1", "{kind}");
        assert_eq!(host.run(&["run", "--rm", "localhost/made:1", "/bin/busybox", "echo", "hi"]), "hi");
        if kind == "oci-archive" {
            assert_eq!(host.inspect("localhost/made:1", "{{.Id}}"), id);
        }
        host.run(&["rmi", "-f", "localhost/made:1"]);
    }
}
