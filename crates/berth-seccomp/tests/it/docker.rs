//! Docker's default profile, resolved and compiled.

use std::collections::BTreeSet;

use berth_seccomp::{Filter, KernelVersion, Machine, compile, default_profile};
use oci_spec::runtime::{Arch, LinuxSeccomp};

use crate::interpreter::{Call, run};
use crate::oracle::{X32_BIT, X86, X86_64, number};

const ALLOW: u32 = 0x7fff_0000;
const EPERM: u32 = 0x5_0001;
const ENOSYS: u32 = 0x5_0026;

fn resolved(capabilities: &[&str], kernel: KernelVersion) -> LinuxSeccomp {
    let capabilities: BTreeSet<String> = capabilities.iter().map(|cap| (*cap).to_owned()).collect();
    default_profile().resolve(&capabilities, Machine::X86_64, kernel)
}

fn ask(filter: &Filter, name: &str, args: [u64; 6]) -> u32 {
    run(filter, &Call { number: number(name, 0).unwrap(), arch: X86_64, args })
}

#[test]
fn without_capabilities() {
    let filter = compile(&resolved(&[], KernelVersion(6, 1))).unwrap();
    assert_eq!(ask(&filter, "read", [0; 6]), ALLOW);
    assert_eq!(ask(&filter, "mount", [0; 6]), EPERM);
    assert_eq!(ask(&filter, "ptrace", [0; 6]), ALLOW);
    assert_eq!(ask(&filter, "clone", [0x11, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(ask(&filter, "clone", [0x1000_0000, 0, 0, 0, 0, 0]), EPERM, "CLONE_NEWUSER");
    assert_eq!(ask(&filter, "clone3", [0; 6]), ENOSYS);
    assert_eq!(ask(&filter, "socket", [40, 0, 0, 0, 0, 0]), EPERM, "AF_VSOCK");
    assert_eq!(ask(&filter, "socket", [41, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(ask(&filter, "personality", [0xffff_ffff, 0, 0, 0, 0, 0]), ALLOW);
    assert_eq!(ask(&filter, "personality", [4, 0, 0, 0, 0, 0]), EPERM);
    assert_eq!(ask(&filter, "chroot", [0; 6]), EPERM);
    assert_eq!(run(&filter, &Call { number: 1000, arch: X86_64, args: [0; 6] }), ENOSYS, "newer than the profile");
    assert_eq!(run(&filter, &Call { number: 5, arch: X86, args: [0; 6] }), ALLOW, "i386 open");
    assert_eq!(run(&filter, &Call { number: X32_BIT | 1, arch: X86_64, args: [0; 6] }), ALLOW, "x32 write");
    assert_eq!(run(&filter, &Call { number: 56, arch: 0xc000_00b7, args: [0; 6] }), 0, "an architecture not listed");
}

#[test]
fn capabilities_and_kernels_open_more() {
    let admin = compile(&resolved(&["CAP_SYS_ADMIN", "CAP_SYS_CHROOT"], KernelVersion(6, 1))).unwrap();
    for name in ["mount", "chroot", "clone3", "setns"] {
        assert_eq!(ask(&admin, name, [u64::MAX; 6]), ALLOW, "{name}");
    }
    assert_eq!(ask(&admin, "clone", [0x1000_0000, 0, 0, 0, 0, 0]), ALLOW);
    let old = compile(&resolved(&[], KernelVersion(4, 7))).unwrap();
    assert_eq!(ask(&old, "ptrace", [0; 6]), EPERM);
}

#[test]
fn each_machine_has_its_architectures() {
    let arches =
        |machine| default_profile().resolve(&BTreeSet::new(), machine, KernelVersion(6, 1)).architectures().clone();
    assert_eq!(arches(Machine::X86_64).unwrap(), [Arch::ScmpArchX86_64, Arch::ScmpArchX86, Arch::ScmpArchX32]);
    assert_eq!(arches(Machine::Aarch64).unwrap(), [Arch::ScmpArchAarch64, Arch::ScmpArchArm]);
    assert_eq!(arches(Machine::Riscv64).unwrap(), [Arch::ScmpArchRiscv64]);
}

#[test]
fn it_is_small() {
    let filter = compile(&resolved(&[], KernelVersion(6, 1))).unwrap();
    assert!(filter.len() < 1000, "{} instructions", filter.len());
}

#[test]
fn a_filter_survives_its_encoding() {
    let filter = compile(&resolved(&[], KernelVersion(6, 1))).unwrap();
    let copy = Filter::from_bytes(filter.as_bytes()).unwrap();
    assert_eq!(copy, filter);
    assert_eq!(copy.flags(), 4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW");
    assert!(!copy.notifies());
}
