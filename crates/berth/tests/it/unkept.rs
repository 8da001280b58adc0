//! What is done with layers whose compressed blobs are not kept (`keep-blobs: false`): it works, or says what is missing.

use std::process::Command;

use berth_fixtures::{Entry, Fault, FaultProxy, Image, Layout, PATH, Registry, layer};
use serde_json::json;

use crate::host::{BERTH, Cli, Done, Host, Wishes};
use crate::killed::noise;
use crate::registry;

/// Makes four tests of each check: both command lines, both forms of layers.
macro_rules! rows_by_driver {
    ($($row:ident),+ $(,)?) => {
        $(mod $row {
            #[test]
            fn berth_erofs() {
                super::$row(crate::host::Cli::Ours, "erofs");
            }
            #[test]
            fn berth_overlay2() {
                super::$row(crate::host::Cli::Ours, "overlay2");
            }
            #[test]
            fn docker_erofs() {
                super::$row(crate::host::Cli::Docker, "erofs");
            }
            #[test]
            fn docker_overlay2() {
                super::$row(crate::host::Cli::Docker, "overlay2");
            }
        })+
    };
}

rows_by_driver![a185_unkept_with_a_registry, a185_unkept_without_a_registry];

/// A registry with `app:1` on `base:1`, and `base:2`; it can go away.
struct Source {
    front: FaultProxy,
    _registry: Registry,
}

impl Source {
    fn start(whose: &str) -> Self {
        let registry = registry::empty(&format!("unkept-{whose}"));
        let root = tempfile::tempdir().unwrap();
        let mut layout = Layout::create(root.path());
        let file = |name, seed| layer(vec![Entry::Dir("d", 0o700), Entry::File(name, 0o640, noise(seed, 300_000))]);
        let base = |text: &str| layer(vec![Entry::File("base", 0o644, text.into())]);
        let busybox = berth_fixtures::busybox();
        let stacks = [
            ("app:1", vec![busybox.clone(), base("one"), file("d/app", 7)]),
            ("base:1", vec![busybox.clone(), base("one")]),
            ("base:2", vec![busybox, base("two")]),
        ];
        for (name, stack) in &stacks {
            layout.image(name, &Image::new(stack, json!({"Env": [PATH], "Cmd": ["sh"]})));
        }
        layout.finish();
        stacks.iter().for_each(|(name, _)| registry.push(root.path(), name, &[]));
        Self { front: FaultProxy::start(&registry.host), _registry: registry }
    }

    fn name(&self, name: &str) -> String {
        format!("{}/{name}", self.front.host)
    }

    fn goes_away(&self) {
        self.front.plan("/v2/", Fault::Status(404), 10_000);
    }
}

fn start(cli: Cli, driver: &str) -> Host {
    let flags = vec!["--keep-blobs=false".to_owned(), format!("--storage-driver={driver}")];
    Host::start_as(cli, Wishes { flags, ..Wishes::default() })
}

/// Our command line, of which some of this alone knows.
fn ours(host: &Host, words: &[&str]) -> Done {
    let mut berth = Command::new(BERTH);
    Done::from(berth.args(["-H", host.address()]).args(words).output().unwrap())
}

#[track_caller]
fn ran(host: &Host, words: &[&str]) -> String {
    let done = ours(host, words);
    assert!(done.ok(), "{words:?}: {}{}", done.out, done.err);
    done.out
}

/// It says that a layer is not kept, in one sentence.
#[track_caller]
fn assert_away(done: &Done, why: &str) {
    done.fails_with(1, "is not kept in the form it came in (see the daemon's option keep-blobs)");
    done.fails_with(1, why);
    assert_eq!(done.err.trim_end().lines().count(), 1, "{}", done.err);
}

/// What needs no bytes but those of the files.
fn needs_files_only(host: &Host, source: &Source) {
    let (app, base) = (source.name("app:1"), source.name("base:2"));
    assert!(ran(host, &["image", "explain", &app]).contains("LAYER"));
    assert!(ran(host, &["image", "diff", &base, &app]).contains("/d/app"));
    ran(host, &["image", "flatten", "-t", "flat", &app]);
    assert_eq!(host.run(&["run", "--rm", "flat", "wc", "-c", "/d/app"]), "300000 /d/app");
    let name = host.name("change");
    host.run(&["run", "--name", &name, &app, "sh", "-c", "echo new > /new"]);
    host.run(&["commit", &name, "made"]);
    assert_eq!(host.run(&["run", "--rm", "made", "sh", "-c", "cat /new; wc -c < /d/app"]), "new\n300000");
    host.run(&["rm", &name]);
}

