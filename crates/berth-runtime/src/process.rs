//! The specification's `process`, read once before the clone: what the newborn needs to become the user's program.

use std::ffi::CString;
use std::path::PathBuf;

use berth_sys::scheduling::Scheduling;
use oci_spec::runtime::{
    Capabilities, IOPriorityClass, LinuxSchedulerFlag, LinuxSchedulerPolicy, PosixRlimitType, Process, Scheduler,
};
use rustix::process::{Resource, Rlimit};
use rustix::thread::CpuSet;

use crate::capabilities;
use crate::error::LaunchError;

/// Where a program is looked for when the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Everything about the user's program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) args: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) path: String,
    pub(crate) has_home: bool,
    pub(crate) cwd: PathBuf,
    pub(crate) user: User,
    pub(crate) capabilities: CapabilitySets,
    pub(crate) limits: Vec<Limit>,
    pub(crate) no_new_privileges: bool,
    pub(crate) apparmor: Option<String>,
    pub(crate) selinux: Option<String>,
    pub(crate) oom_score_adj: Option<i32>,
    pub(crate) scheduling: Option<Scheduling>,
    pub(crate) io_priority: Option<(u32, u32)>,
    pub(crate) affinity: Option<CpuSet>,
    pub(crate) final_affinity: Option<CpuSet>,
}

/// Whom the program runs as.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) umask: Option<u32>,
}

/// The five sets, as bits.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CapabilitySets {
    pub(crate) bounding: u64,
    pub(crate) effective: u64,
    pub(crate) permitted: u64,
    pub(crate) inheritable: u64,
    pub(crate) ambient: u64,
}

/// One resource limit.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) kind: PosixRlimitType,
    pub(crate) resource: Resource,
    pub(crate) value: Rlimit,
}

impl Program {
    pub(crate) fn read(process: &Process, preserve_fds: u32) -> Result<Self, LaunchError> {
        let args = process.args().as_deref().unwrap_or_default();
        let name = args.first().cloned().ok_or_else(|| LaunchError::other("process.args must not be empty"))?;
        if !process.cwd().is_absolute() {
            return Err(LaunchError::other(format!("the working directory {:?} is not absolute", process.cwd())));
        }
        let mut env = without_duplicates(process.env().as_deref().unwrap_or_default());
        if preserve_fds > 0 && std::env::var_os("LISTEN_FDS").is_some() {
            env.push(format!("LISTEN_FDS={preserve_fds}"));
            env.push("LISTEN_PID=1".to_owned());
        }
        let path = env.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH).to_owned();
        let affinity = process.exec_cpu_affinity().as_ref();
        Ok(Self {
            name,
            path,
            has_home: env.iter().any(|entry| entry.strip_prefix("HOME=").is_some_and(|home| !home.is_empty())),
            args: strings(args)?,
            env: strings(&env)?,
            cwd: process.cwd().clone(),
            user: User {
                uid: process.user().uid(),
                gid: process.user().gid(),
                groups: process.user().additional_gids().clone().unwrap_or_default(),
                umask: process.user().umask(),
            },
            capabilities: CapabilitySets::read(process),
            limits: process.rlimits().iter().flatten().map(limit).collect(),
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
            apparmor: process.apparmor_profile().clone().filter(|profile| !profile.is_empty()),
            selinux: process.selinux_label().clone().filter(|label| !label.is_empty()),
            oom_score_adj: process.oom_score_adj(),
            scheduling: process.scheduler().as_ref().map(scheduling),
            io_priority: process.io_priority().as_ref().map(|io| {
                let class = match io.class() {
                    IOPriorityClass::IoprioClassRt => 1,
                    IOPriorityClass::IoprioClassBe => 2,
                    IOPriorityClass::IoprioClassIdle => 3,
                };
                (class, io.priority().clamp(0, 7) as u32)
            }),
            affinity: affinity.and_then(|affinity| affinity.initial().as_deref()).map(cpus).transpose()?,
            final_affinity: affinity
                .and_then(|affinity| affinity.cpu_affinity_final().as_deref())
                .map(cpus)
                .transpose()?,
        })
    }
}

impl CapabilitySets {
    fn read(process: &Process) -> Self {
        let bits =
            |set: &Option<Capabilities>| set.iter().flatten().fold(0, |bits, one| bits | capabilities::bit(*one));
        process.capabilities().as_ref().map_or_else(Self::default, |sets| Self {
            bounding: bits(sets.bounding()),
            effective: bits(sets.effective()),
            permitted: bits(sets.permitted()),
            inheritable: bits(sets.inheritable()),
            ambient: bits(sets.ambient()),
        })
    }
}

/// The last entry of a name wins, in the place of the first.
fn without_duplicates(env: &[String]) -> Vec<String> {
    let name = |entry: &str| entry.split('=').next().unwrap_or_default().to_owned();
    let mut kept: Vec<String> = Vec::with_capacity(env.len() + 2);
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::with_capacity(env.len());
    for entry in env {
        match places.entry(name(entry)) {
            std::collections::hash_map::Entry::Occupied(place) => kept[*place.get()].clone_from(entry),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(entry.clone());
            }
        }
    }
    kept
}

