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
    daemon: Child,
    /// From exec to the first connection.
    pub(crate) ready: Duration,
    pub(crate) image: String,
}

impl Stage {
    pub(crate) fn set() -> Result<Self> {
        let root = std::env::temp_dir().join(format!("berth-bench-{}", std::process::id()));
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
        let mut copy = self.inside("skopeo");
        let status = copy.args(["copy", "-q", "--dest-tls-verify=false", &source, &target]).status()?;
        if !status.success() {
            bail!("skopeo could not fill the registry: {status}");
        }
        Ok(())
    }

    /// A command that runs in the benchmark's network namespace.
    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.namespace)).arg(program);
        command
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
        let socket = PathBuf::from(self.directory("berth", "sock"));
        let mut daemon = self.inside(&program);
        daemon.args(["daemon", "-H", &address(&socket), "--data-root", &self.directory("berth", "data")]);
        daemon.args(["--exec-root", &self.directory("berth", "run"), "--pidfile", &self.directory("berth", "pid")]);
        daemon.args(["--config-file", "/dev/null"]);
        self.start("berth", daemon, vec![program], socket)
    }

    fn dockerd(&self) -> Result<Peer> {
        let socket = PathBuf::from(self.directory("dockerd", "sock"));
        let mut daemon = self.inside("dockerd");
        daemon.args(["-H", &address(&socket), "--data-root", &self.directory("dockerd", "data")]);
        daemon.args(["--exec-root", &self.directory("dockerd", "run"), "--pidfile", &self.directory("dockerd", "pid")]);
        self.start("dockerd", daemon, vec!["docker".to_owned()], socket)
    }

    fn podman(&self) -> Result<Peer> {
        let socket = PathBuf::from(self.directory("podman", "sock"));
        let namespace = format!("--net=/run/netns/{}", self.namespace);
        let mut command: Vec<String> = ["nsenter", &namespace, "podman"].map(str::to_owned).into();
        command.extend(["--root".to_owned(), self.directory("podman", "data")]);
        command.extend(["--runroot".to_owned(), self.directory("podman", "run")]);
        command.extend(["--cgroup-manager=cgroupfs", "--events-backend=none"].map(str::to_owned));
        // Its own limits are more than root may ask for where CAP_SYS_RESOURCE is missing.
        let configuration = PathBuf::from(self.directory("podman", "containers.conf"));
        fs::create_dir_all(self.root.join("podman"))?;
        fs::write(&configuration, "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n")?;
        command.splice(0..0, ["env".to_owned(), format!("CONTAINERS_CONF={}", configuration.display())]);
        let mut daemon = Command::new(&command[0]);
        daemon.args(&command[1..]).args(["system", "service", "--time=0", &address(&socket)]);
        self.start("podman", daemon, command, socket)
    }

    fn start(&self, name: &'static str, mut daemon: Command, command: Vec<String>, socket: PathBuf) -> Result<Peer> {
        fs::create_dir_all(self.root.join(name))?;
        let log = fs::File::create(self.root.join(name).join("log"))?;
        daemon.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let began = Instant::now();
        let daemon = daemon.spawn().with_context(|| format!("{name} could not be started"))?;
        while UnixStream::connect(&socket).is_err() {
            if began.elapsed() > Duration::from_secs(20) {
                bail!("{name} does not answer; see {}", self.root.join(name).join("log").display());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        let ready = began.elapsed();
        let environment =
            vec![("DOCKER_HOST".to_owned(), address(&socket)), ("DOCKER_CONFIG".to_owned(), "/nonexistent".to_owned())];
        Ok(Peer { name, command, environment, socket, daemon, ready, image: self.image() })
    }
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
        if self.name == "podman" && args[0] == "pull" {
            command.args(["pull", "--tls-verify=false"]).args(&args[1..]);
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

/// The release binary, wherever the target triple put it.
pub(crate) fn berth() -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from);
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let program = target.join(triple).join("release/berth");
    program.canonicalize().with_context(|| program.display().to_string())
}
