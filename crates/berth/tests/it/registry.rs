//! One real registry (Debian's `docker-registry`) a test process, filled with the fixture images.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;

use crate::fixtures::{self, Entry, Image, Layout, Packing, layer};
use crate::host::until;

/// A registry that runs until the test process ends.
pub(crate) struct Registry {
    /// `127.0.0.1:PORT`
    pub(crate) host: String,
    /// Its storage, where a test can look or break something.
    pub(crate) root: PathBuf,
}

/// The registry that holds the fixtures.
pub(crate) fn shared() -> &'static Registry {
    static SHARED: OnceLock<Registry> = OnceLock::new();
    SHARED.get_or_init(|| {
        let registry = Registry::start("shared");
        registry.fill();
        registry
    })
}

/// A fixture's name as one types it: `127.0.0.1:PORT/busybox`.
pub(crate) fn reference(name: &str) -> String {
    format!("{}/{name}", shared().host)
}

impl Registry {
    /// An empty registry.
    pub(crate) fn start(name: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let root = cache().join(format!("registry-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        fs::create_dir_all(&root).unwrap();
        let config = json!({
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": false}},
            "storage": {"filesystem": {"rootdirectory": root.join("data")}, "delete": {"enabled": true}},
            "http": {"addr": host},
        });
        fs::write(root.join("config.yml"), config.to_string()).unwrap();
        spawn_until_we_end(&root);
        until("the registry answers", Duration::from_secs(10), || std::net::TcpStream::connect(&host).is_ok());
        Self { host, root }
    }

    /// Lines of the access log that contain `text`.
    pub(crate) fn requests(&self, text: &str) -> usize {
        let log = fs::read_to_string(self.root.join("log")).unwrap();
        log.lines()
            .filter(|line| line.contains("http.request.method") || line.contains("HTTP/1.1"))
            .filter(|line| line.contains(text))
            .count()
    }

    /// Changes one byte of the smallest layer, so that it keeps its length but not its digest.
    pub(crate) fn corrupt_smallest_layer(&self) {
        let blobs = self.root.join("data/docker/registry/v2/blobs/sha256");
        let directories = fs::read_dir(blobs).unwrap().flatten().flat_map(|part| fs::read_dir(part.path()).unwrap());
        let files = directories.flatten().map(|blob| blob.path().join("data"));
        let layers = files.filter(|file| fs::read(file).unwrap().starts_with(&[0x1f, 0x8b]));
        let smallest = layers.min_by_key(|file| fs::metadata(file).unwrap().len()).expect("a gzip layer");
        let mut bytes = fs::read(&smallest).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 0xff;
        fs::write(smallest, bytes).unwrap();
    }

    /// Copies one image of a layout here, as `name:tag`.
    pub(crate) fn push(&self, layout: &Path, name: &str, more: &[&str]) {
        let source = format!("oci:{}:{name}", layout.display());
        let target = format!("docker://{}/{name}", self.host);
        let mut args = vec!["copy", "-q", "--all", "--dest-tls-verify=false", &source, &target];
        args.extend(more);
        fixtures::command("skopeo", &args);
    }

    fn fill(&self) {
        let root = cache().join(format!("layout-{}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        let mut layout = Layout::create(&root);
        let shell = json!({"Env": [PATH], "Cmd": ["sh"]});
        let busybox = fixtures::busybox_layer();
        let with_file = |text: &str| vec![busybox.clone(), layer(vec![Entry::File("version", 0o644, text.into())])];
        let (first, second) = (with_file("one\n"), with_file("two\n"));
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
        let other = if fixtures::host_architecture() == "amd64" { "arm64" } else { "amd64" };
        let foreign = Image { architecture: other, ..Image::new(&second, shell.clone()) };
        layout.index("list:latest", &[foreign, Image::new(&first, shell.clone())]);
        let windows = Image { os: "windows", ..Image::new(&first, shell) };
        layout.index("win-only:latest", &[windows]);
        let debian = fixtures::debian_layers(&cache());
        layout.image("debian:latest", &Image::new(&debian, json!({"Env": [PATH], "Cmd": ["bash"]})));
        layout.finish();
        for name in ["busybox:latest", "team/app:v1", "team/app:v2", "zstd:1", "plain:1", "oci:1", "ftep:latest"] {
            self.push(&root, name, &[]);
        }
        for name in ["selfexe:latest", "list:latest", "win-only:latest", "debian:latest"] {
            self.push(&root, name, &[]);
        }
        self.push(&root, "schema2:1", &["--format", "v2s2"]);
        fs::remove_dir_all(root).unwrap();
    }
}

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where fixtures are kept; cargo removes it with `target`.
pub(crate) fn cache() -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(&path).unwrap();
    path
}

/// Starts the registry from a thread that never ends, and has the kernel kill it when that thread does: with the
/// test process, however that ends.
fn spawn_until_we_end(root: &Path) {
    let root = root.to_owned();
    std::thread::spawn(move || {
        let log = fs::File::create(root.join("log")).unwrap();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "docker-registry", "serve"])
            .arg(root.join("config.yml"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("setpriv and docker-registry are installed");
        child.wait().unwrap();
        panic!("the registry ended: see {}", root.join("log").display());
    });
}
