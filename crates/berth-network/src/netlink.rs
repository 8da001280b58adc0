//! Netlink: requests out, acknowledgements and dumps in.
//!
//! It knows how messages and attributes are laid out (netlink(7)) and nothing of what they mean. The few requests
//! this crate makes do not need a binding of every family, and two of them (nftables' compatibility matches and
//! several requests in one send) are not what such bindings offer.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::Timeout;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::{Error, Result};

pub(crate) const F_REQUEST: u16 = 0x1;
pub(crate) const F_ACK: u16 = 0x4;
pub(crate) const F_DUMP: u16 = 0x300;
pub(crate) const F_EXCL: u16 = 0x200;
pub(crate) const F_CREATE: u16 = 0x400;
pub(crate) const F_APPEND: u16 = 0x800;

const F_DUMP_INTR: u16 = 0x10;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
const HEADER: usize = 16;
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// No answer of the kernel takes longer unless it is lost.
const PATIENCE: Duration = Duration::from_secs(10);

/// One send: one or several messages, each with its attributes.
#[derive(Debug, Default)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Request {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::with_capacity(512), starts: Vec::with_capacity(4) }
    }

    /// Begins a message; `header` is the family's fixed part. The attributes that follow belong to it.
    pub(crate) fn message(&mut self, kind: u16, flags: u16, header: &[u8]) -> &mut Self {
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | F_REQUEST).to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 8]);
        self.bytes.extend_from_slice(header);
        self.pad()
    }

    pub(crate) fn attr(&mut self, kind: u16, payload: &[u8]) -> &mut Self {
        let length = u16::try_from(payload.len() + 4).expect("attributes of ours are short");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(payload);
        self.pad()
    }

    pub(crate) fn attr_str(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        self.attr(kind, &bytes)
    }

    /// A number in the host's byte order, as rtnetlink wants them.
    pub(crate) fn attr_u32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attr(kind, &value.to_ne_bytes())
    }

    /// A number in network byte order, as nftables wants them.
    pub(crate) fn attr_be32(&mut self, kind: u16, value: u32) -> &mut Self {
        self.attr(kind, &value.to_be_bytes())
    }

    pub(crate) fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&(kind | NESTED).to_ne_bytes());
        inside(self);
        let length = u16::try_from(self.bytes.len() - start).expect("attributes of ours are short");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self
    }

    /// Bytes without a header, for a nested attribute that begins with a fixed part.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self.pad()
    }

    fn pad(&mut self) -> &mut Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }

    /// Writes lengths and sequence numbers; returns how many messages await an acknowledgement.
    fn seal(&mut self, first: u32) -> usize {
        let mut acknowledged = 0;
        for (index, &start) in self.starts.iter().enumerate() {
            let end = self.starts.get(index + 1).copied().unwrap_or(self.bytes.len());
            let length = u32::try_from(end - start).expect("messages of ours are short");
            let sequence = first.wrapping_add(u32::try_from(index).expect("few messages"));
            self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
            self.bytes[start + 8..start + 12].copy_from_slice(&sequence.to_ne_bytes());
            if u16_at(&self.bytes, start + 6) & F_ACK != 0 {
                acknowledged += 1;
            }
        }
        acknowledged
    }
}

/// One message of the kernel's, without its header.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The attributes behind a fixed part of `header` bytes.
    pub(crate) fn attrs(&self, header: usize) -> Attrs<'_> {
        Attrs(self.body.get(header..).unwrap_or_default())
    }
}

/// Attributes in their order: (type without flags, payload). Ends at the first that is malformed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attrs<'a>(pub(crate) &'a [u8]);

