//! nftables written: tables, chains, rules and expressions (`linux/netfilter/nf_tables.h`) in one transaction.
//!
//! It knows how rules are written, not which there should be; how they are read is in [`super::ruleset`].

use std::io;

use netlink_bindings::nftables::{
    self, CmpOps, CtKeys, MetaKeys, Nfgenmsg, PayloadBase, PushExprAttrs, PushExprListAttrs, PushRuleAttrs, Registers,
    VerdictCode,
};
use netlink_bindings::traits::Pusher;

use crate::Ipv4Net;
use crate::netlink::{Request, Socket};

/// `NFNL_SUBSYS_NFTABLES`: whose batch it is.
const SUBSYSTEM: u16 = 10;

/// The families: nftables' own for both IP versions, and the one iptables uses.
pub(super) const INET: u8 = 1;
pub(super) const IPV4: u8 = 2;

pub(super) const PREROUTING: u32 = 0;
pub(super) const FORWARD: u32 = 2;
pub(super) const POSTROUTING: u32 = 4;

const ACCEPT: u32 = VerdictCode::Accept as u32;
pub(super) const DROP: u32 = VerdictCode::Drop as u32;
pub(super) const RETURN: u32 = VerdictCode::Return as u32;

const REGISTER: u32 = Registers::Reg1 as u32;

pub(super) fn family(family: u8) -> Nfgenmsg {
    Nfgenmsg { nfgen_family: family, ..Nfgenmsg::default() }
}

pub(super) fn message() -> nftables::Request<'static> {
    nftables::Request::new()
}

/// Changes that happen together or not at all.
pub(super) struct Batch(Request);

impl Batch {
    pub(super) fn new() -> Self {
        let mut request = Request::new();
        request.add_unacknowledged(&message().op_batch_begin_do(&Self::header()));
        Self(request)
    }

    fn header() -> Nfgenmsg {
        let mut header = Nfgenmsg::default();
        header.set_res_id(SUBSYSTEM);
        header
    }

    pub(super) fn add_table(&mut self, of: u8, table: &str) {
        let mut message = message().set_create().op_newtable_do(&family(of));
        message.encode().push_name_bytes(table.as_bytes());
        self.0.add(&message);
    }

    pub(super) fn delete_table(&mut self, of: u8, table: &str) {
        let mut message = message().op_deltable_do(&family(of));
        message.encode().push_name_bytes(table.as_bytes());
        self.0.add(&message);
    }

    pub(super) fn add_base_chain(&mut self, of: u8, table: &str, chain: &BaseChain<'_>) {
        let mut message = message().set_create().op_newchain_do(&family(of));
        message
            .encode()
            .push_table_bytes(table.as_bytes())
            .push_name_bytes(chain.name.as_bytes())
            .nested_hook()
            .push_num(chain.hook)
            .push_priority(chain.priority)
            .end_nested()
            .push_policy(ACCEPT)
            .push_type_bytes(chain.kind.as_bytes());
        self.0.add(&message);
    }

    /// Appends a rule or, with `before`, inserts it ahead of the rule with that handle.
    pub(super) fn add_rule(&mut self, place: &Place<'_>, rule: impl FnOnce(&mut Rule<'_>)) {
        let message = message().set_create();
        let message = if place.before.is_none() { message.set_append() } else { message };
        let mut message = message.op_newrule_do(&family(place.family));
        let mut expressions = place.write(message.encode()).nested_expressions();
        rule(&mut Rule { expressions: expressions.as_vec_mut() });
        let mut attrs = expressions.end_nested();
        if place.compatible {
            // Tells the kernel's compatibility matches that no transport protocol was named.
            attrs = attrs.nested_compat().push_proto(0).push_flags(0).end_nested();
        }
        if let Some(handle) = place.before {
            attrs = attrs.push_position(handle);
        }
        drop(attrs);
        self.0.add(&message);
    }

    pub(super) fn delete_rule(&mut self, place: &Place<'_>, handle: u64) {
        let mut message = message().op_delrule_do(&family(place.family));
        place.write(message.encode()).push_handle(handle);
        self.0.add(&message);
    }

    pub(super) fn commit(mut self, socket: &mut Socket) -> io::Result<()> {
        self.0.add_unacknowledged(&message().op_batch_end_do(&Self::header()));
        socket.execute(&self.0)
    }
}

/// A chain that hangs on a hook; its policy is accept.
pub(super) struct BaseChain<'a> {
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    pub(super) hook: u32,
    pub(super) priority: i32,
}

/// Where a rule goes.
pub(super) struct Place<'a> {
    pub(super) family: u8,
    pub(super) table: &'a str,
    pub(super) chain: &'a str,
    /// The rule uses iptables' matches, and iptables is to list it.
    pub(super) compatible: bool,
    pub(super) before: Option<u64>,
}

impl Place<'_> {
    fn write<P: Pusher>(&self, attrs: PushRuleAttrs<P>) -> PushRuleAttrs<P> {
        attrs.push_table_bytes(self.table.as_bytes()).push_chain_bytes(self.chain.as_bytes())
    }
}

/// A rule being written: one expression after the other.
pub(super) struct Rule<'a> {
    pub(super) expressions: &'a mut Vec<u8>,
}

