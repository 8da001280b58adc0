//! System call numbers by name, for every architecture a profile can be compiled for.
//!
//! The figures are in `syscalls.tsv`, generated from the kernel's user space headers.

use std::sync::OnceLock;

use oci_spec::runtime::Arch;

/// An architecture as a filter tells them apart: by `AUDIT_ARCH_*` and, for x32, by a bit of the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Abi {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
    Riscv64,
}

/// The bit that marks a number as x32's.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// Where ARM's private calls begin; they are no measure of how new a profile is.
pub(crate) const ARM_PRIVATE: u32 = 0xf_0000;

const COLUMNS: usize = 6;

impl Abi {
    /// The ABI of an architecture in a profile; `None` for those no machine we run on executes.
    pub(crate) fn of(arch: Arch) -> Option<Abi> {
        match arch {
            Arch::ScmpArchX86_64 => Some(Abi::X86_64),
            Arch::ScmpArchX86 => Some(Abi::X86),
            Arch::ScmpArchX32 => Some(Abi::X32),
            Arch::ScmpArchAarch64 => Some(Abi::Aarch64),
            Arch::ScmpArchArm => Some(Abi::Arm),
            Arch::ScmpArchRiscv64 => Some(Abi::Riscv64),
            _ => None,
        }
    }

    /// What `seccomp_data.arch` holds (`AUDIT_ARCH_*`, linux/audit.h).
    pub(crate) fn audit(self) -> u32 {
        match self {
            Abi::X86_64 | Abi::X32 => 0xc000_003e,
            Abi::X86 => 0x4000_0003,
            Abi::Aarch64 => 0xc000_00b7,
            Abi::Arm => 0x4000_0028,
            Abi::Riscv64 => 0xc000_00f3,
        }
    }

    /// Whether arguments are compared over their lower 32 bits only.
    pub(crate) fn is_narrow(self) -> bool {
        matches!(self, Abi::X86 | Abi::X32 | Abi::Arm)
    }

    /// The number as `seccomp_data.nr` holds it.
    pub(crate) fn number(self, name: &str) -> Option<u32> {
        let number = table().binary_search_by_key(&name, |row| row.0).ok().map(|at| table()[at].1[self as usize])?;
        match self {
            Abi::X32 => number.map(|number| number | X32_BIT),
            _ => number,
        }
    }
}

type Row = (&'static str, [Option<u32>; COLUMNS]);

fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rows: Vec<Row> =
            include_str!("syscalls.tsv").lines().filter(|line| !line.starts_with('#')).map(row).collect();
        rows.sort_unstable_by_key(|row| row.0);
        rows
    })
}

fn row(line: &'static str) -> Row {
    let mut cells = line.split('\t');
    let name = cells.next().unwrap_or_default();
    let mut numbers = [None; COLUMNS];
    for (number, cell) in numbers.iter_mut().zip(cells) {
        *number = cell.parse().ok();
    }
    (name, numbers)
}

/// A call that old i386 programs make through a multiplexer: its number within `socketcall(2)` or `ipc(2)`.
pub(crate) struct Multiplexed {
    pub(crate) through: &'static str,
    pub(crate) call: u32,
}

/// What carries a call on i386 besides its own number (linux/net.h, linux/ipc.h).
pub(crate) fn multiplexed(name: &str) -> Option<Multiplexed> {
    const SOCKET: [&str; 20] = [
        "socket",
        "bind",
        "connect",
        "listen",
        "accept",
        "getsockname",
        "getpeername",
        "socketpair",
        "send",
        "recv",
        "sendto",
        "recvfrom",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "sendmsg",
        "recvmsg",
        "accept4",
        "recvmmsg",
        "sendmmsg",
    ];
    const IPC: [(&str, u32); 12] = [
        ("semop", 1),
        ("semget", 2),
        ("semctl", 3),
        ("semtimedop", 4),
        ("msgsnd", 11),
        ("msgrcv", 12),
        ("msgget", 13),
        ("msgctl", 14),
        ("shmat", 21),
        ("shmdt", 22),
        ("shmget", 23),
        ("shmctl", 24),
    ];
    if let Some((_, call)) = IPC.iter().find(|(one, _)| *one == name) {
        return Some(Multiplexed { through: "ipc", call: *call });
    }
    let call = (1..).zip(SOCKET).find(|(_, one)| *one == name).map(|(call, _)| call)?;
    Some(Multiplexed { through: "socketcall", call })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn numbers_of_each_abi() {
        assert_eq!(Abi::X86_64.number("clone3"), Some(435));
        assert_eq!(Abi::X86.number("read"), Some(3));
        assert_eq!(Abi::X32.number("execve"), Some(X32_BIT | 520));
        assert_eq!(Abi::Aarch64.number("openat"), Some(56));
        assert_eq!(Abi::Aarch64.number("open"), None);
        assert_eq!(Abi::Arm.number("set_tls"), Some(ARM_PRIVATE + 5));
        assert_eq!(Abi::X86_64.number("no_such_call"), None);
    }

    #[test]
    fn the_table_is_whole() {
        let rows = table();
        assert!(rows.len() > 480);
        assert!(rows.windows(2).all(|two| two[0].0 < two[1].0));
        assert!(rows.iter().all(|row| row.1.iter().any(Option::is_some)));
    }

    #[test]
    fn multiplexers_know_their_calls() {
        assert_eq!(multiplexed("sendmmsg").unwrap().call, 20);
        assert_eq!(multiplexed("shmctl").unwrap().call, 24);
        assert!(multiplexed("read").is_none());
    }
}
