//! Links, addresses and routes by rtnetlink: each function is one request, named after what `ip` calls it.
//!
//! It knows rtnetlink's messages (rtnetlink(7), `linux/if_link.h`); it does not know why a link is made.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_bindings::rt_addr::{self, Ifaddrmsg, IterableAddrAttrs};
use netlink_bindings::rt_link::{self, IfinfoFlags, Ifinfomsg, IterableLinkAttrs, PushLinkAttrs, RtextFilter};
use netlink_bindings::rt_route::{self, IterableRouteAttrs, RtmType, Rtmsg};
use netlink_bindings::traits::Pusher;
use netlink_bindings::utils;

use crate::netlink::{Request, Socket};
use crate::{Ipv4Net, Mac};

const AF_INET: u8 = 2;
const UP: u32 = IfinfoFlags::Up as u32;
/// The loopback device of every namespace.
const LO: u32 = 1;

/// Adding up statistics is most of what a description of a link costs.
const SKIP_STATS: u32 = RtextFilter::SkipStats as u32;
const IF_OPER_UP: u8 = 6;

const RT_TABLE_LOCAL: u8 = 255;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_BOOT: u8 = 3;

/// A link as the kernel describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) kind: Option<String>,
    pub(crate) alias: Option<String>,
    /// It passes packets.
    pub(crate) up: bool,
}

fn link_header(index: u32, up: bool) -> Ifinfomsg {
    let flags = if up { UP } else { 0 };
    Ifinfomsg { ifi_index: index.cast_signed(), ifi_flags: flags, ifi_change: flags, ..Ifinfomsg::default() }
}

fn addr_header(index: u32, prefix_len: u8) -> Ifaddrmsg {
    Ifaddrmsg { ifa_family: AF_INET, ifa_prefixlen: prefix_len, ifa_index: index, ..Ifaddrmsg::default() }
}

/// The link of that name, where there is one.
pub(crate) fn find(socket: &mut Socket, name: &str) -> io::Result<Option<Link>> {
    let mut question = rt_link::Request::new().op_getlink_do(&link_header(0, false));
    question.encode().push_ifname_bytes(name.as_bytes()).push_ext_mask(SKIP_STATS);
    match socket.ask(&question, parse_link) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NODEV.raw_os_error()) => Ok(None),
        other => Ok(other?.pop()),
    }
}

fn parse_link((header, attrs): (Ifinfomsg, IterableLinkAttrs<'_>)) -> Option<Link> {
    let text = |text: &std::ffi::CStr| text.to_str().ok().map(Into::into);
    Some(Link {
        index: header.ifi_index.cast_unsigned(),
        kind: attrs.get_linkinfo().and_then(|info| info.get_kind()).ok().and_then(text),
        alias: attrs.get_ifalias().ok().and_then(text),
        up: attrs.get_operstate() == Ok(IF_OPER_UP),
    })
}

/// Whether the link of that name passes packets.
pub(crate) fn is_up(socket: &mut Socket, name: &str) -> bool {
    find(socket, name).ok().flatten().is_some_and(|link| link.up)
}

/// Makes a bridge that is up.
pub(crate) fn add_bridge(socket: &mut Socket, name: &str, mac: Mac, mtu: u32) -> io::Result<()> {
    let mut message = rt_link::Request::new().set_create().set_excl().op_newlink_do(&link_header(0, true));
    message
        .encode()
        .push_ifname_bytes(name.as_bytes())
        .push_address(&mac.0)
        .push_mtu(mtu)
        .nested_linkinfo()
        .push_kind(c"bridge");
    socket.execute(Request::new().add(&message))
}

/// Sets a link's alias, MTU and up flag.
pub(crate) fn set(socket: &mut Socket, index: u32, alias: Option<&str>, mtu: u32) -> io::Result<()> {
    let mut message = rt_link::Request::new().op_newlink_do(&link_header(index, true));
    message.encode().push_mtu(mtu);
    if let Some(alias) = alias {
        message.encode().push_ifalias_bytes(alias.as_bytes());
    }
    socket.execute(Request::new().add(&message))
}

/// Removes a link and what hangs on it.
pub(crate) fn delete(socket: &mut Socket, index: u32) -> io::Result<()> {
    let message = rt_link::Request::new().op_dellink_do(&link_header(index, false));
    socket.execute(Request::new().add(&message))
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
    let mut message = rt_link::Request::new().set_create().set_excl().op_newlink_do(&link_header(0, true));
    let mut info = message
        .encode()
        .push_ifname_bytes(veth.host.as_bytes())
        .push_mtu(veth.mtu)
        .push_master(veth.bridge)
        .nested_linkinfo()
        .push_kind(c"veth");
    put_peer(info.as_vec_mut(), veth);
    drop(info);
    socket.execute(Request::new().add(&message))
}

/// What a link of kind `veth` says of its other end: a link message inside an attribute. The kernel's description of
/// rtnetlink, which the bindings are made from, has no `veth` among its kinds (as of Linux 7.3).
fn put_peer(info: &mut Vec<u8>, veth: &Veth<'_>) {
    const IFLA_INFO_DATA: u16 = 2;
    const VETH_INFO_PEER: u16 = 1;
    let data = utils::push_nested_header(info, IFLA_INFO_DATA);
    let peer = utils::push_nested_header(info, VETH_INFO_PEER);
    info.extend_from_slice(link_header(0, false).as_slice());
    PushLinkAttrs::new(&mut *info)
        .push_ifname(c"eth0")
        .push_address(&veth.mac.0)
        .push_mtu(veth.mtu)
        .push_net_ns_fd(veth.netns.as_raw_fd().cast_unsigned());
    utils::finalize_nested_header(info, peer);
    utils::finalize_nested_header(info, data);
}

/// Inside a namespace: brings the loopback device up.
pub(crate) fn lo_up(socket: &mut Socket) -> io::Result<()> {
    socket.execute(Request::new().add(&up(LO)))
}

fn up(index: u32) -> rt_link::OpNewlinkDo<'static> {
    rt_link::Request::new().op_newlink_do(&link_header(index, true))
}

