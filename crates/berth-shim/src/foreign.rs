//! Another OCI runtime in place of ours: it is executed where ours would be called, with a bundle on disk.
//!
//! The shim stays what it is: parent of the container's processes, owner of their streams. What a foreign runtime needs
//! beyond that is made here: a bundle with `config.json`, the root file system attached at a path (in a mount namespace of
//! the shim's own, so that the host's shows nothing), a socket that a terminal is handed over on, and its exit status
//! and log read back as one sentence. Nothing of this runs for containers of our own runtime.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio as Null};

use berth_runtime::{Born, HostPid, Root};
use berth_sys::clone::{Namespaces, unshare};
use oci_spec::runtime::{LinuxNamespaceBuilder, LinuxNamespaceType, Process, Spec};
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use crate::container::failure;
use crate::protocol::{Code, Failure, RuntimePlan, StdioPlan};
use crate::stdio::Prepared;

/// How much of a runtime's log is looked at for what went wrong.
const LOG_TAIL: usize = 16 << 10;

/// A container of a foreign runtime.
#[derive(Debug)]
pub(crate) struct Foreign {
    plan: RuntimePlan,
    id: String,
    /// Holds `config.json` and `rootfs`.
    bundle: PathBuf,
    /// Where the runtime keeps its state; ours, and gone with the container.
    state: PathBuf,
}

/// What a container of a foreign runtime is made from.
pub(crate) struct Order<'a> {
    pub(crate) plan: RuntimePlan,
    pub(crate) id: &'a str,
    pub(crate) spec: &'a Spec,
    /// The container's directory.
    pub(crate) directory: &'a Path,
    /// Our own socket; what else has to lie on a short path lies beside it.
    pub(crate) socket: &'a Path,
    pub(crate) root: Root,
    pub(crate) network: Option<BorrowedFd<'a>>,
    pub(crate) cgroup: Option<&'a str>,
    pub(crate) stdio: &'a Prepared,
    pub(crate) sizes: StdioPlan,
}

fn other(what: &str) -> impl Fn(io::Error) -> Failure + '_ {
    move |error| failure(Code::Other, format!("{what}: {error}"))
}

/// Launches; after a failure nothing of the container is left.
pub(crate) fn launch(order: Order<'_>) -> Result<(Foreign, Born), Failure> {
    let mut state = order.socket.as_os_str().to_owned();
    state.push(".runtime");
    let bundle = order.directory.join("bundle");
    let foreign = Foreign { plan: order.plan.clone(), id: order.id.to_owned(), bundle, state: PathBuf::from(state) };
    foreign.sweep();
    let born = foreign.make_bundle(&order).and_then(|()| foreign.begin(&order));
    match born {
        Ok(born) => Ok((foreign, born)),
        Err(failure) => {
            foreign.remove();
            Err(failure)
        }
    }
}

impl Foreign {
    /// `config.json`, and the root file system at `rootfs`.
    fn make_bundle(&self, order: &Order<'_>) -> Result<(), Failure> {
        let rootfs = self.bundle.join("rootfs");
        fs::create_dir_all(&rootfs).map_err(other("making the bundle"))?;
        fs::create_dir_all(&self.state).map_err(other("making the runtime's directory"))?;
        let errno = |what: &'static str| move |errno: rustix::io::Errno| other(what)(errno.into());
        unshare(Namespaces::MOUNT).map_err(errno("making a mount namespace"))?;
        // The host's mounts still come in; ours do not go out.
        let flags = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
        mount_change("/", flags).map_err(errno("separating the mount namespace"))?;
        match &order.root {
            Root::Mount(mount) => {
                let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                move_mount(mount, "", rustix::fs::CWD, &rootfs, flags).map_err(errno("attaching the root"))?;
            }
            Root::Path(path) => {
                rustix::mount::mount_bind(path, &rootfs).map_err(errno("attaching the root"))?;
            }
        }
        let spec = self.adapt(order)?;
        let text = serde_json::to_vec(&spec).map_err(|error| failure(Code::Invalid, error))?;
        fs::write(self.bundle.join("config.json"), text).map_err(other("writing config.json"))
    }

