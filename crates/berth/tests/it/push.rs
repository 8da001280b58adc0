//! `push`: what is said while images go, what comes of them, what is refused.

use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use berth_fixtures::{Entry, FaultProxy, Image, Layout, Registry, command, layer};
use serde_json::{Value, json};

use crate::host::{Cli, Host, Wishes, until};
use crate::registry;

rows![
    a032_push,
    a032_mounted_from_a_neighbour,
    a032_what_was_made_here,
    a032_a_whole_list,
    a032_quiet_and_by_platform,
    a033_tags,
    a034_no_such_image,
    a035_under_ones_own_name,
    a051_latest_is_only_a_tag,
    credentials_of_the_configuration,
];

/// A fixture's manifest as its registry has it.
fn remote(name: &str) -> String {
    let output = std::process::Command::new("skopeo")
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn digest_line(out: &str) -> &str {
    out.lines().find(|line| line.contains(": digest: sha256:")).unwrap_or_else(|| panic!("no digest in {out}"))
}

fn a032_push(host: &Host) {
    let registry = registry::empty(&host.name("push"));
    let source = host.fixture("team/app:v1");
    let target = format!("{}/copy/app:v1", registry.host);
    host.run(&["tag", &source, &target]);
    let out = host.run(&["push", &target]);
    assert!(out.starts_with(&format!("The push refers to repository [{}/copy/app]\n", registry.host)), "{out}");
    assert_eq!(out.matches(": Pushed").count(), 2, "{out}");
    assert_eq!(out.matches(": Preparing").count(), 2, "{out}");
    // Bit for bit what was pulled.
    assert_eq!(remote(&target), remote(&source));
    let again = host.run(&["push", &target]);
    assert_eq!(again.matches(": Layer already exists").count(), 2, "{again}");
    assert_eq!(digest_line(&out), digest_line(&again));
    let digest = digest_line(&out).split(' ').nth(2).unwrap().to_owned();
    assert_eq!(digest_line(&out), format!("v1: digest: {digest} size: {}", remote(&target).len()));
    let known = host.inspect(&target, "{{json .RepoDigests}}");
    assert!(known.contains(&format!("{}/copy/app@{digest}", registry.host)), "{known}");
    host.run(&["rmi", &target]);
    assert!(host.run(&["pull", &target]).contains(&digest));
}

fn a032_mounted_from_a_neighbour(host: &Host) {
    let registry = registry::empty(&host.name("mount"));
    let source = host.fixture("team/app:v1");
    let [first, second] = ["one", "two"].map(|name| format!("{}/team/{name}:v1", registry.host));
    host.run(&["tag", &source, &first]);
    host.run(&["tag", &source, &second]);
    host.run(&["push", &first]);
    let out = host.run(&["push", &second]);
    assert_eq!(out.matches(": Mounted from team/one").count(), 2, "{out}");
    assert_eq!(remote(&second), remote(&source));
}

fn a032_what_was_made_here(host: &Host) {
    let registry = registry::empty(&host.name("made"));
    let (container, target) = (host.name("maker"), format!("{}/made:1", registry.host));
    let script = "echo new > /made; head -c 3000000 /dev/urandom > /noise; rm /etc/group";
    host.run(&["run", "--name", &container, &host.image(), "sh", "-c", script]);
    host.run(&["commit", &container, &target]);
    let out = host.run(&["push", &target]);
    assert_eq!(out.matches(": Pushed").count(), 2, "{out}");
    let manifest: Value = serde_json::from_str(&remote(&target)).unwrap();
    for layer in manifest["layers"].as_array().unwrap() {
        assert!(layer["mediaType"].as_str().unwrap().ends_with("gzip"), "{manifest}");
    }
    // Another program finds all in order, and us too.
    let layout = tempfile::tempdir().unwrap();
    let copy = format!("oci:{}:made", layout.path().display());
    command("skopeo", &["copy", "-q", "--src-tls-verify=false", &format!("docker://{target}"), &copy]);
    let again = host.run(&["push", &target]);
    assert_eq!(again.matches(": Layer already exists").count(), 2, "{again}");
    assert_eq!(digest_line(&out), digest_line(&again));
    // The same layers under another name: nothing has to be made or sent.
    let upon = format!("{}/upon:1", registry.host);
    host.run(&["commit", &container, &upon]);
    let out = host.run(&["push", &upon]);
    assert_eq!(out.matches(": Mounted from made").count(), 2, "{out}");
    host.run(&["rm", &container]);
    host.run(&["rmi", "-f", &target, &upon]);
    let ran = host.run(&["run", "--rm", &target, "sh", "-c", "cat /made; ls /etc; wc -c < /noise"]);
    assert!(ran.starts_with("new\n") && ran.ends_with("3000000") && !ran.contains("group"), "{ran}");
}

fn a032_a_whole_list(host: &Host) {
    let registry = registry::empty(&host.name("list"));
    let source = registry::reference("list:latest");
    let target = format!("{}/list:1", registry.host);
    let host_only = format!("{}/list:host", registry.host);
    host.run(&["pull", "-q", &source]);
    host.run(&["tag", &source, &host_only]);
    // One platform is here: that one goes.
    let done = host.try_run(&["push", &host_only]);
    assert!(done.ok(), "{done:?}");
    // Docker says it where it says everything.
    let said = format!("{}{}", done.out, done.err);
    assert!(said.contains("only") && said.contains("platform"), "{done:?}");
    assert!(!remote(&host_only).contains("manifests"));
    // All are here: the list goes as it came.
    for platform in ["linux/amd64", "linux/arm64"] {
        host.run(&["pull", "-q", "--platform", platform, &source]);
    }
    host.run(&["tag", &source, &target]);
    host.run(&["push", &target]);
    assert_eq!(remote(&target), remote(&source));
    host.run(&["rmi", "-f", &source, &target, &host_only]);
}

fn a032_quiet_and_by_platform(host: &Host) {
    let registry = registry::empty(&host.name("quiet"));
    let target = format!("{}/quiet:1", registry.host);
    host.run(&["tag", &host.fixture("team/app:v1"), &target]);
    assert_eq!(host.run(&["push", "-q", &target]), target);
    let ours = format!("linux/{}", berth_fixtures::host_architecture());
    host.run(&["push", "--platform", &ours, &target]);
    let done = host.try_run(&["push", "--platform", "linux/s390x", &target]);
    done.fails_with(1, "linux/s390x");
}

fn a033_tags(host: &Host) {
    let registry = registry::empty(&host.name("tags"));
    let repository = format!("{}/tags", registry.host);
    for tag in ["v1", "v2"] {
        host.run(&["tag", &host.fixture(&format!("team/app:{tag}")), &format!("{repository}:{tag}")]);
    }
    let done = host.try_run(&["push", &repository]);
    assert!(done.out.starts_with("Using default tag: latest\n"), "{done:?}");
    done.fails_with(1, &format!("tag does not exist: {repository}:latest"));
    host.try_run(&["push", "-a", &format!("{repository}:v1")]).fails_with(1, "tag can't be used with --all-tags/-a");
    let out = host.run(&["push", "-a", &repository]);
    assert!(out.contains("v1: digest: ") && out.contains("v2: digest: "), "{out}");
    for tag in ["v1", "v2"] {
        let name = registry::reference(&format!("team/app:{tag}"));
        assert_eq!(remote(&format!("{repository}:{tag}")), remote(&name));
    }
    // And every tag comes back (A025).
    host.run(&["rmi", &format!("{repository}:v1"), &format!("{repository}:v2")]);
    let out = host.run(&["pull", "-a", &repository]);
    assert!(out.contains("v1: Pulling from tags\n") && out.contains("v2: Pulling from tags\n"), "{out}");
    assert!(out.contains(&format!("Status: Downloaded newer image for {repository}\n")), "{out}");
    assert_eq!(host.run(&["images", "-q", &repository]).lines().count(), 2);
}

fn a034_no_such_image(host: &Host) {
    let text = "An image does not exist locally with the tag: nosuch";
    host.try_run(&["push", "nosuch"]).fails_with(1, text);
    host.try_run(&["push", "UPPER"]).fails_with(1, "must be lowercase");
}

fn a035_under_ones_own_name(host: &Host) {
    let registry = registry::empty(&host.name("own"));
    let own = format!("{}/me/web", registry.host);
    host.run(&["tag", &host.image(), "web:latest"]);
    host.run(&["tag", "web:latest", &format!("{own}:latest")]);
    let out = host.run(&["push", &own]);
    assert!(out.starts_with("Using default tag: latest\n") && out.contains("latest: digest: "), "{out}");
    host.run(&["rmi", "web:latest"]);
}

fn a051_latest_is_only_a_tag(host: &Host) {
    let registry = registry::empty(&host.name("latest"));
    let repository = format!("{}/r", registry.host);
    host.run(&["tag", &host.image(), &format!("{repository}:v2")]);
    host.run(&["push", &format!("{repository}:v2")]);
    host.try_run(&["pull", &repository]).fails_with(1, &format!("manifest for {repository}:latest not found"));
}

fn credentials_of_the_configuration(host: &Host) {
    let registry = registry::guarded(&host.name("secret"));
    let target = format!("{}/secret/app:1", registry.host);
    host.run(&["tag", &host.image(), &target]);
    host.try_run(&["push", &target]).fails_with(1, "no basic auth credentials");
    fs::create_dir_all(host.config_dir()).unwrap();
    let auth = STANDARD.encode(format!("{}:{}", berth_fixtures::USER, berth_fixtures::PASSWORD));
    let auths = json!({"auths": {registry.host.clone(): {"auth": auth}}});
    fs::write(host.config_dir().join("config.json"), auths.to_string()).unwrap();
    host.run(&["push", &target]);
    host.run(&["rmi", &target]);
    host.run(&["pull", "-q", &target]);
    fs::remove_file(host.config_dir().join("config.json")).unwrap();
}

/// An image with one layer of its own, which does not compress.
pub(crate) fn image_of_noise(host: &Host, registry: &Registry, name: &str, length: usize) {
    let directory = tempfile::tempdir().unwrap();
    noise(directory.path(), name, &host.name("noise"), length);
    registry.push(directory.path(), name, &[]);
}

fn noise(directory: &Path, name: &str, seed: &str, length: usize) {
    let mut state = seed.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |sum, byte| sum.wrapping_mul(31) ^ u64::from(byte));
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let bytes: Vec<u8> = (0..length / 8).flat_map(|_| next().to_le_bytes()).collect();
    let mut layout = Layout::create(directory);
    let layers = [layer(vec![Entry::File("noise", 0o644, bytes)])];
    layout.image(name, &Image::new(&layers, json!({"Cmd": ["x"]})));
    layout.finish();
}

