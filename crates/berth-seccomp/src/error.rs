//! Why a profile cannot be used.

/// Why a profile could not be read or compiled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The profile is not JSON of Docker's profile format.
    #[error("the seccomp profile cannot be read: {0}")]
    Syntax(#[source] serde_json::Error),
    /// The profile contradicts itself.
    #[error("the seccomp profile is not valid: {0}")]
    Invalid(String),
    /// `errnoRet` stands beside an action that returns no errno.
    #[error("seccomp: errnoRet is given for {action}, which returns no errno")]
    ErrnoWithoutUse {
        /// The action as the profile spells it.
        action: String,
    },
    /// An errno beyond what a filter can return.
    #[error("seccomp: errno {errno} is larger than a filter can return (at most 4095)")]
    Errno {
        /// The value in the profile.
        errno: u32,
    },
    /// A rule looks at an argument no system call has.
    #[error("seccomp: a rule for {syscall} looks at argument {index}, but system calls have arguments 0 to 5")]
    ArgumentIndex {
        /// The system call's name.
        syscall: String,
        /// The index in the profile.
        index: usize,
    },
    /// `SCMP_ACT_NOTIFY` where it cannot work.
    #[error("seccomp: SCMP_ACT_NOTIFY cannot be used {0}")]
    Notify(&'static str),
    /// More code than the kernel takes.
    #[error("the seccomp profile compiles to {instructions} instructions, and the kernel takes at most 4096")]
    TooLong {
        /// How many there would be.
        instructions: usize,
    },
    /// Bytes handed over that are not a filter.
    #[error("not a compiled seccomp filter: {0}")]
    Encoding(&'static str),
}
