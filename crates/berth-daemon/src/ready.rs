//! Telling whoever started us that the daemon answers.

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

    /// Says so. Nobody listening any more is no error.
    pub(crate) fn tell(self) {
        if let Some(mut pipe) = self.pipe {
            let _ = pipe.write_all(b"READY=1\n");
        }
        if let Some(path) = self.socket
            && let Ok(socket) = UnixDatagram::unbound()
        {
            let text = format!("READY=1\nMAINPID={}\n", std::process::id());
            let _ = match path.strip_prefix('@') {
                Some(name) => send_abstract(&socket, name, text.as_bytes()),
                None => socket.send_to(text.as_bytes(), path).map(drop),
            };
        }
    }
}

fn send_abstract(socket: &UnixDatagram, name: &str, text: &[u8]) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    socket.send_to_addr(text, &address).map(drop)
}
