//! The AppArmor profile of containers that name none: written by us, loaded once by the host's own parser.
//!
//! The kernel takes compiled profiles only. Where the host has no parser, and nobody else has loaded the profile, containers run
//! without one, and `info` says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, Result};

/// Docker's name: tools and users' own profiles refer to it.
const NAME: &str = "docker-default";
const LOADED: &str = "/sys/kernel/security/apparmor/profiles";
const PARSERS: [&str; 4] =
    ["/usr/sbin/apparmor_parser", "/sbin/apparmor_parser", "/usr/bin/apparmor_parser", "/bin/apparmor_parser"];

/// The default profile's name, loaded where it was not; empty: there is none. Blocks while the parser runs.
pub(crate) fn load_default(data_root: &Path) -> String {
    if fs::read_to_string(LOADED).is_ok_and(|list| lists(&list)) {
        return NAME.to_owned();
    }
    match load(data_root) {
        Ok(()) => NAME.to_owned(),
        Err(error) => {
            tracing::warn!(%error, "containers run without AppArmor");
            String::new()
        }
    }
}

/// Whether the kernel's list (`name (mode)` a line) has it.
fn lists(list: &str) -> bool {
    list.lines().any(|line| line.split(' ').next() == Some(NAME))
}

fn load(data_root: &Path) -> Result<()> {
    let parser = PARSERS.iter().map(Path::new).find(|path| path.exists());
    let parser = parser.ok_or_else(|| Error::Internal("this host has AppArmor, and no apparmor_parser".into()))?;
    let path: PathBuf = data_root.join(NAME);
    fs::write(&path, profile()).map_err(Error::file("writing", &path))?;
    let ran = Command::new(parser).arg("-Kr").arg(&path).stdin(Stdio::null()).output();
    let ran = ran.map_err(Error::file("running", parser))?;
    match ran.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
            Err(Error::Internal(format!("apparmor_parser refuses the profile {NAME}: {said}")))
        }
    }
}

/// Everything is allowed but what reaches beyond the container: mounting, and writing to the kernel's own settings outside of the
/// container's namespaces. Signals and tracing stay among containers.
fn profile() -> String {
    const DENIED: [&str; 10] = [
        "mount",
        "@{PROC}/sysrq-trigger rwklx",
        "@{PROC}/kcore rwklx",
        "@{PROC}/{acpi,bus,fs,irq,scsi}/** wklx",
        "@{PROC}/sys/{abi,crypto,debug,dev,sunrpc,user,vm}/** wklx",
        // Message queues are the container's own.
        "@{PROC}/sys/fs/{[^m]**,m[^q]**} wklx",
        // So are msg*, sem* and shm*.
        "@{PROC}/sys/kernel/{[^ms]**,m[^s]**,s[^eh]**} wklx",
        "/sys/{block,bus,class,dev,devices,firmware,hypervisor,kernel,module,power}/** wklx",
        // Its cgroups, and no other file system of the kernel.
        "/sys/fs/{[^c]**,c[^g]**} wklx",
        "/sys/firmware/** rwklx",
    ];
    let mut text = format!(
        "#include <tunables/global>\n\nprofile {NAME} flags=(attach_disconnected,mediate_deleted) {{\n  #include <abstractions/base>\n\n"
    );
    for allowed in [
        "capability",
        "file",
        "network",
        "umount",
        "signal (receive) peer=unconfined",
        &format!("signal (send,receive) peer={NAME}"),
        &format!("ptrace (trace,read,tracedby,readby) peer={NAME}"),
    ] {
        text.push_str(&format!("  {allowed},\n"));
    }
    text.push('\n');
    for denied in DENIED {
        text.push_str(&format!("  deny {denied},\n"));
    }
    text.push_str("}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_s_list() {
        assert!(lists("a (enforce)\ndocker-default (enforce)\n"));
        assert!(!lists("my-docker-default (enforce)\ndocker-default-2 (complain)\n"));
        assert!(!lists(""));
    }

    /// Where the host's parser is there it checks the profile without loading it.
    #[test]
    fn the_profile_is_well_formed() {
        let text = profile();
        assert_eq!(text.matches('{').count(), text.matches('}').count());
        let rules = text.lines().filter(|line| line.starts_with("  ") && !line.contains("#include"));
        assert!(rules.into_iter().all(|line| line.ends_with(',')), "{text}");
    }
}
