//! Many containers: how fast they are removed, listed, taken up by a daemon that comes back, and all at once.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use super::api::Api;
use super::cases::milliseconds;
use super::peer::Peer;
use super::sample::{Table, Unit};

const REMOVED: &str = "40 containers that ran, removed by API from 8 clients";
const LIST: &str = "`ps -a` of 1,000 by API";
const READY: &str = "daemon answers `ps -a` after exec, 1,000 stopped containers";
const STARTED: &str = "200 made and started by API from 16 clients";
const STOPPED: &str = "the same, stopped";
const GONE: &str = "the same, removed";

const THOUSAND: usize = 1000;
const ALL: &str = "/containers/json?all=1";
/// A daemon is started anew so many times: it takes seconds with some.
const RESTARTS: usize = 3;

/// All cases on all peers.
pub(super) fn measure(peers: &mut [Peer], rounds: usize, table: &mut Table) -> Result<()> {
    for round in 0..rounds.min(10) + 1 {
        for peer in &*peers {
            let rate = removal(peer).with_context(|| peer.name.to_owned())?;
            // The first round warms up.
            if round > 0 {
                table.add(REMOVED, Unit::PerSecond, peer.name, rate);
            }
        }
    }
    for peer in &*peers {
        burst(peer, table).with_context(|| peer.name.to_owned())?;
    }
    thousand(peers, rounds, table)
}

/// Removals a second.
fn removal(peer: &Peer) -> Result<f64> {
    let api = Api::of(peer);
    let ids = fan_out(8, 40, |_| {
        let id = api.create(&json!({"Image": peer.image, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}))?;
        api.start(&id)?;
        api.wait(&id)?;
        Ok(id)
    })?;
    let began = Instant::now();
    fan_out(8, ids.len(), |n| api.remove(&ids[n]))?;
    Ok(ids.len() as f64 / began.elapsed().as_secs_f64())
}

/// 200 at once, through their whole life.
fn burst(peer: &Peer, table: &mut Table) -> Result<()> {
    const CLIENTS: usize = 16;
    const CONTAINERS: usize = 200;
    let api = Api::of(peer);
    // `sleep` as a container's first process does not mind SIGTERM.
    let body = json!({"Image": peer.image, "Cmd": ["sleep", "3600"], "StopSignal": "SIGKILL"});
    let mut timed = |case, began: Instant| {
        table.add(case, Unit::PerSecond, peer.name, CONTAINERS as f64 / began.elapsed().as_secs_f64());
    };
    let began = Instant::now();
    let ids = fan_out(CLIENTS, CONTAINERS, |_| {
        let id = api.create(&body)?;
        api.start(&id).map(|()| id)
    })?;
    timed(STARTED, began);
    let began = Instant::now();
    fan_out(CLIENTS, CONTAINERS, |n| api.stop(&ids[n]))?;
    timed(STOPPED, began);
    let began = Instant::now();
    fan_out(CLIENTS, CONTAINERS, |n| api.remove(&ids[n]))?;
    timed(GONE, began);
    let left = peer.run(&["ps", "-aq"])?;
    ensure!(!ids.iter().any(|id| left.lines().any(|line| id.starts_with(line))), "containers remain: {left}");
    Ok(())
}

fn thousand(peers: &mut [Peer], rounds: usize, table: &mut Table) -> Result<()> {
    for peer in &*peers {
        let api = Api::of(peer);
        let body = json!({"Image": peer.image, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}});
        fan_out(4, THOUSAND, |_| api.create(&body)).with_context(|| peer.name.to_owned())?;
    }
    for round in 0..rounds + 1 {
        for peer in &*peers {
            let (count, took) = Api::of(peer).list(ALL)?;
            ensure!(count >= THOUSAND, "{} lists too few", peer.name);
            if round > 0 {
                table.add(LIST, Unit::Milliseconds, peer.name, milliseconds(took));
            }
        }
    }
    for _ in 0..RESTARTS {
        for peer in &mut *peers {
            peer.stop()?;
            let began = Instant::now();
            peer.start()?;
            let api = Api::of(peer);
            while !api.list(ALL).is_ok_and(|(count, _)| count >= THOUSAND) {
                ensure!(began.elapsed().as_secs() < 120, "{} does not come back", peer.name);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            table.add(READY, Unit::Milliseconds, peer.name, milliseconds(began.elapsed()));
        }
    }
    for peer in &*peers {
        let (api, ids) = (Api::of(peer), peer.run(&["ps", "-aq", "--no-trunc"])?);
        let ids: Vec<&str> = ids.lines().collect();
        fan_out(4, ids.len(), |n| api.remove(ids[n])).with_context(|| peer.name.to_owned())?;
    }
    Ok(())
}

/// `work` for each number below `count`, from so many threads.
fn fan_out<T: Send>(threads: usize, count: usize, work: impl Fn(usize) -> Result<T> + Sync) -> Result<Vec<T>> {
    let work = &work;
    std::thread::scope(|scope| {
        let share = |first: usize| (first..count).step_by(threads).map(work).collect::<Result<Vec<T>>>();
        let running: Vec<_> = (0..threads).map(|first| scope.spawn(move || share(first))).collect();
        let mut all = Vec::with_capacity(count);
        for thread in running {
            all.extend(thread.join().expect("a client thread does not panic")?);
        }
        Ok(all)
    })
}
