//! What is measured on every engine, in rounds: A B C, A B C, …

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use berth_api::{ContainerConfig, CreateRequest};
use berth_client::{Client, RemoveOptions, WaitCondition};

use super::peer::Peer;
use super::sample::{Table, Unit};

pub(crate) const RUN_NONE: &str = "`run --rm --network none busybox true`";
pub(crate) const RUN_BRIDGE: &str = "`run --rm busybox true`, bridge";
pub(crate) const API_START: &str = "API start, bridge";
const API_CYCLE: &str = "API create, start, wait, remove, bridge";
const EXEC: &str = "`exec true`";
const CPU: &str = "CPU of one `run --rm`, bridge";
const BURST: &str = "40 starts by API from 8 clients";
const HELP: &str = "`--help`";
const READY: &str = "daemon ready after exec";
const IDLE: &str = "daemon idle";
const HELPER: &str = "per running container, besides its own";

/// All cases on all peers.
pub(crate) fn measure(peers: &[Peer], rounds: usize, table: &mut Table) -> Result<()> {
    for peer in peers {
        table.add(READY, Unit::Milliseconds, peer.name, milliseconds(peer.ready));
        let idle: f64 = peer.processes().into_iter().filter_map(pss).sum();
        table.add(IDLE, Unit::Mebibytes, peer.name, idle);
    }
    let boxes = peers.iter().map(|peer| peer.run(&["run", "-d", &peer.image, "sleep", "3600"]));
    let boxes: Vec<String> = boxes.collect::<Result<_>>()?;
    for round in 0..rounds + 1 {
        for (peer, container) in peers.iter().zip(&boxes) {
            // The first round warms up.
            let mut scratch = Table::default();
            once(peer, container, if round == 0 { &mut scratch } else { table })?;
        }
    }
    for _ in 0..3 {
        for peer in peers {
            table.add(BURST, Unit::PerSecond, peer.name, burst(peer)?);
            table.add(CPU, Unit::MilliPerCpu, peer.name, cpu_of_a_run(peer)?);
        }
    }
    for peer in peers {
        table.add(HELPER, Unit::Mebibytes, peer.name, helper_memory(peer)?);
    }
    Ok(())
}

fn once(peer: &Peer, container: &str, table: &mut Table) -> Result<()> {
    let mut timed = |case, args: &[&str]| -> Result<()> {
        let began = Instant::now();
        peer.run(args)?;
        table.add(case, Unit::Milliseconds, peer.name, milliseconds(began.elapsed()));
        Ok(())
    };
    timed(RUN_NONE, &["run", "--rm", "--network", "none", &peer.image, "true"])?;
    timed(RUN_BRIDGE, &["run", "--rm", &peer.image, "true"])?;
    timed(EXEC, &["exec", container, "true"])?;
    timed(HELP, &["--help"])?;
    let (start, cycle) = tokio_run(api_cycle(&peer.client()?, &peer.image))?;
    table.add(API_START, Unit::Milliseconds, peer.name, milliseconds(start));
    table.add(API_CYCLE, Unit::Milliseconds, peer.name, milliseconds(cycle));
    Ok(())
}

fn tokio_run<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

fn body(image: &str, command: &[&str]) -> CreateRequest {
    let command = Some(command.iter().map(ToString::to_string).collect());
    let config = ContainerConfig { image: image.to_owned(), cmd: command, ..ContainerConfig::default() };
    CreateRequest { config, ..CreateRequest::default() }
}

async fn api_cycle(client: &Client, image: &str) -> Result<(Duration, Duration)> {
    client.negotiate().await?;
    let began = Instant::now();
    let id = client.create_container("", "", &body(image, &["true"])).await?.id;
    let starting = Instant::now();
    client.start_container(&id).await?;
    let start = starting.elapsed();
    // podman answers a wait that is registered before the start only when it is over.
    client.wait_container(&id, WaitCondition::NotRunning).await?.finish().await?;
    client.remove_container(&id, RemoveOptions::default()).await?;
    Ok((start, began.elapsed()))
}

/// Starts a second.
fn burst(peer: &Peer) -> Result<f64> {
    let began = Instant::now();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (client, image) = (peer.client(), peer.image.clone());
            std::thread::spawn(move || tokio_run(start_five(client?, image)))
        })
        .collect();
    let mut ids = Vec::new();
    for client in clients {
        ids.extend(client.join().expect("a client thread does not panic")?);
    }
    let rate = ids.len() as f64 / began.elapsed().as_secs_f64();
    for id in ids {
        peer.run(&["rm", "-f", &id])?;
    }
    Ok(rate)
}

async fn start_five(client: Client, image: String) -> Result<Vec<String>> {
    client.negotiate().await?;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let id = client.create_container("", "", &body(&image, &["true"])).await?.id;
        client.start_container(&id).await?;
        ids.push(id);
    }
    Ok(ids)
}

/// All CPU that the machine spent while twenty ran, whoever spent it.
fn cpu_of_a_run(peer: &Peer) -> Result<f64> {
    const RUNS: u32 = 20;
    let before = cpu_total()?;
    for _ in 0..RUNS {
        peer.run(&["run", "--rm", &peer.image, "true"])?;
    }
    // What is done after the reply counts as well.
    std::thread::sleep(Duration::from_millis(300));
    Ok((cpu_total()? - before) / f64::from(RUNS))
}

/// Milliseconds of CPU since boot: cgroup v1's root counter, or v2's.
pub(super) fn cpu_total() -> Result<f64> {
    if let Ok(text) = fs::read_to_string("/sys/fs/cgroup/cpuacct/cpuacct.usage") {
        return Ok(text.trim().parse::<f64>()? / 1e6);
    }
    let text = fs::read_to_string("/sys/fs/cgroup/cpu.stat").context("no CPU accounting in /sys/fs/cgroup")?;
    let usage = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).context("cpu.stat has no usage_usec")?;
    Ok(usage.parse::<f64>()? / 1e3)
}

/// What ten idle containers' helpers add: every new process that is not the container's own.
fn helper_memory(peer: &Peer) -> Result<f64> {
    let before = pids();
    for _ in 0..10 {
        peer.run(&["run", "-d", &peer.image, "sleep", "3600"])?;
    }
    // Idle is who has had nothing to do for a while: by then what starting took has been given back.
    std::thread::sleep(Duration::from_secs(2));
    let new = pids().into_iter().filter(|pid| !before.contains(pid));
    let helpers =
        new.filter(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() != "sleep"));
    Ok(helpers.filter_map(pss).sum::<f64>() / 10.0)
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Proportional set size in MiB.
fn pss(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? / 1024.0)
}

pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
