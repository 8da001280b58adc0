//! `create` and `start`: a container is made in two steps, so that others can work on its namespaces in between.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use berth_cgroup::{Cgroup, Hierarchy, Options};
use berth_seccomp::Filter;
use oci_spec::runtime::Spec;

use super::arguments::{Flag, Parsed};
use super::state::{self, Container, Record, Status};
use super::{CommandError, Global, console};
use crate::launch::{Born, Launch, Root, Start, Stdio, launch, reap};
use crate::{hooks, program};

pub(crate) const FLAGS: &[Flag] = &[
    Flag::value(&["bundle", "b"]),
    Flag::value(&["config", "f"]),
    Flag::value(&["console-socket"]),
    Flag::value(&["pidfd-socket"]),
    Flag::value(&["pid-file"]),
    Flag::switch(&["no-pivot"]),
    Flag::switch(&["no-new-keyring"]),
    Flag::value(&["preserve-fds"]),
];

/// A bundle on its way to become a container.
#[derive(Debug)]
pub(crate) struct Making {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) spec: Spec,
    text: Vec<u8>,
    directory: PathBuf,
    cgroup: Option<Cgroup>,
    filter: Option<Filter>,
}

/// `create`: init is born and waits.
pub(crate) fn create(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    program::run_protected()?;
    let making = Making::begin(global, args)?;
    let terminal = making.terminal();
    if terminal && args.value("console-socket").is_none() {
        return making.undo(CommandError::usage("a terminal needs --console-socket: nobody here would read it"));
    }
    if !terminal && args.value("console-socket").is_some() {
        return making
            .undo(CommandError::usage("--console-socket is given, and the configuration asks for no terminal"));
    }
    let gate = match making.gate() {
        Ok(gate) => gate,
        Err(error) => return making.undo(error),
    };
    let (_, born) = making.bear(args, Start::Gated(gate))?;
    drop(born);
    Ok(0)
}

/// `start`: lets init go on; returns when the program has been executed.
pub(crate) fn start(global: &Global, args: &Parsed) -> Result<u8, CommandError> {
    let container = Container::load(&global.root, args.id()?)?;
    open_gate(&container)?;
    Ok(0)
}

/// Lets a created container go on, and runs its `poststart` hooks.
pub(crate) fn open_gate(container: &Container) -> Result<(), CommandError> {
    let id = &container.record.id;
    if container.init().is_none() {
        return Err(CommandError::usage(format!("cannot start container {id:?} that is {}", Status::Stopped.word())));
    }
    let Some(path) = container.take_start() else {
        return Err(CommandError::usage(format!(
            "cannot start container {id:?} in the {} state",
            container.status().word()
        )));
    };
    let failed = CommandError::file("cannot reach the container's init at", &path);
    let mut sentence = String::new();
    short_path(&path)
        .and_then(|(short, _held)| UnixStream::connect(short))
        .and_then(|mut starter| {
            starter.write_all(&[1])?;
            // It ends when the program has been executed; what comes before is why it could not be.
            starter.read_to_string(&mut sentence)
        })
        .map_err(failed)?;
    let _ = fs::remove_file(&path);
    if !sentence.is_empty() {
        return Err(CommandError::usage(sentence));
    }
    after_start(container)
}

/// The `poststart` hooks; a failure ends the container.
pub(crate) fn after_start(container: &Container) -> Result<(), CommandError> {
    let spec = container.spec()?;
    let Some(poststart) = spec.hooks().as_ref().and_then(|hooks| hooks.poststart().as_ref()) else { return Ok(()) };
    let record = &container.record;
    let state = hooks::state_json(&spec, &record.id, "running", record.pid, &record.bundle);
    hooks::run("poststart", poststart, &state).inspect_err(|_| {
        let _ = container.signal(9);
    })?;
    Ok(())
}

/// A path to a socket that is short enough for its address, and what must stay open for it.
fn short_path(path: &Path) -> std::io::Result<(PathBuf, OwnedFd)> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use std::os::fd::AsRawFd;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let held = openat(CWD, directory, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let name = path.file_name().unwrap_or_default();
    Ok((Path::new("/proc/self/fd").join(held.as_raw_fd().to_string()).join(name), held))
}

impl Making {
    /// Reads the bundle, takes the id, and makes the cgroup.
    pub(crate) fn begin(global: &Global, args: &Parsed) -> Result<Self, CommandError> {
        let id = args.id()?.to_owned();
        let bundle = PathBuf::from(args.value("bundle").unwrap_or("."));
        let bundle = fs::canonicalize(&bundle).map_err(CommandError::file("cannot find the bundle", bundle))?;
        let config = bundle.join(args.value("config").unwrap_or("config.json"));
        let text = fs::read(&config).map_err(CommandError::file("cannot read", &config))?;
        let spec: Spec = serde_json::from_slice(&text).map_err(|error| {
            CommandError::usage(format!("{} is not a valid configuration: {error}", config.display()))
        })?;
        check(&spec)?;
        let directory = state::claim(&global.root, &id)?;
        let mut making = Self { id, bundle, spec, text, directory, cgroup: None, filter: None };
        match making.prepare(global) {
            Ok(()) => Ok(making),
            Err(error) => making.undo(error),
        }
    }

