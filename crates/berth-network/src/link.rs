//! Links, addresses and routes by rtnetlink: each function is one request, named after what `ip` calls it.
//!
//! It owns the layout of rtnetlink's messages (rtnetlink(7), `linux/if_link.h`); it does not know why a link is made.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::netlink::{Answer, F_ACK, F_CREATE, F_DUMP, F_EXCL, Request, Socket};
use crate::{Ipv4Net, Mac};

const NEWLINK: u16 = 16;
const DELLINK: u16 = 17;
const GETLINK: u16 = 18;
const NEWADDR: u16 = 20;
const DELADDR: u16 = 21;
const GETADDR: u16 = 22;
const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const VETH_INFO_PEER: u16 = 1;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;

const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;

const AF_UNSPEC: u8 = 0;
const AF_INET: u8 = 2;
const IFF_UP: u32 = 1;
/// The loopback device of every namespace.
const LO: u32 = 1;

/// `RTEXT_FILTER_SKIP_STATS`: adding up statistics is most of what a description of a link costs.
const SKIP_STATS: u32 = 1 << 3;
const IF_OPER_UP: u8 = 6;

const RT_TABLE_LOCAL: u8 = 255;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;
const RTN_UNICAST: u8 = 1;

const LINK_HEADER: usize = 16;
const ADDR_HEADER: usize = 8;
const ROUTE_HEADER: usize = 12;

/// A link as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) kind: Option<String>,
    pub(crate) alias: Option<String>,
    /// It passes packets.
    pub(crate) up: bool,
}

fn link_header(index: u32, up: bool) -> [u8; LINK_HEADER] {
    let mut header = [0; LINK_HEADER];
    header[0] = AF_UNSPEC;
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    if up {
        header[8..12].copy_from_slice(&IFF_UP.to_ne_bytes());
        header[12..16].copy_from_slice(&IFF_UP.to_ne_bytes());
    }
    header
}

fn addr_header(index: u32, prefix_len: u8) -> [u8; ADDR_HEADER] {
    let mut header = [AF_INET, prefix_len, 0, 0, 0, 0, 0, 0];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}

/// The link of that name, where there is one.
pub(crate) fn find(socket: &mut Socket, name: &str) -> io::Result<Option<Link>> {
    let answers = socket.ask(false, |request| {
        request
            .message(GETLINK, 0, &link_header(0, false))
            .attr_str(IFLA_IFNAME, name)
            .attr_u32(IFLA_EXT_MASK, SKIP_STATS);
    });
    match answers {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
        Err(error) => Err(error),
        Ok(answers) => Ok(answers.first().and_then(parse_link)),
    }
}

fn parse_link(answer: &Answer) -> Option<Link> {
    let index = u32::from_ne_bytes(answer.body.get(4..8)?.try_into().ok()?);
    let attrs = answer.attrs(LINK_HEADER);
    let kind = attrs.nested(IFLA_LINKINFO).and_then(|info| info.get_str(IFLA_INFO_KIND));
    Some(Link {
        index,
        kind: kind.map(Into::into),
        alias: attrs.get_str(IFLA_IFALIAS).map(Into::into),
        up: attrs.get(IFLA_OPERSTATE) == Some(&[IF_OPER_UP]),
    })
}

/// Whether the link of that name passes packets.
pub(crate) fn is_up(socket: &mut Socket, name: &str) -> bool {
    find(socket, name).ok().flatten().is_some_and(|link| link.up)
}

/// Makes a bridge that is up.
pub(crate) fn add_bridge(socket: &mut Socket, name: &str, mac: Mac, mtu: u32) -> io::Result<()> {
    let mut request = Request::new();
    request
        .message(NEWLINK, F_ACK | F_CREATE | F_EXCL, &link_header(0, true))
        .attr_str(IFLA_IFNAME, name)
        .attr(IFLA_ADDRESS, &mac.0)
        .attr_u32(IFLA_MTU, mtu)
        .nest(IFLA_LINKINFO, |r| {
            r.attr(IFLA_INFO_KIND, b"bridge");
        });
    socket.execute(request)
}

/// Sets a link's alias, MTU and up flag.
pub(crate) fn set(socket: &mut Socket, index: u32, alias: Option<&str>, mtu: u32) -> io::Result<()> {
    let mut request = Request::new();
    request.message(NEWLINK, F_ACK, &link_header(index, true)).attr_u32(IFLA_MTU, mtu);
    if let Some(alias) = alias {
        request.attr(IFLA_IFALIAS, alias.as_bytes());
    }
    socket.execute(request)
}

/// Removes a link and what hangs on it.
pub(crate) fn delete(socket: &mut Socket, index: u32) -> io::Result<()> {
    let mut request = Request::new();
    request.message(DELLINK, F_ACK, &link_header(index, false));
    socket.execute(request)
}

/// A veth pair to be made: the host's end is a port of `bridge` and up, the other lies in `netns` as `eth0`.
#[derive(Debug)]
pub(crate) struct Veth<'a> {
    pub(crate) host: &'a str,
    pub(crate) bridge: u32,
    pub(crate) netns: BorrowedFd<'a>,
    pub(crate) mac: Mac,
    pub(crate) mtu: u32,
}

