//! Where a container's output is kept and sent. Unknown fields are ignored, missing ones defaulted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What is kept on this host of the container's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Nothing.
    #[default]
    None,
    /// Docker's file of one JSON object a line.
    JsonFile,
    /// Docker's `local` file: protocol buffers between their lengths.
    Local,
}

/// Where and how the log is written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogPlan {
    /// What is kept here.
    #[serde(default)]
    pub driver: LogDriver,
    /// The current file; rotated ones get `.1`, `.2`, …; its directory exists.
    #[serde(default)]
    pub path: PathBuf,
    /// Bytes at which the file is rotated; `None`: [`LogPlan::MAX_SIZE`], 0: never.
    #[serde(default)]
    pub max_size: Option<u64>,
    /// Files kept, the current one included; `None`: [`LogPlan::MAX_FILE`].
    #[serde(default)]
    pub max_file: Option<u32>,
    /// Rotated files are compressed (`.1.gz`).
    #[serde(default)]
    pub compress: bool,
    /// What each line says besides (`labels`, `env`, `tag`).
    #[serde(default)]
    pub attrs: BTreeMap<String, String>,
    /// Who else gets the lines.
    #[serde(default)]
    pub remote: Option<RemotePlan>,
}

impl LogPlan {
    /// The size at which a log is rotated unless told otherwise.
    pub const MAX_SIZE: u64 = 20 << 20;
    /// The number of files kept unless told otherwise.
    pub const MAX_FILE: u32 = 5;
}

/// A log service that gets a message a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemotePlan {
    /// Where it listens; tried in this order.
    pub to: Vec<Endpoint>,
    /// What a message looks like.
    pub form: Form,
    /// `mode=non-blocking`: bytes that may wait for the service, beyond which lines are dropped. `None`: the container
    /// waits for the service, for a while.
    #[serde(default)]
    pub buffer: Option<u64>,
    /// What a TCP connection is under, if anything.
    #[serde(default)]
    pub tls: Option<LogTls>,
}

/// TLS to a log service. The shim reads the files, which lie in the host's own file system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogTls {
    /// Who the certificate must be of: a name or an address.
    pub server: String,
    /// Authorities, besides those that this host knows.
    pub ca: Option<PathBuf>,
    /// The certificate to show.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// The server's certificate is verified.
    pub verify: bool,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// A unix socket that takes datagrams.
    Datagram(PathBuf),
    /// A unix socket that takes connections.
    Stream(PathBuf),
    /// UDP.
    Udp(SocketAddr),
    /// TCP.
    Tcp(SocketAddr),
}

/// What a message looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// journald's fields; those given here are the same in each message.
    Journal {
        /// Names and values.
        fields: Vec<(String, String)>,
    },
    /// A line for a syslog server.
    Syslog(SyslogForm),
}

/// A syslog line.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SyslogForm {
    /// How it is laid out.
    pub layout: Layout,
    /// The facility, 0 to 23.
    pub facility: u8,
    /// What the message is said to come from.
    pub tag: String,
    /// The host's name, for layouts that say it.
    pub hostname: String,
    /// The local time zone: from which second since 1970 on it is so many seconds ahead of UTC; in order.
    pub zone: Vec<(i64, i32)>,
}

/// `syslog-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// As the local `syslog(3)` writes: no hostname.
    #[default]
    Unix,
    /// RFC 3164.
    Rfc3164,
    /// RFC 5424, seconds.
    Rfc5424,
    /// RFC 5424, microseconds.
    Rfc5424Micro,
}
