//! The container's terminal, handed to whoever asked for it or tied to our own.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
    connect, sendmsg, socket_with,
};
use rustix::stdio::{stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use super::CommandError;

/// Sends a descriptor to a unix socket, as runc does: one message, the name of what it is as its text.
pub(crate) fn send(socket: &Path, name: &str, fd: BorrowedFd<'_>) -> Result<(), CommandError> {
    let send = || -> Result<(), Errno> {
        let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        connect(&stream, &SocketAddrUnix::new(socket)?)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [fd];
        control.push(SendAncillaryMessage::ScmRights(&fds));
        sendmsg(&stream, &[IoSlice::new(name.as_bytes())], &mut control, SendFlags::NOSIGNAL).map(drop)
    };
    send().map_err(|errno| {
        CommandError::usage(format!("cannot send {name} to {}: {}", socket.display(), crate::error::cause(errno)))
    })
}

/// Our own terminal in raw mode, copied to and from the container's.
#[derive(Debug)]
pub(crate) struct Proxy {
    master: OwnedFd,
    before: Option<Termios>,
    input_ended: bool,
}

impl Proxy {
    pub(crate) fn new(master: OwnedFd) -> Self {
        let before = tcgetattr(stdin()).ok();
        if let Some(own) = &before {
            let mut raw = own.clone();
            raw.make_raw();
            let _ = tcsetattr(stdin(), OptionalActions::Now, &raw);
        }
        let proxy = Self { master, before, input_ended: false };
        proxy.resize();
        proxy
    }

    /// Gives the container's terminal our size.
    pub(crate) fn resize(&self) {
        if let Ok(size) = tcgetwinsize(stdin()) {
            let _ = tcsetwinsize(&self.master, size);
        }
    }

    /// Copies what there is; waits for more, or for `other`, at most until one of them is ready.
    pub(crate) fn copy_or_wait(&mut self, other: BorrowedFd<'_>) -> Result<(), Errno> {
        let input = stdin();
        let mut waiting = vec![
            PollFd::from_borrowed_fd(other, PollFlags::IN),
            PollFd::from_borrowed_fd(self.master.as_fd(), PollFlags::IN),
        ];
        if !self.input_ended {
            waiting.push(PollFd::from_borrowed_fd(input.as_fd(), PollFlags::IN));
        }
        match poll(&mut waiting, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
        let ready = |position: usize| waiting.get(position).is_some_and(|fd| !fd.revents().is_empty());
        let (output, input) = (ready(1), ready(2));
        if output {
            self.copy_output();
        }
        if input {
            let mut buffer = [0; 4096];
            match rustix::io::read(stdin(), &mut buffer) {
                Ok(length) if length > 0 => write_all(self.master.as_fd(), &buffer[..length]),
                _ => self.input_ended = true,
            }
        }
        Ok(())
    }

    /// Copies what the container has written, as far as it is there; false when there is no more.
    fn copy_output(&self) -> bool {
        let mut buffer = [0; 4096];
        match rustix::io::read(&self.master, &mut buffer) {
            Ok(length) if length > 0 => {
                write_all(stdout(), &buffer[..length]);
                true
            }
            _ => false,
        }
    }

    /// Copies the rest of the output once the process has ended.
    fn drain(&self) {
        let none = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            let mut waiting = [PollFd::from_borrowed_fd(self.master.as_fd(), PollFlags::IN)];
            let ready = poll(&mut waiting, Some(&none)).is_ok_and(|ready| ready > 0);
            if !ready || !waiting[0].revents().contains(PollFlags::IN) || !self.copy_output() {
                return;
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.drain();
        if let Some(before) = &self.before {
            let _ = tcsetattr(stdin(), OptionalActions::Now, before);
        }
    }
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
