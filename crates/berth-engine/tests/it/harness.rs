//! An engine of one's own per test, and what must be gone when it is.

use std::future::Future;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_engine::spec::{ContainerSpec, LogSpec, NetworkMode};
use berth_engine::{
    AttachOptions, ContainerImage, Containers, Engine, EngineConfig, Images, LogOptions, OutputStream, RemoveOptions,
    WaitCondition,
};
use berth_image::{Driver, Lower, Storage};
use berth_network::{NetworkConfig, Networks};
use berth_oci::{Digest, ImageConfig, ImageId};
use berth_state::{Store, Transaction};
use tokio::io::AsyncReadExt;

/// A directory with busybox in it, as the only image.
#[derive(Debug)]
pub(crate) struct OneDirectory {
    root: PathBuf,
}

impl OneDirectory {
    pub(crate) fn make(root: PathBuf) -> Self {
        if !root.exists() {
            for directory in ["bin", "etc", "tmp", "root", "home/web"] {
                std::fs::create_dir_all(root.join(directory)).unwrap();
            }
            std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
            for applet in "sh echo cat true false sleep ls id env hostname pwd tty stty mount touch head tail wc seq \
                           usleep grep test kill dd stat ps yes od readlink ip awk date sort chmod mkdir"
                .split_whitespace()
            {
                symlink("busybox", root.join("bin").join(applet)).unwrap();
            }
            std::fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/home/web:/bin/sh\n")
                .unwrap();
            std::fs::write(root.join("etc/group"), "root:x:0:\nlog:x:20:web\n").unwrap();
            std::fs::DirBuilder::new().mode(0o1777).recursive(true).create(root.join("tmp")).unwrap();
        }
        Self { root }
    }
}

impl Images for OneDirectory {
    fn commit(&self, _: berth_image::Commit) -> berth_engine::Result<ImageId> {
        Err(berth_engine::Error::Unsupported("one directory takes no commits".into()))
    }

    fn resolve(&self, name: &str, _: Option<&str>) -> berth_engine::Result<ContainerImage> {
        if name != "busybox" {
            return Err(berth_engine::Error::NoSuchImage(format!("No such image: {name}:latest")));
        }
        let mut config = ImageConfig { os: "linux".into(), architecture: "amd64".into(), ..ImageConfig::default() };
        config.config.cmd = Some(vec!["sh".into()]);
        config.config.env = Some(vec!["PATH=/bin".into()]);
        Ok(ContainerImage { id: ImageId(Digest::of(b"busybox")), config })
    }

    fn layers(&self, _: &ImageId, _: &str) -> berth_engine::Result<Vec<Lower>> {
        Ok(vec![Lower::directory(self.root.clone())])
    }

    fn root(&self, _: &ImageId) -> berth_engine::Result<Vec<Lower>> {
        Ok(vec![Lower::directory(self.root.clone())])
    }

    fn storage(&self) -> Storage {
        Storage { driver: Driver::Overlay2, reason: "a directory is all there is".into() }
    }

    fn adopt(&self, _: i32) {}

    fn hold(&self, _: &mut Transaction<'_>, _: &ImageId, _: &str) -> berth_state::Result<bool> {
        Ok(true)
    }

    fn release_in(&self, _: &mut Transaction<'_>, _: &ImageId, _: &str) -> berth_state::Result<bool> {
        Ok(true)
    }

    fn release(&self, _: &ImageId, _: &str) {}

    fn retain(&self, _: &dyn Fn(&str) -> bool) {}
}

/// Where a test's engine lies; opened as often as wanted.
pub(crate) struct Home {
    pub(crate) root: PathBuf,
    bridge: String,
    keep: bool,
}

impl Home {
    pub(crate) fn new() -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(format!("berth-engine-{name}"));
        std::fs::create_dir_all(&root).unwrap();
        Self { root, bridge: format!("be{name}"), keep: false }
    }

    /// One that another process made and will remove.
    pub(crate) fn at(root: PathBuf, bridge: String) -> Self {
        Self { root, bridge, keep: true }
    }

    pub(crate) fn bridge(&self) -> &str {
        &self.bridge
    }

    pub(crate) fn cgroup_parent(&self) -> String {
        format!("/{}", self.root.file_name().unwrap().to_str().unwrap())
    }

    pub(crate) async fn open(&self) -> Engine {
        let store = Store::open(&self.root.join("data/state.db")).unwrap();
        let config = NetworkConfig { bridge: self.bridge.clone(), ..NetworkConfig::default() };
        let networks = Networks::open(&store, config).unwrap();
        let images = Arc::new(OneDirectory::make(self.root.join("busybox")));
        let engine = Engine::open(EngineConfig {
            data_root: self.root.join("data"),
            exec_root: self.root.join("run"),
            store,
            images,
            networks,
            cgroup_parent: self.cgroup_parent(),
            policy: Default::default(),
            fault: None,
            runtimes: berth_engine::runtimes::Runtimes::default(),
        });
        engine.await.unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.keep {
            let _ = std::fs::remove_dir_all(&self.root);
        }
    }
}

/// Runs a test with an engine of its own, removes its containers, and asserts that nothing is left.
pub(crate) fn with_engine<F, T>(test: F)
where
    F: FnOnce(Engine) -> T,
    T: Future<Output = ()>,
{
    let home = Home::new();
    runtime().block_on(async {
        let engine = home.open().await;
        let result = futures_catch(test(engine.clone())).await;
        finish(&engine, &home).await;
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    });
}

