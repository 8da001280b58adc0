//! Telling whoever started us where the daemon stands: that it answers, reads its configuration again, ends.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;

/// The variable that names a descriptor to write a line to and close.
const DESCRIPTOR: &str = "BERTH_READY_FD";

/// Where somebody waits to be told, taken from the environment once at start: shims must not inherit it.
#[derive(Debug)]
pub(crate) struct Ready {
    pipe: Option<std::fs::File>,
    /// systemd's socket.
    socket: Option<String>,
}

impl Ready {
    pub(crate) fn from_env() -> Self {
        let number = std::env::var(DESCRIPTOR).ok().and_then(|text| text.parse().ok());
        let inherited = number.and_then(|number| berth_sys::descriptors::inherited(number).ok());
        let pipe = inherited.map(|descriptor| {
            // A shim that held it open would keep the waiting side waiting.
            let _ = rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC);
            std::fs::File::from(descriptor)
        });
        Self { pipe, socket: std::env::var("NOTIFY_SOCKET").ok() }
    }

    /// The daemon answers. Nobody listening any more is no error.
    pub(crate) fn tell(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(b"READY=1\n");
        }
        self.notify(&format!("READY=1\nMAINPID={}\n", std::process::id()));
    }

    /// The configuration is being read again; `READY=1` follows.
    pub(crate) fn reloading(&self) {
        // systemd matches the time with its own clock.
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1000;
        self.notify(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
    }

    /// The configuration has been read again.
    pub(crate) fn reloaded(&self) {
        self.notify("READY=1\n");
    }

    /// The daemon ends.
    pub(crate) fn stopping(&self) {
        self.notify("STOPPING=1\n");
    }

    fn notify(&self, text: &str) {
        let Some((path, socket)) = self.socket.as_ref().zip(UnixDatagram::unbound().ok()) else { return };
        let _ = match path.strip_prefix('@') {
            Some(name) => send_abstract(&socket, name, text.as_bytes()),
            None => socket.send_to(text.as_bytes(), path).map(drop),
        };
    }
}

fn send_abstract(socket: &UnixDatagram, name: &str, text: &[u8]) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.send_to_addr(text, &address).map(drop)
}
