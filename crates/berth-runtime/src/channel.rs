//! What the parent and the newborn tell each other, over a pair of packet sockets that `execve` closes.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

use crate::error::{At, LaunchError, Step};

/// One end of the channel.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

/// What the newborn says.
#[derive(Debug)]
pub(crate) enum Message {
    /// It is in its user namespace and waits for the mappings.
    WantsMapping,
    /// It is in its namespaces, nothing is mounted: time for the hooks of the runtime's side.
    WantsHooks,
    /// An intermediate process has cloned the init: this is its pidfd; the pid is the number.
    Cloned(i32, OwnedFd),
    /// The pseudo-terminal's master.
    Terminal(OwnedFd),
    /// It waits at the gate.
    AtGate,
    /// It failed and is about to end.
    Failed(LaunchError),
}

const WANTS_MAPPING: u8 = 1;
const WANTS_HOOKS: u8 = 2;
const CLONED: u8 = 3;
const TERMINAL: u8 = 4;
const AT_GATE: u8 = 5;
const FAILED: u8 = 6;
/// tag, step, number (4 bytes), then text
const HEADER: usize = 6;
const LONGEST: usize = 4096;

impl Channel {
    /// The parent's end and the newborn's.
    pub(crate) fn pair() -> Result<(Self, Self), LaunchError> {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
            .map(|(a, b)| (Self(a), Self(b)))
            .at(Step::Channel, || "")
    }

    /// Moves the newborn's end out of the way of the descriptors that it will hand on.
    pub(crate) fn above(&self, lowest: RawFd) -> Result<Self, LaunchError> {
        rustix::io::fcntl_dupfd_cloexec(&self.0, lowest).map(Self).at(Step::Channel, || "")
    }

    pub(crate) fn wants_mapping(&self) -> Result<(), LaunchError> {
        self.send(WANTS_MAPPING, 0, 0, "", None)?;
        self.wait()
    }

    pub(crate) fn wants_hooks(&self) -> Result<(), LaunchError> {
        self.send(WANTS_HOOKS, 0, 0, "", None)?;
        self.wait()
    }

    pub(crate) fn cloned(&self, pid: i32, pidfd: BorrowedFd<'_>) -> Result<(), LaunchError> {
        self.send(CLONED, 0, pid, "", Some(pidfd))
    }

    pub(crate) fn terminal(&self, master: BorrowedFd<'_>) -> Result<(), LaunchError> {
        self.send(TERMINAL, 0, 0, "", Some(master))
    }

    pub(crate) fn at_gate(&self) -> Result<(), LaunchError> {
        self.send(AT_GATE, 0, 0, "", None)
    }

    /// Says why; there is nobody left to tell when that fails too.
    pub(crate) fn failed(&self, error: &LaunchError) {
        let errno = error.errno.map_or(0, Errno::raw_os_error);
        let _ = self.send(FAILED, error.step as u8, errno, &error.object, None);
    }

    /// Answers a message that waits for one.
    pub(crate) fn go_on(&self) -> Result<(), LaunchError> {
        rustix::io::write(&self.0, &[1]).map(drop).at(Step::Channel, || "")
    }

    /// The next message; `None` when the newborn has become its program or has ended.
    pub(crate) fn receive(&self) -> Result<Option<Message>, LaunchError> {
        let mut bytes = [0_u8; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let length = loop {
            let mut buffers = [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => break received.bytes,
                Err(Errno::INTR) => {}
                Err(Errno::CONNRESET) => break 0,
                Err(errno) => return Err(LaunchError::new(Step::Channel, "", errno)),
            }
        };
        let mut fd = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
            _ => None,
        });
        if length < HEADER {
            return Ok(None);
        }
        let number = i32::from_le_bytes([bytes[2], bytes[3], bytes[4], bytes[5]]);
        let mut passed = || fd.take().ok_or_else(|| LaunchError::new(Step::Channel, "", Errno::BADMSG));
        Ok(Some(match bytes[0] {
            WANTS_MAPPING => Message::WantsMapping,
            WANTS_HOOKS => Message::WantsHooks,
            CLONED => Message::Cloned(number, passed()?),
            TERMINAL => Message::Terminal(passed()?),
            AT_GATE => Message::AtGate,
            _ => Message::Failed(LaunchError {
                step: Step::from_code(bytes[1]),
                object: String::from_utf8_lossy(&bytes[HEADER..length]).into_owned(),
                errno: (number != 0).then(|| Errno::from_raw_os_error(number)),
            }),
        }))
    }

    pub(crate) fn as_raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    fn send(&self, tag: u8, step: u8, number: i32, text: &str, fd: Option<BorrowedFd<'_>>) -> Result<(), LaunchError> {
        let mut header = [tag, step, 0, 0, 0, 0];
        header[2..].copy_from_slice(&number.to_le_bytes());
        let text = &text.as_bytes()[..text.len().min(LONGEST - HEADER)];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let fds = [fd.unwrap_or(self.0.as_fd())];
        if fd.is_some() {
            control.push(SendAncillaryMessage::ScmRights(&fds));
        }
        sendmsg(&self.0, &[IoSlice::new(&header), IoSlice::new(text)], &mut control, SendFlags::NOSIGNAL)
            .map(drop)
            .at(Step::Channel, || "")
    }

    /// Waits for the parent's answer; a parent that has gone is an error.
    fn wait(&self) -> Result<(), LaunchError> {
        let mut byte = [0];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut byte)) {
            Ok(1) => Ok(()),
            Ok(_) => Err(LaunchError::new(Step::Channel, "", Errno::PIPE)),
            Err(errno) => Err(LaunchError::new(Step::Channel, "", errno)),
        }
    }
}
