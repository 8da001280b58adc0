//! `pull`: where images come from, what is said while they come, what is refused.

use berth_fixtures::{Entry, Image, Layout, host_architecture, layer};
use serde_json::json;

use crate::clients;
use crate::host::{Cli, Host, until};
use crate::registry;

rows![
    a020_pull,
    a021_second_pull,
    a023_upper_case,
    a024_by_digest,
    a025_all_tags,
    a026_not_found,
    a027_manifest_list,
    a027_run_for_another_platform,
    a028_every_format,
    a029_shared_layers,
    a030_corrupt_blob,
];

fn fresh(host: &Host, name: &str) -> String {
    let reference = registry::reference(name);
    drop(host.try_run(&["rmi", "-f", &reference]));
    reference
}

fn a020_pull(host: &Host) {
    let reference = fresh(host, "team/app:v1");
    let out = host.run(&["pull", &reference]);
    assert!(out.contains("v1: Pulling from team/app\n"), "{out}");
    assert!(out.contains("Digest: sha256:"), "{out}");
    assert!(out.contains(&format!("Status: Downloaded newer image for {reference}")), "{out}");
    assert!(out.ends_with(&reference), "{out}");
    let reference = fresh(host, "busybox");
    assert!(host.run(&["pull", &reference]).starts_with("Using default tag: latest\n"));
}

fn a021_second_pull(host: &Host) {
    let reference = host.fixture("team/app:v1");
    let out = host.run(&["pull", &reference]);
    assert!(out.contains(&format!("Status: Image is up to date for {reference}")), "{out}");
}

fn a023_upper_case(host: &Host) {
    let text = "invalid reference format: repository name (library/UPPER) must be lowercase";
    host.try_run(&["pull", "UPPER"]).fails_with(1, text);
}

fn a024_by_digest(host: &Host) {
    let tagged = host.fixture("team/app:v1");
    let digests = host.inspect(&tagged, "{{join .RepoDigests \"\\n\"}}");
    let own = registry::reference("team/app@");
    let digest = digests.lines().find(|digest| digest.starts_with(&own)).unwrap().to_owned();
    host.run(&["rmi", &tagged]);
    let out = host.run(&["pull", &digest]);
    assert!(
        out.contains(&format!("{digest}: Pulling from team/app").replace(&registry::reference("team/app@"), "")),
        "{out}"
    );
    let format = "{{.Repository}} {{.Tag}} {{.Digest}}";
    let listed = host.run(&["images", "--digests", "--format", format]);
    let (repository, hash) = digest.split_once('@').unwrap();
    assert!(listed.lines().any(|line| line == format!("{repository} <none> {hash}")), "{listed}");
    host.run(&["rmi", &digest]);
}

fn a025_all_tags(host: &Host) {
    let repository = registry::reference("team/app");
    let out = host.run(&["pull", "-a", &repository]);
    assert!(out.contains("v1: Pulling from team/app\n") && out.contains("v2: Pulling from team/app\n"), "{out}");
    assert_eq!(out.matches("Digest: sha256:").count(), 2, "{out}");
    assert!(out.contains(&format!("Status: Downloaded newer image for {repository}\n")), "{out}");
    assert_eq!(out.matches("Status: ").count(), 1, "{out}");
    assert_eq!(host.run(&["images", "-q", &repository]).lines().count(), 2);
    host.try_run(&["pull", "-a", &format!("{repository}:v1")]).fails_with(1, "tag can't be used with --all-tags/-a");
    host.run(&["rmi", &format!("{repository}:v1"), &format!("{repository}:v2")]);
}

/// What is here for one platform is missing where another is asked for.
fn a027_run_for_another_platform(host: &Host) {
    let reference = fresh(host, "list");
    host.run(&["pull", &reference]);
    let name = host.name("other");
    let other = if host_architecture() == "amd64" { "arm64" } else { "amd64" };
    let made = host.try_run(&["create", "--platform", &format!("linux/{other}"), "--name", &name, &reference]);
    assert!(made.ok() && made.err.contains("Unable to find image"), "{made:?}");
    assert_eq!(host.run(&["image", "inspect", "-f", "{{.Architecture}}", &host.inspect(&name, "{{.Image}}")]), other);
    host.run(&["rm", &name]);
    host.run(&["rmi", &reference]);
}

fn a026_not_found(host: &Host) {
    let reference = registry::reference("team/app:nosuch");
    let done = host.try_run(&["pull", &reference]);
    done.fails_with(1, &format!("manifest for {reference} not found: manifest unknown: manifest unknown"));
}

fn a027_manifest_list(host: &Host) {
    let reference = fresh(host, "list");
    host.run(&["pull", &reference]);
    let ours = host_architecture();
    assert_eq!(host.inspect(&reference, "{{.Architecture}}"), ours);
    let other = if ours == "amd64" { "arm64" } else { "amd64" };
    host.run(&["pull", "--platform", &format!("linux/{other}"), &reference]);
    assert_eq!(host.inspect(&reference, "{{.Architecture}}"), other);
    host.try_run(&["pull", "--platform", "linux/s390x", &reference])
        .fails_with(1, "no matching manifest for linux/s390x in the manifest list entries");
    host.run(&["rmi", "-f", &reference]);
}

