//! How the newborn comes to its namespaces: made by the clone, joined by the caller around it, joined by itself, or, in a
//! user namespace that exists already, by way of an intermediate process.

use std::os::fd::{AsFd, OwnedFd};

use berth_sys::HostPid;
use berth_sys::clone::{Birth, Namespaces, clone_process};
use oci_spec::runtime::{Linux, Process};
use rustix::thread::LinkNameSpaceType;

use crate::error::{At, LaunchError, Step};
use crate::idmap;
use crate::init::Init;
use crate::launch::Launch;
use crate::namespaces::{self, Elsewhere};

/// How the newborn comes to its namespaces.
pub(crate) struct Family<'a> {
    pub(crate) new: Namespaces,
    /// Joined by the caller around the clone: of the pid namespace only children are, and into a user namespace that
    /// is to be made nobody takes the right to join the host's.
    around: Vec<(LinkNameSpaceType, OwnedFd)>,
    /// Joined by the newborn.
    pub(crate) within: Vec<(LinkNameSpaceType, OwnedFd)>,
    /// A user namespace to be joined: an intermediate process does, and clones the init as its sibling.
    pub(crate) user: Option<OwnedFd>,
    mappings: Option<&'a Linux>,
    limits: Option<&'a Process>,
}

impl<'a> Family<'a> {
    pub(crate) fn read(launch: &Launch<'a>) -> Result<Self, LaunchError> {
        let mut plan = namespaces::Plan::read(launch.spec, launch.network.is_some())?;
        let user = plan.take(LinkNameSpaceType::User);
        let new_user = plan.new.contains(Namespaces::USER);
        if let Some(network) = launch.network {
            let network = network.try_clone_to_owned().at(Step::JoinNamespace, || "network")?;
            plan.join.push((LinkNameSpaceType::Network, network));
        }
        let (around, within) = plan.join.into_iter().partition(|(kind, _)| {
            *kind == LinkNameSpaceType::ProcessID || (new_user && *kind != LinkNameSpaceType::Mount)
        });
        let mappings = launch.spec.linux().as_ref().filter(|_| new_user);
        if mappings.is_some_and(|linux| linux.uid_mappings().is_none() || linux.gid_mappings().is_none()) {
            return Err(LaunchError::other("a new user namespace needs linux.uidMappings and linux.gidMappings"));
        }
        Ok(Self { new: plan.new, around, within, user, mappings, limits: launch.spec.process().as_ref() })
    }

    /// The namespaces that are not the host's.
    pub(crate) fn own(&self) -> Namespaces {
        let flag = |kind: LinkNameSpaceType| Namespaces(kind as u64);
        self.around.iter().chain(&self.within).fold(self.new, |all, (kind, _)| all.with(flag(*kind)))
    }

    pub(crate) fn bear(
        &mut self,
        init: Init<'_>,
        directory: Option<OwnedFd>,
    ) -> Result<(HostPid, OwnedFd), LaunchError> {
        let cgroup = directory.as_ref().map(AsFd::as_fd);
        // The root of a cgroup namespace is where its maker is, and a time namespace is set before it is entered:
        // the newborn makes both itself.
        let namespaces = self.new.without(Namespaces::CGROUP).without(Namespaces::TIME);
        let Some(user) = self.user.take() else {
            let _elsewhere = Elsewhere::enter(&self.around)?;
            return clone_process(&Birth { namespaces, cgroup, sibling: false }, || init.run()).at(Step::Clone, || "");
        };
        let around = std::mem::take(&mut self.around);
        clone_process(&Birth { namespaces: Namespaces::default(), cgroup, sibling: false }, || {
            intermediate(init, user, around, namespaces)
        })
        .at(Step::Clone, || "")
    }
}

/// Joins a user namespace and has the init born there, as the caller's child.
fn intermediate(
    mut init: Init<'_>,
    user: OwnedFd,
    around: Vec<(LinkNameSpaceType, OwnedFd)>,
    namespaces: Namespaces,
) -> i32 {
    let bear = || {
        crate::become_program::raise_own_hard_limits(&init.last.program.limits);
        if let Some(score) = init.last.program.oom_score_adj.take() {
            crate::become_program::set_oom_score(score)?;
        }
        let join = around.into_iter().chain(init.join.drain(..)).collect();
        let later = namespaces::enter_allowed(join)?;
        namespaces::enter(LinkNameSpaceType::User, user.as_fd())?;
        for (kind, namespace) in later {
            namespaces::enter(kind, namespace.as_fd())?;
        }
        crate::init::become_root()
    };
    let result: Result<(), LaunchError> = bear();
    let birth = Birth { namespaces, cgroup: None, sibling: true };
    let channel =
        init.channel.as_ref().map_or_else(|| Err(LaunchError::other("no channel")), |channel| channel.above(3));
    let result = result.and_then(|()| clone_process(&birth, || init.run()).at(Step::Clone, || ""));
    let told = match (result, channel) {
        (Ok((pid, pidfd)), Ok(channel)) => channel.cloned(pid.0, pidfd.as_fd()),
        (Err(error), Ok(channel)) => {
            channel.failed(&error);
            Err(error)
        }
        (_, Err(error)) => Err(error),
    };
    i32::from(told.is_err())
}

impl Family<'_> {
    /// What the parent does for a child in its new user namespace: from inside it is not allowed any more.
    pub(crate) fn map(&self, pid: HostPid) -> Result<(), LaunchError> {
        if let Some(linux) = self.mappings {
            let maps = |maps: &Option<Vec<_>>| maps.clone().unwrap_or_default();
            idmap::write(pid, &maps(linux.uid_mappings()), &maps(linux.gid_mappings()))?;
        }
        crate::become_program::raise_hard_limits(pid.0, self.limits);
        if let Some(score) = self.limits.and_then(Process::oom_score_adj) {
            std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string())
                .at(Step::OomScore, || score.to_string())?;
        }
        Ok(())
    }
}
