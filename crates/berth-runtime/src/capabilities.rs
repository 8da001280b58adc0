//! Capabilities by name, number and bit, and setting them in all five sets.

use oci_spec::runtime::Capability;
use rustix::thread::{
    CapabilitySet, CapabilitySets as KernelSets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
};

use crate::error::{At, LaunchError, Step};
use crate::process::CapabilitySets;

/// In the kernel's order: the position is the number.
const BY_NUMBER: [Capability; 41] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::DacReadSearch,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setpcap,
    Capability::LinuxImmutable,
    Capability::NetBindService,
    Capability::NetBroadcast,
    Capability::NetAdmin,
    Capability::NetRaw,
    Capability::IpcLock,
    Capability::IpcOwner,
    Capability::SysModule,
    Capability::SysRawio,
    Capability::SysChroot,
    Capability::SysPtrace,
    Capability::SysPacct,
    Capability::SysAdmin,
    Capability::SysBoot,
    Capability::SysNice,
    Capability::SysResource,
    Capability::SysTime,
    Capability::SysTtyConfig,
    Capability::Mknod,
    Capability::Lease,
    Capability::AuditWrite,
    Capability::AuditControl,
    Capability::Setfcap,
    Capability::MacOverride,
    Capability::MacAdmin,
    Capability::Syslog,
    Capability::WakeAlarm,
    Capability::BlockSuspend,
    Capability::AuditRead,
    Capability::Perfmon,
    Capability::Bpf,
    Capability::CheckpointRestore,
];

/// The bit of a capability in the kernel's sets.
pub(crate) fn bit(capability: Capability) -> u64 {
    BY_NUMBER.iter().position(|one| *one == capability).map_or(0, |number| 1 << number)
}

/// Every capability's name, for `features`.
pub(crate) fn names() -> Vec<String> {
    BY_NUMBER.iter().map(|one| format!("CAP_{}", spelled(*one))).collect()
}

fn spelled(capability: Capability) -> String {
    serde_json::to_value(capability)
        .ok()
        .and_then(|value| value.as_str().map(|name| name.trim_start_matches("CAP_").to_owned()))
        .unwrap_or_default()
}

/// What this process holds itself: nothing beyond it can be given.
pub(crate) fn held() -> Result<u64, LaunchError> {
    capabilities(None).map(|sets| sets.permitted.bits()).at(Step::Capabilities, || "")
}

/// Drops from the bounding set what the program must not have. Needs `CAP_SETPCAP`, so it comes before [`apply`].
pub(crate) fn bound(sets: CapabilitySets) -> Result<(), LaunchError> {
    // Numbers beyond our table are dropped too; the kernel says EINVAL after its last.
    for number in 0..64 {
        if sets.bounding & (1 << number) != 0 {
            continue;
        }
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL) => break,
            Err(errno) => return Err(LaunchError::new(Step::Capabilities, "in the bounding set", errno)),
        }
    }
    Ok(())
}

/// Sets effective, permitted, inheritable and ambient, as far as the host has them to give.
pub(crate) fn apply(sets: CapabilitySets, held: u64) -> Result<(), LaunchError> {
    let of = |bits: u64| CapabilitySet::from_bits_retain(bits & held);
    let wanted = KernelSets {
        effective: of(sets.effective & sets.permitted),
        permitted: of(sets.permitted),
        inheritable: of(sets.inheritable),
    };
    set_capabilities(None, wanted).at(Step::Capabilities, || "")?;
    clear_ambient_capability_set().at(Step::Capabilities, || "in the ambient set")?;
    let ambient = sets.ambient & sets.permitted & sets.inheritable & held;
    for number in (0..64).filter(|number| ambient & (1 << number) != 0) {
        configure_capability_in_ambient_set(CapabilitySet::from_bits_retain(1 << number), true)
            .at(Step::Capabilities, || "in the ambient set")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_kernels() {
        assert_eq!(bit(Capability::SysAdmin), 1 << 21);
        assert_eq!(bit(Capability::CheckpointRestore), 1 << 40);
        assert_eq!(names()[24], "CAP_SYS_RESOURCE");
    }
}
