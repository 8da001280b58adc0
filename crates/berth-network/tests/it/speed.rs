//! Figures, printed with `--nocapture`; the bounds only catch what is badly wrong.

use std::time::{Duration, Instant};

use crate::host::{Daemon, config, on_a_host};

fn summary(what: &str, mut times: Vec<Duration>) -> Duration {
    times.sort();
    let median = times[times.len() / 2];
    println!("{what}: median {median:?}, min {:?}, max {:?}, n {}", times[0], times[times.len() - 1], times.len());
    median
}

#[test]
fn a_prepared_sandbox_is_there_at_once() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brspeed", "10.82.0.1/16"));
        let begun = Instant::now();
        drop(daemon.networks.sandbox_bridge("first").unwrap());
        println!("the first, with bridge and firewall: {:?}", begun.elapsed());
        let rested = |take: &dyn Fn(usize)| {
            let times = (0..20).map(|n| {
                std::thread::sleep(Duration::from_millis(20));
                let begun = Instant::now();
                take(n);
                begun.elapsed()
            });
            times.collect::<Vec<_>>()
        };
        let bridged = rested(&|n| drop(daemon.networks.sandbox_bridge(&format!("one{n}")).unwrap()));
        assert!(summary("bridge, prepared", bridged) < Duration::from_millis(5));
        let none = rested(&|_| drop(daemon.networks.sandbox_none().unwrap()));
        assert!(summary("none, prepared", none) < Duration::from_millis(5));
        daemon.networks.reconcile(&[]).unwrap();
        daemon.networks.shutdown().unwrap();
    });
}

#[test]
fn forty_takes_from_eight_threads() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brforty", "10.83.0.1/16"));
        drop(daemon.networks.sandbox_bridge("first").unwrap());
        for kind in ["bridge", "none"] {
            let begun = Instant::now();
            let times: Vec<Duration> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|t| {
                        let networks = daemon.networks.clone();
                        scope.spawn(move || {
                            let take = |n| {
                                let begun = Instant::now();
                                match kind {
                                    "none" => drop(networks.sandbox_none().unwrap()),
                                    _ => drop(networks.sandbox_bridge(&format!("c{t}-{n}")).unwrap()),
                                }
                                begun.elapsed()
                            };
                            (0..5).map(take).collect::<Vec<_>>()
                        })
                    })
                    .collect();
                threads.into_iter().flat_map(|t| t.join().unwrap()).collect()
            });
            let all = begun.elapsed();
            summary(&format!("{kind}, 8 x 5 at once, {all:?} in all"), times);
            assert!(all < Duration::from_secs(5));
        }
        daemon.networks.reconcile(&[]).unwrap();
        daemon.networks.shutdown().unwrap();
    });
}

#[test]
fn a_hundred_one_after_the_other() {
    on_a_host(|| {
        let daemon = Daemon::start(config("brhundred", "10.84.0.1/16"));
        drop(daemon.networks.sandbox_bridge("first").unwrap());
        let begun = Instant::now();
        // Faster than they are made: the stock is empty, each waits for its own.
        for n in 0..100 {
            drop(daemon.networks.sandbox_bridge(&format!("c{n}")).unwrap());
        }
        let each = begun.elapsed() / 100;
        println!("bridge, 100 in a row: {each:?} each");
        assert!(each < Duration::from_millis(50));
        daemon.networks.reconcile(&[]).unwrap();
        daemon.networks.shutdown().unwrap();
    });
}