impl Rule<'_> {
    /// The next expression; it is complete when what this returns is dropped.
    fn next(&mut self) -> PushExprAttrs<PushExprListAttrs<&mut Vec<u8>>> {
        PushExprListAttrs::new(&mut *self.expressions).nested_elem()
    }

    fn compare(&mut self, how: CmpOps, value: &[u8]) -> &mut Self {
        self.next().nested_data_cmp().push_sreg(REGISTER).push_op(how as u32).nested_data().push_value(value);
        self
    }

    fn meta(&mut self, key: MetaKeys) -> &mut Self {
        self.next().nested_data_meta().push_key(key as u32).push_dreg(REGISTER);
        self
    }

    pub(super) fn comes_by(&mut self, link: &str, equal: bool) -> &mut Self {
        self.meta(MetaKeys::Iifname).compare(equality(equal), &interface(link))
    }

    pub(super) fn leaves_by(&mut self, link: &str, equal: bool) -> &mut Self {
        self.meta(MetaKeys::Oifname).compare(equality(equal), &interface(link))
    }

    pub(super) fn from(&mut self, net: Ipv4Net) -> &mut Self {
        self.address(12, net)
    }

    pub(super) fn to(&mut self, net: Ipv4Net) -> &mut Self {
        self.address(16, net)
    }

    /// The IPv4 address at `offset` of the header lies in `net`.
    fn address(&mut self, offset: u32, net: Ipv4Net) -> &mut Self {
        self.meta(MetaKeys::Nfproto).compare(CmpOps::Eq, &[IPV4]);
        self.next()
            .nested_data_payload()
            .push_dreg(REGISTER)
            .push_base(PayloadBase::NetworkHeader as u32)
            .push_offset(offset)
            .push_len(4);
        self.masked(&net.mask().to_be_bytes()).compare(CmpOps::Eq, &net.network().octets())
    }

    fn masked(&mut self, mask: &[u8; 4]) -> &mut Self {
        self.next()
            .nested_data_bitwise()
            .push_sreg(REGISTER)
            .push_dreg(REGISTER)
            .push_len(4)
            .nested_mask()
            .push_value(mask)
            .end_nested()
            .nested_xor()
            .push_value(&[0; 4]);
        self
    }

    /// The packet belongs to a known connection, or is related to one.
    pub(super) fn known(&mut self) -> &mut Self {
        self.conntrack(CtKeys::State, ESTABLISHED_OR_RELATED)
    }

    /// The packet's destination was translated: a published port.
    pub(super) fn published(&mut self) -> &mut Self {
        const DST_NAT: u32 = 1 << 5;
        self.conntrack(CtKeys::Status, DST_NAT)
    }

    fn conntrack(&mut self, key: CtKeys, bits: u32) -> &mut Self {
        self.next().nested_data_ct().push_key(key as u32).push_dreg(REGISTER);
        self.masked(&bits.to_ne_bytes()).compare(CmpOps::Neq, &[0; 4])
    }

    /// As [`Self::known`], in the words of `iptables -m conntrack`, which that program can list.
    pub(super) fn known_to_iptables(&mut self) -> &mut Self {
        // struct xt_conntrack_mtinfo3, 164 bytes, aligned to 8: match_flags at 146, state_mask at 150.
        let mut info = [0; 168];
        info[146..148].copy_from_slice(&1u16.to_ne_bytes());
        let states = u16::try_from(ESTABLISHED_OR_RELATED).unwrap_or_default();
        info[150..152].copy_from_slice(&states.to_ne_bytes());
        self.iptables_match("conntrack", 3, &info)
    }

    /// A comment that `iptables -L` shows; at most 255 bytes.
    pub(super) fn comment(&mut self, comment: &str) -> &mut Self {
        let mut info = [0; 256];
        let length = comment.len().min(255);
        info[..length].copy_from_slice(&comment.as_bytes()[..length]);
        self.iptables_match("comment", 0, &info)
    }

    /// `info` is the match's own C structure, which nothing but iptables describes.
    fn iptables_match(&mut self, name: &str, revision: u32, info: &[u8]) -> &mut Self {
        self.next().nested_data_match().push_name_bytes(name.as_bytes()).push_rev(revision).push_info(info);
        self
    }

    pub(super) fn count(&mut self) -> &mut Self {
        self.next().nested_data_counter();
        self
    }

    pub(super) fn masquerade(&mut self) {
        self.next().push_name(c"masq");
    }

    pub(super) fn accept(&mut self) {
        self.verdict(ACCEPT);
    }

    pub(super) fn drop(&mut self) {
        self.verdict(DROP);
    }

    pub(super) fn leave_chain(&mut self) {
        self.verdict(RETURN);
    }

    fn verdict(&mut self, code: u32) {
        self.next()
            .nested_data_immediate()
            .push_dreg(Registers::RegVerdict as u32)
            .nested_data()
            .nested_verdict()
            .push_code(code);
    }
}

fn equality(equal: bool) -> CmpOps {
    if equal { CmpOps::Eq } else { CmpOps::Neq }
}

/// Bits of `enum ip_conntrack_info`, as both nftables and iptables number them.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;

/// An interface's name as iptables compares it: with its terminating zero, hence the whole of it.
fn interface(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}