/// A panic in the test must not keep its containers from being removed.
async fn futures_catch<T: Future<Output = ()>>(test: T) -> std::thread::Result<()> {
    let mut test = Box::pin(test);
    std::future::poll_fn(move |context| {
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| test.as_mut().poll(context)));
        match polled {
            Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
            Ok(std::task::Poll::Ready(())) => std::task::Poll::Ready(Ok(())),
            Err(panic) => std::task::Poll::Ready(Err(panic)),
        }
    })
    .await
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Removes every container and checks what a container leaves behind: nothing.
pub(crate) async fn finish(engine: &Engine, home: &Home) {
    let containers = engine.containers();
    for view in containers.list() {
        let options = RemoveOptions { force: true, volumes: true };
        let _ = containers.remove(view.id.as_str(), options).await;
    }
    engine.shutdown().await;
    assert_nothing_left(home).await;
}

pub(crate) async fn assert_nothing_left(home: &Home) {
    let mut left = Vec::new();
    // The shims, the kernel and the trash take a moment.
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        left = leftovers(home);
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    panic!("left behind: {left:#?}");
}

/// How long anything is waited for: the machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for something that happens by itself.
pub(crate) async fn until(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened().await {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a container has said something.
pub(crate) async fn says(containers: &Containers, key: &str, text: &str) {
    until(text, async || logs(containers, key).await.0.contains(text)).await;
}

fn leftovers(home: &Home) -> Vec<String> {
    let mut left = Vec::new();
    let mark = home.root.to_str().unwrap();
    left.extend(read("/proc/self/mountinfo").lines().filter(|l| l.contains(mark)).map(str::to_owned));
    for directory in ["data/containers", "data/trash"] {
        left.extend(entries(&home.root.join(directory)));
    }
    for boot in entries(&home.root.join("run")) {
        left.extend(entries(&Path::new(&boot).join("shims")));
    }
    for hierarchy in entries(Path::new("/sys/fs/cgroup")) {
        let parent = Path::new(&hierarchy).join(home.cgroup_parent().trim_start_matches('/'));
        if parent.is_dir() {
            left.push(parent.display().to_string());
        }
    }
    if Path::new("/sys/class/net").join(home.bridge()).exists() {
        left.push(home.bridge().to_owned());
    }
    left
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn entries(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path().display().to_string()).collect()
}

/// A container without a network that runs `script` in a shell.
pub(crate) fn script(script: &str) -> ContainerSpec {
    let mut spec = ContainerSpec { image: "busybox".into(), ..ContainerSpec::default() };
    spec.process.cmd = Some(vec!["sh".into(), "-c".into(), script.into()]);
    spec.network.mode = NetworkMode::None;
    spec.log = LogSpec::default();
    spec
}

/// What a container printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Creates, starts and waits; then reads the log.
pub(crate) async fn run(containers: &Containers, spec: ContainerSpec) -> Output {
    let id = containers.create(None, spec).await.unwrap().id;
    let id = id.as_str();
    containers.start(id).await.unwrap_or_else(|e| panic!("{}", e.chain()));
    let code = containers.wait(id, WaitCondition::NotRunning).await.unwrap().await.unwrap().code;
    let (stdout, stderr) = logs(containers, id).await;
    containers.remove(id, RemoveOptions::default()).await.unwrap();
    Output { code, stdout, stderr }
}

pub(crate) async fn logs(containers: &Containers, key: &str) -> (String, String) {
    let options = LogOptions { stdout: true, stderr: true, ..LogOptions::default() };
    let stream = containers.logs(key, options, marked()).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    for (stream, text) in log_entries(stream).await {
        match stream {
            OutputStream::Stdout => out.push_str(&text),
            OutputStream::Stderr => err.push_str(&text),
        }
    }
    (out, err)
}

/// Writes entries so that [`log_entries`] can take them apart.
pub(crate) fn marked() -> berth_engine::Render {
    Arc::new(|entry, out| {
        out.push(if entry.stream == OutputStream::Stdout { 1 } else { 2 });
        out.extend_from_slice(&(entry.text.len() as u32).to_be_bytes());
        out.extend_from_slice(&entry.text);
    })
}

/// All entries until the stream ends.
pub(crate) async fn log_entries(mut stream: berth_engine::LogStream) -> Vec<(OutputStream, String)> {
    let mut all = Vec::new();
    while let Some(batch) = stream.next().await {
        all.extend(marks(&batch.unwrap()));
    }
    all
}

/// The entries of one batch.
fn marks(mut bytes: &[u8]) -> Vec<(OutputStream, String)> {
    let mut all = Vec::new();
    while let [mark, a, b, c, d, rest @ ..] = bytes {
        let (text, rest) = rest.split_at(u32::from_be_bytes([*a, *b, *c, *d]) as usize);
        let stream = if *mark == 1 { OutputStream::Stdout } else { OutputStream::Stderr };
        all.push((stream, String::from_utf8_lossy(text).into_owned()));
        bytes = rest;
    }
    all
}

/// Everything an attachment gives until its end.
pub(crate) async fn drain(attachment: berth_engine::Attachment) -> String {
    let mut bytes = Vec::new();
    attachment.stream.unwrap().read_to_end(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&if attachment.tty { bytes } else { payload(&bytes) }).into_owned()
}

/// Docker's frames without their headers.
pub(crate) fn payload(mut bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    while bytes.len() >= 8 {
        let length = u32::from_be_bytes(bytes[4..8].try_into().unwrap()) as usize;
        all.extend_from_slice(&bytes[8..8 + length]);
        bytes = &bytes[8 + length..];
    }
    assert!(bytes.is_empty(), "a torn frame");
    all
}

pub(crate) fn attach_all() -> AttachOptions {
    AttachOptions { stdin: true, stdout: true, stderr: true, stream: true, ..AttachOptions::default() }
}
