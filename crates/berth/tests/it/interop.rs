//! Through a registry with other engines and tools, both directions: what they made is pulled, run and pushed back
//! byte for byte; what we made they take.

use std::fs;
use std::path::Path;
use std::process::Command;

use berth_fixtures::{Registry, command};

use crate::dockerd::Dockerd;
use crate::host::{Cli, Host};
use crate::{peers, registry};

/// The manifest as the registry has it.
fn raw(name: &str) -> String {
    let output = Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Pulls an image, runs it, and pushes it to another registry: the manifest is the same to the last byte.
#[track_caller]
fn there_and_back(host: &Host, other: &Registry, name: &str) {
    host.run(&["pull", "-q", name]);
    assert_eq!(host.run(&["run", "--rm", name, "cat", "/made"]), "by hand", "{name}");
    let target = format!("{}/back/{}", other.host, name.rsplit('/').next().unwrap());
    host.run(&["tag", name, &target]);
    host.run(&["push", "-q", &target]);
    assert_eq!(raw(&target), raw(name), "{name}");
    host.run(&["rmi", "-f", name, &target]);
}

fn docker(address: &str, args: &[&str]) -> String {
    let output = Command::new("docker").args(args).env("DOCKER_HOST", address).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The fixture's busybox with one more file, by umoci.
fn by_umoci(directory: &Path, registry: &Registry) -> String {
    let layout = directory.join("umoci").display().to_string();
    let source = format!("docker://{}", registry::reference("busybox:latest"));
    let image = format!("{layout}:made");
    command("skopeo", &["copy", "-q", "--src-tls-verify=false", &source, &format!("oci:{image}")]);
    fs::write(directory.join("made"), "by hand\n").unwrap();
    let made = directory.join("made").display().to_string();
    command("umoci", &["insert", "--image", &image, &made, "/made"]);
    let target = format!("{}/umoci:1", registry.host);
    let args = ["copy", "-q", "--dest-tls-verify=false", &format!("oci:{image}"), &format!("docker://{target}")];
    command("skopeo", &args);
    target
}

/// The same by buildah, as OCI and in Docker's own format.
fn by_buildah(directory: &Path, registry: &Registry) -> [String; 2] {
    let root = directory.join("buildah");
    let roots =
        ["--root", &root.join("root").display().to_string(), "--runroot", &root.join("run").display().to_string()]
            .map(str::to_owned);
    let buildah = |args: &[&str]| {
        let output =
            Command::new("buildah").args(&roots).args(["--storage-driver", "vfs"]).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let made = directory.join("made").display().to_string();
    let container = buildah(&["from", "--tls-verify=false", &registry::reference("busybox:latest")]);
    buildah(&["copy", &container, &made, "/made"]);
    ["oci", "docker"].map(|format| {
        let target = format!("{}/buildah-{format}:1", registry.host);
        let image = buildah(&["commit", "-q", "--format", format, &container]);
        buildah(&["push", "-q", "--tls-verify=false", &image, &format!("docker://{target}")]);
        target
    })
}

#[test]
fn what_umoci_and_buildah_made() {
    let host = Host::start(Cli::Ours);
    let (registry, other) = (registry::empty(&host.name("tools")), registry::empty(&host.name("tools-back")));
    let directory = tempfile::tempdir().unwrap();
    there_and_back(&host, &other, &by_umoci(directory.path(), &registry));
    for name in by_buildah(directory.path(), &registry) {
        there_and_back(&host, &other, &name);
    }
}

#[test]
fn with_dockerd_both_ways() {
    let host = Host::start(Cli::Ours);
    let programs = tempfile::tempdir().unwrap();
    // Where limits cannot be raised, its own runtime cannot start anything.
    let runtime = format!("berth={}", peers::runtime(programs.path()));
    let flags = ["--bridge", "none", "--iptables=false", "--add-runtime", &runtime, "--default-runtime", "berth"];
    let dockerd = Dockerd::start(&[], &flags);
    let address = dockerd.address();
    let (registry, other) = (registry::empty(&host.name("dockerd")), registry::empty(&host.name("dockerd-back")));
    let source = registry::reference("busybox:latest");
    // Theirs.
    docker(&address, &["pull", "-q", &source]);
    docker(&address, &["create", "--name", "maker", "--network", "none", &source]);
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("made"), "by hand\n").unwrap();
    docker(&address, &["cp", &directory.path().join("made").display().to_string(), "maker:/made"]);
    let theirs = format!("{}/theirs:1", registry.host);
    docker(&address, &["commit", "maker", &theirs]);
    docker(&address, &["push", &theirs]);
    there_and_back(&host, &other, &theirs);
    // Ours, with a layer of several blocks.
    let name = host.name("maker");
    let script = "echo by hand > /made; head -c 5000000 /dev/urandom > /noise; sha256sum /noise > /sum";
    host.run(&["run", "--name", &name, &source, "sh", "-c", script]);
    let ours = format!("{}/ours:1", registry.host);
    host.run(&["commit", &name, &ours]);
    host.run(&["push", &ours]);
    docker(&address, &["pull", "-q", &ours]);
    let out =
        docker(&address, &["run", "--rm", "--network", "none", &ours, "sh", "-c", "cat /made; sha256sum -c /sum"]);
    assert_eq!(out, "by hand\n/noise: OK");
    let id = host.inspect(&ours, "{{.Id}}");
    assert_eq!(docker(&address, &["inspect", "-f", "{{.Id}}", &ours]), id, "the same image");
    // What dockerd pushes again has other manifests, but the same layers: none has to be sent.
    let again = format!("{}/ours:2", registry.host);
    docker(&address, &["tag", &ours, &again]);
    let pushed = docker(&address, &["push", &again]);
    assert!(pushed.contains("Layer already exists") && !pushed.contains(": Pushed"), "{pushed}");
    host.run(&["rm", &name]);
    docker(&address, &["rm", "maker"]);
}
