//! What the engine and a shim say to each other: frames, messages, and the descriptors that ride along.
//!
//! Both sides compile this module. A frame is a little-endian `u32` length and that many bytes of JSON; descriptors
//! travel by `SCM_RIGHTS` with the frame's first byte, and the JSON says how many belong to it. Unknown fields are
//! ignored and unknown messages answered with [`Code::Unsupported`], so that a newer daemon can talk to an older shim.

mod answer;
mod channel;
mod frame;
mod log;
mod plan;
mod request;
mod wire;

pub use answer::{Code, Event, ExecStatus, Failure, Response, State, Status};
pub(crate) use channel::MAX_DESCRIPTORS;
pub use channel::{Channel, ChannelError, Received};
pub use frame::{Decoder, FrameError, MAX_FRAME, encode};
pub use log::{Endpoint, Form, Layout, LogDriver, LogPlan, LogTls, RemotePlan, SyslogForm};
pub use plan::{Blob, CgroupPlan, Launch, Root, RuntimePlan, StdioPlan, Streams};
pub use request::{Attach, Exec, Request, Resize, Signal, Update};
pub use wire::{FromShim, Incoming, ToShim};

/// The protocol's version, as [`Event::Hello`] tells it. It changes only where an older side would misunderstand.
pub const PROTOCOL: u32 = 1;
