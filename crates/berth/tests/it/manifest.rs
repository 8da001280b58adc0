//! `manifest`: lists put together here, pushed, and shared with the other command line.

use std::fs;
use std::path::Path;

use berth_fixtures::{Entry, Image, Layout, PASSWORD, PATH, Registry, USER, layer};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host::{BERTH, Cli, Done, Host};
use crate::registry;

rows![
    a046_create,
    a047_annotate,
    a048_inspect,
    a049_push,
    a050_rm,
    manifests_of_the_other_command_line,
    manifest_with_credentials,
    manifest_refusals,
];

/// Images `x` (amd64), `a` (arm64) and `sub/b` (arm) in Docker's format, `x:oci` in OCI's, and `x:idx`, an index.
fn fill(registry: &Registry, more: &[&str]) {
    let root = TempDir::new().unwrap();
    let path = root.path().join("layout");
    let mut layout = Layout::create(&path);
    let layers = [layer(vec![Entry::File("f", 0o644, b"manifest\n".to_vec())])];
    let config = json!({"Env": [PATH], "Cmd": ["sh"]});
    let of = |architecture| Image { architecture, ..Image::new(&layers, config.clone()) };
    layout.image("x:latest", &of("amd64"));
    layout.image("a:latest", &of("arm64"));
    layout.image("sub/b:latest", &of("arm"));
    layout.image("x:oci", &of("amd64"));
    layout.index("x:idx", &[of("amd64"), of("arm64")]);
    layout.finish();
    let docker = [&["--format", "v2s2"], more].concat();
    for name in ["x:latest", "a:latest", "sub/b:latest"] {
        registry.push(&path, name, &docker);
    }
    for name in ["x:oci", "x:idx"] {
        registry.push(&path, name, more);
    }
}

fn filled(host: &Host) -> Registry {
    let registry = registry::empty(&host.name("manifests"));
    fill(&registry, &[]);
    registry
}

fn at(host: &Host, config: &Path, args: &[&str]) -> Done {
    let words = [&["manifest"], args].concat();
    Done::from(host.command().env("DOCKER_CONFIG", config).args(words).output().unwrap())
}

#[track_caller]
fn good(host: &Host, config: &Path, args: &[&str]) -> String {
    let done = at(host, config, args);
    assert!(done.ok(), "{args:?}: {}{}", done.out, done.err);
    done.out
}

fn parsed(host: &Host, config: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&good(host, config, args)).unwrap()
}

fn a046_create(host: &Host) {
    let registry = filled(host);
    let config = TempDir::new().unwrap();
    let config = config.path();
    let [list, x, a, none] = ["t", "x", "a", "none"].map(|name| format!("{}/{name}", registry.host));
    at(host, config, &["create", "--insecure", &list, &none])
        .fails_with(1, &format!("no such manifest: {none}:latest"));
    assert!(!config.join("manifests").exists());
    let out = good(host, config, &["create", "--insecure", &list, &x, &a]);
    assert_eq!(out, format!("Created manifest list {list}:latest"));
    let again = ["create", "--insecure", &list, &x];
    at(host, config, &again).fails_with(1, "refusing to amend an existing manifest list with no --amend flag");
    let sub = format!("{}/sub/b", registry.host);
    good(host, config, &["create", "--insecure", "--amend", &list, &sub]);
    let place = |name: &str| format!("{}_{name}", registry.host.replace(':', "-"));
    let files = fs::read_dir(config.join("manifests").join(place("t-latest"))).unwrap();
    let mut names: Vec<String> = files.map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [place("a-latest"), place("sub_b-latest"), place("x-latest")]);
    let indexed = format!("{}/x:idx", registry.host);
    at(host, config, &["create", "--insecure", &none, &indexed])
        .fails_with(1, &format!("{indexed} is a manifest list"));
}

