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

/// A step of a birth. The object of an error says on what it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Step {
    /// The specification asks for something that cannot be; the object is the whole sentence.
    Specification,
    /// Cloning the process.
    Clone,
    /// Finding the program in the container's `$PATH`.
    FindProgram,
    /// `execve` of the program.
    Execute,
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
        Class::Other
    }

    /// The exit code of `docker run` for it: 127, 126 or 125.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.class().exit_code()
    }

    pub(crate) fn other(sentence: String) -> Self {
        Self { step: Step::Specification, object: sentence, errno: None }
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.object)
    }
}
