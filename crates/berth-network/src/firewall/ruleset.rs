//! nftables read: what chains and rules there are, everybody's.
//!
//! It tells of a rule only what somebody here looks at; how rules are written is in [`super::nft`].

use std::io;

use netlink_bindings::nftables::{
    CmpOps, ExprListAttrs, ExprOps, IterableChainAttrs, IterableRuleAttrs, MetaKeys, Nfgenmsg, VerdictCode,
};

use super::nft::{DROP, RETURN, family, message};
use crate::netlink::{Socket, text};

const JUMP: u32 = VerdictCode::Jump as u32;
const GOTO: u32 = VerdictCode::Goto as u32;
const OIFNAME: u32 = MetaKeys::Oifname as u32;

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
    socket.ask(&message().op_getchain_dump(&family(0)), chain)
}

fn chain((header, attrs): (Nfgenmsg, IterableChainAttrs<'_>)) -> Option<Chain> {
    Some(Chain {
        family: header.nfgen_family,
        table: attrs.get_table().ok()?.to_str().ok()?.to_owned(),
        name: attrs.get_name().ok()?.to_str().ok()?.to_owned(),
        hook: attrs.get_hook().and_then(|hook| hook.get_num()).ok(),
        drops: attrs.get_policy() == Ok(DROP),
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
pub(super) fn rules(socket: &mut Socket, of: u8, table: &str) -> io::Result<Vec<Seen>> {
    let mut question = message().op_getrule_dump(&family(of));
    question.encode().push_table_bytes(table.as_bytes());
    match socket.ask(&question, seen) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

fn seen((_, attrs): (Nfgenmsg, IterableRuleAttrs<'_>)) -> Option<Seen> {
    let mut rule = Seen {
        chain: attrs.get_chain().ok()?.to_str().ok()?.to_owned(),
        handle: attrs.get_handle().ok()?,
        ..Seen::default()
    };
    let mut loaded = None;
    let mut matches = false;
    let mut returns = false;
    for element in attrs.get_expressions().ok()? {
        let Ok(ExprListAttrs::Elem(expression)) = element else { continue };
        match expression.get_data() {
            Ok(ExprOps::Counter(_)) => continue,
            Ok(ExprOps::Immediate(data)) => {
                let verdict = data.get_data().and_then(|data| data.get_verdict()).ok();
                let code = verdict.and_then(|verdict| verdict.get_code().ok());
                returns = code == Some(RETURN);
                if matches!(code, Some(JUMP | GOTO)) {
                    let chain = verdict.and_then(|verdict| verdict.get_chain().ok());
                    rule.jumps_to = chain.and_then(|chain| chain.to_str().ok()).map(Into::into);
                }
                continue;
            }
            Ok(ExprOps::Meta(data)) => loaded = data.get_key().ok(),
            Ok(ExprOps::Cmp(data)) if loaded == Some(OIFNAME) && data.get_op() == Ok(CmpOps::Eq as u32) => {
                let value = data.get_data().and_then(|data| data.get_value()).ok();
                rule.leaves_by = value.and_then(text).map(Into::into);
            }
            Ok(ExprOps::Match(data)) if data.get_name() == Ok(c"comment") => {
                rule.comment = data.get_info().ok().and_then(text).map(Into::into);
            }
            _ => {}
        }
        matches = true;
    }
    rule.only_returns = returns && !matches;
    Some(rule)
}

/// Whether the table is there.
pub(super) fn has_table(socket: &mut Socket, of: u8, table: &str) -> io::Result<bool> {
    let mut question = message().op_gettable_do(&family(of));
    question.encode().push_name_bytes(table.as_bytes());
    match socket.ask(&question, |_| Some(())) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map(|answers| !answers.is_empty()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use netlink_bindings::nftables;
    use netlink_bindings::traits::{NetlinkRequest, Pusher};

    use super::super::nft::{IPV4, Rule};
    use super::*;

    fn read_back(rule: impl FnOnce(&mut Rule<'_>)) -> Seen {
        let mut message = message().op_newrule_do(&family(IPV4));
        let mut expressions = message.encode().push_chain(c"FORWARD").push_handle(7).nested_expressions();
        rule(&mut Rule { expressions: expressions.as_vec_mut() });
        drop(expressions);
        seen(nftables::OpGetruleDump::decode_reply(message.payload())).unwrap()
    }

    #[test]
    fn a_rule_is_read_as_it_was_written() {
        let rule = read_back(|r| r.comes_by("br0", true).leaves_by("br1", true).comment("ours").count().accept());
        assert_eq!((rule.chain.as_str(), rule.handle), ("FORWARD", 7));
        assert_eq!((rule.leaves_by.as_deref(), rule.comment.as_deref()), (Some("br1"), Some("ours")));
        assert!(!rule.only_returns && rule.jumps_to.is_none());
        assert!(read_back(|r| r.count().leave_chain()).only_returns);
        assert!(!read_back(|r| r.published().leave_chain()).only_returns);
        assert!(!read_back(|r| r.masquerade()).only_returns);
        assert_eq!(read_back(|r| r.leaves_by("br1", false).drop()).leaves_by, None);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_read_without_harm(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = chain(nftables::OpGetchainDump::decode_reply(&bytes));
            let _ = seen(nftables::OpGetruleDump::decode_reply(&bytes));
        }
    }
}