/// Fails with EEXIST while a pair of that name is not entirely gone.
pub(crate) fn add_veth(socket: &mut Socket, veth: &Veth<'_>) -> io::Result<()> {
    let mut request = Request::new();
    request
        .message(NEWLINK, F_ACK | F_CREATE | F_EXCL, &link_header(0, true))
        .attr_str(IFLA_IFNAME, veth.host)
        .attr_u32(IFLA_MTU, veth.mtu)
        .attr_u32(IFLA_MASTER, veth.bridge)
        .nest(IFLA_LINKINFO, |r| {
            r.attr(IFLA_INFO_KIND, b"veth").nest(IFLA_INFO_DATA, |r| {
                r.nest(VETH_INFO_PEER, |r| {
                    r.raw(&link_header(0, false))
                        .attr_str(IFLA_IFNAME, "eth0")
                        .attr(IFLA_ADDRESS, &veth.mac.0)
                        .attr_u32(IFLA_MTU, veth.mtu)
                        .attr(IFLA_NET_NS_FD, &veth.netns.as_raw_fd().to_ne_bytes());
                });
            });
        });
    socket.execute(request)
}

/// Inside a namespace: brings the loopback device up.
pub(crate) fn lo_up(socket: &mut Socket) -> io::Result<()> {
    let mut request = Request::new();
    request.message(NEWLINK, F_ACK, &link_header(LO, true));
    socket.execute(request)
}

/// Inside a namespace: loopback and `eth0` up, address and default route, in one send.
pub(crate) fn configure(socket: &mut Socket, address: Ipv4Net, gateway: Ipv4Addr) -> io::Result<()> {
    let gone = || io::Error::from_raw_os_error(rustix::io::Errno::NODEV.raw_os_error());
    let eth0 = find(socket, "eth0")?.ok_or_else(gone)?.index;
    let mut request = Request::new();
    request.message(NEWLINK, F_ACK, &link_header(LO, true));
    put_address(&mut request, eth0, address);
    request.message(NEWLINK, F_ACK, &link_header(eth0, true));
    let header = [AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST, 0, 0, 0, 0];
    request.message(NEWROUTE, F_ACK | F_CREATE, &header).attr(RTA_GATEWAY, &gateway.octets()).attr_u32(RTA_OIF, eth0);
    socket.execute(request)
}

fn put_address(request: &mut Request, index: u32, address: Ipv4Net) {
    request
        .message(NEWADDR, F_ACK | F_CREATE | F_EXCL, &addr_header(index, address.prefix_len()))
        .attr(IFA_LOCAL, &address.address().octets())
        .attr(IFA_ADDRESS, &address.address().octets());
    // A network of one or two addresses has no broadcast address.
    if address.prefix_len() < 31 {
        request.attr(IFA_BROADCAST, &address.broadcast().octets());
    }
}

/// Adds an address to a link; one that is there already is no error.
pub(crate) fn add_address(socket: &mut Socket, index: u32, address: Ipv4Net) -> io::Result<()> {
    let mut request = Request::new();
    put_address(&mut request, index, address);
    match socket.execute(request) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Takes an address from a link.
pub(crate) fn delete_address(socket: &mut Socket, index: u32, address: Ipv4Net) -> io::Result<()> {
    let mut request = Request::new();
    request
        .message(DELADDR, F_ACK, &addr_header(index, address.prefix_len()))
        .attr(IFA_LOCAL, &address.address().octets());
    socket.execute(request)
}

/// Every IPv4 address of the namespace with its link's index.
pub(crate) fn addresses(socket: &mut Socket) -> io::Result<Vec<(u32, Ipv4Net)>> {
    let answers = socket.ask(true, |request| {
        request.message(GETADDR, F_DUMP, &addr_header(0, 0));
    })?;
    Ok(answers
        .iter()
        .filter_map(|answer| {
            let index = u32::from_ne_bytes(answer.body.get(4..8)?.try_into().ok()?);
            let attrs = answer.attrs(ADDR_HEADER);
            let octets: [u8; 4] = attrs.get(IFA_LOCAL).or(attrs.get(IFA_ADDRESS))?.try_into().ok()?;
            (answer.body[0] == AF_INET).then_some((index, Ipv4Net::new(octets.into(), answer.body[1])?))
        })
        .collect())
}

/// Every IPv4 destination the namespace has a route to, default and local routes aside, with the link it leaves by.
pub(crate) fn routes(socket: &mut Socket) -> io::Result<Vec<(u32, Ipv4Net)>> {
    let mut header = [0; ROUTE_HEADER];
    header[0] = AF_INET;
    let answers = socket.ask(true, |request| {
        request.message(GETROUTE, F_DUMP, &header);
    })?;
    Ok(answers
        .iter()
        .filter_map(|answer| {
            let (prefix_len, table) = (*answer.body.get(1)?, *answer.body.get(4)?);
            let attrs = answer.attrs(ROUTE_HEADER);
            let octets: [u8; 4] = attrs.get(RTA_DST)?.try_into().ok()?;
            let link = attrs.get_u32(RTA_OIF).unwrap_or(0);
            (table != RT_TABLE_LOCAL && prefix_len > 0).then_some((link, Ipv4Net::new(octets.into(), prefix_len)?))
        })
        .collect())
}
