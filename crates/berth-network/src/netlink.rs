//! Netlink: requests out, acknowledgements and dumps in.
//!
//! What a message says is written and read by `netlink-bindings`; this module owns the socket and the conversation:
//! which messages go out in one send, whose acknowledgement is waited for, when a dump has to be asked for again, how
//! long the kernel may take. It knows nothing of what the messages mean.
//!
//! The conversation is our own because no library's socket holds all of ours: messages of several families in one
//! send, dumps torn by a change repeated, a limit on waiting, and no acknowledgement left behind unread.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use netlink_bindings::builtin::Nlmsghdr;
use netlink_bindings::traits::{NetlinkRequest, Protocol as Family};
use netlink_bindings::{consts, utils};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::{Error, Result};

const F_REQUEST: u16 = consts::NLM_F_REQUEST as u16;
const F_ACK: u16 = consts::NLM_F_ACK as u16;
const F_DUMP: u16 = consts::NLM_F_DUMP as u16;
const F_DUMP_INTR: u16 = consts::NLM_F_DUMP_INTR as u16;

/// The kinds of message that belong to netlink itself (netlink(7)).
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;

/// No answer of the kernel takes longer unless it is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// One send: one or several messages, in this order.
#[derive(Debug, Default)]
pub(crate) struct Request {
    messages: Vec<Message>,
}

/// A message without its header; its payload is padded to four bytes.
#[derive(Debug)]
struct Message {
    kind: u16,
    flags: u16,
    payload: Vec<u8>,
}

impl Request {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a message whose acknowledgement is waited for.
    pub(crate) fn add(&mut self, message: &impl NetlinkRequest) -> &mut Self {
        self.push(message, F_ACK)
    }

    /// Adds a message that is answered only when it is refused.
    pub(crate) fn add_unacknowledged(&mut self, message: &impl NetlinkRequest) -> &mut Self {
        self.push(message, 0)
    }

    fn push(&mut self, message: &impl NetlinkRequest, flags: u16) -> &mut Self {
        let Family::Raw { request_type: kind, .. } = message.protocol() else {
            unreachable!("rtnetlink and nftables are no generic families");
        };
        let flags = message.flags() | flags | F_REQUEST;
        let mut payload = message.payload().to_vec();
        utils::align(&mut payload);
        self.messages.push(Message { kind, flags, payload });
        self
    }

    /// The messages as they are sent, with sequence numbers from `first` on.
    fn encode(&self, first: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        let mut seq = first;
        for message in &self.messages {
            let len = u32::try_from(Nlmsghdr::len() + message.payload.len()).expect("messages of ours are short");
            let header = Nlmsghdr { len, r#type: message.kind, flags: message.flags, seq, pid: 0 };
            bytes.extend_from_slice(header.as_slice());
            bytes.extend_from_slice(&message.payload);
            seq = seq.wrapping_add(1);
        }
        bytes
    }

    fn len(&self) -> u32 {
        u32::try_from(self.messages.len()).expect("few messages")
    }

    /// How many messages await an acknowledgement.
    fn awaited(&self) -> usize {
        self.messages.iter().filter(|message| message.flags & F_ACK != 0).count()
    }
}

/// Text up to its terminating zero, where there is one.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).ok()
}