    /// The specification as a runtime finds everything by path.
    fn adapt(&self, order: &Order<'_>) -> Result<Spec, Failure> {
        let mut spec = order.spec.clone();
        // What every runtime reads; nothing newer is in it.
        spec.set_version("1.0.2".to_owned());
        if let Some(root) = spec.root_mut() {
            root.set_path(self.bundle.join("rootfs"));
        }
        if let Some(process) = spec.process_mut() {
            process.set_terminal(Some(order.sizes.tty));
        }
        let Some(linux) = spec.linux_mut() else { return Ok(spec) };
        if let Some(cgroup) = order.cgroup {
            linux.set_cgroups_path(Some(PathBuf::from(cgroup)));
        }
        if let Some(network) = order.network {
            let number = std::os::fd::AsRawFd::as_raw_fd(&network);
            let path = PathBuf::from(format!("/proc/{}/fd/{number}", std::process::id()));
            let joined = LinuxNamespaceBuilder::default().typ(LinuxNamespaceType::Network).path(path).build();
            let joined = joined.map_err(|error| failure(Code::Invalid, error))?;
            let mut namespaces = linux.namespaces().clone().unwrap_or_default();
            namespaces.retain(|one| one.typ() != LinuxNamespaceType::Network);
            namespaces.push(joined);
            linux.set_namespaces(Some(namespaces));
        }
        Ok(spec)
    }