impl<'a> Attrs<'a> {
    /// The first attribute of the type.
    pub(crate) fn get(mut self, kind: u16) -> Option<&'a [u8]> {
        self.find(|(found, _)| *found == kind).map(|(_, payload)| payload)
    }

    pub(crate) fn get_str(self, kind: u16) -> Option<&'a str> {
        self.get(kind).and_then(text)
    }

    pub(crate) fn get_u32(self, kind: u16) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_ne_bytes)
    }

    pub(crate) fn get_be32(self, kind: u16) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(crate) fn nested(self, kind: u16) -> Option<Self> {
        self.get(kind).map(Attrs)
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.len() < 4 {
            return None;
        }
        let length = usize::from(u16_at(self.0, 0));
        let kind = u16_at(self.0, 2) & TYPE_MASK;
        let payload = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, payload))
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
    pub(crate) fn execute(&mut self, mut request: Request) -> io::Result<()> {
        let (first, mut missing) = self.send(&mut request)?;
        let mut refused = None;
        while missing > 0 {
            let batch = self.receive()?;
            for message in messages(&batch) {
                let ours = message.sequence.wrapping_sub(first) < u32::try_from(request.starts.len()).unwrap_or(0);
                if !ours || message.kind != ERROR {
                    continue;
                }
                missing = missing.saturating_sub(1);
                if let Some(error) = errno(message.body) {
                    refused.get_or_insert(error);
                    // A batch that is refused as a whole is answered once, for its opening message.
                    if message.sequence == first {
                        missing = 0;
                    }
                }
            }
            self.buffer = batch;
        }
        refused.map_or(Ok(()), Err)
    }

    /// Sends one request and collects what it is answered with: one message, or a dump.
    pub(crate) fn ask(&mut self, dump: bool, build: impl Fn(&mut Request)) -> io::Result<Vec<Answer>> {
        for _ in 0..8 {
            let mut request = Request::new();
            build(&mut request);
            debug_assert_eq!(request.starts.len(), 1);
            let (sequence, _) = self.send(&mut request)?;
            if let Some(answers) = self.collect(sequence, dump)? {
                return Ok(answers);
            }
        }
        Err(io::Error::from_raw_os_error(rustix::io::Errno::INTR.raw_os_error()))
    }

    /// `None`: the tables changed while they were dumped; to be asked again.
    fn collect(&mut self, sequence: u32, dump: bool) -> io::Result<Option<Vec<Answer>>> {
        let mut answers = Vec::new();
        let mut torn = false;
        loop {
            let batch = self.receive()?;
            for message in messages(&batch).filter(|m| m.sequence == sequence) {
                torn |= message.flags & F_DUMP_INTR != 0;
                match message.kind {
                    DONE => {
                        return match errno(message.body) {
                            Some(error) => Err(error),
                            None => Ok((!torn).then_some(answers)),
                        };
                    }
                    ERROR => return errno(message.body).map_or(Ok(Some(Vec::new())), Err),
                    OVERRUN => return Ok(None),
                    _ => answers.push(Answer { body: message.body.to_vec() }),
                }
                if !dump {
                    return Ok(Some(answers));
                }
            }
            self.buffer = batch;
        }
    }

    fn send(&mut self, request: &mut Request) -> io::Result<(u32, usize)> {
        let first = self.sequence;
        let count = u32::try_from(request.starts.len()).expect("few messages");
        self.sequence = self.sequence.wrapping_add(count);
        let missing = request.seal(first);
        rustix::net::send(&self.fd, &request.bytes, SendFlags::empty())?;
        Ok((first, missing))
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

struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'a [u8],
}

fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        if bytes.len() < HEADER {
            return None;
        }
        let length = u32::from_ne_bytes(bytes[0..4].try_into().ok()?) as usize;
        let body = bytes.get(HEADER..length)?;
        let message = Message {
            kind: u16_at(bytes, 4),
            flags: u16_at(bytes, 6),
            sequence: u32::from_ne_bytes(bytes[8..12].try_into().ok()?),
            body,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The error a message of kind ERROR or DONE carries; zero is an acknowledgement.
fn errno(body: &[u8]) -> Option<io::Error> {
    let code = body.get(..4).and_then(|b| b.try_into().ok()).map_or(0, i32::from_ne_bytes);
    (code != 0).then(|| io::Error::from_raw_os_error(-code))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn attributes_come_back_as_they_were_written() {
        let mut request = Request::new();
        request.message(16, F_ACK, &[7; 6]).attr_str(3, "eth0").attr_u32(4, 1500).nest(18, |r| {
            r.attr(1, b"veth").nest(2, |_| {});
        });
        request.message(17, 0, &[]);
        assert_eq!(request.seal(5), 1);
        let all: Vec<_> = messages(&request.bytes).map(|m| (m.kind, m.sequence, m.body.to_vec())).collect();
        assert_eq!(all.len(), 2);
        assert_eq!((all[1].0, all[1].1), (17, 6));
        let answer = Answer { body: all[0].2.clone() };
        let attrs = answer.attrs(8);
        assert_eq!(attrs.get_str(3), Some("eth0"));
        assert_eq!(attrs.get_u32(4), Some(1500));
        assert_eq!(attrs.nested(18).unwrap().get(1), Some(&b"veth"[..]));
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for message in messages(&bytes) {
                let answer = Answer { body: message.body.to_vec() };
                for (_, payload) in answer.attrs(4) {
                    let _ = (Attrs(payload).get_str(1), Attrs(payload).get_u32(2), text(payload));
                }
            }
        }
    }

    #[test]
    fn malformed_attributes_end_the_walk() {
        for bytes in [&[][..], &[0; 3], &[0, 0, 1, 0], &[9, 0, 1, 0, 1], &[255, 255, 0, 0, 0, 0, 0, 0]] {
            assert_eq!(Attrs(bytes).count(), 0, "{bytes:?}");
        }
    }
}
