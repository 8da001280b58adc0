//! What a specification sets in the kernel for the whole container: parameters, names, personality, memory policy.

use std::os::fd::{AsFd, BorrowedFd};

use berth_sys::clone::Namespaces;
use berth_sys::scheduling;
use oci_spec::runtime::{LinuxPersonalityDomain, MemoryPolicyFlagType, MemoryPolicyModeType, Spec};

use crate::become_program::{fresh_proc, open_in_proc};
use crate::error::{At, LaunchError, Step};
use crate::process::numbers;

/// Settings, read and checked before the clone.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    sysctls: Vec<(String, String)>,
    hostname: Option<String>,
    domainname: Option<String>,
    personality: Option<u32>,
    memory_policy: Option<(u32, Vec<u64>)>,
}

/// Parameters of the IPC namespace.
const IPC: &[&str] = &[
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/shm_rmid_forced",
];

impl Settings {
    /// `own` are the namespaces that are not the host's; only their parameters may be set.
    pub(crate) fn read(spec: &Spec, own: Namespaces) -> Result<Self, LaunchError> {
        let Some(linux) = spec.linux() else { return Ok(Self::default()) };
        if linux.intel_rdt().is_some() {
            return Err(LaunchError::other(
                "linux.intelRdt is not supported by this runtime: it needs the resctrl file system",
            ));
        }
        if linux.net_devices().as_ref().is_some_and(|devices| !devices.is_empty()) {
            return Err(LaunchError::other("linux.netDevices is not supported by this runtime"));
        }
        let name = |name: &Option<String>, what| match name.clone().filter(|name| !name.is_empty()) {
            Some(_) if !own.contains(Namespaces::UTS) => {
                Err(LaunchError::other(format!("{what} cannot be set without a private UTS namespace")))
            }
            name => Ok(name),
        };
        let mut sysctls = Vec::new();
        for (key, value) in linux.sysctl().iter().flatten() {
            sysctls.push((parameter(key, own)?, value.clone()));
        }
        sysctls.sort();
        Ok(Self {
            sysctls,
            hostname: name(spec.hostname(), "the hostname")?,
            domainname: name(spec.domainname(), "the domainname")?,
            personality: match linux.personality() {
                Some(persona) if persona.flags().as_ref().is_some_and(|flags| !flags.is_empty()) => {
                    return Err(LaunchError::other(
                        "linux.personality.flags is not supported: the specification defines none",
                    ));
                }
                persona => persona.as_ref().map(|persona| match persona.domain() {
                    LinuxPersonalityDomain::PerLinux => 0,
                    LinuxPersonalityDomain::PerLinux32 => 8,
                }),
            },
            memory_policy: linux.memory_policy().as_ref().map(memory_policy).transpose()?,
        })
    }

    /// Sets them, in the newborn's namespaces and with all its privileges.
    pub(crate) fn apply(&self, proc: Option<BorrowedFd<'_>>) -> Result<(), LaunchError> {
        if let Some(name) = &self.hostname {
            rustix::system::sethostname(name.as_bytes()).at(Step::Hostname, || name)?;
        }
        if let Some(name) = &self.domainname {
            rustix::system::setdomainname(name.as_bytes()).at(Step::Domainname, || name)?;
        }
        self.write_parameters(proc)?;
        if let Some(persona) = self.personality {
            scheduling::set_personality(persona).at(Step::Personality, || "")?;
        }
        if let Some((mode, nodes)) = &self.memory_policy {
            scheduling::set_memory_policy(*mode, nodes).at(Step::MemoryPolicy, || "")?;
        }
        Ok(())
    }

    fn write_parameters(&self, proc: Option<BorrowedFd<'_>>) -> Result<(), LaunchError> {
        if self.sysctls.is_empty() {
            return Ok(());
        }
        let fresh;
        let proc = match proc {
            Some(proc) => proc,
            None => {
                fresh = fresh_proc().at(Step::Sysctl, || "")?;
                fresh.as_fd()
            }
        };
        for (path, value) in &self.sysctls {
            let said = || format!("{} to {value:?}", path.replace('/', "."));
            let file = open_in_proc(proc, &format!("sys/{path}")).at(Step::Sysctl, said)?;
            rustix::io::write(&file, value.as_bytes()).at(Step::Sysctl, said)?;
        }
        Ok(())
    }
}

