//! The engines that are measured: how each is started, spoken to and taken down.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use berth_fixtures::{Image, Layout, PATH, Registry};

/// What all peers share: directories, a network namespace, an image in a registry.
pub(crate) struct Stage {
    root: PathBuf,
    namespace: String,
    registry: Registry,
}

/// One engine, ready for commands.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    command: Vec<String>,
    environment: Vec<(String, String)>,
    socket: PathBuf,
    /// What starts its daemon, and where that writes.
    program: Vec<String>,
    log: PathBuf,
    daemon: Child,
    /// From exec to the first connection.
    pub(crate) ready: Duration,
    pub(crate) image: String,
}

impl Stage {
    pub(crate) fn set() -> Result<Self> {
        let root = std::env::temp_dir().join(format!("berth-bench-{}", std::process::id()));
        Self::set_at(root)
    }

    /// A stage whose directories lie at `root`.
    pub(super) fn set_at(root: PathBuf) -> Result<Self> {
        fs::create_dir_all(&root)?;
        let namespace = format!("berth-bench-{}", std::process::id());
        crate::run("ip", &["netns", "add", &namespace])?;
        crate::run("ip", &["-n", &namespace, "link", "set", "lo", "up"])?;
        // The registry is needed while images are pulled: from inside the namespace, it is out of reach. So each
        // peer pulls from a registry that runs inside as well.
        let registry =
            Registry::start_in(&root.join("registry"), &["nsenter", &format!("--net=/run/netns/{namespace}")]);
        let stage = Self { root, namespace, registry };
        stage.publish()?;
        Ok(stage)
    }