/// Everything while the registry is there: what is missing is fetched once more, and goes out as it came.
fn a185_unkept_with_a_registry(cli: Cli, driver: &str) {
    let host = start(cli, driver);
    let (source, target) = (Source::start(&host.name("source")), registry::empty(&host.name("target")));
    let [app, one, two] = ["app:1", "base:1", "base:2"].map(|name| source.name(name));
    [&app, &one, &two].iter().for_each(|name| drop(host.run(&["pull", "-q", name])));
    needs_files_only(&host, &source);
    let pulled = host.inspect(&app, "{{(index .RepoDigests 0)}}");
    let digest = pulled.split('@').nth(1).unwrap();
    let copy = format!("{}/app:1", target.host);
    host.run(&["tag", &app, &copy]);
    let pushed = host.run(&["push", &copy]);
    assert!(pushed.contains(digest), "{digest}: {pushed}");
    ran(&host, &["image", "rebase", "--onto", &two, "--from", &one, "-t", "rebased", &app]);
    assert_eq!(host.run(&["run", "--rm", "rebased", "sh", "-c", "cat /base; wc -c < /d/app"]), "two300000");
    let archive = host.daemon().root().join("app.tar").display().to_string();
    host.run(&["save", "-o", &archive, &app]);
    let id = host.inspect(&app, "{{.Id}}");
    let other = Host::start_as(cli, Wishes::default());
    other.run(&["load", "-q", "-i", &archive]);
    assert_eq!(other.inspect(&app, "{{.Id}}"), id);
    for made in ["made", "rebased", "flat"] {
        let name = format!("{}/{made}:1", target.host);
        host.run(&["tag", made, &name]);
        host.run(&["push", "-q", &name]);
        other.run(&["pull", "-q", &name]);
        assert_eq!(other.run(&["run", "--rm", &name, "wc", "-c", "/d/app"]), "300000 /d/app", "{made}");
    }
    ran(&host, &["system", "check"]);
}

/// Everything when the registry is gone.
fn a185_unkept_without_a_registry(cli: Cli, driver: &str) {
    let host = start(cli, driver);
    let (source, target) = (Source::start(&host.name("source")), registry::empty(&host.name("target")));
    let [app, one, two] = ["app:1", "base:1", "base:2"].map(|name| source.name(name));
    [&app, &one, &two].iter().for_each(|name| drop(host.run(&["pull", "-q", name])));
    source.goes_away();
    needs_files_only(&host, &source);
    let copy = |name: &str| format!("{}/{name}:1", target.host);
    host.run(&["tag", &app, &copy("app")]);
    // A pulled image goes out as it came, or not at all.
    assert_away(&host.try_run(&["push", &copy("app")]), &format!("cannot be fetched again: {}", source.name("app: ")));
    let rebase = ["image", "rebase", "--onto", &two, "--from", &one, "-t", "rebased", &app];
    let archive = host.daemon().root().join("app.tar").display().to_string();
    host.run(&["tag", "made", &copy("made")]);
    if driver == "erofs" {
        // The layers have their archives.
        ran(&host, &rebase);
        assert_eq!(host.run(&["run", "--rm", "rebased", "sh", "-c", "cat /base; wc -c < /d/app"]), "two300000");
        host.run(&["save", "-o", &archive, &app]);
        let other = Host::start_as(cli, Wishes::default());
        other.run(&["load", "-q", "-i", &archive]);
        assert_eq!(other.inspect(&app, "{{.Id}}"), host.inspect(&app, "{{.Id}}"));
        host.run(&["push", &copy("made")]);
        other.run(&["pull", "-q", &copy("made")]);
        assert_eq!(other.run(&["run", "--rm", &copy("made"), "cat", "/new"]), "new");
    } else {
        let why = format!("cannot be fetched again: {}", source.name("app: "));
        assert_away(&ours(&host, &rebase), &why);
        assert_away(&host.try_run(&["save", "-o", &archive, &app]), &why);
        assert_away(&host.try_run(&["push", &copy("made")]), "cannot be fetched again: ");
    }
    ran(&host, &["system", "check"]);
}
