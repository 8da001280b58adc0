//! What the values of flags and the arguments of commands can be.

use crate::flag::Flag;

/// A set of candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// These words.
    Words(&'static [&'static str]),
    Capabilities,
    /// Names of containers that run, that do not, or all.
    Containers(Running),
    /// `container:NAME`, or one of these words.
    OfContainer(&'static [&'static str]),
    Images,
    Volumes,
    Networks,
    Contexts,
    /// Registries that there are credentials for.
    Registries,
    /// Containers, images, volumes and networks.
    Objects,
    /// A container's path (`NAME:`) or a file.
    CopyPath,
    /// Names of variables of our own environment.
    Variables,
    Files,
    Directories,
    Nothing,
}

/// Which containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    Yes,
    No,
    Either,
}

const SIGNALS: &[&str] =
    &["ABRT", "ALRM", "CONT", "HUP", "INT", "KILL", "PIPE", "QUIT", "STOP", "TERM", "TSTP", "USR1", "USR2", "WINCH"];

/// The values of a flag of the command `command`.
pub(super) fn of_flag(flag: &Flag, command: &str) -> What {
    match flag.long {
        "pull" => What::Words(&["always", "missing", "never"]),
        "restart" => What::Words(&["always", "no", "on-failure", "unless-stopped"]),
        "network" | "net" => What::Networks,
        "pid" | "ipc" => What::OfContainer(match flag.long {
            "pid" => &["host"],
            _ => &["host", "none", "private", "shareable"],
        }),
        "uts" | "userns" => What::Words(&["host"]),
        "cgroupns" => What::Words(&["host", "private"]),
        "volumes-from" | "link" => What::Containers(Running::Either),
        "env" => What::Variables,
        "volume" | "env-file" | "label-file" | "cidfile" | "tlscacert" | "tlscert" | "tlskey" => What::Files,
        "config" if command.is_empty() => What::Directories,
        "context" if command.is_empty() => What::Contexts,
        "from" => What::Contexts,
        "log-level" => What::Words(&["debug", "error", "fatal", "info", "warn"]),
        "log-driver" => What::Words(&["journald", "json-file", "local", "none", "syslog"]),
        "signal" | "stop-signal" => What::Words(SIGNALS),
        "cap-add" | "cap-drop" => What::Capabilities,
        "platform" => What::Words(&["linux/amd64", "linux/arm64", "linux/arm/v7", "linux/386", "linux/riscv64"]),
        "security-opt" => {
            What::Words(&["apparmor=", "label=", "no-new-privileges", "seccomp=", "systempaths=unconfined"])
        }
        "attach" => What::Words(&["stderr", "stdin", "stdout"]),
        "gpus" => What::Words(&["all"]),
        "type" => What::Words(&["container", "image", "network", "plugin", "volume"]),
        "format" => What::Words(&["json", "table"]),
        "health-on-failure" => What::Words(&["kill", "none", "restart", "stop"]),
        _ => What::Nothing,
    }
}

/// The argument after `index` others of a command.
pub(super) fn of_argument(group: &str, command: &str, index: usize) -> What {
    match (group, command, index) {
        ("context", "use" | "export" | "update" | "show", 0) | ("context", "rm" | "inspect", _) => What::Contexts,
        ("context", "export", 1) | ("context", "import", 1) => What::Files,
        ("context" | "completion", ..) => What::Nothing,
        ("volume", "inspect" | "rm", _) => What::Volumes,
        ("network", "inspect" | "rm", _) | ("network", "connect" | "disconnect", 0) => What::Networks,
        ("network", "connect" | "disconnect", 1) => What::Containers(Running::Either),
        ("image", "inspect" | "rm" | "save", _) | (_, "rmi" | "save", _) => What::Images,
        (_, "images" | "history" | "push" | "run" | "create", 0) | (_, "tag", 0 | 1) => What::Images,
        ("image", "ls", 0) => What::Images,
        (_, "login" | "logout", 0) => What::Registries,
        ("manifest", ..) => What::Images,
        ("", "inspect", _) => What::Objects,
        (_, "start", _) => What::Containers(Running::No),
        (_, "stop" | "kill" | "pause" | "unpause" | "stats", _) => What::Containers(Running::Yes),
        (_, "exec" | "attach" | "top", 0) => What::Containers(Running::Yes),
        (_, "rm" | "restart" | "wait" | "update", _) | ("container", "inspect", _) => What::Containers(Running::Either),
        (_, "logs" | "port" | "rename" | "diff" | "export" | "commit", 0) => What::Containers(Running::Either),
        (_, "commit", 1) => What::Images,
        (_, "cp", 0 | 1) => What::CopyPath,
        (_, "run" | "create" | "exec", _) | (_, "load" | "import", 0) => What::Files,
        _ => What::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        assert_eq!(of_argument("", "run", 0), What::Images);
        assert_eq!(of_argument("container", "run", 1), What::Files);
        assert_eq!(of_argument("", "exec", 0), What::Containers(Running::Yes));
        assert_eq!(of_argument("image", "rm", 3), What::Images);
        assert_eq!(of_argument("container", "rm", 3), What::Containers(Running::Either));
        assert_eq!(of_argument("context", "rm", 1), What::Contexts);
        assert_eq!(of_argument("", "version", 0), What::Nothing);
    }
}