#[test]
fn a_push_ends_with_its_request() {
    let host = Host::start(Cli::Ours);
    let registry = registry::empty(&host.name("cancel"));
    let proxy = FaultProxy::start(&registry.host);
    let source = registry::empty(&host.name("cancel-source"));
    image_of_noise(&host, &source, "noise:1", 4 << 20);
    let (from, target) = (format!("{}/noise:1", source.host), format!("{}/noise:1", proxy.host));
    host.run(&["pull", "-q", &from]);
    host.run(&["tag", &from, &target]);
    // So long that only an end of the request ends it.
    proxy.plan("PUT /v2/noise/blobs/", berth_fixtures::Fault::TooMany(50), 1);
    let mut child = host.command().args(["push", &target]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    until("the layer goes", || !proxy.seen("PUT /v2/noise/blobs/").is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let before = proxy.seen("").len();
    host.run(&["push", "-q", &target]);
    assert!(proxy.seen("").len() > before);
    assert_eq!(remote(&target), remote(&from));
}

#[test]
fn a_layer_that_the_disk_has_changed_is_not_pushed() {
    let keeping = Wishes { flags: vec!["--storage-driver=erofs".to_owned()], ..Wishes::default() };
    let host = Host::start_as(Cli::Ours, keeping);
    let registry = registry::empty(&host.name("changed"));
    let text = host.name("text").repeat(1000);
    let archive = host.daemon().root().join("layer.tar");
    fs::write(&archive, layer(vec![Entry::File("text", 0o644, text.clone().into_bytes())])).unwrap();
    let target = format!("{}/changed:1", registry.host);
    host.run(&["import", archive.to_str().unwrap(), &target]);
    let mut layers = fs::read_dir(host.daemon().data_root().join("layers")).unwrap().map(|entry| entry.unwrap().path());
    let image = layers.find(|path| path.extension().is_some_and(|ending| ending == "erofs")).unwrap();
    let good = fs::read(&image).unwrap();
    let at = good.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let mut bad = good.clone();
    bad[at + 5000] ^= 1;
    // In place: the daemon may have it open.
    fs::write(&image, &bad).unwrap();
    host.try_run(&["push", &target]).fails_with(1, "it was changed");
    fs::write(&image, &good).unwrap();
    assert_eq!(host.run(&["push", &target]).matches(": Pushed").count(), 1);
}
