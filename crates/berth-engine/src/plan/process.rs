//! The main process, and further ones: arguments, environment, user, capabilities, limits.

use std::collections::{BTreeSet, HashSet};

use oci_spec::runtime::{
    BoxBuilder, Capability, LinuxCapabilities, LinuxCapabilitiesBuilder, PosixRlimit, PosixRlimitBuilder,
    PosixRlimitType, Process, ProcessBuilder, UserBuilder,
};

use super::user::{User, UserFiles};
use super::{Inputs, capabilities, unbuildable};
use crate::host::HostFacts;
use crate::spec::{ContainerSpec, ExecSpec, UlimitSpec};
use crate::view::Effective;
use crate::{Error, Result};

/// The search path of a container whose image says none.
pub const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the small init is mounted with `--init`.
pub const INIT_PATH: &str = "/sbin/docker-init";

pub(super) fn main(inputs: Inputs<'_>, capabilities: &BTreeSet<String>) -> Result<Process> {
    let Inputs { spec, effective, host, .. } = inputs;
    let user = inputs.users.resolve(&effective.user, &spec.isolation.group_add)?;
    let mut args = effective.argv();
    if spec.isolation.init {
        args.splice(..0, [INIT_PATH.to_owned(), "--".to_owned()]);
    }
    let mut process = ProcessBuilder::default()
        .terminal(spec.process.tty)
        .user(oci_user(&user)?)
        .args(args)
        .env(environment(&effective.hostname, spec.process.tty, &[&effective.env], &user))
        .cwd(if effective.working_dir.is_empty() { "/" } else { &effective.working_dir })
        .capabilities(sets(capabilities, user.uid == 0)?)
        .rlimits(rlimits(&spec.resources.ulimits)?)
        .no_new_privileges(spec.isolation.no_new_privileges)
        .oom_score_adj(i32::try_from(spec.resources.oom_score_adj).unwrap_or_default())
        .build()
        .map_err(unbuildable)?;
    let (rows, columns) = spec.console_size;
    if spec.process.tty && rows > 0 && columns > 0 {
        let size = BoxBuilder::default().height(u64::from(rows)).width(u64::from(columns)).build();
        process.set_console_size(Some(size.map_err(unbuildable)?));
    }
    process.set_apparmor_profile(apparmor(spec, host));
    Ok(process)
}

/// A further process in the container that `spec` and `effective` describe.
///
/// # Errors
/// As [`super::plan`].
pub fn further(
    exec: &ExecSpec,
    spec: &ContainerSpec,
    effective: &Effective,
    users: &UserFiles,
    host: &HostFacts,
) -> Result<Process> {
    let name = if exec.user.is_empty() { &effective.user } else { &exec.user };
    let user = users.resolve(name, &spec.isolation.group_add)?;
    let set = if exec.privileged { host.capabilities.clone() } else { capabilities::effective(&spec.isolation, host)? };
    let directory = [exec.working_dir.as_str(), &effective.working_dir, "/"].into_iter().find(|d| !d.is_empty());
    let mut process = ProcessBuilder::default()
        .terminal(exec.tty)
        .user(oci_user(&user)?)
        .args(exec.args.clone())
        .env(environment(&effective.hostname, exec.tty, &[&effective.env, &exec.env], &user))
        .cwd(directory.unwrap_or("/"))
        .capabilities(sets(&set, user.uid == 0)?)
        .rlimits(rlimits(&spec.resources.ulimits)?)
        .no_new_privileges(spec.isolation.no_new_privileges)
        .build()
        .map_err(unbuildable)?;
    process.set_apparmor_profile(match exec.privileged {
        true if host.apparmor => Some("unconfined".to_owned()),
        _ => apparmor(spec, host),
    });
    Ok(process)
}

/// The profile in force, where the host has AppArmor: the one asked for, else the default where it could be loaded.
pub(crate) fn apparmor(spec: &ContainerSpec, host: &HostFacts) -> Option<String> {
    if !host.apparmor {
        return None;
    }
    match spec.isolation.apparmor.as_deref() {
        Some(asked) if !asked.is_empty() => Some(asked.to_owned()),
        _ if spec.isolation.privileged => Some("unconfined".to_owned()),
        _ => Some(host.apparmor_default.clone()).filter(|profile| !profile.is_empty()),
    }
}

fn oci_user(user: &User) -> Result<oci_spec::runtime::User> {
    UserBuilder::default().uid(user.uid).gid(user.gid).additional_gids(user.groups.clone()).build().map_err(unbuildable)
}

/// Docker's: what every container has, over it each layer of `NAME=value` in turn; a bare `NAME` removes.
fn environment(hostname: &str, tty: bool, layers: &[&Vec<String>], user: &User) -> Vec<String> {
    let mut all = vec![DEFAULT_PATH.to_owned(), format!("HOSTNAME={hostname}")];
    if tty {
        all.push("TERM=xterm".into());
    }
    for entry in layers.iter().copied().flatten() {
        let name = entry.split_once('=').map_or(entry.as_str(), |(name, _)| name);
        let same = |other: &String| other.split_once('=').is_some_and(|(n, _)| n == name);
        match (all.iter().position(same), entry.contains('=')) {
            (Some(at), true) => all[at].clone_from(entry),
            (Some(at), false) => drop(all.remove(at)),
            (None, true) => all.push(entry.clone()),
            (None, false) => {}
        }
    }
    if !all.iter().any(|entry| entry.starts_with("HOME=")) {
        all.push(format!("HOME={}", user.home));
    }
    all
}

/// Root has its capabilities at once; others could only raise them through file capabilities, as with Docker.
fn sets(capabilities: &BTreeSet<String>, root: bool) -> Result<LinuxCapabilities> {
    let set: HashSet<Capability> = capabilities
        .iter()
        .map(|name| {
            let short = name.strip_prefix("CAP_").unwrap_or(name);
            short.parse().map_err(|_| Error::Internal(format!("the capability {name} is unknown")))
        })
        .collect::<Result<_>>()?;
    let held = if root { set.clone() } else { HashSet::new() };
    LinuxCapabilitiesBuilder::default()
        .bounding(set)
        .effective(held.clone())
        .permitted(held)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()
        .map_err(unbuildable)
}

fn rlimits(ulimits: &[UlimitSpec]) -> Result<Vec<PosixRlimit>> {
    let one = |limit: &UlimitSpec| {
        let name = format!("RLIMIT_{}", limit.name.to_ascii_uppercase());
        let kind: PosixRlimitType = serde_json::from_value(name.into())
            .map_err(|_| Error::Invalid(format!("invalid ulimit type: {}", limit.name)))?;
        if limit.hard != -1 && (limit.soft == -1 || limit.soft > limit.hard) {
            return Err(Error::Invalid(format!(
                "ulimit soft limit must be less than or equal to hard limit: {} > {}",
                limit.soft, limit.hard
            )));
        }
        let value = |n: i64| u64::try_from(n).unwrap_or(u64::MAX);
        PosixRlimitBuilder::default()
            .typ(kind)
            .soft(value(limit.soft))
            .hard(value(limit.hard))
            .build()
            .map_err(unbuildable)
    };
    ulimits.iter().map(one).collect()
}
