//! What can go wrong with a container, in the engine's words; knows no HTTP.
//!
//! Every error answers [`Error::kind`]; one table in the daemon maps kinds to status codes. Texts that
//! Docker's clients match on are produced here and nowhere else.

use std::path::PathBuf;

/// What the engine's calls give back.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The family an error belongs to; what a caller may do about it follows from this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The object named does not exist.
    NotFound,
    /// The request contradicts the object's present state, or a name is taken.
    Conflict,
    /// The request itself is wrong.
    Invalid,
    /// The object is already as the request wants it.
    NotModified,
    /// The caller may not.
    Forbidden,
    /// berth does not do this yet.
    NotImplemented,
    /// Something needed is away for now.
    Unavailable,
    /// A bug or a broken host.
    Internal,
}

/// A failed operation. `Display` is one sentence; a deeper cause is the `source`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No container has this id, name or prefix.
    #[error("No such container: {0}")]
    NoSuchContainer(String),
    /// More than one id begins so.
    #[error("Multiple IDs found with provided prefix: {0}")]
    AmbiguousPrefix(String),
    /// No exec session has this id.
    #[error("No such exec instance: {0}")]
    NoSuchExec(String),
    /// No image goes by this name.
    #[error("{0}")]
    NoSuchImage(String),
    /// No volume has this name.
    #[error("get {0}: no such volume")]
    NoSuchVolume(String),
    /// Containers need the volume.
    #[error("remove {name}: volume is in use - [{}]", containers.join(", "))]
    VolumeInUse {
        /// The volume.
        name: String,
        /// The containers.
        containers: Vec<String>,
    },
    /// There is no such volume driver.
    #[error("create {volume}: error looking up volume plugin {driver}: plugin \"{driver}\" not found")]
    NoVolumeDriver {
        /// The volume.
        volume: String,
        /// The driver.
        driver: String,
    },
    /// The name has characters or a length that Docker refuses.
    #[error("Invalid container name ({0}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    InvalidName(String),
    /// Another container bears the name.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{holder}\". You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameTaken {
        /// The name, without slash.
        name: String,
        /// The id of the container that has it.
        holder: String,
    },
    /// The container has no such file.
    #[error("Could not find the file {path} in container {container}")]
    NoSuchFile {
        /// As the user wrote it.
        path: String,
        /// As the user named it.
        container: String,
    },
    /// The container was told not to write there. The sentence is Docker's.
    #[error("{0}")]
    ReadOnly(&'static str),
    /// The image store.
    #[error("{0}")]
    Image(#[from] berth_image::Error),
    /// The specification asks for what cannot be. The sentence is Docker's where Docker has one.
    #[error("{0}")]
    Invalid(String),
    /// berth does not do this yet.
    #[error("{0} is not supported yet")]
    NotImplemented(String),
    /// It cannot be done with what the container was created with.
    #[error("{0}")]
    Unsupported(String),
    /// It is already so: started, stopped.
    #[error("container {id} is already {state}")]
    NotModified {
        /// The container.
        id: String,
        /// `started` or `stopped`.
        state: &'static str,
    },
    /// The container's state forbids it. The sentence is Docker's.
    #[error("{0}")]
    State(String),
    /// As [`Error::State`], where Docker answers with a server error (unpausing what is not paused).
    #[error("{0}")]
    Refused(String),
    /// `kill` of a container that does not run.
    #[error("Cannot kill container: {key}: Container {id} is not running")]
    KillNotRunning {
        /// As the user named it.
        key: String,
        /// The container.
        id: String,
    },
    /// `rm` without force of a running container.
    #[error("You cannot remove a running container {0}. Stop the container before attempting removal or force remove")]
    RemoveRunning(String),
    /// `rm` without force of a paused container.
    #[error(
        "You cannot remove a paused container {0}. Unpause and then stop the container before attempting removal or force remove"
    )]
    RemovePaused(String),
    /// `rm` without force of a container that its policy is about to start.
    #[error(
        "You cannot remove a restarting container {0}. Stop the container before attempting removal or force remove"
    )]
    RemoveRestarting(String),
    /// A removal is under way.
    #[error("removal of container {0} is already in progress")]
    RemovalInProgress(String),
    /// The process could not be born; `code` is `docker run`'s exit code for it (127, 126 or 125).
    #[error("failed to create task for container: {message}")]
    Launch {
        /// 127 not found, 126 not executable, 125 anything else.
        code: u8,
        /// One sentence.
        message: String,
    },
    /// The exec session's process could not be born; `code` as for [`Error::Launch`].
    #[error("OCI runtime exec failed: {message}")]
    ExecLaunch {
        /// 127 not found, 126 not executable, 125 anything else.
        code: u8,
        /// One sentence.
        message: String,
    },
    /// A step on the file system failed.
    #[error("{doing} {}", path.display())]
    File {
        /// What was being done: `creating`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The root file system could not be mounted.
    #[error("mounting the root file system of container {id}")]
    Mount {
        /// The container.
        id: String,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// The shim could not be reached, or broke off.
    #[error("the shim of container {id}")]
    Shim {
        /// The container.
        id: String,
        /// What went wrong.
        source: berth_shim::client::ClientError,
    },
    /// The shim refused.
    #[error("{0}")]
    ShimRefused(String),
    /// The network.
    #[error(transparent)]
    Network(#[from] berth_network::Error),
    /// The state.
    #[error("the engine's state")]
    Store(#[from] berth_state::Error),
    /// Another daemon works on the data root.
    #[error("another berth daemon uses {}", .0.display())]
    DataRootInUse(PathBuf),
    /// A bug or a broken host, in one sentence.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// What a caller may do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchContainer(_)
            | Self::NoSuchExec(_)
            | Self::NoSuchImage(_)
            | Self::NoSuchVolume(_)
            | Self::NoSuchFile { .. }
            | Self::NoVolumeDriver { .. } => ErrorKind::NotFound,
            Self::ReadOnly(_) => ErrorKind::Forbidden,
            Self::Image(error) => match error.kind() {
                berth_image::ErrorKind::NotFound => ErrorKind::NotFound,
                berth_image::ErrorKind::Conflict => ErrorKind::Conflict,
                berth_image::ErrorKind::Invalid => ErrorKind::Invalid,
                _ => ErrorKind::Internal,
            },
            Self::AmbiguousPrefix(_) | Self::InvalidName(_) | Self::Invalid(_) => ErrorKind::Invalid,
            Self::NameTaken { .. }
            | Self::VolumeInUse { .. }
            | Self::State(_)
            | Self::KillNotRunning { .. }
            | Self::RemoveRunning(_)
            | Self::RemovePaused(_)
            | Self::RemoveRestarting(_)
            | Self::RemovalInProgress(_) => ErrorKind::Conflict,
            Self::NotModified { .. } => ErrorKind::NotModified,
            Self::NotImplemented(_) | Self::Unsupported(_) => ErrorKind::NotImplemented,
            // Docker answers 400 to a command that is not there or not executable.
            Self::Launch { code, .. } | Self::ExecLaunch { code, .. } if *code != 125 => ErrorKind::Invalid,
            Self::Network(error) => match error.kind() {
                berth_network::ErrorKind::Invalid => ErrorKind::Invalid,
                berth_network::ErrorKind::Unavailable => ErrorKind::Unavailable,
                berth_network::ErrorKind::Internal => ErrorKind::Internal,
            },
            Self::DataRootInUse(_) => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        }
    }

    /// The exit code of `docker run` for it, where it says one (a process that could not be born).
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        match self {
            Self::Launch { code, .. } | Self::ExecLaunch { code, .. } => Some(*code),
            _ => None,
        }
    }

    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// The whole chain as one sentence, for where it is kept (a container's `State.Error`).
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
