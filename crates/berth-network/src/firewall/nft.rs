//! nftables over netlink: the layout of tables, chains, rules and expressions (`linux/netfilter/nf_tables.h`).
//!
//! It knows how things are written and read, not which rules there should be.

use std::io;

use crate::Ipv4Net;
use crate::netlink::{Answer, Attrs, F_ACK, F_APPEND, F_CREATE, F_DUMP, Request, Socket, text};

const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;

const NEWTABLE: u16 = SUBSYSTEM << 8;
const GETTABLE: u16 = SUBSYSTEM << 8 | 1;
const DELTABLE: u16 = SUBSYSTEM << 8 | 2;
const NEWCHAIN: u16 = SUBSYSTEM << 8 | 3;
const GETCHAIN: u16 = SUBSYSTEM << 8 | 4;
const NEWRULE: u16 = SUBSYSTEM << 8 | 6;
const GETRULE: u16 = SUBSYSTEM << 8 | 7;
const DELRULE: u16 = SUBSYSTEM << 8 | 8;

/// The families: nftables' own for both IP versions, and the one iptables uses.
pub(super) const INET: u8 = 1;
pub(super) const IPV4: u8 = 2;

pub(super) const PREROUTING: u32 = 0;
pub(super) const FORWARD: u32 = 2;
pub(super) const POSTROUTING: u32 = 4;

const ACCEPT: u32 = 1;
const DROP: u32 = 0;
const JUMP: i32 = -3;
const GOTO: i32 = -4;
const RETURN: i32 = -5;

const TABLE_NAME: u16 = 1;
const CHAIN_TABLE: u16 = 1;
const CHAIN_NAME: u16 = 3;
const CHAIN_HOOK: u16 = 4;
const CHAIN_POLICY: u16 = 5;
const CHAIN_TYPE: u16 = 7;
const HOOK_NUMBER: u16 = 1;
const HOOK_PRIORITY: u16 = 2;
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_COMPAT: u16 = 5;
const RULE_POSITION: u16 = 6;
const LIST_ELEM: u16 = 1;
const EXPR_NAME: u16 = 1;
const EXPR_DATA: u16 = 2;

const META_KEY_IIFNAME: u32 = 6;
const META_KEY_OIFNAME: u32 = 7;
const META_KEY_NFPROTO: u32 = 15;
const REGISTER: u32 = 1;
const VERDICT_REGISTER: u32 = 0;

/// `struct nfgenmsg`.
fn header(family: u8, resource: u16) -> [u8; 4] {
    let [high, low] = resource.to_be_bytes();
    [family, 0, high, low]
}

const HEADER: usize = 4;

/// Changes that happen together or not at all.
pub(super) struct Batch(Request);

impl Batch {
    pub(super) fn new() -> Self {
        let mut request = Request::new();
        request.message(BATCH_BEGIN, 0, &header(0, SUBSYSTEM));
        Self(request)
    }

    pub(super) fn add_table(&mut self, family: u8, table: &str) {
        self.0.message(NEWTABLE, F_CREATE | F_ACK, &header(family, 0)).attr_str(TABLE_NAME, table);
    }

    pub(super) fn delete_table(&mut self, family: u8, table: &str) {
        self.0.message(DELTABLE, F_ACK, &header(family, 0)).attr_str(TABLE_NAME, table);
    }

    pub(super) fn add_base_chain(&mut self, family: u8, table: &str, chain: &BaseChain<'_>) {
        self.0
            .message(NEWCHAIN, F_CREATE | F_ACK, &header(family, 0))
            .attr_str(CHAIN_TABLE, table)
            .attr_str(CHAIN_NAME, chain.name)
            .nest(CHAIN_HOOK, |r| {
                r.attr_be32(HOOK_NUMBER, chain.hook).attr(HOOK_PRIORITY, &chain.priority.to_be_bytes());
            })
            .attr_be32(CHAIN_POLICY, ACCEPT)
            .attr_str(CHAIN_TYPE, chain.kind);
    }