    /// One more registry within reach of all peers, empty, with its data at `root`.
    pub(super) fn another_registry(&self, root: &Path) -> Result<Registry> {
        let registry = Registry::start_in(root, &["nsenter", &format!("--net=/run/netns/{}", self.namespace)]);
        let probe = format!("exec 3<>/dev/tcp/{}", registry.host.replace(':', "/"));
        let began = Instant::now();
        while !self.program("bash").args(["-c", &probe]).stderr(Stdio::null()).status()?.success() {
            if began.elapsed() > Duration::from_secs(60) {
                bail!("the registry at {} does not answer", registry.host);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(registry)
    }

    /// A program in the benchmark's network namespace.
    pub(super) fn program(&self, program: &str) -> Command {
        let words = self.inside(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        command
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn publish(&self) -> Result<()> {
        let path = self.root.join("layout");
        let mut layout = Layout::create(&path);
        let config = serde_json::json!({"Env": [PATH], "Cmd": ["true"]});
        layout.image("busybox:latest", &Image::new(&[berth_fixtures::busybox()], config));
        layout.finish();
        let source = format!("oci:{}:busybox:latest", path.display());
        let target = format!("docker://{}/busybox:latest", self.registry.host);
        let inside = self.inside("skopeo");
        let mut copy = Command::new(&inside[0]);
        let status =
            copy.args(&inside[1..]).args(["copy", "-q", "--dest-tls-verify=false", &source, &target]).status()?;
        if !status.success() {
            bail!("skopeo could not fill the registry: {status}");
        }
        Ok(())
    }

    /// A command that runs in the benchmark's network namespace.
    fn inside(&self, program: &str) -> Vec<String> {
        ["nsenter".to_owned(), format!("--net=/run/netns/{}", self.namespace), program.to_owned()].into()
    }

    fn image(&self) -> String {
        format!("{}/busybox", self.registry.host)
    }

    fn directory(&self, peer: &str, name: &str) -> String {
        self.root.join(peer).join(name).display().to_string()
    }

    /// Every engine that is installed, with its image pulled.
    pub(crate) fn peers(&self) -> Result<Vec<Peer>> {
        let mut peers = vec![self.berth()?];
        if installed("dockerd") && installed("docker") {
            peers.push(self.dockerd()?);
        }
        if installed("podman") {
            peers.push(self.podman()?);
        }
        for peer in &peers {
            peer.run(&["pull", "-q", &peer.image])?;
        }
        Ok(peers)
    }

    fn berth(&self) -> Result<Peer> {
        let program = berth()?.display().to_string();
        let daemon = [self.inside(&program), words(&["daemon", "--config-file", "/dev/null"]), self.places("berth")];
        self.start("berth", daemon.concat(), vec![program])
    }

    fn dockerd(&self) -> Result<Peer> {
        self.start("dockerd", [self.inside("dockerd"), self.places("dockerd")].concat(), words(&["docker"]))
    }

    /// Where a daemon listens, and where it keeps what.
    fn places(&self, peer: &str) -> Vec<String> {
        let directory = |name| self.directory(peer, name);
        let host = format!("unix://{}", directory("sock"));
        let places = ["-H", &host, "--data-root", &directory("data"), "--exec-root", &directory("run")];
        [words(&places), words(&["--pidfile", &directory("pid")])].concat()
    }

    fn podman(&self) -> Result<Peer> {
        let mut command = self.inside("podman");
        command.extend(["--root".to_owned(), self.directory("podman", "data")]);
        command.extend(["--runroot".to_owned(), self.directory("podman", "run")]);
        command.extend(words(&["--cgroup-manager=cgroupfs", "--events-backend=none"]));
        // Its own limits are more than root may ask for where CAP_SYS_RESOURCE is missing.
        let configuration = PathBuf::from(self.directory("podman", "containers.conf"));
        fs::create_dir_all(self.root.join("podman"))?;
        fs::write(&configuration, "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n")?;
        command.splice(0..0, ["env".to_owned(), format!("CONTAINERS_CONF={}", configuration.display())]);
        let socket = format!("unix://{}", self.directory("podman", "sock"));
        let daemon = [command.clone(), words(&["system", "service", "--time=0", &socket])].concat();
        self.start("podman", daemon, command)
    }

    fn start(&self, name: &'static str, program: Vec<String>, command: Vec<String>) -> Result<Peer> {
        let directory = self.root.join(name);
        fs::create_dir_all(&directory)?;
        let (socket, log) = (directory.join("sock"), directory.join("log"));
        let (daemon, ready) = started(name, &program, &socket, &log)?;
        let environment =
            vec![("DOCKER_HOST".to_owned(), address(&socket)), ("DOCKER_CONFIG".to_owned(), "/nonexistent".to_owned())];
        Ok(Peer { name, command, environment, socket, program, log, daemon, ready, image: self.image() })
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

/// A daemon that answers, and how long that took.
fn started(name: &str, program: &[String], socket: &Path, log: &Path) -> Result<(Child, Duration)> {
    let output = fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut daemon = Command::new(&program[0]);
    daemon.args(&program[1..]).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let began = Instant::now();
    let daemon = daemon.spawn().with_context(|| format!("{name} could not be started"))?;
    while UnixStream::connect(socket).is_err() {
        if began.elapsed() > Duration::from_secs(60) {
            bail!("{name} does not answer; its log: {}", fs::read_to_string(log).unwrap_or_default());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok((daemon, began.elapsed()))
}

impl Drop for Stage {
    fn drop(&mut self) {
        drop(crate::run("ip", &["netns", "delete", &self.namespace]));
        drop(fs::remove_dir_all(&self.root));
    }
}

impl Peer {
    /// The peer's command line.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.name == "podman" {
            command.env_remove("DOCKER_HOST").env_remove("DOCKER_CONFIG");
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs to the end and expects success; what it printed.
    pub(crate) fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = self.command();
        if self.name == "podman" && matches!(args[0], "pull" | "push") {
            command.args([args[0], "--tls-verify=false"]).args(&args[1..]);
        } else {
            command.args(args);
        }
        let output = command.output().with_context(|| self.name.to_owned())?;
        if !output.status.success() {
            bail!("{} {args:?}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// The Docker API, as a client in Rust sees it.
    pub(crate) fn client(&self) -> Result<berth_client::Client> {
        let host = address(&self.socket).parse().with_context(|| self.socket.display().to_string())?;
        Ok(berth_client::Client::connect(&host))
    }

    /// Where its API is.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Ends the daemon.
    pub(crate) fn stop(&mut self) -> Result<()> {
        Command::new("kill").arg(self.daemon.id().to_string()).status()?;
        self.daemon.wait()?;
        // Not all take it away themselves.
        drop(fs::remove_file(&self.socket));
        Ok(())
    }

    /// Starts it again after [`Peer::stop`].
    pub(crate) fn start(&mut self) -> Result<()> {
        (self.daemon, self.ready) = started(self.name, &self.program, &self.socket, &self.log)?;
        Ok(())
    }

    /// The daemon's processes: it and its descendants.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut tree = vec![self.daemon.id()];
        let mut index = 0;
        while index < tree.len() {
            let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", tree[index])).unwrap_or_default();
            tree.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
            index += 1;
        }
        tree
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let ids = self.run(&["ps", "-aq"]).unwrap_or_default();
        for id in ids.lines() {
            // podman's `rm -f` waits for SIGTERM to be obeyed.
            drop(self.run(&["kill", id]));
            drop(self.run(&["rm", "-f", id]));
        }
        drop(Command::new("kill").arg(self.daemon.id().to_string()).status());
        drop(self.daemon.wait());
    }
}

fn address(socket: &Path) -> String {
    format!("unix://{}", socket.display())
}

fn installed(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).exists()))
}

/// The environment variable that names the program to be measured, where none is to be built.
pub(crate) const PROGRAM: &str = "BERTH_BENCH_PROGRAM";

/// The program that is measured: the one named, or the release binary, wherever the target triple put it.
pub(crate) fn berth() -> Result<PathBuf> {
    if let Some(program) = std::env::var_os(PROGRAM) {
        let program = PathBuf::from(program);
        return program.canonicalize().with_context(|| program.display().to_string());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from);
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let program = target.join(triple).join("release/berth");
    program.canonicalize().with_context(|| program.display().to_string())
}