fn a047_annotate(host: &Host) {
    let registry = filled(host);
    let config = TempDir::new().unwrap();
    let config = config.path();
    let [list, x, a, none] = ["t", "x", "a", "none"].map(|name| format!("{}/{name}", registry.host));
    good(host, config, &["create", "--insecure", &list, &x, &a]);
    let platform =
        |image: &str| parsed(host, config, &["inspect", "-v", &list, image])["Descriptor"]["platform"].clone();
    good(host, config, &["annotate", &list, &a, "--os", "linux", "--arch", "arm64", "--variant", "v8"]);
    assert_eq!(platform(&a), json!({"architecture": "arm64", "os": "linux", "variant": "v8"}));
    let features = ["--os-features", "one,two", "--os-features", "three", "--os-version", "10.0"];
    good(host, config, &[&["annotate", &list, &x], &features[..]].concat());
    let expected =
        json!({"architecture": "amd64", "os": "linux", "os.version": "10.0", "os.features": ["one", "two", "three"]});
    assert_eq!(platform(&x), expected);
    let odd = at(host, config, &["annotate", &list, &x, "--os", "linux", "--arch", "x86_64"]);
    match host.cli() {
        Cli::Ours => {
            assert!(odd.ok(), "{}", odd.err);
            assert_eq!(platform(&x)["architecture"], "amd64");
        }
        Cli::Docker => odd.fails_with(1, "unsupported os/arch combination: linux/x86_64"),
    }
    at(host, config, &["annotate", &list, &x, "--os", "linux", "--arch", "vax"])
        .fails_with(1, "manifest entry for image has unsupported os/arch combination: linux/vax");
    at(host, config, &["annotate", &list, &none, "--arch", "arm64"])
        .fails_with(1, &format!("manifest for image {none} does not exist in {list}"));
    at(host, config, &["annotate", &none, &a, "--arch", "arm64"])
        .fails_with(1, &format!("manifest for image {a} does not exist in {none}"));
}