/// A netlink socket; it speaks with the network namespace its maker was in, wherever it is used.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Socket {
    pub(crate) fn route() -> io::Result<Self> {
        Self::open(None, 0)
    }

    /// As [`Self::route`], where the host's own links are meant.
    pub(crate) fn host() -> Result<Self> {
        Self::route().map_err(|source| Error::Link { doing: "opening a socket for", object: "links".into(), source })
    }

    pub(crate) fn netfilter(groups: u32) -> io::Result<Self> {
        Self::open(Some(rustix::net::netlink::NETFILTER), groups)
    }

    fn open(protocol: Option<Protocol>, groups: u32) -> io::Result<Self> {
        let fd = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)?;
        rustix::net::bind(&fd, &SocketAddrNetlink::new(0, groups))?;
        if groups == 0 {
            rustix::net::sockopt::set_socket_timeout(&fd, Timeout::Recv, Some(PATIENCE))?;
        }
        Ok(Self { fd, sequence: 1, buffer: Vec::new() })
    }

    /// Sends every message and waits for the acknowledgement of each that asks for one.
    ///
    /// # Errors
    /// The first refusal; messages after it were tried all the same (nftables: nothing of a batch was done).
    pub(crate) fn execute(&mut self, request: &Request) -> io::Result<()> {
        let first = self.send(request)?;
        let mut missing = request.awaited();
        let mut refused = None;
        while missing > 0 {
            let batch = self.receive()?;
            for message in messages(&batch) {
                let ours = message.header.seq.wrapping_sub(first) < request.len();
                if !ours || message.header.r#type != ERROR {
                    continue;
                }
                missing = missing.saturating_sub(1);
                if let Some(error) = errno(message.body) {
                    refused.get_or_insert(error);
                    // A batch that is refused as a whole is answered once, for its opening message.
                    if message.header.seq == first {
                        missing = 0;
                    }
                }
            }
            self.buffer = batch;
        }
        refused.map_or(Ok(()), Err)
    }

    /// Sends one question and collects what `read` makes of the answers: one message, or a dump. What it makes nothing
    /// of is left out.
    pub(crate) fn ask<Q: NetlinkRequest, T>(
        &mut self,
        question: &Q,
        read: impl Fn(Q::ReplyType<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut request = Request::new();
        request.add_unacknowledged(question);
        let dump = question.flags() & F_DUMP == F_DUMP;
        for _ in 0..8 {
            let sequence = self.send(&request)?;
            if let Some(answers) = self.collect(sequence, dump, |body| read(Q::decode_reply(body)))? {
                return Ok(answers);
            }
        }
        Err(io::Error::from_raw_os_error(rustix::io::Errno::INTR.raw_os_error()))
    }

    /// `None`: the tables changed while they were dumped; to be asked again.
    fn collect<T>(
        &mut self,
        sequence: u32,
        dump: bool,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Option<Vec<T>>> {
        let mut answers = Vec::new();
        let mut torn = false;
        loop {
            let batch = self.receive()?;
            for message in messages(&batch).filter(|m| m.header.seq == sequence) {
                torn |= message.header.flags & F_DUMP_INTR != 0;
                match message.header.r#type {
                    DONE => {
                        return match errno(message.body) {
                            Some(error) => Err(error),
                            None => Ok((!torn).then_some(answers)),
                        };
                    }
                    ERROR => return errno(message.body).map_or(Ok(Some(Vec::new())), Err),
                    OVERRUN => return Ok(None),
                    _ => answers.extend(read(message.body)),
                }
                if !dump {
                    return Ok(Some(answers));
                }
            }
            self.buffer = batch;
        }
    }

    /// Returns the first message's sequence number; the others' follow.
    fn send(&mut self, request: &Request) -> io::Result<u32> {
        let first = self.sequence;
        self.sequence = self.sequence.wrapping_add(request.len());
        rustix::net::send(&self.fd, &request.encode(first), SendFlags::empty())?;
        Ok(first)
    }

    /// One datagram. The buffer is lent out, so that its messages can be read while the socket is used again.
    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        // The kernel fills dumps up to 32 KiB when the reader offers as much.
        buffer.resize(32 * 1024, 0);
        let (length, _) = loop {
            match rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::empty()) {
                Err(rustix::io::Errno::INTR) => {}
                other => break other?,
            }
        };
        buffer.truncate(length);
        Ok(buffer)
    }

    /// Throws away everything that waits to be read, lost messages included.
    pub(crate) fn drain(&self) {
        let mut buffer = [0; 4096];
        loop {
            match rustix::net::recv(&self.fd, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok(_) | Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A message of the kernel's.
struct Received<'a> {
    header: Nlmsghdr,
    body: &'a [u8],
}

fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Received<'_>> {
    std::iter::from_fn(move || {
        let header = Nlmsghdr::new_from_slice(bytes.get(..Nlmsghdr::len())?)?;
        let length = header.len as usize;
        let body = bytes.get(Nlmsghdr::len()..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Received { header, body })
    })
}

/// The error a message of kind ERROR or DONE carries; zero is an acknowledgement.
fn errno(body: &[u8]) -> Option<io::Error> {
    utils::parse_i32(body).filter(|code| *code != 0).map(|code| io::Error::from_raw_os_error(-code))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use netlink_bindings::{nftables, rt_addr};

    use super::*;

    #[test]
    fn messages_of_several_families_go_out_together() {
        let begin = nftables::Request::new().op_batch_begin_do(&nftables::Nfgenmsg::default());
        let mut address = rt_addr::Request::new().set_create().op_newaddr_do(&rt_addr::Ifaddrmsg::default());
        // Its length is odd: what follows has to be aligned.
        address.encode().push_label_bytes(b"eth0");
        let mut request = Request::new();
        request.add(&address).add_unacknowledged(&begin).add(&address);
        assert_eq!((request.len(), request.awaited()), (3, 2));
        let bytes = request.encode(7);
        let all: Vec<_> = messages(&bytes).map(|m| (m.header.r#type, m.header.flags, m.header.seq)).collect();
        assert_eq!(all, [(20, 0x405, 7), (16, 0x1, 8), (20, 0x405, 9)]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for message in messages(&bytes) {
                let _ = (errno(message.body), text(message.body));
            }
        }
    }

    #[test]
    fn malformed_messages_end_the_walk() {
        for length in [0, 15, 17, u32::MAX] {
            let header = Nlmsghdr { len: length, ..Nlmsghdr::default() };
            assert_eq!(messages(header.as_slice()).count(), 0, "{length}");
        }
        assert_eq!(messages(&[16, 0, 0]).count(), 0);
        assert_eq!(messages(Nlmsghdr { len: 16, ..Nlmsghdr::default() }.as_slice()).count(), 1);
    }
}
