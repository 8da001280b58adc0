//! Docker's profile format: rules that apply only with certain capabilities, architectures or kernels.

use std::collections::BTreeSet;

use oci_spec::runtime::LinuxSeccomp;

use crate::Error;

/// The kind of machine a profile is resolved for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// 64-bit x86, with its 32-bit and x32 personalities.
    X86_64,
    /// 64-bit ARM, with 32-bit ARM beside it.
    Aarch64,
    /// 64-bit RISC-V.
    Riscv64,
}

impl Machine {
    /// The machine this program was built for.
    pub fn host() -> Machine {
        if cfg!(target_arch = "aarch64") {
            Machine::Aarch64
        } else if cfg!(target_arch = "riscv64") {
            Machine::Riscv64
        } else {
            Machine::X86_64
        }
    }
}

/// A kernel's major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion(pub u32, pub u32);

/// A profile in Docker's format.
#[derive(Clone, Debug)]
pub struct Profile {}

impl Profile {
    /// Reads a profile. Fields it does not know are ignored.
    pub fn parse(json: &str) -> Result<Profile, Error> {
        let _ = json;
        Err(Error::Encoding("not yet"))
    }

    /// The rules that hold for a container with these capabilities (`CAP_…`) on this machine.
    pub fn resolve(&self, capabilities: &BTreeSet<String>, machine: Machine, kernel: KernelVersion) -> LinuxSeccomp {
        let _ = (capabilities, machine, kernel);
        LinuxSeccomp::default()
    }
}

/// The profile a container gets unless it asks for another.
pub fn default_profile() -> &'static Profile {
    static PROFILE: Profile = Profile {};
    &PROFILE
}
