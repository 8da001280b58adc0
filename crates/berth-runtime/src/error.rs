//! Why a process could not be born: the step, its object, the errno; and the one sentence Docker's users know.

use std::fmt;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// What a caller has to tell apart; Docker's exit codes are made from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// The program does not exist: exit code 127.
    NotFound,
    /// The program exists and cannot be executed: exit code 126.
    NotExecutable,
    /// Anything else: exit code 125.
    Other,
}

impl Class {
    /// The exit code of `docker run` for it.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::NotFound => 127,
            Self::NotExecutable => 126,
            Self::Other => 125,
        }
    }
}

macro_rules! steps {
    ($($(#[doc = $doc:literal])+ $name:ident => $words:literal),+ $(,)?) => {
        /// A step of a birth. The object of an error says on what it failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[repr(u8)]
        #[non_exhaustive]
        pub enum Step { $($(#[doc = $doc])+ $name),+ }

        impl Step {
            const ALL: &[Self] = &[$(Self::$name),+];

            const fn words(self) -> &'static str {
                match self { $(Self::$name => $words),+ }
            }
        }
    };
}

steps! {
    /// The specification asks for something that cannot be; the object is the whole sentence.
    Specification => "",
    /// The channel between the parent and the newborn.
    Channel => "talk to the container's init",
    /// Cloning the process.
    Clone => "create the process",
    /// Writing the user namespace's mappings.
    IdMap => "map user ids",
    /// Joining a namespace by path or descriptor.
    JoinNamespace => "join the namespace",
    /// Making a namespace that `clone3` cannot.
    NewNamespace => "create the namespace",
    /// Entering the cgroup.
    EnterCgroup => "enter the cgroup",
    /// Attaching the root file system.
    PrepareRoot => "prepare the root file system",
    /// Opening what is to be mounted.
    MountSource => "open the mount source",
    /// Finding or making the place where something is to be mounted.
    MountTarget => "prepare the mount point",
    /// Mounting.
    Mount => "mount",
    /// Making a device node.
    Device => "create the device",
    /// Hiding a path.
    MaskPath => "mask",
    /// Making a path read-only.
    ReadonlyPath => "make read-only",
    /// Changing the root.
    PivotRoot => "change the root to",
    /// Writing a kernel parameter.
    Sysctl => "set the kernel parameter",
    /// Setting the host name.
    Hostname => "set the host name",
    /// Setting the domain name.
    Domainname => "set the domain name",
    /// Running a hook.
    Hook => "run the hook",
    /// Making the pseudo-terminal.
    Terminal => "create the terminal",
    /// Placing standard input, output and error.
    Stdio => "set up standard input and output",
    /// Bringing the loopback interface up.
    Loopback => "bring up the loopback interface",
    /// Setting the OOM score.
    OomScore => "set the OOM score",
    /// Setting a resource limit.
    Rlimit => "set the limit",
    /// Setting the scheduler.
    Scheduler => "set the scheduler",
    /// Setting the IO priority.
    IoPriority => "set the IO priority",
    /// Setting the CPU affinity.
    Affinity => "set the CPU affinity",
    /// Setting the execution domain.
    Personality => "set the personality",
    /// Setting the memory policy.
    MemoryPolicy => "set the memory policy",
    /// Joining a session keyring.
    Keyring => "create the session keyring",
    /// Changing user and groups.
    User => "change the user to",
    /// Setting capabilities.
    Capabilities => "set the capabilities",
    /// Setting the no-new-privileges flag.
    NoNewPrivileges => "set no-new-privileges",
    /// Setting the AppArmor or SELinux label for the next `execve`.
    Label => "set the security label",
    /// Installing the seccomp filter.
    Seccomp => "install the seccomp filter",
    /// Making the missing working directory.
    WorkingDirectory => "create the working directory",
    /// Changing to the working directory.
    ChangeDirectory => "chdir to cwd",
    /// Closing what the program must not inherit.
    CloseDescriptors => "close inherited descriptors",
    /// Waiting for the start.
    Gate => "wait for the start",
    /// Finding the program in the container's `$PATH`.
    FindProgram => "exec:",
    /// `execve` of the program.
    Execute => "exec",
    /// Protecting our own program.
    OwnProgram => "protect the runtime's own program",
}

impl Step {
    pub(crate) fn from_code(code: u8) -> Self {
        Self::ALL.get(usize::from(code)).copied().unwrap_or(Self::Channel)
    }
}

/// The step that failed, with its object and errno. `Display` is one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LaunchError {
    /// What was being done.
    pub step: Step,
    /// To what: a path, a name, a number; may be empty.
    pub object: String,
    /// Why it failed, where the kernel said so.
    pub errno: Option<Errno>,
}

impl LaunchError {
    /// What the caller has to tell apart.
    #[must_use]
    pub fn class(&self) -> Class {
        match (self.step, self.errno) {
            (Step::FindProgram | Step::Execute, Some(Errno::NOENT)) => Class::NotFound,
            (Step::FindProgram | Step::Execute | Step::ChangeDirectory, _) => Class::NotExecutable,
            _ => Class::Other,
        }
    }

    /// The exit code of `docker run` for it: 127, 126 or 125.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.class().exit_code()
    }

    /// The specification asks for what cannot be.
    pub(crate) fn other(sentence: impl Into<String>) -> Self {
        Self { step: Step::Specification, object: sentence.into(), errno: None }
    }

    pub(crate) fn new(step: Step, object: impl Into<String>, errno: Errno) -> Self {
        Self { step, object: object.into(), errno: Some(errno) }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = &self.object;
        match (self.step, self.errno) {
            (Step::Specification, _) => f.write_str(object),
            (Step::FindProgram, Some(Errno::NOENT)) if !object.contains('/') => {
                write!(f, "exec: {object:?}: executable file not found in $PATH")
            }
            (Step::FindProgram, Some(Errno::NOENT)) => {
                write!(f, "exec: {object:?}: stat {object}: no such file or directory")
            }
            (Step::FindProgram, Some(errno)) => write!(f, "exec: {object:?}: {}", cause(errno)),
            (Step::ChangeDirectory, Some(errno)) => write!(f, "chdir to cwd ({object:?}) failed: {}", cause(errno)),
            (Step::Execute, Some(errno)) => write!(f, "exec {object}: {}", cause(errno)),
            (step, errno) => {
                f.write_str("cannot ")?;
                f.write_str(step.words())?;
                if !object.is_empty() {
                    write!(f, " {object}")?;
                }
                match errno {
                    Some(errno) => write!(f, ": {}", cause(errno)),
                    None => Ok(()),
                }
            }
        }
    }
}

/// The kernel's reason as Go programs, and so Docker's users, spell it.
pub(crate) fn cause(errno: Errno) -> String {
    let text = std::io::Error::from(errno).to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// Says at which step, and on what, a system call failed.
pub(crate) trait At<T> {
    /// The object is made only when it is needed.
    fn at<S: Into<String>>(self, step: Step, object: impl FnOnce() -> S) -> Result<T, LaunchError>;
}

impl<T> At<T> for Result<T, Errno> {
    fn at<S: Into<String>>(self, step: Step, object: impl FnOnce() -> S) -> Result<T, LaunchError> {
        self.map_err(|errno| LaunchError::new(step, object(), errno))
    }
}

impl<T> At<T> for std::io::Result<T> {
    fn at<S: Into<String>>(self, step: Step, object: impl FnOnce() -> S) -> Result<T, LaunchError> {
        self.map_err(|error| LaunchError {
            step,
            object: object().into(),
            errno: Errno::from_io_error(&error).or(Some(Errno::IO)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_dockers() {
        let say = |step, object: &str, errno| LaunchError::new(step, object, errno).to_string();
        assert_eq!(
            say(Step::FindProgram, "nosuchcmd", Errno::NOENT),
            "exec: \"nosuchcmd\": executable file not found in $PATH"
        );
        assert_eq!(
            say(Step::FindProgram, "/nosuch", Errno::NOENT),
            "exec: \"/nosuch\": stat /nosuch: no such file or directory"
        );
        assert_eq!(say(Step::FindProgram, "/etc/passwd", Errno::ACCESS), "exec: \"/etc/passwd\": permission denied");
        assert_eq!(say(Step::Execute, "/bin/x", Errno::NOEXEC), "exec /bin/x: exec format error");
        assert_eq!(
            say(Step::Mount, "tmpfs at /dev", Errno::PERM),
            "cannot mount tmpfs at /dev: operation not permitted"
        );
    }

    #[test]
    fn codes_are_positions() {
        for (position, step) in Step::ALL.iter().enumerate() {
            assert_eq!(*step as usize, position);
        }
    }
}
