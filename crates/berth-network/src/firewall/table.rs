//! The table of our own: what leaves is translated, and nobody comes in unasked.

use std::io;
use std::net::Ipv4Addr;

use super::nft::{BaseChain, Batch, FORWARD, INET, POSTROUTING, PREROUTING, Place, Rule};
use super::{Plan, ruleset};
use crate::Ipv4Net;
use crate::netlink::Socket;

/// `NF_IP_PRI_RAW`: ahead of connection tracking and of every translation.
const RAW: i32 = -300;
/// `NF_IP_PRI_FILTER`.
const FILTER: i32 = 0;
/// `NF_IP_PRI_NAT_SRC`.
const SOURCE_NAT: i32 = 100;

/// One table a bridge, so that several daemons do not share one.
pub(super) fn name(bridge: &str) -> String {
    if bridge == "berth0" { "berth".to_owned() } else { format!("berth-{bridge}") }
}

/// Puts the table there, in place of one that is there, in one transaction.
pub(super) fn install(socket: &mut Socket, plan: &Plan) -> io::Result<()> {
    let table = name(&plan.bridge);
    let mut batch = Batch::new();
    // Deleting what is not there would fail: made first, it always is.
    batch.add_table(INET, &table);
    batch.delete_table(INET, &table);
    batch.add_table(INET, &table);
    for chain in &CHAINS {
        batch.add_base_chain(INET, &table, chain);
    }
    for (chain, rule) in rules(plan) {
        let place = Place { family: INET, table: &table, chain, compatible: false, before: None };
        batch.add_rule(&place, rule);
    }
    batch.commit(socket)
}

/// Whether the table is there with as many rules as we gave it.
pub(super) fn is_whole(socket: &mut Socket, plan: &Plan) -> io::Result<bool> {
    let table = name(&plan.bridge);
    Ok(ruleset::has_table(socket, INET, &table)? && ruleset::rules(socket, INET, &table)?.len() == rules(plan).len())
}

/// Takes the table away, where it is.
pub(super) fn remove(socket: &mut Socket, bridge: &str) -> io::Result<()> {
    let table = name(bridge);
    if !ruleset::has_table(socket, INET, &table)? {
        return Ok(());
    }
    let mut batch = Batch::new();
    batch.delete_table(INET, &table);
    batch.commit(socket)
}

const CHAINS: [BaseChain<'static>; 3] = [
    BaseChain { name: "prerouting", kind: "filter", hook: PREROUTING, priority: RAW },
    BaseChain { name: "forward", kind: "filter", hook: FORWARD, priority: FILTER },
    BaseChain { name: "postrouting", kind: "nat", hook: POSTROUTING, priority: SOURCE_NAT },
];

type Writer<'a> = Box<dyn FnOnce(&mut Rule<'_>) + 'a>;

fn rules(plan: &Plan) -> Vec<(&'static str, Writer<'_>)> {
    let (bridge, subnet) = (plan.bridge.as_str(), plan.subnet);
    let loopback = Ipv4Net::new(Ipv4Addr::new(127, 0, 0, 0), 8).expect("8 is a prefix length");
    let mut rules: Vec<(&'static str, Writer<'_>)> = vec![
        // Nobody reaches the host's loopback services from outside, whatever is translated later.
        ("prerouting", Box::new(move |r| r.comes_by("lo", false).to(loopback).drop())),
        ("forward", Box::new(move |r| r.comes_by(bridge, true).leaves_by(bridge, true).accept())),
        ("forward", Box::new(move |r| r.leaves_by(bridge, true).known().accept())),
        ("forward", Box::new(move |r| r.leaves_by(bridge, true).published().accept())),
        ("forward", Box::new(move |r| r.leaves_by(bridge, true).drop())),
    ];
    if plan.masquerade {
        // With translation nobody outside has a reason to use a container's own address: neighbours who route to it
        // are turned away before anything else looks at the packet.
        rules
            .push(("prerouting", Box::new(move |r| r.comes_by(bridge, false).comes_by("lo", false).to(subnet).drop())));
        rules.push(("postrouting", Box::new(move |r| r.from(subnet).leaves_by(bridge, false).masquerade())));
    }
    rules
}
