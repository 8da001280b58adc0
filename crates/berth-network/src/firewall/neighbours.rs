//! Other people's firewalls. An accept of ours cannot undo a drop in their chains, so where they drop what is
//! forwarded, the place they offer for others' rules is used.
//!
//! - **Docker** sets the policy of `ip filter FORWARD` to drop and offers `DOCKER-USER`, which it calls first and never
//!   changes. Our rules go there behind those of the administrator (ahead of the closing RETURN), tagged by a comment
//!   `berth <bridge> …`. What goes to a Docker bridge is left to Docker's own rules, so that its containers' unpublished
//!   ports stay shut for ours as they are for everybody.
//! - ufw and firewalld have such places too (`ufw route allow`, a zone for the bridge). They are not used yet: a
//!   warning names what the administrator can do.
//! - The tables of iptables-legacy are not visible to nftables. That there is one is all that is told.

use std::io;

use super::nft::{Batch, FORWARD, INET, IPV4, Place};
use super::ruleset::{self, Chain, Seen};
use crate::netlink::Socket;

pub(super) const DOCKER_USER: &str = "DOCKER-USER";
const FILTER: &str = "filter";

/// One rule of ours among others'. Its comment says which it is.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// What goes to this bridge of Docker's is Docker's business.
    Except(String),
    /// The way out.
    Out,
    /// The way back.
    Back,
}

impl Wanted {
    fn comment(&self, bridge: &str) -> String {
        let what = match self {
            Self::Except(other) => format!("except {other}"),
            Self::Out => "out".to_owned(),
            Self::Back => "back".to_owned(),
        };
        format!("{}{what}", tag(bridge))
    }

    fn write(&self, batch: &mut Batch, place: &Place<'_>, bridge: &str) {
        let comment = self.comment(bridge);
        batch.add_rule(place, |rule| match self {
            Self::Except(other) => {
                rule.comes_by(bridge, true).leaves_by(other, true).comment(&comment).count().leave_chain();
            }
            Self::Out => rule.comes_by(bridge, true).comment(&comment).count().accept(),
            Self::Back => rule.leaves_by(bridge, true).known_to_iptables().comment(&comment).count().accept(),
        });
    }
}

/// What the comments of our rules begin with.
fn tag(bridge: &str) -> String {
    format!("berth {bridge} ")
}

/// Sees to it that our rules stand in `DOCKER-USER` where there is one; returns what the user should know.
pub(super) fn settle(socket: &mut Socket, bridge: &str) -> io::Result<Vec<String>> {
    let chains = ruleset::chains(socket)?;
    let docker = chains.iter().any(|c| c.family == IPV4 && c.table == FILTER && c.name == DOCKER_USER);
    if docker {
        let rules = ruleset::rules(socket, IPV4, FILTER)?;
        if let Some(batch) = changes(&rules, &wanted(&rules, bridge), bridge) {
            batch.commit(socket)?;
            tracing::info!(bridge, chain = DOCKER_USER, "accepting the bridge's traffic beside Docker's");
        }
    }
    let mut warnings: Vec<String> = chains.iter().filter_map(|chain| complaint(chain, docker, bridge)).collect();
    if !docker && has_legacy_filter() {
        warnings.push(format!(
            "iptables-legacy is in use beside nftables: should its FORWARD chain drop, containers on {bridge} reach \
             nothing beyond this host until it accepts what comes in by {bridge} and what is related to it"
        ));
    }
    Ok(warnings)
}

/// Whether somebody uses the filter table of iptables-legacy in this thread's network namespace.
fn has_legacy_filter() -> bool {
    std::fs::read_to_string("/proc/thread-self/net/ip_tables_names")
        .is_ok_and(|names| names.lines().any(|name| name == FILTER))
}

/// Takes our rules out again.
pub(super) fn remove(socket: &mut Socket, bridge: &str) -> io::Result<()> {
    let rules = ruleset::rules(socket, IPV4, FILTER)?;
    match changes(&rules, &[], bridge) {
        Some(batch) => batch.commit(socket),
        None => Ok(()),
    }
}

/// Which rules there should be, beside those of Docker.
fn wanted(rules: &[Seen], bridge: &str) -> Vec<Wanted> {
    // Docker sends what goes to one of its bridges through its chain DOCKER, where the published ports are.
    let mut others: Vec<&str> = rules
        .iter()
        .filter(|rule| rule.jumps_to.as_deref() == Some("DOCKER"))
        .filter_map(|rule| rule.leaves_by.as_deref())
        .filter(|other| *other != bridge)
        .collect();
    others.sort_unstable();
    others.dedup();
    let mut wanted: Vec<Wanted> = others.into_iter().map(|other| Wanted::Except(other.to_owned())).collect();
    wanted.extend([Wanted::Out, Wanted::Back]);
    wanted
}