fn strings(words: &[String]) -> Result<Vec<CString>, LaunchError> {
    words
        .iter()
        .map(|word| {
            CString::new(word.as_str()).map_err(|_| LaunchError::other(format!("{word:?} contains a zero byte")))
        })
        .collect()
}

/// A limit of the specification.
pub(crate) fn limit(limit: &oci_spec::runtime::PosixRlimit) -> Limit {
    let value = |number: u64| (number != u64::MAX).then_some(number);
    let resource = match limit.typ() {
        PosixRlimitType::RlimitCpu => Resource::Cpu,
        PosixRlimitType::RlimitFsize => Resource::Fsize,
        PosixRlimitType::RlimitData => Resource::Data,
        PosixRlimitType::RlimitStack => Resource::Stack,
        PosixRlimitType::RlimitCore => Resource::Core,
        PosixRlimitType::RlimitRss => Resource::Rss,
        PosixRlimitType::RlimitNproc => Resource::Nproc,
        PosixRlimitType::RlimitNofile => Resource::Nofile,
        PosixRlimitType::RlimitMemlock => Resource::Memlock,
        PosixRlimitType::RlimitAs => Resource::As,
        PosixRlimitType::RlimitLocks => Resource::Locks,
        PosixRlimitType::RlimitSigpending => Resource::Sigpending,
        PosixRlimitType::RlimitMsgqueue => Resource::Msgqueue,
        PosixRlimitType::RlimitNice => Resource::Nice,
        PosixRlimitType::RlimitRtprio => Resource::Rtprio,
        PosixRlimitType::RlimitRttime => Resource::Rttime,
    };
    Limit { kind: limit.typ(), resource, value: Rlimit { current: value(limit.soft()), maximum: value(limit.hard()) } }
}

fn scheduling(scheduler: &Scheduler) -> Scheduling {
    let policy = match scheduler.policy() {
        LinuxSchedulerPolicy::SchedOther => 0,
        LinuxSchedulerPolicy::SchedFifo => 1,
        LinuxSchedulerPolicy::SchedRr => 2,
        LinuxSchedulerPolicy::SchedBatch => 3,
        LinuxSchedulerPolicy::SchedIso => 4,
        LinuxSchedulerPolicy::SchedIdle => 5,
        LinuxSchedulerPolicy::SchedDeadline => 6,
    };
    let flag = |flag: &LinuxSchedulerFlag| match flag {
        LinuxSchedulerFlag::SchedResetOnFork => 0x01,
        LinuxSchedulerFlag::SchedFlagReclaim => 0x02,
        LinuxSchedulerFlag::SchedFlagDLOverrun => 0x04,
        LinuxSchedulerFlag::SchedFlagKeepPolicy => 0x08,
        LinuxSchedulerFlag::SchedFlagKeepParams => 0x10,
        LinuxSchedulerFlag::SchedFlagUtilClampMin => 0x20,
        LinuxSchedulerFlag::SchedFlagUtilClampMax => 0x40,
    };
    let mut attributes = Scheduling::default();
    attributes.policy = policy;
    attributes.flags = scheduler.flags().iter().flatten().fold(0, |bits, one| bits | flag(one));
    attributes.nice = scheduler.nice().unwrap_or(0);
    attributes.priority = scheduler.priority().unwrap_or(0).max(0) as u32;
    attributes.runtime = scheduler.runtime().unwrap_or(0);
    attributes.deadline = scheduler.deadline().unwrap_or(0);
    attributes.period = scheduler.period().unwrap_or(0);
    attributes
}

/// A list of CPUs as the kernel writes it: `0-3,7`.
fn cpus(list: &str) -> Result<CpuSet, LaunchError> {
    let mut set = CpuSet::new();
    for number in numbers(list)? {
        if number >= CpuSet::MAX_CPU {
            return Err(LaunchError::other(format!("there is no CPU {number}")));
        }
        set.set(number);
    }
    Ok(set)
}

/// The numbers of a list such as `0-3,7`.
pub(crate) fn numbers(list: &str) -> Result<Vec<usize>, LaunchError> {
    let wrong = || LaunchError::other(format!("{list:?} is not a list of numbers and ranges"));
    let mut all = Vec::new();
    for part in list.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let first: usize = first.trim().parse().map_err(|_| wrong())?;
        let last: usize = last.trim().parse().map_err(|_| wrong())?;
        if last < first || last > 65_536 {
            return Err(wrong());
        }
        all.extend(first..=last);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_variables_win() {
        let env = ["A=1", "B=2", "A=3"].map(str::to_owned);
        assert_eq!(without_duplicates(&env), ["A=3", "B=2"]);
    }

    #[test]
    fn lists() {
        assert_eq!(numbers("0-2,5"), Ok(vec![0, 1, 2, 5]));
        assert!(numbers("3-1").is_err());
        assert!(numbers("x").is_err());
    }
}
