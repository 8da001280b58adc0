//! Compiles a seccomp profile to BPF, once, without libseccomp.
//!
//! Owns: the translation from an OCI [`LinuxSeccomp`](oci_spec::runtime::LinuxSeccomp) to a classic BPF program
//! ([`compile`]), and Docker's profile format with its conditions on capabilities, architecture and kernel
//! ([`Profile`], [`default_profile`]). Pure: it makes no system call and knows no process; whoever becomes the
//! container gives [`Filter::program`] and [`Filter::flags`] to `seccomp(2)`.
//!
//! Start reading at [`compile`], which turns the rules into one decision per system call number (`rules`) and those
//! into code (`emit`).

mod emit;
mod error;
mod filter;
mod profile;
mod rules;
mod syscalls;

pub use error::Error;
pub use filter::{Filter, Instruction};
pub use profile::{KernelVersion, Machine, Profile, default_profile};

use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompFilterFlag};

use emit::Section;
use rules::Rules;
use syscalls::Abi;

/// How [`compile_with`] departs from what the profile says literally.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Answer ENOSYS, not the default action, to system calls newer than every one the profile names, so that
    /// programs fall back to an older call instead of failing on EPERM. Runtimes do this; libseccomp does not.
    pub newer_is_enosys: bool,
    /// The machine the filter is for.
    pub machine: Machine,
}

impl Default for Options {
    fn default() -> Self {
        Options { newer_is_enosys: true, machine: Machine::host() }
    }
}

/// Compiles a profile as container runtimes do: see [`Options::default`].
///
/// As with libseccomp, names that an architecture does not have are passed over, and so are rules equal to the
/// default; the machine's own architecture is always included; a call by another one kills the thread.
pub fn compile(profile: &LinuxSeccomp) -> Result<Filter, Error> {
    compile_with(profile, Options::default())
}

/// [`compile`] with options.
pub fn compile_with(profile: &LinuxSeccomp, options: Options) -> Result<Filter, Error> {
    let rules = Rules::new(profile, options.newer_is_enosys)?;
    let sections: Vec<Section> = abis(profile, options.machine)
        .into_iter()
        .map(|abi| Section { abi, intervals: rules.intervals(abi) })
        .collect();
    let program = emit::program(&sections, rules.default);
    Filter::new(&program, flags(profile))
}

/// The ABIs to compile for, the machine's own first.
fn abis(profile: &LinuxSeccomp, machine: Machine) -> Vec<Abi> {
    let native = machine.abis();
    let mut abis = vec![native[0]];
    for arch in profile.architectures().as_deref().unwrap_or_default() {
        let Some(abi) = (if *arch == Arch::ScmpArchNative { Some(native[0]) } else { Abi::of(*arch) }) else {
            continue;
        };
        if native.contains(&abi) && !abis.contains(&abi) {
            abis.push(abi);
        }
    }
    abis
}

/// A profile that says nothing of flags allows speculation, as runtimes have it: what the mitigation costs is out of
/// proportion, and newer kernels ignore it.
fn flags(profile: &LinuxSeccomp) -> u32 {
    let Some(named) = profile.flags() else {
        return filter::FLAG_SPEC_ALLOW | listener(profile, 0);
    };
    let bits = named.iter().fold(0, |bits, flag| {
        bits | match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => filter::FLAG_TSYNC,
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => filter::FLAG_LOG,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => filter::FLAG_SPEC_ALLOW,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => filter::FLAG_WAIT_KILLABLE_RECV,
        }
    });
    match listener(profile, bits) {
        // The kernel refuses this flag where nothing notifies.
        0 => bits & !filter::FLAG_WAIT_KILLABLE_RECV,
        more => bits | more,
    }
}

/// What a notifying profile needs: a listener, and with TSYNC another way to report errors.
fn listener(profile: &LinuxSeccomp, bits: u32) -> u32 {
    let notifies = |rule: &oci_spec::runtime::LinuxSyscall| {
        rule.action() == oci_spec::runtime::LinuxSeccompAction::ScmpActNotify && !rule.names().is_empty()
    };
    if !profile.syscalls().as_deref().unwrap_or_default().iter().any(notifies) {
        0
    } else if bits & filter::FLAG_TSYNC != 0 {
        filter::FLAG_NEW_LISTENER | filter::FLAG_TSYNC_ESRCH
    } else {
        filter::FLAG_NEW_LISTENER
    }
}