    /// Creates and starts it.
    fn begin(&self, order: &Order<'_>) -> Result<Born, Failure> {
        // The runtime goes away, and what it leaves is to be ours.
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| failure(Code::Other, errno))?;
        let bundle = [OsString::from("create"), "--bundle".into(), self.bundle.clone().into()];
        let born = self.give_birth(&bundle, order.stdio, order.sizes)?;
        self.run(&["start".as_ref(), self.id.as_ref()], None)?;
        Ok(born)
    }

    /// Adds a process.
    pub(crate) fn join(&self, process: &Process, stdio: &Prepared, sizes: StdioPlan) -> Result<Born, Failure> {
        let file = self.state.join("process.json");
        let mut process = process.clone();
        process.set_terminal(Some(sizes.tty));
        let text = serde_json::to_vec(&process).map_err(|error| failure(Code::Invalid, error))?;
        fs::write(&file, text).map_err(other("writing process.json"))?;
        let words = [OsString::from("exec"), "--detach".into(), "--process".into(), file.into()];
        self.give_birth(&words, stdio, sizes)
    }

    /// Runs a command that makes a process, and finds the process.
    fn give_birth(&self, words: &[OsString], stdio: &Prepared, sizes: StdioPlan) -> Result<Born, Failure> {
        let pid_file = self.state.join("pid");
        let _ = fs::remove_file(&pid_file);
        let mut arguments: Vec<OsString> = words.to_vec();
        arguments.extend(["--pid-file".into(), pid_file.clone().into()]);
        let console = if sizes.tty { Some(Console::listen(&self.state)?) } else { None };
        if let Some(console) = &console {
            arguments.extend(["--console-socket".into(), console.path.clone().into()]);
        }
        arguments.push(self.id.clone().into());
        let arguments: Vec<&std::ffi::OsStr> = arguments.iter().map(OsString::as_os_str).collect();
        self.run(&arguments, stdio.ends())?;
        let terminal = console.map(|console| console.take(sizes)).transpose()?;
        let text = fs::read_to_string(&pid_file).map_err(other("reading the runtime's pid file"))?;
        let pid: i32 = text.trim().parse().map_err(|_| failure(Code::Other, "the runtime's pid file holds no pid"))?;
        let named = Pid::from_raw(pid).ok_or_else(|| failure(Code::Other, "the runtime's pid file holds no pid"))?;
        let pidfd = pidfd_open(named, PidfdFlags::empty()).map_err(|errno| failure(Code::Other, errno))?;
        Ok(Born { pid: HostPid(pid), pidfd, terminal })
    }

    pub(crate) fn pause(&self) -> Result<(), Failure> {
        self.run(&["pause".as_ref(), self.id.as_ref()], None)
    }

    pub(crate) fn resume(&self) -> Result<(), Failure> {
        self.run(&["resume".as_ref(), self.id.as_ref()], None)
    }

    /// Lets the runtime forget the container, and removes what it left.
    pub(crate) fn remove(&self) {
        // Whatever it says, there is nobody left to tell.
        let _ = self.run(&["delete".as_ref(), "--force".as_ref(), self.id.as_ref()], None);
        self.sweep();
    }

    fn sweep(&self) {
        let rootfs = self.bundle.join("rootfs");
        let _ = rustix::mount::unmount(&rootfs, rustix::mount::UnmountFlags::DETACH);
        let _ = fs::remove_dir(&rootfs);
        let _ = fs::remove_file(self.bundle.join("config.json"));
        let _ = fs::remove_dir(&self.bundle);
        let _ = fs::remove_dir_all(&self.state);
    }

    /// Executes the runtime and waits for it. Its own words are the error.
    fn run(&self, words: &[&std::ffi::OsStr], ends: Option<[BorrowedFd<'_>; 3]>) -> Result<(), Failure> {
        let log = self.state.join("log.json");
        let _ = fs::remove_file(&log);
        let mut command = Command::new(&self.plan.path);
        command.args(&self.plan.args).arg("--root").arg(self.state.join("root"));
        command.arg("--log").arg(&log).args(["--log-format", "json"]).args(words).current_dir("/");
        match ends.map(|ends| ends.map(|end| end.try_clone_to_owned())) {
            Some([Ok(stdin), Ok(stdout), Ok(stderr)]) => command.stdin(stdin).stdout(stdout).stderr(stderr),
            _ => command.stdin(Null::null()).stdout(Null::null()).stderr(Null::null()),
        };
        let child = berth_sys::fork::fork(|| {
            // The shim takes its signals by descriptor; a container must not inherit that they are blocked.
            berth_sys::signal::reset();
            if command.exec().kind() == io::ErrorKind::NotFound { 127 } else { 126 }
        });
        let child = child.map_err(|errno| failure(Code::Other, format!("starting {}: {errno}", self.name())))?;
        let status = wait(child.0)?;
        match status {
            0 => Ok(()),
            126 | 127 if !log.exists() => {
                Err(failure(Code::Other, format!("fork/exec {}: it cannot be executed", self.name())))
            }
            status => Err(self.failed(&log, status)),
        }
    }

    fn name(&self) -> String {
        self.plan.path.display().to_string()
    }

    fn failed(&self, log: &Path, status: i32) -> Failure {
        let text = fs::read(log).unwrap_or_default();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL)..]).into_owned();
        match reason(&tail) {
            Some(reason) => failure(class(&reason), reason),
            None => failure(Code::Other, format!("{} ended with status {status} and said nothing", self.name())),
        }
    }
}

/// The last error in a runtime's log.
fn reason(log: &str) -> Option<String> {
    let line = |line: &str| {
        let entry: serde_json::Value = serde_json::from_str(line).ok()?;
        let wrong = entry.get("level").and_then(serde_json::Value::as_str) != Some("warning");
        entry.get("msg").and_then(serde_json::Value::as_str).filter(|_| wrong).map(str::to_owned)
    };
    log.lines().rev().find_map(line).map(|reason| familiar(&reason))
}

/// Docker's clients know a missing program by its words, which are runc's.
fn familiar(reason: &str) -> String {
    let program = || reason.strip_prefix("executable file `")?.split_once("` not found in $PATH").map(|(name, _)| name);
    match program() {
        Some(name) => format!("exec: \"{name}\": executable file not found in $PATH"),
        None => reason.to_owned(),
    }
}

