//! Messages as they stand in frames, and how a side takes what it does not understand.

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use super::answer::{Event, Response};
use super::frame::FrameError;
use super::request::Request;

/// A request on the wire.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToShim {
    /// Chosen by the client; the answer bears it.
    pub seq: u64,
    /// How many descriptors belong to this frame.
    #[serde(default)]
    pub fds: usize,
    /// The request itself.
    pub request: Request,
}

/// An answer or event on the wire.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct FromShim {
    /// Of the request answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The answer, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// … the event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Event>,
}

/// What the engine receives.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// The answer to a request.
    Response {
        /// The request's number.
        seq: u64,
        /// The answer.
        response: Response,
    },
    /// Something happened.
    Event(Event),
    /// A message newer than this side; ignore it.
    Unknown,
}

/// As much of a message as any version understands.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    seq: Option<u64>,
    #[serde(default)]
    fds: usize,
    #[serde(default)]
    #[serde(rename = "request")]
    _request: IgnoredAny,
}

impl ToShim {
    /// Parses a request; on failure, the number and descriptor count it had as far as they can be told.
    pub fn parse(body: &[u8]) -> Result<Self, (Option<u64>, usize, FrameError)> {
        serde_json::from_slice(body).map_err(|error| {
            let outline = serde_json::from_slice::<Outline>(body).ok();
            let (seq, fds) = outline.map_or((None, 0), |o| (o.seq, o.fds));
            (seq, fds, error.into())
        })
    }
}

impl Incoming {
    /// Parses what a shim said. JSON of an unknown kind is [`Incoming::Unknown`]; what is no JSON object, an error.
    pub fn parse(body: &[u8]) -> Result<Self, FrameError> {
        match serde_json::from_slice::<FromShim>(body) {
            Ok(FromShim { seq: Some(seq), response: Some(response), .. }) => Ok(Self::Response { seq, response }),
            Ok(FromShim { event: Some(event), .. }) => Ok(Self::Event(event)),
            Ok(_) => Ok(Self::Unknown),
            Err(error) => match serde_json::from_slice::<Outline>(body) {
                Ok(_) => Ok(Self::Unknown),
                Err(_) => Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::{Code, Status};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unknown_fields_are_ignored_and_missing_ones_defaulted() {
        let body = br#"{"seq":3,"later":true,"request":{"resize":{"rows":4,"columns":5,"pixels":6}}}"#;
        let parsed = ToShim::parse(body).unwrap();
        assert_eq!((parsed.seq, parsed.fds), (3, 0));
        assert!(matches!(parsed.request, Request::Resize(resize) if resize.exec.is_none() && resize.columns == 5));
    }

    #[test]
    fn an_unknown_request_still_tells_its_number() {
        let (seq, fds, _) = ToShim::parse(br#"{"seq":9,"fds":2,"request":{"checkpoint":{"to":"x"}}}"#).unwrap_err();
        assert_eq!((seq, fds), (Some(9), 2));
        assert!(ToShim::parse(b"nonsense").unwrap_err().0.is_none());
    }

    #[test]
    fn what_a_newer_shim_says_is_unknown_rather_than_an_error() {
        assert_eq!(Incoming::parse(br#"{"event":{"migrated":{"to":"x"}}}"#).unwrap(), Incoming::Unknown);
        assert_eq!(Incoming::parse(br#"{"news":1}"#).unwrap(), Incoming::Unknown);
        assert!(Incoming::parse(b"{").is_err());
        let failed = Incoming::parse(br#"{"seq":1,"response":{"failed":{"code":"brand_new","message":"m"}}}"#).unwrap();
        let Incoming::Response { response: Response::Failed(failure), .. } = failed else { panic!("{failed:?}") };
        assert_eq!(failure.code, Code::Other);
    }

    #[test]
    fn a_status_survives_the_way() {
        let status = Status {
            id: "c".into(),
            pid: 7,
            started_at: "t".into(),
            state: super::super::State::Exited { code: 137, oom_killed: true, at: "u".into() },
            execs: vec![],
            dropped_log_lines: 0,
            out_of_memory: false,
        };
        let said = FromShim { seq: Some(1), response: Some(Response::Status(status.clone())), event: None };
        let back = Incoming::parse(&serde_json::to_vec(&said).unwrap()).unwrap();
        assert_eq!(back, Incoming::Response { seq: 1, response: Response::Status(status) });
    }

    proptest! {
        #[test]
        fn arbitrary_bodies_never_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = ToShim::parse(&body);
            let _ = Incoming::parse(&body);
        }

        #[test]
        fn damaged_requests_never_panic(at in 0usize..200, byte in any::<u8>()) {
            let request = Request::Signal(super::super::Signal { exec: Some("e".into()), signal: 15 });
            let mut body = serde_json::to_vec(&ToShim { seq: 1, fds: 0, request }).unwrap();
            let at = at % body.len();
            body[at] = byte;
            let _ = ToShim::parse(&body);
        }
    }
}