/// A parameter's path below `/proc/sys`, if it belongs to the container's own namespaces.
fn parameter(key: &str, own: Namespaces) -> Result<String, LaunchError> {
    // Where the first separator is a slash, dots belong to names (`net/ipv4/conf/eth0.100/forwarding`).
    let slashes = key.find('/').is_some_and(|slash| key.find('.').is_none_or(|dot| slash < dot));
    let swap = |letter| match letter {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let path: String = if slashes { key.to_owned() } else { key.chars().map(swap).collect() };
    let wanted = if path.starts_with("net/") {
        Namespaces::NETWORK
    } else if path.starts_with("fs/mqueue/") || IPC.contains(&path.as_str()) {
        Namespaces::IPC
    } else if path == "kernel/domainname" || path == "kernel/hostname" {
        Namespaces::UTS
    } else {
        return Err(LaunchError::other(format!("sysctl {key:?} is not in a separate kernel namespace")));
    };
    if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        return Err(LaunchError::other(format!("sysctl {key:?} is not a parameter's name")));
    }
    match wanted {
        wanted if own.contains(wanted) => Ok(path),
        Namespaces::NETWORK => Err(LaunchError::other(format!("sysctl {key:?} not allowed in host network namespace"))),
        Namespaces::IPC => Err(LaunchError::other(format!("sysctl {key:?} is not allowed in the hosts ipc namespace"))),
        _ => Err(LaunchError::other(format!("sysctl {key:?} is not allowed in the host's namespace"))),
    }
}

fn memory_policy(policy: &oci_spec::runtime::LinuxMemoryPolicy) -> Result<(u32, Vec<u64>), LaunchError> {
    let mode = match policy.mode() {
        MemoryPolicyModeType::MpolDefault => 0,
        MemoryPolicyModeType::MpolPreferred => 1,
        MemoryPolicyModeType::MpolBind => 2,
        MemoryPolicyModeType::MpolInterleave => 3,
        MemoryPolicyModeType::MpolLocal => 4,
        MemoryPolicyModeType::MpolPreferredMany => 5,
        MemoryPolicyModeType::MpolWeightedInterleave => 6,
    };
    let flag = |flag: &MemoryPolicyFlagType| match flag {
        MemoryPolicyFlagType::MpolFStaticNodes => 1 << 15,
        MemoryPolicyFlagType::MpolFRelativeNodes => 1 << 14,
        MemoryPolicyFlagType::MpolFNumaBalancing => 1 << 13,
    };
    let flags = policy.flags().iter().flatten().fold(0, |bits, one| bits | flag(one));
    let mut nodes = Vec::new();
    for node in numbers(policy.nodes().as_deref().unwrap_or_default())? {
        let word = node / 64;
        if nodes.len() <= word {
            nodes.resize(word + 1, 0_u64);
        }
        nodes[word] |= 1 << (node % 64);
    }
    Ok((mode | flags, nodes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_belong_to_namespaces() {
        let own = Namespaces::NETWORK;
        assert_eq!(parameter("net.ipv4.ip_forward", own).as_deref(), Ok("net/ipv4/ip_forward"));
        assert_eq!(parameter("net/ipv4/conf/eth0.1/forwarding", own).as_deref(), Ok("net/ipv4/conf/eth0.1/forwarding"));
        assert_eq!(parameter("net.ipv4.conf.eth0/1.forwarding", own).as_deref(), Ok("net/ipv4/conf/eth0.1/forwarding"));
        assert!(parameter("kernel.shmmax", own).is_err());
        assert!(parameter("kernel.core_pattern", Namespaces(u64::MAX)).is_err());
        assert!(parameter("net.../../kernel/core_pattern", own).is_err());
    }
}
