//! Sockets that systemd made and handed over: `fd://`.

use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt;

/// The first descriptor that is handed over.
const FIRST: i32 = 3;

/// A socket as it was handed over.
#[derive(Debug)]
pub(crate) struct Handed {
    /// Its descriptor's number, which `fd://3` names.
    number: i32,
    /// `FileDescriptorName=` of the socket unit, which `fd://NAME` names.
    name: String,
    socket: OwnedFd,
}

/// Everything that was handed over, taken from the environment once at start: shims must not inherit it.
#[derive(Debug, Default)]
pub(crate) struct Activated(Vec<Handed>);

impl Activated {
    /// What `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES` say, where they are meant for this process.
    pub(crate) fn from_env() -> Self {
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        if variable("LISTEN_PID") != std::process::id().to_string() {
            return Self::default();
        }
        let count: i32 = variable("LISTEN_FDS").parse().unwrap_or(0);
        let names = variable("LISTEN_FDNAMES");
        let mut names = names.split(':');
        let mut handed = Vec::new();
        for number in FIRST..FIRST.saturating_add(count) {
            let name = names.next().unwrap_or("").to_owned();
            let Ok(socket) = berth_sys::descriptors::inherited(number) else { break };
            let _ = rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC);
            handed.push(Handed { number, name, socket });
        }
        Self(handed)
    }

    /// Takes the sockets that are meant: all for nothing or `*`, else one number, or all of one name.
    pub(crate) fn take(&mut self, wanted: &str) -> Result<Vec<OwnedFd>, String> {
        if self.0.is_empty() {
            return Err("no sockets found via socket activation: make sure the service was started by systemd".into());
        }
        let number: Option<i32> = wanted.parse().ok();
        let meant = |one: &Handed| match number {
            _ if wanted.is_empty() || wanted == "*" => true,
            Some(number) => one.number == number,
            None => one.name == wanted,
        };
        let (taken, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0).into_iter().partition(meant);
        let known: Vec<String> = left.iter().map(|one| format!("{} {:?}", one.number, one.name)).collect();
        self.0 = left;
        if taken.is_empty() {
            return Err(format!("no socket {wanted:?} was handed over; there are: {}", known.join(", ")));
        }
        taken.into_iter().map(listening).collect()
    }
}

fn listening(handed: Handed) -> Result<OwnedFd, String> {
    match sockopt::socket_acceptconn(handed.socket.as_fd()) {
        Ok(true) => Ok(handed.socket),
        Ok(false) | Err(_) => Err(format!("descriptor {} is no listening socket", handed.number)),
    }
}

/// Whether it is a unix socket; else it is one of TCP.
pub(crate) fn is_unix(socket: &OwnedFd) -> bool {
    sockopt::socket_domain(socket).is_ok_and(|family| family == rustix::net::AddressFamily::UNIX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn handed() -> Activated {
        let socket = || OwnedFd::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let one = |number, name: &str| Handed { number, name: name.to_owned(), socket: socket() };
        Activated(vec![one(3, "api"), one(4, "api"), one(5, "tls")])
    }

    #[test]
    fn by_all_number_and_name() {
        for (wanted, count) in [("", 3), ("*", 3), ("4", 1), ("api", 2), ("tls", 1)] {
            assert_eq!(handed().take(wanted).unwrap().len(), count, "{wanted}");
        }
        let error = handed().take("9").unwrap_err();
        assert_eq!(error, r#"no socket "9" was handed over; there are: 3 "api", 4 "api", 5 "tls""#);
        assert!(Activated::default().take("").unwrap_err().contains("make sure the service was started by systemd"));
        let (file, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut wrong = Activated(vec![Handed { number: 3, name: String::new(), socket: file.into() }]);
        assert_eq!(wrong.take("").unwrap_err(), "descriptor 3 is no listening socket");
    }
}
