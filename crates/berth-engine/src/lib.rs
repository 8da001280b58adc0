//! Containers: the state machines, and what a run is made of.
//!
//! The engine owns containers from `create` to `remove`: their records, their tasks, what they are told to run
//! ([`plan`]), their logs and events. It does not know HTTP or Docker's JSON: the daemon translates a wire request into
//! a [`spec::ContainerSpec`] and the [`view`]s back. It executes nothing but shims, and touches the kernel only through the crates
//! below it.
//!
//! Start reading at [`Engine`], then [`Containers`]; a container's life is `state.rs`, its task `task/`.

mod apparmor;
mod containers;
mod engine;
mod error;
mod etc;
mod events;
mod exec;
pub mod fault;
mod files;
mod filters;
mod ground;
mod health;
mod host;
mod id;
mod images;
mod info;
mod init;
mod logs;
mod names;
mod options;
pub mod plan;
mod policy;
mod readiness;
mod record;
mod restart;
pub mod runtimes;
mod shared;
pub mod spec;
mod state;
mod stats;
mod sweep;
mod task;
mod top;
mod update;
pub mod view;
pub mod volumes;

pub use berth_cgroup::BlkioEntry;
pub use containers::{Attachment, Containers, Created, Exit, Foreseen, WaitFuture};
pub use engine::{Engine, EngineConfig};
pub use error::{Error, ErrorKind, Result};
pub use events::{Event, EventKind, Events, Subscription};
pub use files::{Archive, Change, ChangeKind, CommitRequest, ExtractOptions, PathStat, Pieces, config_of};
pub use filters::check_seccomp_profile;
pub use ground::network_id;
pub use health::{Health, HealthCheck, HealthStatus, OnFailure, Probe};
pub use host::{HostFacts, Limit, cdi::DIRECTORIES as CDI_DIRECTORIES};
pub use id::{ContainerId, ExecId};
pub use images::{ContainerImage, Images};
pub use info::{ContainerCounts, Info};
pub use logs::{LogEntry, LogStream, OutputStream, Render, check as check_log};
pub use options::{AttachOptions, DetachKeys, ExecStart, LogOptions, RemoveOptions, WaitCondition};
pub use policy::{DefaultSeccomp, Policy};
pub use state::{ExitStatus, State};
pub use stats::{Figures, NetworkFigures};
pub use top::ProcessTable;
pub use view::{ContainerView, ExecView};
pub use volumes::{NewVolume, PrunedVolumes, VolumeView, Volumes};
