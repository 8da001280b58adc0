//! Images on every engine, in rounds: pull, save, rmi, load, push of what was pulled and of what was made here, the
//! list. Everything is on an ext4 made for it, fresh at first and then again after twenty rounds of pull and rmi.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use berth_fixtures::Registry;

use super::api::Api;
use super::cases::{cpu_total, milliseconds};
use super::disk::Disk;
use super::peer::{Peer, Stage};
use super::sample::{Table, Unit};

/// Rounds of pull and rmi, after which ext4's free inodes are where they are after a while.
const WEAR: usize = 20;
const IMAGES: usize = 200;

/// What each step is called, on a fresh file system and on a worn one.
struct Names {
    pull: &'static str,
    pull_cpu: &'static str,
    pull_memory: &'static str,
    save: &'static str,
    load: &'static str,
    push_pulled: &'static str,
    push_made: &'static str,
    rmi: &'static str,
}

const FRESH: Names = Names {
    pull: "pull 256 MB (729 MB, 6 layers)",
    pull_cpu: "CPU of that pull, registry and all",
    pull_memory: "memory of the engine in that pull",
    save: "save of it",
    load: "load of it",
    push_pulled: "push of what was pulled",
    push_made: "push of what was loaded uncompressed",
    rmi: "rmi of it",
};

const WORN: Names = Names {
    pull: "pull, after 20 rounds of pull and rmi",
    pull_cpu: "CPU of that pull, after 20 rounds",
    pull_memory: "memory of the engine, after 20 rounds",
    save: "save, after 20 rounds",
    load: "load, after 20 rounds",
    push_pulled: "push of what was pulled, after 20 rounds",
    push_made: "push of what was loaded, after 20 rounds",
    rmi: "rmi, after 20 rounds",
};

const LIST: &str = "list of 200 images by API";

/// The engines, the registry that they pull from, and where files go.
struct Bench<'s> {
    stage: &'s Stage,
    peers: Vec<Peer>,
    image: String,
    /// Not on the disk that is measured.
    scratch: PathBuf,
    registries: usize,
}

/// Everything, in a directory of its own that is gone afterwards.
pub(crate) fn measure(rounds: usize, table: &mut Table) -> Result<()> {
    // podman takes no more than fifty letters for where it keeps what runs.
    let scratch = std::env::temp_dir().join(format!("berth-images-{}", std::process::id()));
    fs::create_dir_all(&scratch)?;
    let done = on_a_disk(&scratch, rounds, table);
    drop(fs::remove_dir_all(&scratch));
    done
}

fn on_a_disk(scratch: &Path, rounds: usize, table: &mut Table) -> Result<()> {
    let disk = Disk::fresh(scratch)?;
    let stage = Stage::set_at(disk.root().join("stage"))?;
    let source = stage.another_registry(&scratch.join("source"))?;
    eprintln!("making the large image; it is kept in target/");
    let cache = crate::root().join("target/tmp");
    fs::create_dir_all(&cache)?;
    let layout = berth_fixtures::large(&cache);
    let image = format!("{}/large:latest", source.host);
    copy(&stage, &format!("oci:{}:large:latest", layout.display()), &image)?;
    let peers = stage.peers()?;
    let mut bench = Bench { stage: &stage, peers, image, scratch: scratch.to_owned(), registries: 0 };
    bench.rounds(rounds, &FRESH, table)?;
    bench.wear()?;
    bench.rounds(rounds, &WORN, table)?;
    bench.lists(rounds, table)?;
    eprintln!("taking the engines down; podman takes its time");
    drop(bench);
    Ok(())
}

fn copy(stage: &Stage, source: &str, target: &str) -> Result<()> {
    let target = format!("docker://{target}");
    let status = stage.program("skopeo").args(["copy", "-q", "--dest-tls-verify=false", source, &target]).status()?;
    if !status.success() {
        bail!("skopeo could not fill the registry: {status}");
    }
    Ok(())
}