/// Inside a namespace: loopback and `eth0` up, address and default route, in one send.
pub(crate) fn configure(socket: &mut Socket, address: Ipv4Net, gateway: Ipv4Addr) -> io::Result<()> {
    let gone = || io::Error::from_raw_os_error(rustix::io::Errno::NODEV.raw_os_error());
    let eth0 = find(socket, "eth0")?.ok_or_else(gone)?.index;
    let header = Rtmsg {
        rtm_family: AF_INET,
        rtm_table: RT_TABLE_MAIN,
        rtm_protocol: RTPROT_BOOT,
        rtm_type: RtmType::Unicast as u8,
        ..Rtmsg::default()
    };
    let mut route = rt_route::Request::new().set_create().op_newroute_do(&header);
    route.encode().push_gateway(gateway.into()).push_oif(eth0);
    socket.execute(Request::new().add(&up(LO)).add(&new_address(eth0, address)).add(&up(eth0)).add(&route))
}

fn new_address(index: u32, address: Ipv4Net) -> rt_addr::OpNewaddrDo<'static> {
    let header = addr_header(index, address.prefix_len());
    let mut message = rt_addr::Request::new().set_create().set_excl().op_newaddr_do(&header);
    message.encode().push_local(address.address().into()).push_address(address.address().into());
    // A network of one or two addresses has no broadcast address.
    if address.prefix_len() < 31 {
        message.encode().push_broadcast(address.broadcast());
    }
    message
}

/// Adds an address to a link; one that is there already is no error.
pub(crate) fn add_address(socket: &mut Socket, index: u32, address: Ipv4Net) -> io::Result<()> {
    match socket.execute(Request::new().add(&new_address(index, address))) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Takes an address from a link.
pub(crate) fn delete_address(socket: &mut Socket, index: u32, address: Ipv4Net) -> io::Result<()> {
    let mut message = rt_addr::Request::new().op_deladdr_do(&addr_header(index, address.prefix_len()));
    message.encode().push_local(address.address().into());
    socket.execute(Request::new().add(&message))
}

/// Every IPv4 address of the namespace with its link's index.
pub(crate) fn addresses(socket: &mut Socket) -> io::Result<Vec<(u32, Ipv4Net)>> {
    socket.ask(&rt_addr::Request::new().op_getaddr_dump(&addr_header(0, 0)), parse_address)
}

fn parse_address((header, attrs): (Ifaddrmsg, IterableAddrAttrs<'_>)) -> Option<(u32, Ipv4Net)> {
    let IpAddr::V4(address) = attrs.get_local().or_else(|_| attrs.get_address()).ok()? else { return None };
    Some((header.ifa_index, Ipv4Net::new(address, header.ifa_prefixlen)?))
}

/// Every IPv4 destination the namespace has a route to, default and local routes aside, with the link it leaves by.
pub(crate) fn routes(socket: &mut Socket) -> io::Result<Vec<(u32, Ipv4Net)>> {
    let header = Rtmsg { rtm_family: AF_INET, ..Rtmsg::default() };
    socket.ask(&rt_route::Request::new().op_getroute_dump(&header), parse_route)
}

fn parse_route((header, attrs): (Rtmsg, IterableRouteAttrs<'_>)) -> Option<(u32, Ipv4Net)> {
    let IpAddr::V4(target) = attrs.get_dst().ok()? else { return None };
    let wanted = header.rtm_table != RT_TABLE_LOCAL && header.rtm_dst_len > 0;
    wanted.then_some((attrs.get_oif().unwrap_or(0), Ipv4Net::new(target, header.rtm_dst_len)?))
}

#[cfg(test)]
mod tests {
    use netlink_bindings::traits::NetlinkRequest;

    use super::*;

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = parse_link(rt_link::OpGetlinkDo::decode_reply(&bytes));
            let _ = parse_address(rt_addr::OpGetaddrDump::decode_reply(&bytes));
            let _ = parse_route(rt_route::OpGetrouteDump::decode_reply(&bytes));
        }
    }
}
