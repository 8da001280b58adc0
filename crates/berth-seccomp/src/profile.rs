//! Docker's profile format: rules that apply only with certain capabilities, architectures or kernels.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag, LinuxSyscall,
};
use serde::{Deserialize, Deserializer};

use crate::Error;
use crate::syscalls::Abi;

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

    /// The name that profiles use in `arches`: Go's.
    fn name(self) -> &'static str {
        match self {
            Machine::X86_64 => "amd64",
            Machine::Aarch64 => "arm64",
            Machine::Riscv64 => "riscv64",
        }
    }

    fn arch(self) -> Arch {
        match self {
            Machine::X86_64 => Arch::ScmpArchX86_64,
            Machine::Aarch64 => Arch::ScmpArchAarch64,
            Machine::Riscv64 => Arch::ScmpArchRiscv64,
        }
    }

    /// Every ABI its kernel runs, its own first.
    pub(crate) fn abis(self) -> &'static [Abi] {
        match self {
            Machine::X86_64 => &[Abi::X86_64, Abi::X86, Abi::X32],
            Machine::Aarch64 => &[Abi::Aarch64, Abi::Arm],
            Machine::Riscv64 => &[Abi::Riscv64],
        }
    }
}

/// A kernel's major and minor version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion(pub u32, pub u32);

impl KernelVersion {
    /// Reads `6.1`, or a release such as `6.1.0-18-amd64`. A missing minor number is 0.
    pub fn parse(text: &str) -> Option<KernelVersion> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0);
        Some(KernelVersion(major, minor))
    }
}

/// A profile in Docker's format.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    default_action: LinuxSeccompAction,
    default_errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "null_is_empty")]
    architectures: Vec<Arch>,
    #[serde(default, deserialize_with = "null_is_empty")]
    arch_map: Vec<ArchMap>,
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    listener_path: Option<PathBuf>,
    listener_metadata: Option<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    syscalls: Vec<Rule>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: Arch,
    #[serde(default, deserialize_with = "null_is_empty")]
    sub_architectures: Vec<Arch>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default, deserialize_with = "null_is_empty")]
    names: Vec<String>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    #[serde(default, deserialize_with = "null_is_empty")]
    args: Vec<LinuxSeccompArg>,
    #[serde(default, deserialize_with = "null_is_empty")]
    includes: Conditions,
    #[serde(default, deserialize_with = "null_is_empty")]
    excludes: Conditions,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Conditions {
    #[serde(default, deserialize_with = "null_is_empty")]
    caps: Vec<String>,
    #[serde(default, deserialize_with = "null_is_empty")]
    arches: Vec<String>,
    #[serde(default, deserialize_with = "version")]
    min_kernel: Option<KernelVersion>,
}

fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

fn version<'de, D: Deserializer<'de>>(from: D) -> Result<Option<KernelVersion>, D::Error> {
    match Option::<String>::deserialize(from)?.as_deref() {
        None | Some("") => Ok(None),
        Some(text) => match KernelVersion::parse(text) {
            Some(version) => Ok(Some(version)),
            None => Err(serde::de::Error::custom(format!("minKernel {text:?} is not a kernel version"))),
        },
    }
}

/// What a rule's conditions are held against.
struct Facts<'a> {
    capabilities: &'a BTreeSet<String>,
    machine: Machine,
    kernel: KernelVersion,
}

impl Profile {
    /// Reads a profile. Fields it does not know are ignored.
    pub fn parse(json: &str) -> Result<Profile, Error> {
        let profile: Profile = serde_json::from_str(json).map_err(Error::Syntax)?;
        if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
            return Err(Error::Invalid("it has both architectures and archMap".to_owned()));
        }
        if let Some(rule) = profile.syscalls.iter().find(|rule| !rule.name.is_empty() && !rule.names.is_empty()) {
            return Err(Error::Invalid(format!("the rule for {} has both name and names", rule.name)));
        }
        Ok(profile)
    }

    /// The rules that hold for a container with these capabilities (`CAP_…`) on this machine.
    pub fn resolve(&self, capabilities: &BTreeSet<String>, machine: Machine, kernel: KernelVersion) -> LinuxSeccomp {
        let facts = Facts { capabilities, machine, kernel };
        let syscalls: Vec<_> = self.syscalls.iter().filter(|rule| rule.applies(&facts)).map(Rule::to_oci).collect();
        let mut resolved = LinuxSeccomp::default();
        resolved
            .set_default_action(self.default_action)
            .set_default_errno_ret(self.default_errno_ret)
            .set_architectures(self.resolved_architectures(machine))
            .set_flags(self.flags.clone())
            .set_listener_path(self.listener_path.clone())
            .set_listener_metadata(self.listener_metadata.clone())
            .set_syscalls(Some(syscalls));
        resolved
    }

    fn resolved_architectures(&self, machine: Machine) -> Option<Vec<Arch>> {
        if !self.architectures.is_empty() {
            return Some(self.architectures.clone());
        }
        let map = self.arch_map.iter().find(|map| map.architecture == machine.arch())?;
        Some(std::iter::once(map.architecture).chain(map.sub_architectures.iter().copied()).collect())
    }
}

impl Rule {
    fn applies(&self, facts: &Facts<'_>) -> bool {
        let has = |cap: &String| facts.capabilities.contains(cap);
        let here = |arch: &String| arch == facts.machine.name();
        let (includes, excludes) = (&self.includes, &self.excludes);
        let excluded = excludes.arches.iter().any(here)
            || excludes.caps.iter().any(has)
            || excludes.min_kernel.is_some_and(|least| facts.kernel >= least);
        let included = (includes.arches.is_empty() || includes.arches.iter().any(here))
            && includes.caps.iter().all(has)
            && includes.min_kernel.is_none_or(|least| facts.kernel >= least);
        included && !excluded
    }

    fn to_oci(&self) -> LinuxSyscall {
        let names = if self.name.is_empty() { self.names.clone() } else { vec![self.name.clone()] };
        let mut rule = LinuxSyscall::default();
        rule.set_names(names).set_action(self.action).set_errno_ret(self.errno_ret);
        rule.set_args((!self.args.is_empty()).then(|| self.args.clone()));
        rule
    }
}

/// The profile a container gets unless it asks for another (see `data/README.md` for where it comes from).
pub fn default_profile() -> &'static Profile {
    static PROFILE: OnceLock<Profile> = OnceLock::new();
    PROFILE.get_or_init(|| {
        Profile::parse(include_str!("../data/default-profile.json")).expect("the embedded profile is read by a test")
    })
}