    fn prepare(&mut self, global: &Global) -> Result<(), CommandError> {
        let Some(linux) = self.spec.linux() else { return Ok(()) };
        if let Some(profile) = linux.seccomp() {
            self.filter =
                Some(berth_seccomp::compile(profile).map_err(|error| CommandError::usage(error.to_string()))?);
        }
        let path = linux.cgroups_path().as_ref().map(|path| path.display().to_string()).filter(|path| !path.is_empty());
        let path = path.unwrap_or_else(|| match global.driver {
            berth_cgroup::Driver::Cgroupfs => format!("/berth/{}", self.id),
            berth_cgroup::Driver::Systemd => format!("system.slice:berth:{}", self.id),
        });
        let path = match global.driver {
            berth_cgroup::Driver::Cgroupfs if !path.starts_with('/') => format!("/{path}"),
            _ => path,
        };
        let resources = linux.resources().clone().unwrap_or_default();
        let options = Options { driver: global.driver, lenient: false };
        let created = Cgroup::create_with(&Hierarchy::detect()?, &path, &resources, &options)?;
        self.cgroup = Some(created.cgroup);
        Ok(())
    }

    /// Whether the configuration asks for a terminal.
    pub(crate) fn terminal(&self) -> bool {
        self.spec.process().as_ref().and_then(|process| process.terminal()).unwrap_or(false)
    }

    fn gate(&self) -> Result<OwnedFd, CommandError> {
        let path = self.directory.join("start.sock");
        short_path(&path)
            .and_then(|(short, _held)| UnixListener::bind(short))
            .map(OwnedFd::from)
            .map_err(CommandError::file("cannot create", path))
    }

    /// Takes back what was made.
    pub(crate) fn undo<T>(self, error: CommandError) -> Result<T, CommandError> {
        if let Some(cgroup) = &self.cgroup {
            let _ = cgroup.remove();
        }
        let _ = fs::remove_dir_all(&self.directory);
        Err(error)
    }

    /// Gives birth to init and records it.
    pub(crate) fn bear(self, args: &Parsed, start: Start) -> Result<(Container, Born), CommandError> {
        match self.try_bear(args, start) {
            Ok((born, record)) => {
                let directory = self.directory.clone();
                let done = self.remember(args, &born).and_then(|()| Container::record(directory, record));
                match done {
                    Ok(container) => Ok((container, born)),
                    Err(error) => {
                        let _ = berth_sys::signal::send(born.pidfd.as_fd(), 9);
                        reap(&born.pidfd);
                        self.undo(error)
                    }
                }
            }
            Err(error) => self.undo(error),
        }
    }

    fn try_bear(&self, args: &Parsed, start: Start) -> Result<(Born, Record), CommandError> {
        let rootfs = self.spec.root().as_ref().map_or_else(|| PathBuf::from("rootfs"), |root| root.path().clone());
        let size = self.spec.process().as_ref().and_then(|process| process.console_size());
        let characters = |number: u64| u16::try_from(number).unwrap_or(0);
        let stdio = if self.terminal() {
            Stdio::Terminal {
                rows: size.map_or(0, |size| characters(size.height())),
                columns: size.map_or(0, |size| characters(size.width())),
            }
        } else {
            Stdio::Fds(own_streams())
        };
        let born = launch(Launch {
            id: &self.id,
            spec: &self.spec,
            bundle: &self.bundle,
            sources: Vec::new(),
            root: Root::Path(rootfs.clone()),
            network: None,
            cgroup: self.cgroup.as_ref(),
            seccomp: self.filter.as_ref(),
            stdio,
            start,
            preserve_fds: preserve_fds(args)?,
            no_pivot: args.has("no-pivot"),
            no_new_keyring: args.has("no-new-keyring"),
        })?;
        if let Some(cgroup) = &self.cgroup {
            cgroup.settle().inspect_err(|_| {
                let _ = berth_sys::signal::send(born.pidfd.as_fd(), 9);
                reap(&born.pidfd);
            })?;
        }
        let record = Record {
            version: 1,
            id: self.id.clone(),
            pid: born.pid.0,
            born: state::process_stat(born.pid.0).map_or(0, |(_, born)| born),
            rootfs: self.bundle.join(rootfs),
            bundle: self.bundle.clone(),
            created: jiff::Timestamp::now().to_string(),
            oci_version: self.spec.version().clone(),
            cgroup: self.cgroup.clone(),
        };
        Ok((born, record))
    }

    fn remember(&self, args: &Parsed, born: &Born) -> Result<(), CommandError> {
        state::write_whole(&self.directory, "config.json", &self.text)?;
        if let Some(filter) = &self.filter {
            state::write_whole(&self.directory, "seccomp.bpf", filter.as_bytes())?;
        }
        announce(args, born)
    }
}

/// Hands out what the caller asked for: the pid, the pidfd, the terminal.
pub(crate) fn announce(args: &Parsed, born: &Born) -> Result<(), CommandError> {
    if let (Some(socket), Some(master)) = (args.value("console-socket"), &born.terminal) {
        console::send(Path::new(socket), "/dev/ptmx", master.as_fd())?;
    }
    if let Some(socket) = args.value("pidfd-socket") {
        console::send(Path::new(socket), "pidfd", born.pidfd.as_fd())?;
    }
    if let Some(path) = args.value("pid-file") {
        let path = Path::new(path);
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        state::write_whole(directory, &name, born.pid.to_string().as_bytes())?;
    }
    Ok(())
}

pub(crate) fn own_streams() -> [BorrowedFd<'static>; 3] {
    [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()]
}

/// `--preserve-fds`, and what socket activation (`LISTEN_FDS`) passes.
pub(crate) fn preserve_fds(args: &Parsed) -> Result<u32, CommandError> {
    let listen = std::env::var("LISTEN_FDS").ok().and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
    Ok(args.number::<u32>("preserve-fds")?.unwrap_or(0) + listen)
}

fn check(spec: &Spec) -> Result<(), CommandError> {
    let version = spec.version();
    let known = version.split('.').next() == Some("1");
    if !known {
        return Err(CommandError::usage(format!("the configuration's ociVersion {version:?} is not 1.x")));
    }
    Ok(())
}