/// What kind of failure the words mean, as Docker reads them.
fn class(reason: &str) -> Code {
    let lower = reason.to_ascii_lowercase();
    match () {
        () if lower.contains("executable file not found") => Code::NotFound,
        () if lower.contains("exec") && lower.contains("no such file or directory") => Code::NotFound,
        () if lower.contains("exec") && lower.contains("permission denied") => Code::NotExecutable,
        () if lower.contains("is a directory") || lower.contains("exec format error") => Code::NotExecutable,
        () => Code::Other,
    }
}

fn wait(child: i32) -> Result<i32, Failure> {
    let child = Pid::from_raw(child).ok_or_else(|| failure(Code::Other, "no such child"))?;
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(crate::session::exit_code(status)),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(failure(Code::Other, errno)),
        }
    }
}

/// The socket on which a runtime hands a terminal over.
struct Console {
    socket: OwnedFd,
    /// By our descriptor of its directory: a socket's path may have 108 bytes, and data roots are longer.
    path: PathBuf,
    _directory: OwnedFd,
}

impl Console {
    fn listen(directory: &Path) -> Result<Self, Failure> {
        let wrong = |errno: rustix::io::Errno| failure(Code::Other, format!("making the console socket: {errno}"));
        let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
        let directory = rustix::fs::open(directory, flags, rustix::fs::Mode::empty()).map_err(wrong)?;
        let number = std::os::fd::AsRawFd::as_raw_fd(&directory);
        let path = PathBuf::from(format!("/proc/{}/fd/{number}/tty", std::process::id()));
        let _ = fs::remove_file(&path);
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let socket = socket.map_err(wrong)?;
        let address = SocketAddrUnix::new(path.as_os_str().as_bytes()).map_err(wrong)?;
        rustix::net::bind(&socket, &address).map_err(wrong)?;
        rustix::net::listen(&socket, 1).map_err(wrong)?;
        Ok(Self { socket, path, _directory: directory })
    }

    /// The terminal that has been sent by now.
    fn take(self, sizes: StdioPlan) -> Result<OwnedFd, Failure> {
        let wrong = |errno: rustix::io::Errno| failure(Code::Other, format!("taking the terminal: {errno}"));
        // The runtime has ended: who has not connected never will.
        rustix::fs::fcntl_setfl(&self.socket, rustix::fs::OFlags::NONBLOCK).map_err(wrong)?;
        let stream = rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC).map_err(wrong)?;
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut name = [0; 256];
        let mut buffers = [io::IoSliceMut::new(&mut name)];
        rustix::net::recvmsg(stream.as_fd(), &mut buffers, &mut ancillary, RecvFlags::CMSG_CLOEXEC).map_err(wrong)?;
        let descriptors = ancillary.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
            _ => None,
        });
        let terminal = descriptors.flatten().next();
        let terminal = terminal.ok_or_else(|| failure(Code::Other, "the runtime sent no terminal"))?;
        if sizes.rows != 0 || sizes.columns != 0 {
            let size =
                rustix::termios::Winsize { ws_row: sizes.rows, ws_col: sizes.columns, ws_xpixel: 0, ws_ypixel: 0 };
            let _ = rustix::termios::tcsetwinsize(&terminal, size);
        }
        Ok(terminal)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_found_in_logs_of_both_kinds() {
        let runc = r#"{"level":"warning","msg":"unrelated","time":"t"}
{"level":"error","msg":"runc create failed: unable to start container process: exec: \"nope\": executable file not found in $PATH","time":"t"}
"#;
        let found = reason(runc).unwrap_or_default();
        assert!(found.ends_with("executable file not found in $PATH"), "{found}");
        assert_eq!(class(&found), Code::NotFound);
        let crun =
            "{\"msg\":\"executable file `nope` not found in $PATH: No such file or directory\",\"level\":\"error\"}\n";
        assert_eq!(class(&reason(crun).unwrap_or_default()), Code::NotFound);
        assert_eq!(class("exec /etc/passwd: permission denied"), Code::NotExecutable);
        assert_eq!(class("cgroups: cannot enter"), Code::Other);
        assert_eq!(reason("no json\n"), None);
    }
}
