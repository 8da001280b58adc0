//! One registry a test process, filled with the images that rows pull.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use berth_fixtures::{Entry, Image, Layout, PATH, Packing, Registry, host_architecture, layer};
use serde_json::json;

/// The registry that holds the fixtures.
pub(crate) fn shared() -> &'static Registry {
    static SHARED: OnceLock<Registry> = OnceLock::new();
    SHARED.get_or_init(|| {
        sweep();
        let registry = empty("shared");
        fill(&registry);
        registry
    })
}

/// A registry of the caller's own.
pub(crate) fn empty(name: &str) -> Registry {
    Registry::start(&cache().join(format!("registry-{}-{name}", std::process::id())))
}

/// One that wants a user and a password.
pub(crate) fn guarded(name: &str) -> Registry {
    Registry::start_guarded(&cache().join(format!("registry-{}-{name}", std::process::id())))
}

/// One that speaks TLS.
pub(crate) fn encrypted(name: &str, certificate: &Path, key: &Path) -> Registry {
    Registry::start_tls(&cache().join(format!("registry-{}-{name}", std::process::id())), certificate, key)
}

/// A fixture's name as one types it: `127.0.0.1:PORT/busybox`.
pub(crate) fn reference(name: &str) -> String {
    format!("{}/{name}", shared().host)
}

fn fill(registry: &Registry) {
    let root = cache().join(format!("layout-{}", std::process::id()));
    drop(fs::remove_dir_all(&root));
    let mut layout = Layout::create(&root);
    let shell = json!({"Env": [PATH], "Cmd": ["sh"]});
    let busybox = berth_fixtures::busybox();
    let with_file = |text: &str| vec![busybox.clone(), layer(vec![Entry::File("version", 0o644, text.into())])];
    let (first, second) = (with_file("one\n"), with_file("two\n"));
    let busybox_layer = busybox.clone();
    let plain = [busybox];
    layout.image("busybox:latest", &Image::new(&plain, shell.clone()));
    layout.image("team/app:v1", &Image::new(&first, shell.clone()));
    layout.image("team/app:v2", &Image::new(&second, shell.clone()));
    layout.image("zstd:1", &Image { packing: Packing::Zstd, ..Image::new(&first, shell.clone()) });
    layout.image("plain:1", &Image { packing: Packing::Plain, ..Image::new(&first, shell.clone()) });
    layout.image("oci:1", &Image::new(&first, shell.clone()));
    layout.image("schema2:1", &Image::new(&first, shell.clone()));
    let entrypoint = json!({"Env": [PATH], "Entrypoint": ["echo", "ep"], "Cmd": ["d1", "d2"]});
    layout.image("ftep:latest", &Image::new(&plain, entrypoint));
    let own = json!({"Env": [PATH], "Entrypoint": ["/proc/self/exe"]});
    layout.image("selfexe:latest", &Image::new(&plain, own));
    let check = json!({"Test": ["CMD", "true"], "Interval": 200_000_000, "Retries": 5});
    let checked = json!({"Env": [PATH], "Cmd": ["sleep", "300"], "Healthcheck": check});
    layout.image("checked:latest", &Image::new(&plain, checked));
    let other = if host_architecture() == "amd64" { "arm64" } else { "amd64" };
    let foreign = Image { architecture: other, ..Image::new(&second, shell.clone()) };
    layout.index("list:latest", &[foreign, Image::new(&first, shell.clone())]);
    let windows = Image { os: "windows", ..Image::new(&first, shell) };
    layout.index("win-only:latest", &[windows]);
    let data = vec![
        Entry::Dir("data", 0o750),
        Entry::File("data/file", 0o640, b"from the image\n".to_vec()),
        Entry::Dir("data/sub", 0o2775),
        Entry::Link("data/sub/link".into(), "../file"),
        Entry::Link("way".into(), "data/sub/.."),
        Entry::Link("out".into(), "/../../../../../../../tmp"),
    ];
    let with_data = [busybox_layer.clone(), layer(data)];
    let declared = json!({"Env": [PATH], "Cmd": ["sh"], "Volumes": {"/data": {}}});
    layout.image("volumes:latest", &Image::new(&with_data, declared));
    let debian = berth_fixtures::debian(&cache());
    layout.image("debian:latest", &Image::new(&debian, json!({"Env": [PATH], "Cmd": ["bash"]})));
    layout.finish();
    for name in ["busybox:latest", "team/app:v1", "team/app:v2", "zstd:1", "plain:1", "oci:1", "ftep:latest"] {
        registry.push(&root, name, &[]);
    }
    for name in
        ["volumes:latest", "selfexe:latest", "list:latest", "win-only:latest", "debian:latest", "checked:latest"]
    {
        registry.push(&root, name, &[]);
    }
    registry.push(&root, "schema2:1", &["--format", "v2s2"]);
    fs::remove_dir_all(root).unwrap();
}

/// Removes what test processes of another day have left. A registry ends with its process, and its files do not.
fn sweep() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let is_old = |entry: &fs::DirEntry| {
        let changed = entry.metadata().and_then(|found| found.modified());
        changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > DAY))
    };
    for entry in fs::read_dir(cache()).unwrap().flatten().filter(is_old) {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("registry-") || name.to_string_lossy().starts_with("layout-") {
            // Another may be at it.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// Where fixtures are kept; cargo removes it with `target`.
fn cache() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&path).unwrap();
    path
}