    /// Appends a rule or, with `before`, inserts it ahead of the rule with that handle.
    pub(super) fn add_rule(&mut self, place: &Place<'_>, rule: impl FnOnce(&mut Rule<'_>)) {
        let append = if place.before.is_none() { F_APPEND } else { 0 };
        self.0
            .message(NEWRULE, F_CREATE | F_ACK | append, &header(place.family, 0))
            .attr_str(RULE_TABLE, place.table)
            .attr_str(RULE_CHAIN, place.chain)
            .nest(RULE_EXPRESSIONS, |request| rule(&mut Rule { request }));
        if place.compatible {
            // Tells the kernel's compatibility matches that no transport protocol was named.
            self.0.nest(RULE_COMPAT, |r| {
                r.attr_be32(1, 0).attr_be32(2, 0);
            });
        }
        if let Some(handle) = place.before {
            self.0.attr(RULE_POSITION, &handle.to_be_bytes());
        }
    }

    pub(super) fn delete_rule(&mut self, place: &Place<'_>, handle: u64) {
        self.0
            .message(DELRULE, F_ACK, &header(place.family, 0))
            .attr_str(RULE_TABLE, place.table)
            .attr_str(RULE_CHAIN, place.chain)
            .attr(RULE_HANDLE, &handle.to_be_bytes());
    }

    pub(super) fn commit(mut self, socket: &mut Socket) -> io::Result<()> {
        self.0.message(BATCH_END, 0, &header(0, SUBSYSTEM));
        socket.execute(self.0)
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

/// A rule being written: one expression after the other.
pub(super) struct Rule<'a> {
    request: &'a mut Request,
}

impl Rule<'_> {
    fn expression(&mut self, name: &str, data: impl FnOnce(&mut Request)) -> &mut Self {
        self.request.nest(LIST_ELEM, |r| {
            r.attr_str(EXPR_NAME, name).nest(EXPR_DATA, data);
        });
        self
    }

    fn compare(&mut self, equal: bool, value: &[u8]) -> &mut Self {
        self.expression("cmp", |r| {
            r.attr_be32(1, REGISTER).attr_be32(2, u32::from(!equal)).nest(3, |r| {
                r.attr(1, value);
            });
        })
    }

    fn meta(&mut self, key: u32) -> &mut Self {
        self.expression("meta", |r| {
            r.attr_be32(2, key).attr_be32(1, REGISTER);
        })
    }

    pub(super) fn comes_by(&mut self, link: &str, equal: bool) -> &mut Self {
        self.meta(META_KEY_IIFNAME).compare(equal, &interface(link))
    }

    pub(super) fn leaves_by(&mut self, link: &str, equal: bool) -> &mut Self {
        self.meta(META_KEY_OIFNAME).compare(equal, &interface(link))
    }

    pub(super) fn from(&mut self, net: Ipv4Net) -> &mut Self {
        self.address(12, net)
    }

    pub(super) fn to(&mut self, net: Ipv4Net) -> &mut Self {
        self.address(16, net)
    }

    /// The IPv4 address at `offset` of the header lies in `net`.
    fn address(&mut self, offset: u32, net: Ipv4Net) -> &mut Self {
        self.meta(META_KEY_NFPROTO).compare(true, &[IPV4]);
        self.expression("payload", |r| {
            r.attr_be32(1, REGISTER).attr_be32(2, 1).attr_be32(3, offset).attr_be32(4, 4);
        });
        self.masked(&net.mask().to_be_bytes()).compare(true, &net.network().octets())
    }

    fn masked(&mut self, mask: &[u8]) -> &mut Self {
        self.expression("bitwise", |r| {
            r.attr_be32(1, REGISTER).attr_be32(2, REGISTER).attr_be32(3, 4);
            r.nest(4, |r| {
                r.attr(1, mask);
            });
            r.nest(5, |r| {
                r.attr(1, &[0; 4]);
            });
        })
    }

    /// The packet belongs to a known connection, or is related to one.
    pub(super) fn known(&mut self) -> &mut Self {
        const STATE: u32 = 0;
        self.conntrack(STATE, ESTABLISHED_OR_RELATED)
    }

    /// The packet's destination was translated: a published port.
    pub(super) fn published(&mut self) -> &mut Self {
        const STATUS: u32 = 2;
        const DST_NAT: u32 = 1 << 5;
        self.conntrack(STATUS, DST_NAT)
    }

    fn conntrack(&mut self, key: u32, bits: u32) -> &mut Self {
        self.expression("ct", |r| {
            r.attr_be32(2, key).attr_be32(1, REGISTER);
        });
        self.masked(&bits.to_ne_bytes()).compare(false, &[0; 4])
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

    fn iptables_match(&mut self, name: &str, revision: u32, info: &[u8]) -> &mut Self {
        self.expression("match", |r| {
            r.attr_str(1, name).attr_be32(2, revision).attr(3, info);
        })
    }

    pub(super) fn count(&mut self) -> &mut Self {
        self.expression("counter", |_| {})
    }

    pub(super) fn masquerade(&mut self) {
        self.expression("masq", |_| {});
    }

    pub(super) fn accept(&mut self) {
        self.verdict(ACCEPT);
    }

    pub(super) fn drop(&mut self) {
        self.verdict(DROP);
    }

    pub(super) fn leave_chain(&mut self) {
        self.verdict(RETURN.cast_unsigned());
    }

    fn verdict(&mut self, code: u32) {
        self.expression("immediate", |r| {
            r.attr_be32(1, VERDICT_REGISTER).nest(2, |r| {
                r.nest(2, |r| {
                    r.attr_be32(1, code);
                });
            });
        });
    }
}