impl Bench<'_> {
    fn rounds(&mut self, rounds: usize, names: &Names, table: &mut Table) -> Result<()> {
        for round in 0..rounds {
            for at in 0..self.peers.len() {
                eprintln!("round {} of {rounds}: {}", round + 1, self.peers[at].name);
                self.once(at, names, table)?;
            }
        }
        Ok(())
    }

    /// All steps on one engine; its images are gone afterwards.
    fn once(&mut self, at: usize, names: &Names, table: &mut Table) -> Result<()> {
        let archive = self.scratch.join("saved.tar").display().to_string();
        let image = self.image.clone();
        self.pull(at, names, table)?;
        let registry = self.empty_registry()?;
        let pushed = format!("{}/pulled:1", registry.host);
        self.peers[at].run(&["tag", &image, &pushed])?;
        self.timed(at, names.push_pulled, &["push", "-q", &pushed], table)?;
        self.peers[at].run(&["rmi", &pushed])?;
        drop(fs::remove_dir_all(registry.root.join("data")));
        self.timed(at, names.save, &["save", "-o", &archive, &image], table)?;
        self.timed(at, names.rmi, &["rmi", &image], table)?;
        // docker's archive has what podman and dockerd unpack and forget the compressed form of.
        let uncompressed = self.uncompressed()?;
        self.timed(at, names.load, &["load", "-q", "-i", &archive], table)?;
        self.peers[at].run(&["rmi", &image])?;
        drop(fs::remove_file(&archive));
        self.peers[at].run(&["load", "-q", "-i", &uncompressed])?;
        let registry = self.empty_registry()?;
        let made = format!("{}/made:1", registry.host);
        self.peers[at].run(&["tag", MADE, &made])?;
        self.timed(at, names.push_made, &["push", "-q", &made], table)?;
        self.peers[at].run(&["rmi", &made, MADE])?;
        drop(fs::remove_dir_all(registry.root.join("data")));
        Ok(())
    }

    fn pull(&self, at: usize, names: &Names, table: &mut Table) -> Result<()> {
        let peer = &self.peers[at];
        settle();
        for pid in peer.processes() {
            // Its peak begins anew.
            drop(fs::write(format!("/proc/{pid}/clear_refs"), "5"));
        }
        let (cpu, began) = (cpu_total()?, Instant::now());
        let mut command = peer.command();
        command.arg("pull").args(if peer.name == "podman" { &["--tls-verify=false"][..] } else { &[] });
        let mut child = command.args(["-q", &self.image]).stdout(Stdio::null()).spawn()?;
        let mut own = 0.0_f64;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            // podman has no daemon: its command line is the engine. Also where `nsenter` or `env` become it.
            own = own.max(peak(child.id()));
            std::thread::sleep(Duration::from_millis(2));
        };
        let wall = began.elapsed();
        if !status.success() {
            bail!("{} could not pull {}: {status}", peer.name, self.image);
        }
        let daemon: f64 = peer.processes().into_iter().map(peak).sum();
        let memory = if peer.name == "podman" { own } else { daemon };
        table.add(names.pull, Unit::Milliseconds, peer.name, milliseconds(wall));
        table.add(names.pull_cpu, Unit::MilliPerCpu, peer.name, cpu_total()? - cpu);
        table.add(names.pull_memory, Unit::PeakMebibytes, peer.name, memory);
        Ok(())
    }

    fn timed(&self, at: usize, name: &'static str, args: &[&str], table: &mut Table) -> Result<()> {
        settle();
        let began = Instant::now();
        self.peers[at].run(args)?;
        table.add(name, Unit::Milliseconds, self.peers[at].name, milliseconds(began.elapsed()));
        Ok(())
    }

    /// A registry that has seen nobody: none has anything to skip there.
    fn empty_registry(&mut self) -> Result<Registry> {
        self.registries += 1;
        self.stage.another_registry(&self.scratch.join(format!("target{}", self.registries)))
    }

    /// An archive of the large image in which no layer is compressed, as builds have them.
    fn uncompressed(&self) -> Result<String> {
        let path = self.scratch.join("uncompressed.tar");
        if !path.exists() {
            let (from, to) = (format!("docker://{}", self.image), format!("docker-archive:{}:{MADE}", path.display()));
            let mut skopeo = self.stage.program("skopeo");
            let status = skopeo.args(["copy", "-q", "--src-tls-verify=false", &from, &to]).status()?;
            if !status.success() {
                bail!("skopeo could not save the image: {status}");
            }
        }
        Ok(path.display().to_string())
    }

    fn wear(&self) -> Result<()> {
        for round in 0..WEAR {
            eprintln!("wearing the file system: {} of {WEAR}", round + 1);
            for peer in &self.peers {
                peer.run(&["pull", "-q", &self.image])?;
                peer.run(&["rmi", &self.image])?;
            }
        }
        Ok(())
    }

    fn lists(&self, rounds: usize, table: &mut Table) -> Result<()> {
        eprintln!("making {IMAGES} images");
        let directory = self.scratch.join("many");
        fs::create_dir_all(&directory)?;
        for number in 0..IMAGES {
            let archive = directory.join("one.tar");
            let entry = berth_fixtures::Entry::File("number", 0o644, number.to_string().into_bytes());
            fs::write(&archive, berth_fixtures::layer(vec![entry]))?;
            for peer in &self.peers {
                peer.run(&["import", &archive.display().to_string(), &format!("many:{number}")])?;
            }
        }
        for _ in 0..rounds.max(1) * 10 {
            for peer in &self.peers {
                let (count, took) = Api::of(peer).list("/images/json")?;
                if count < IMAGES {
                    bail!("{} lists {count} images", peer.name);
                }
                table.add(LIST, Unit::Milliseconds, peer.name, milliseconds(took));
            }
        }
        Ok(())
    }
}

/// What the loaded image is called, on every engine.
const MADE: &str = "localhost/made:latest";

/// What one step left to be written is not the next one's.
fn settle() {
    rustix::fs::sync();
    std::thread::sleep(Duration::from_millis(200));
}

/// The most memory that a process and its children had at once, in MiB.
fn peak(pid: u32) -> f64 {
    let of = |pid: u32| -> Option<f64> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? / 1024.0)
    };
    of(pid).unwrap_or_default()
}
