//! Which capabilities a container has.

use std::collections::BTreeSet;

use crate::host::HostFacts;
use crate::spec::IsolationSpec;
use crate::{Error, Result};

/// The kernel's capabilities in the order of their bits.
pub const ALL: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Docker's default set, `a80425fb`.
pub const DEFAULT: [&str; 14] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
];

/// The set after `--cap-add` and `--cap-drop`, or all that the host's root has where privileged.
///
/// # Errors
/// A name that is no capability, with Docker's sentence; one that the host's root lacks.
pub fn effective(isolation: &IsolationSpec, host: &HostFacts) -> Result<BTreeSet<String>> {
    if isolation.privileged {
        return Ok(host.capabilities.clone());
    }
    let add = names(&isolation.cap_add, "CapAdd")?;
    let drop = names(&isolation.cap_drop, "CapDrop")?;
    let has_all = |set: &BTreeSet<String>| set.contains("ALL");
    let mut set: BTreeSet<String> = match (has_all(&add), has_all(&drop)) {
        (true, _) => host.capabilities.clone(),
        (false, true) => BTreeSet::new(),
        // What the host's root lacks of the defaults, nobody asked for by name.
        (false, false) => DEFAULT.iter().map(ToString::to_string).filter(|c| host.capabilities.contains(c)).collect(),
    };
    for name in add.iter().filter(|n| *n != "ALL") {
        if !host.capabilities.contains(name) {
            return Err(Error::Invalid(format!(
                "invalid CapAdd: {name} cannot be granted, since this host's root does not have it"
            )));
        }
        set.insert(name.clone());
    }
    set.retain(|name| !drop.contains(name));
    Ok(set)
}

fn names(asked: &[String], field: &str) -> Result<BTreeSet<String>> {
    let one = |text: &String| {
        let upper = text.to_ascii_uppercase();
        if upper == "ALL" {
            return Ok(upper);
        }
        let name = if upper.starts_with("CAP_") { upper } else { format!("CAP_{upper}") };
        if ALL.contains(&name.as_str()) {
            Ok(name)
        } else {
            Err(Error::Invalid(format!("invalid {field}: unknown capability: \"{name}\"")))
        }
    };
    asked.iter().map(one).collect()
}

/// The set of a bit mask, as `/proc/self/status` shows it.
#[must_use]
pub fn from_mask(mask: u64) -> BTreeSet<String> {
    ALL.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0).map(|(_, name)| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    fn mask(set: &BTreeSet<String>) -> u64 {
        ALL.iter().enumerate().filter(|(_, n)| set.contains(**n)).fold(0, |mask, (bit, _)| mask | 1 << bit)
    }

    /// cap-add, cap-drop, the resulting mask or the error's text.
    #[test]
    fn table() {
        // A host without CAP_SYS_RESOURCE (bit 24).
        let host = HostFacts { capabilities: from_mask(0x1ff_feff_ffff), ..HostFacts::default() };
        type Row = (&'static [&'static str], &'static [&'static str], Result<u64, &'static str>);
        let table: [Row; 9] = [
            (&[], &[], Ok(0xa804_25fb)),
            (&["NET_ADMIN"], &[], Ok(0xa804_35fb)),
            (&["cap_net_admin"], &["chown"], Ok(0xa804_35fa)),
            (&[], &["ALL"], Ok(0)),
            (&["CHOWN"], &["ALL"], Ok(1)),
            (&["ALL"], &[], Ok(0x1ff_feff_ffff)),
            (&["ALL"], &["CHOWN"], Ok(0x1ff_feff_fffe)),
            (&["NOSUCH"], &[], Err("invalid CapAdd: unknown capability: \"CAP_NOSUCH\"")),
            (
                &["SYS_RESOURCE"],
                &[],
                Err("invalid CapAdd: CAP_SYS_RESOURCE cannot be granted, since this host's root does not have it"),
            ),
        ];
        for (add, drop, expected) in table {
            let texts = |names: &[&str]| names.iter().map(ToString::to_string).collect();
            let isolation = IsolationSpec { cap_add: texts(add), cap_drop: texts(drop), ..IsolationSpec::default() };
            let got = effective(&isolation, &host).map(|set| mask(&set)).map_err(|e| e.to_string());
            assert_eq!(got, expected.map_err(str::to_owned), "{add:?} {drop:?}");
        }
        let privileged = IsolationSpec { privileged: true, ..IsolationSpec::default() };
        assert_eq!(mask(&effective(&privileged, &host).unwrap()), 0x1ff_feff_ffff);
    }
}