/// What has to change for `wanted` to stand in `DOCKER-USER`, ahead of its closing RETURN; `None`: nothing.
fn changes(rules: &[Seen], wanted: &[Wanted], bridge: &str) -> Option<Batch> {
    let tag = tag(bridge);
    let is_ours = |rule: &Seen| rule.comment.as_deref().is_some_and(|comment| comment.starts_with(&tag));
    let chain: Vec<&Seen> = rules.iter().filter(|rule| rule.chain == DOCKER_USER).collect();
    let end = chain.iter().position(|rule| rule.only_returns);
    let reached = &chain[..end.unwrap_or(chain.len())];
    let present = reached.iter().filter(|rule| is_ours(rule)).filter_map(|rule| rule.comment.clone());
    let ours = chain.iter().filter(|rule| is_ours(rule)).count();
    if ours == wanted.len() && present.eq(wanted.iter().map(|w| w.comment(bridge))) {
        return None;
    }
    let before = end.map(|at| chain[at].handle);
    let place = Place { family: IPV4, table: FILTER, chain: DOCKER_USER, compatible: true, before };
    let mut batch = Batch::new();
    for rule in chain.iter().filter(|rule| is_ours(rule)) {
        batch.delete_rule(&place, rule.handle);
    }
    for rule in wanted {
        rule.write(&mut batch, &place, bridge);
    }
    Some(batch)
}

/// A chain of somebody's that drops what containers send, and that we have no place in.
fn complaint(chain: &Chain, docker: bool, bridge: &str) -> Option<String> {
    if chain.hook != Some(FORWARD) || !matches!(chain.family, INET | IPV4) {
        return None;
    }
    if chain.table == "firewalld" {
        return Some(format!(
            "firewalld may drop what containers on {bridge} send beyond this host; \
             'firewall-cmd --permanent --zone=trusted --add-interface={bridge}' and a reload let them"
        ));
    }
    let served = docker && chain.family == IPV4 && chain.table == FILTER;
    (chain.drops && !served).then(|| {
        let family = if chain.family == INET { "inet" } else { "ip" };
        format!(
            "chain {name} of table {family} {table} drops what is forwarded: containers on {bridge} reach nothing beyond \
             this host until it accepts what comes in by {bridge} and what is related to it",
            name = chain.name,
            table = chain.table
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(chain: &str, handle: u64, comment: Option<&str>) -> Seen {
        Seen { chain: chain.into(), handle, comment: comment.map(Into::into), ..Seen::default() }
    }

    fn returning(handle: u64) -> Seen {
        Seen { only_returns: true, ..rule(DOCKER_USER, handle, None) }
    }

    #[test]
    fn docker_bridges_are_left_to_docker() {
        let jump = |name: &str| Seen {
            leaves_by: Some(name.into()),
            jumps_to: Some("DOCKER".into()),
            ..rule("FORWARD", 1, None)
        };
        let rules = [jump("docker0"), jump("br-1"), jump("docker0"), jump("berth0")];
        let except = |name: &str| Wanted::Except(name.into());
        assert_eq!(wanted(&rules, "berth0"), [except("br-1"), except("docker0"), Wanted::Out, Wanted::Back]);
    }

    #[test]
    fn nothing_changes_where_all_is_in_place() {
        let there = [
            rule(DOCKER_USER, 1, Some("an administrator's")),
            rule(DOCKER_USER, 2, Some("berth br1 out")),
            rule(DOCKER_USER, 3, Some("berth br1 back")),
            returning(4),
            rule("FORWARD", 5, Some("berth br1 out")),
        ];
        assert!(changes(&there, &[Wanted::Out, Wanted::Back], "br1").is_none());
        assert!(changes(&there, &[Wanted::Out, Wanted::Back], "br10").is_some());
        assert!(changes(&there, &[], "br1").is_some());
        assert!(changes(&there, &[], "br").is_none());
    }

    #[test]
    fn a_rule_behind_the_return_is_no_use() {
        let behind =
            [returning(1), rule(DOCKER_USER, 2, Some("berth b out")), rule(DOCKER_USER, 3, Some("berth b back"))];
        assert!(changes(&behind, &[Wanted::Out, Wanted::Back], "b").is_some());
    }
}
