//! A container's files: what lies at a path, what has changed, what a commit made.

use serde::{Deserialize, Serialize};

/// What lies at a path, as the header `X-Docker-Container-Path-Stat` has it (JSON in base64).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStat {
    /// Its last part.
    pub name: String,
    /// Bytes.
    pub size: i64,
    /// Type and permissions, as Go numbers them.
    pub mode: u32,
    /// RFC 3339.
    pub mtime: String,
    /// Where a link leads, as an absolute path in the container.
    #[serde(rename = "linkTarget", default)]
    pub link_target: String,
}

/// Go's bits of a file's type, and of the modes that are no permissions.
pub mod go_mode {
    /// A directory.
    pub const DIRECTORY: u32 = 1 << 31;
    /// A symbolic link.
    pub const SYMLINK: u32 = 1 << 27;
    /// A device.
    pub const DEVICE: u32 = 1 << 26;
    /// A named pipe.
    pub const PIPE: u32 = 1 << 25;
    /// A socket.
    pub const SOCKET: u32 = 1 << 24;
    /// Set-user-id.
    pub const SETUID: u32 = 1 << 23;
    /// Set-group-id.
    pub const SETGID: u32 = 1 << 22;
    /// A device of characters.
    pub const CHARACTER: u32 = 1 << 21;
    /// Sticky.
    pub const STICKY: u32 = 1 << 20;
    /// All that says what kind of file it is.
    pub const TYPE: u32 = DIRECTORY | SYMLINK | DEVICE | PIPE | SOCKET | CHARACTER;
}

impl PathStat {
    /// It is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & go_mode::TYPE == go_mode::DIRECTORY
    }

    /// It is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode & go_mode::TYPE == go_mode::SYMLINK
    }

    /// It is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & go_mode::TYPE == 0
    }
}

/// A path that differs from the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct FileChange {
    /// As the container sees it.
    pub path: String,
    /// 0 changed, 1 added, 2 deleted.
    pub kind: u8,
}

/// What `POST /commit` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CommitResponse {
    /// The image.
    pub id: String,
}
