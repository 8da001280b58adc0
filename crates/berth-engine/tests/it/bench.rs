//! Where the time of a start goes; prints, asserts only the gross.

use std::time::{Duration, Instant};

use berth_engine::WaitCondition;
use berth_engine::spec::{ContainerSpec, NetworkMode};

use crate::harness::{script, with_engine};

pub(crate) const TESTS: &[(&str, fn())] = &[("bench::start", start), ("bench::open", open)];

fn open() {
    let home = crate::harness::Home::new();
    crate::harness::runtime().block_on(async {
        let mut times = Vec::new();
        for _ in 0..5 {
            let began = Instant::now();
            let engine = home.open().await;
            times.push(began.elapsed());
            engine.shutdown().await;
        }
        println!("open: {:?} (median of 5)", median(&mut times));
    });
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn start() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        for mode in [NetworkMode::None, NetworkMode::Bridge] {
            let (mut creates, mut starts, mut ends) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..20 {
                let mut spec = ContainerSpec { auto_remove: true, ..script("") };
                spec.process.cmd = Some(vec!["true".into()]);
                spec.network.mode = mode;
                let began = Instant::now();
                let id = containers.create(None, spec).await.unwrap().id;
                creates.push(began.elapsed());
                // What the two calls between create and start take over HTTP.
                tokio::time::sleep(Duration::from_millis(2)).await;
                let removed = containers.wait(id.as_str(), WaitCondition::Removed).await.unwrap();
                let began = Instant::now();
                containers.start(id.as_str()).await.unwrap();
                starts.push(began.elapsed());
                let began = Instant::now();
                removed.await.unwrap();
                ends.push(began.elapsed());
            }
            let [create, start, end] = [&mut creates, &mut starts, &mut ends].map(|times| median(times));
            println!("{mode:?}: create {create:?}, start {start:?}, to removed {end:?} (medians of 20)");
            assert!(start < Duration::from_millis(100));
        }
    });
}