fn a028_every_format(host: &Host) {
    let mut names = vec!["oci:1", "schema2:1", "plain:1"];
    if host.is_berth() {
        names.push("zstd:1");
    }
    for name in names {
        let reference = fresh(host, name);
        host.run(&["pull", "-q", &reference]);
        assert_eq!(host.run(&["run", "--rm", &reference, "cat", "/version"]), "one", "{name}");
    }
}

fn a029_shared_layers(host: &Host) {
    let registry = registry::empty(&host.name("sharing"));
    let directory = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(directory.path());
    let file = |name: &str| layer(vec![Entry::File(name, 0o644, host.name(name).into())]);
    let layers = [file("shared"), file("own")];
    layout.image("first:1", &Image::new(&layers[..1], json!({"Cmd": ["x"]})));
    layout.image("second:1", &Image::new(&layers, json!({"Cmd": ["x"]})));
    layout.finish();
    let pull = |name: &str| {
        registry.push(directory.path(), name, &[]);
        host.run(&["pull", &format!("{}/{name}", registry.host)])
    };
    let fetched = |name: &str| registry.requests(&format!("\"GET /v2/{name}/blobs/"));
    pull("first:1");
    until("configuration and layer are fetched", || fetched("first") == 2);
    let out = pull("second:1");
    assert_eq!(out.matches(": Already exists").count(), 1, "{out}");
    assert_eq!(out.matches(": Pull complete").count(), 1, "{out}");
    // The registry may write down a request after it has answered it; one too many would be among the first two.
    until("configuration and own layer are fetched", || fetched("second") >= 2);
    assert_eq!(fetched("second"), 2, "and the shared layer is not");
    for name in ["first:1", "second:1"] {
        host.run(&["rmi", &format!("{}/{name}", registry.host)]);
    }
}

fn a030_corrupt_blob(host: &Host) {
    let registry = registry::empty(&host.name("corrupt"));
    let directory = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(directory.path());
    let layers = [layer(vec![Entry::File("unique", 0o644, host.name("unique").into())])];
    layout.image("corrupt:1", &Image::new(&layers, json!({"Cmd": ["x"]})));
    layout.finish();
    registry.push(directory.path(), "corrupt:1", &[]);
    let name = format!("{}/corrupt:1", registry.host);
    registry.corrupt_smallest_layer();
    let done = host.try_run(&["pull", &name]);
    done.fails_with(1, "filesystem layer verification failed for digest");
    assert_eq!(host.run(&["images", "-q", &name]), "");
}

#[test]
fn content_trust_is_refused_and_says_what_it_wants() {
    let host = Host::start(Cli::Ours);
    for (verb, done) in [("pull", "verify what is pulled"), ("push", "sign what is pushed")] {
        let mut command = host.command();
        let output = command.args([verb, "busybox"]).env("DOCKER_CONTENT_TRUST", "1").output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(done) && text.contains("Notary"), "{text}");
        host.try_run(&[verb, "--disable-content-trust=false", "busybox"]).fails_with(1, "Notary");
    }
    let mut command = host.command();
    command.args(["pull", "--disable-content-trust", &registry::reference("busybox")]);
    assert!(command.env("DOCKER_CONTENT_TRUST", "1").output().unwrap().status.success());
}

#[test]
fn a_dry_run_says_what_would_come() {
    let host = Host::start(Cli::Ours);
    let [first, second] = ["team/app:v1", "team/app:v2"].map(registry::reference);
    let out = host.run(&["pull", "--dry-run", &first]);
    assert_eq!(out.matches(" to fetch").count(), 2, "{out}");
    assert!(out.ends_with("nothing was fetched"), "{out}");
    assert_eq!(host.run(&["images", "-aq"]), "");
    host.run(&["pull", "-q", &first]);
    assert!(host.run(&["pull", "--dry-run", &first]).contains("Image is up to date for"));
    let out = host.run(&["pull", "--dry-run", &second]);
    assert_eq!((out.matches(": here already").count(), out.matches(" to fetch").count()), (1, 1), "{out}");
    let missing = registry::reference("team/app:nosuch");
    host.try_run(&["pull", "--dry-run", &missing]).fails_with(1, "manifest unknown");
}

#[test]
fn a_registry_is_asked_what_a_name_stands_for() {
    let host = Host::start(Cli::Ours);
    let name = registry::reference("list");
    let found = clients::json(&host, "GET", &format!("/distribution/{name}/json"), None);
    assert_eq!(found["Descriptor"]["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(found["Platforms"].as_array().unwrap().len(), 2, "{found}");
    host.run(&["pull", "-q", &name]);
    let digest = found["Descriptor"]["digest"].as_str().unwrap();
    assert!(host.inspect(&name, "{{json .RepoDigests}}").contains(digest));
    let one = clients::json(&host, "GET", &format!("/distribution/{}/json", registry::reference("team/app:v1")), None);
    assert_eq!(one["Platforms"][0]["os"], "linux", "{one}");
    let missing = clients::ask(&host, "GET", &format!("/distribution/{}/json", registry::reference("nosuch")), None);
    assert_eq!(missing.status, 404, "{missing:?}");
}
