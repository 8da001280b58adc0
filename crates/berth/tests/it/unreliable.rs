//! Registries on a bad day: every pull and push ends well after another try, or in one clear sentence; and whatever
//! happened, the store is in order.

use std::time::{Duration, Instant};

use berth_fixtures::{Fault, FaultProxy, Registry};

use crate::host::{Cli, Host};
use crate::push::image_of_noise;
use crate::registry;

/// A registry with one image, `noise:1`, behind a proxy.
struct Bench {
    host: Host,
    registry: Registry,
    proxy: FaultProxy,
}

impl Bench {
    fn set(what: &str, length: usize) -> Self {
        let host = Host::start(Cli::Ours);
        let registry = registry::empty(&host.name(what));
        image_of_noise(&host, &registry, "noise:1", length);
        let proxy = FaultProxy::start(&registry.host);
        Self { host, registry, proxy }
    }

    fn name(&self) -> String {
        format!("{}/noise:1", self.proxy.host)
    }

    #[track_caller]
    fn pulls(&self) {
        let done = self.host.try_run(&["pull", &self.name()]);
        assert!(done.ok(), "{done:?}");
        self.in_order();
        self.host.run(&["rmi", &self.name()]);
        self.in_order();
    }

    #[track_caller]
    fn fails(&self, text: &str) {
        let done = self.host.try_run(&["pull", &self.name()]);
        done.fails_with(1, text);
        // One sentence on standard error, whatever was told before.
        assert_eq!(done.err.trim_end().lines().count(), 1, "{}", done.err);
        assert_eq!(self.host.run(&["images", "-aq"]), "");
        self.in_order();
        self.proxy.behave();
    }

    /// Nothing is missing, nothing is left over.
    #[track_caller]
    fn in_order(&self) {
        let done = self.host.try_run(&["system", "check"]);
        assert!(done.ok(), "{done:?}");
    }
}

/// Where to cut, differently in each run.
fn places(length: usize) -> impl Iterator<Item = usize> {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let mut state = clock.as_nanos() as u64 | 1;
    std::iter::from_fn(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        Some((state % length as u64) as usize)
    })
}

const LENGTH: usize = 2 << 20;

#[test]
fn transfers_that_break_go_on() {
    let bench = Bench::set("cuts", LENGTH);
    let mut places = places(LENGTH);
    for _ in 0..4 {
        let cuts: Vec<usize> = places.by_ref().take(3).collect();
        eprintln!("cut at {cuts:?}");
        for cut in cuts {
            bench.proxy.plan("GET /v2/noise/blobs/", Fault::CutAnswer(cut), 1);
        }
        bench.pulls();
        bench.proxy.behave();
    }
    let ranges = bench.proxy.seen("GET /v2/noise/blobs/");
    assert!(ranges.iter().any(|request| request.header("range").is_some()), "{ranges:?}");
}

#[test]
fn failures_that_pass_are_waited_for() {
    let bench = Bench::set("passing", 100_000);
    for part in ["/manifests/", "/blobs/"] {
        bench.proxy.plan(part, Fault::HangUp, 1);
        bench.proxy.plan(part, Fault::Status(500), 1);
        bench.proxy.plan(part, Fault::Status(503), 1);
        bench.pulls();
        bench.proxy.plan(part, Fault::TooMany(2), 1);
        let began = Instant::now();
        bench.pulls();
        assert!(began.elapsed() >= Duration::from_secs(2));
    }
    bench.proxy.plan("/manifests/", Fault::Status(500), 100);
    bench.fails("unexpected status from the registry: 500");
    bench.proxy.plan("/blobs/", Fault::Status(502), 100);
    bench.fails("unexpected status from the registry: 502");
    bench.proxy.plan("/manifests/", Fault::TooMany(3600), 100);
    bench.fails("429");
    bench.pulls();
}

