//! `pull`: where images come from, what is said while they come, what is refused.

use berth_fixtures::{Entry, Image, Layout, host_architecture, layer};
use serde_json::json;

use crate::host::{Host, until};
use crate::registry;

rows![
    a020_pull,
    a021_second_pull,
    a023_upper_case,
    a024_by_digest,
    a026_not_found,
    a027_manifest_list,
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