/// Bits of `enum ip_conntrack_info`, as both nftables and iptables number them.
const ESTABLISHED_OR_RELATED: u32 = 2 | 4;

/// An interface's name as iptables compares it: with its terminating zero, hence the whole of it.
fn interface(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// A chain as the kernel tells it.
#[derive(Debug)]
pub(super) struct Chain {
    pub(super) family: u8,
    pub(super) table: String,
    pub(super) name: String,
    pub(super) hook: Option<u32>,
    pub(super) drops: bool,
}

/// Every chain there is.
pub(super) fn chains(socket: &mut Socket) -> io::Result<Vec<Chain>> {
    let answers = socket.ask(true, |request| {
        request.message(GETCHAIN, F_DUMP, &header(0, 0));
    })?;
    Ok(answers.iter().filter_map(chain).collect())
}

fn chain(answer: &Answer) -> Option<Chain> {
    let attrs = answer.attrs(HEADER);
    Some(Chain {
        family: *answer.body.first()?,
        table: attrs.get_str(CHAIN_TABLE)?.to_owned(),
        name: attrs.get_str(CHAIN_NAME)?.to_owned(),
        hook: attrs.nested(CHAIN_HOOK).and_then(|hook| hook.get_be32(HOOK_NUMBER)),
        drops: attrs.get_be32(CHAIN_POLICY) == Some(DROP),
    })
}

/// What a rule does, so far as we look at it.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) chain: String,
    pub(super) handle: u64,
    /// Its iptables comment.
    pub(super) comment: Option<String>,
    /// It matches packets that leave by this interface.
    pub(super) leaves_by: Option<String>,
    /// It jumps to this chain.
    pub(super) jumps_to: Option<String>,
    /// It returns from its chain, whatever the packet.
    pub(super) only_returns: bool,
}

/// Every rule of a table, chain by chain in their order. A table that is not there has none.
pub(super) fn rules(socket: &mut Socket, family: u8, table: &str) -> io::Result<Vec<Seen>> {
    let answers = socket.ask(true, |request| {
        request.message(GETRULE, F_DUMP, &header(family, 0)).attr_str(RULE_TABLE, table);
    });
    match answers {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => Ok(other?.iter().filter_map(seen).collect()),
    }
}

fn seen(answer: &Answer) -> Option<Seen> {
    let attrs = answer.attrs(HEADER);
    let mut rule = Seen {
        chain: attrs.get_str(RULE_CHAIN)?.to_owned(),
        handle: u64::from_be_bytes(attrs.get(RULE_HANDLE)?.try_into().ok()?),
        ..Seen::default()
    };
    let mut loaded = None;
    let mut matches = false;
    let mut returns = false;
    for (_, element) in attrs.nested(RULE_EXPRESSIONS)? {
        let (name, data) = (Attrs(element).get_str(EXPR_NAME)?, Attrs(element).nested(EXPR_DATA).unwrap_or(Attrs(&[])));
        match name {
            "counter" => continue,
            "immediate" => {
                let verdict = data.nested(2).and_then(|d| d.nested(2));
                let code = verdict.and_then(|v| v.get_be32(1)).map(u32::cast_signed);
                returns = code == Some(RETURN);
                if matches!(code, Some(JUMP | GOTO)) {
                    rule.jumps_to = verdict.and_then(|v| v.get_str(2)).map(Into::into);
                }
                continue;
            }
            "meta" => loaded = data.get_be32(2),
            "cmp" if loaded == Some(META_KEY_OIFNAME) && data.get_be32(2) == Some(0) => {
                rule.leaves_by = data.nested(3).and_then(|d| d.get(1)).and_then(text).map(Into::into);
            }
            "match" if data.get_str(1) == Some("comment") => {
                rule.comment = data.get(3).and_then(text).map(Into::into);
            }
            _ => {}
        }
        matches = true;
    }
    rule.only_returns = returns && !matches;
    Some(rule)
}

/// Whether the table is there.
pub(super) fn has_table(socket: &mut Socket, family: u8, table: &str) -> io::Result<bool> {
    let answer = socket.ask(false, |request| {
        request.message(GETTABLE, 0, &header(family, 0)).attr_str(TABLE_NAME, table);
    });
    match answer {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|answers| !answers.is_empty()),
    }
}