#[test]
fn lies_are_noticed() {
    let bench = Bench::set("lies", 100_000);
    let layer = |fault| bench.proxy.plan("GET /v2/noise/blobs/", fault, 100);
    // The configuration is asked for first, and is short enough to be a lie itself.
    for fault in [Fault::Flip(60), Fault::Short(1), Fault::Long(1)] {
        layer(fault);
        bench.fails("verification failed");
    }
    // Past the configuration's length: only the layer is spoilt.
    let digest = bench.layer();
    let part = format!("GET /v2/noise/blobs/{digest}");
    for fault in [Fault::Flip(60_000), Fault::Short(1), Fault::Long(1)] {
        bench.proxy.plan(&part, fault, 100);
        bench.fails(&format!("filesystem layer verification failed for digest {digest}"));
    }
    bench.proxy.plan("GET /v2/noise/manifests/", Fault::Flip(60), 100);
    bench.fails("manifest verification failed");
    bench.pulls();
}

impl Bench {
    /// The image's only layer.
    fn layer(&self) -> String {
        self.host.run(&["pull", &self.name()]);
        let seen = self.proxy.seen("GET /v2/noise/blobs/");
        let mut digests = seen.iter().map(|request| request.line.rsplit('/').next().unwrap().to_owned());
        let layer = digests.next_back().unwrap();
        self.host.run(&["rmi", &self.name()]);
        layer
    }
}

#[test]
fn whoever_we_are_sent_to_gets_no_credentials() {
    let bench = Bench::set("elsewhere", 100_000);
    let elsewhere = FaultProxy::start(&bench.registry.host);
    std::fs::create_dir_all(bench.host.config_dir()).unwrap();
    let auths = format!(r#"{{"auths":{{"{}":{{"auth":"dXNlcjpzZWNyZXQ="}}}}}}"#, bench.proxy.host);
    std::fs::write(bench.host.config_dir().join("config.json"), auths).unwrap();
    bench.proxy.guard("Basic dXNlcjpzZWNyZXQ=");
    bench.proxy.plan("/blobs/", Fault::Redirect(elsewhere.host.clone()), 100);
    bench.pulls();
    assert!(bench.proxy.seen("/blobs/").iter().all(|request| request.header("authorization").is_some()));
    assert!(!elsewhere.seen("/blobs/").is_empty());
    assert!(elsewhere.seen("").iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn uploads_that_break_come_to_a_good_end() {
    let bench = Bench::set("uploads", LENGTH);
    bench.host.run(&["pull", "-q", &bench.name()]);
    let mut places = places(LENGTH);
    let mut number = 0;
    let mut pushes = |faults: &[(&str, Fault)]| {
        number += 1;
        let target = format!("{}/copy{number}:1", bench.proxy.host);
        bench.host.run(&["tag", &bench.name(), &target]);
        for (part, fault) in faults {
            bench.proxy.plan(part, fault.clone(), 1);
        }
        let done = bench.host.try_run(&["push", &target]);
        assert!(done.ok(), "{faults:?}: {done:?}");
        bench.proxy.behave();
        // The registry has it, whole: it comes back.
        bench.host.run(&["rmi", &target]);
        bench.host.run(&["pull", "-q", &target]);
        number
    };
    for _ in 0..3 {
        let cuts: Vec<usize> = places.by_ref().take(2).collect();
        eprintln!("cut at {cuts:?}");
        pushes(&[("PUT /v2/", Fault::CutRequest(cuts[0])), ("PATCH /v2/", Fault::CutRequest(cuts[1]))]);
    }
    pushes(&[("POST /v2/", Fault::HangUp), ("PUT /v2/", Fault::Status(500)), ("manifests/1", Fault::Status(503))]);
    // The answer is lost, the blob is there.
    pushes(&[("PUT /v2/", Fault::LoseAnswer), ("PUT /v2/", Fault::TooMany(1))]);
    // Too much at once: in pieces.
    let number = pushes(&[("PUT /v2/", Fault::Status(413))]);
    assert!(!bench.proxy.seen(&format!("PATCH /v2/copy{number}/blobs/uploads/")).is_empty());
    bench.in_order();
    let target = format!("{}/refused:1", bench.proxy.host);
    bench.host.run(&["tag", &bench.name(), &target]);
    bench.proxy.plan("PUT /v2/refused/blobs", Fault::Status(500), 100);
    bench.host.try_run(&["push", &target]).fails_with(1, "unexpected status from the registry: 500");
    bench.in_order();
}