fn a048_inspect(host: &Host) {
    let registry = filled(host);
    let config = TempDir::new().unwrap();
    let config = config.path();
    let [list, x, a, oci, indexed] = ["t", "x", "a", "x:oci", "x:idx"].map(|name| format!("{}/{name}", registry.host));
    good(host, config, &["create", "--insecure", &list, &x, &a]);
    let local = good(host, config, &["inspect", &list]);
    assert!(local.starts_with("{\n   \"schemaVersion\": 2,\n   \"mediaType\": \""), "{local}");
    let local: Value = serde_json::from_str(&local).unwrap();
    assert_eq!(local["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");
    assert_eq!(local["manifests"].as_array().unwrap().len(), 2);
    assert_eq!(local["manifests"][0]["platform"]["architecture"], "arm64");

    let shown = good(host, config, &["inspect", "--insecure", &x]);
    assert!(shown.starts_with("{\n\t\"schemaVersion\": 2,\n\t\"mediaType\": \""), "{shown}");
    if host.cli() == Cli::Ours {
        assert_eq!(good(host, config, &["inspect", &x]), shown, "registries of this host need no --insecure");
    }
    let verbose = parsed(host, config, &["inspect", "--insecure", "-v", &x]);
    assert_eq!(verbose["Ref"], format!("{x}:latest"));
    assert_eq!(verbose["Descriptor"]["platform"], json!({"architecture": "amd64", "os": "linux"}));
    assert_eq!(verbose["SchemaV2Manifest"], serde_json::from_str::<Value>(&shown).unwrap());
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, verbose["Raw"].as_str().unwrap());
    assert_eq!(serde_json::from_slice::<Value>(&bytes.unwrap()).unwrap(), verbose["SchemaV2Manifest"]);
    assert!(parsed(host, config, &["inspect", "--insecure", "-v", &oci])["OCIManifest"]["layers"].is_array());

    let remote = parsed(host, config, &["inspect", "--insecure", &indexed]);
    assert_eq!(remote["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(remote["manifests"].as_array().unwrap().len(), 2);
    let verbose = parsed(host, config, &["inspect", "--insecure", "-v", &indexed]);
    let digest = remote["manifests"][1]["digest"].as_str().unwrap();
    assert_eq!(verbose[1]["Ref"], format!("{indexed}@{digest}"));
    assert_eq!(verbose[1]["Descriptor"]["platform"]["architecture"], "arm64");
    let by_digest = format!("{}/x@{digest}", registry.host);
    assert!(parsed(host, config, &["inspect", "--insecure", &by_digest])["layers"].is_array());

    at(host, config, &["inspect", "--insecure", &format!("{x}:none")])
        .fails_with(1, &format!("no such manifest: {x}:none"));
    at(host, config, &["inspect", &list, &oci]).fails_with(1, &format!("No such manifest: {oci}"));
    at(host, config, &["inspect", "--insecure", "127.0.0.1:1/x"]).fails_with(1, "connection refused");
}

/// Both command lines make the same list of the same images, to the byte.
fn a049_push(host: &Host) {
    let registry = filled(host);
    let config = TempDir::new().unwrap();
    let config = config.path();
    let [list, x, a, oci, none] = ["t", "x", "a", "x:oci", "none"].map(|name| format!("{}/{name}", registry.host));
    at(host, config, &["push", "--insecure", &none]).fails_with(1, &format!("No such manifest: {none}:latest"));
    good(host, config, &["create", "--insecure", &list, &x, &a]);
    good(host, config, &["annotate", &list, &a, "--os", "linux", "--arch", "arm64", "--variant", "v8"]);
    let out = good(host, config, &["push", "--insecure", &list]);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    for line in &lines[..2] {
        let digest = line.rsplit(' ').next().unwrap();
        assert_eq!(*line, format!("Pushed ref {list}@{digest} with digest: {digest}"));
    }
    let other = Command::other(host).run(config, &["manifest", "inspect", &list]);
    assert_eq!(other.out, good(host, config, &["inspect", &list]), "{}", other.err);
    assert_eq!(digest_of(&other.out), lines[2]);
    host.run(&["pull", "-q", &list]);
    assert_eq!(host.inspect(&list, "{{.Architecture}}"), berth_fixtures::host_architecture());
    host.run(&["rmi", &list]);
    assert!(config.join("manifests").read_dir().unwrap().next().is_some());
    good(host, config, &["push", "--insecure", "--purge", &list]);
    assert!(config.join("manifests").read_dir().unwrap().next().is_none());
    let pushed = parsed(host, config, &["inspect", "--insecure", &list]);
    assert_eq!(pushed["manifests"][0]["platform"]["variant"], "v8");
    // The first image says what kind of list it is.
    good(host, config, &["create", "--insecure", &list, &oci]);
    good(host, config, &["push", "--insecure", "-p", &list]);
    let kind = parsed(host, config, &["inspect", "--insecure", &list])["mediaType"].clone();
    assert_eq!(kind, "application/vnd.oci.image.index.v1+json");
}

/// The digest of what was printed (the last newline, which is not the list's own, is gone already).
fn digest_of(text: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let output = std::process::Command::new("sha256sum").arg(file.path()).output().unwrap();
    format!("sha256:{}", &String::from_utf8(output.stdout).unwrap()[..64])
}

/// The command line that this test is not about.
struct Command(&'static str);

impl Command {
    fn other(host: &Host) -> Self {
        Self(if host.cli() == Cli::Ours { "docker" } else { BERTH })
    }

    fn run(&self, config: &Path, args: &[&str]) -> Done {
        let mut command = std::process::Command::new(self.0);
        Done::from(command.env("DOCKER_CONFIG", config).env_remove("DOCKER_HOST").args(args).output().unwrap())
    }
}

fn a050_rm(host: &Host) {
    let registry = filled(host);
    let config = TempDir::new().unwrap();
    let config = config.path();
    let [one, two, x, none] = ["one", "two", "x", "none"].map(|name| format!("{}/{name}", registry.host));
    for list in [&one, &two] {
        good(host, config, &["create", "--insecure", list, &x]);
    }
    at(host, config, &["rm", &one, &none, &two]).fails_with(1, &format!("No such manifest: {none}:latest"));
    assert!(config.join("manifests").read_dir().unwrap().next().is_none());
    good(host, config, &["create", "--insecure", &one, &x]);
    assert_eq!(good(host, config, &["rm", &one]), "");
    assert!(config.join("manifests").read_dir().unwrap().next().is_none());
}

/// One begins a list, the other goes on with it; the files are the same to the byte.
fn manifests_of_the_other_command_line(host: &Host) {
    let registry = filled(host);
    let (config, beside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let [list, x, a, b] = ["t", "x", "a", "sub/b"].map(|name| format!("{}/{name}", registry.host));
    let other = Command::other(host);
    good(host, config.path(), &["create", "--insecure", &list, &x, &b]);
    let done = other.run(beside.path(), &["manifest", "create", "--insecure", &list, &x, &b]);
    assert!(done.ok(), "{}", done.err);
    let files = |config: &Path| {
        let directory = config.join("manifests").read_dir().unwrap().next().unwrap().unwrap().path();
        let mut files: Vec<_> = directory.read_dir().unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
            .into_iter()
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read_to_string(path).unwrap()))
            .collect()
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = (files(config.path()), files(beside.path()));
    assert_eq!(ours, theirs);
    for words in [
        &["manifest", "create", "--insecure", "--amend", &list, &a][..],
        &["manifest", "annotate", &list, &b, "--variant", "v7", "--os", "linux", "--arch", "arm"],
    ] {
        let done = other.run(config.path(), words);
        assert!(done.ok(), "{words:?}: {}", done.err);
    }
    let list_of = parsed(host, config.path(), &["inspect", &list]);
    assert_eq!(list_of["manifests"].as_array().unwrap().len(), 3);
    assert_eq!(list_of["manifests"][1]["platform"]["variant"], "v7");
    good(host, config.path(), &["push", "--insecure", "-p", &list]);
}

fn manifest_with_credentials(host: &Host) {
    let registry = registry::guarded(&host.name("guarded"));
    let credentials = format!("{USER}:{PASSWORD}");
    fill(&registry, &["--dest-creds", &credentials]);
    let config = TempDir::new().unwrap();
    let config = config.path();
    let [list, x, a] = ["t", "x", "a"].map(|name| format!("{}/{name}", registry.host));
    assert!(!at(host, config, &["create", "--insecure", &list, &x, &a]).ok());
    let mut command = host.command();
    command.env("DOCKER_CONFIG", config).args(["login", "-u", USER, "--password-stdin", &registry.host]);
    assert!(crate::login_helpers::with_input(command, PASSWORD).ok());
    good(host, config, &["create", "--insecure", &list, &x, &a]);
    assert_eq!(good(host, config, &["push", "--insecure", &list]).lines().count(), 3);
}

fn manifest_refusals(host: &Host) {
    let config = TempDir::new().unwrap();
    let upper = "must be lowercase";
    for (args, reason) in [
        (&["create", "h.example/X", "h.example/x"][..], upper),
        (&["create", "h.example/x", "h.example/X"], upper),
        (&["inspect", "h.example/X"], upper),
        (&["push", "h.example/X"], upper),
        (&["create", "h.example/x"], "requires at least 2 arguments"),
        (&["annotate", "h.example/x"], "requires 2 arguments"),
        (&["rm"], "requires at least 1 argument"),
        (&["nosuch"], "unknown command: "),
    ] {
        at(host, config.path(), args).fails_with(1, reason);
    }
    assert!(!config.path().join("manifests").exists());
}
