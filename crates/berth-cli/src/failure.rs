//! How a command ends when it does not end well: what is printed, and the exit code.

use std::process::ExitCode;

/// A command that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Printed on stderr as it is; nothing where everything has been said.
    pub(crate) message: String,
    /// Exit code.
    pub(crate) code: u8,
}

/// What a command returns; the number is the exit code of a success (a container's own).
pub(crate) type Outcome = Result<u8, Failure>;

impl Failure {
    /// One sentence, exit code 1.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: 1 }
    }

    /// Only an exit code; everything has been said.
    pub(crate) fn silent(code: u8) -> Self {
        Self { message: String::new(), code }
    }

    /// With another exit code.
    pub(crate) fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// Says it.
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("{}", self.message);
        }
        ExitCode::from(self.code)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<berth_client::stdcopy::UnknownStream> for Failure {
    fn from(error: berth_client::stdcopy::UnknownStream) -> Self {
        Self::new(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        // Whoever read what we write has had enough; a shell counts that as SIGPIPE.
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::silent(141);
        }
        Self::new(error.to_string())
    }
}
