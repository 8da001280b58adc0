//! What is done to containers: `cargo xtask bench containers`. Files here; crowds in `crowd`.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::crowd;
use super::peer::{Peer, Stage};
use super::sample::{Table, Unit};

const COMMIT: &str = "`commit` of 200 MB";
const DIFF: &str = "`diff`, 201 files";
const CP_OUT: &str = "`cp` of 200 MB out";
const CP_IN: &str = "`cp` of 200 MB in";

/// A container whose own files are worth copying: bytes that nothing can compress, and small files beside.
const FILL: &str = "dd if=/dev/urandom of=/big bs=1M count=200 2>/dev/null; \
                    mkdir /d; for i in $(seq 200); do echo $i >/d/$i; done";

/// All cases on all peers.
pub(crate) fn measure(stage: &Stage, peers: &mut [Peer], rounds: usize, table: &mut Table) -> Result<()> {
    files(stage, peers, rounds, table)?;
    crowd::measure(peers, rounds, table)
}

fn files(stage: &Stage, peers: &[Peer], rounds: usize, table: &mut Table) -> Result<()> {
    // One that runs: others copy into one that does not by mounting it, and wait for the disk when they are done.
    let fill = |peer: &Peer| {
        let id = peer.run(&["run", "-d", "--network", "none", &peer.image, "sleep", "3600"])?;
        peer.run(&["exec", &id, "sh", "-c", FILL]).map(|_| id)
    };
    let boxes: Vec<String> = peers.iter().map(fill).collect::<Result<_>>()?;
    for round in 0..rounds + 1 {
        for (peer, id) in peers.iter().zip(&boxes) {
            // The first round warms up.
            let mut scratch = Table::default();
            let table = if round == 0 { &mut scratch } else { &mut *table };
            once(peer, id, &stage.root().join("copied"), table).with_context(|| peer.name.to_owned())?;
        }
    }
    for (peer, id) in peers.iter().zip(&boxes) {
        peer.run(&["rm", "-f", id])?;
    }
    Ok(())
}

fn once(peer: &Peer, id: &str, copied: &Path, table: &mut Table) -> Result<()> {
    let mut timed = |case, args: &[&str]| -> Result<String> {
        let began = Instant::now();
        let said = peer.run(args)?;
        table.add(case, Unit::Milliseconds, peer.name, began.elapsed().as_secs_f64() * 1000.0);
        Ok(said)
    };
    timed(DIFF, &["diff", id])?;
    let copied = copied.display().to_string();
    timed(CP_OUT, &["cp", &format!("{id}:/big"), &copied])?;
    // Onto what is there: the container stays as large as it was.
    timed(CP_IN, &["cp", &copied, &format!("{id}:/big")])?;
    let image = timed(COMMIT, &["commit", id])?;
    let image = image.lines().last().unwrap_or_default().to_owned();
    peer.run(&["rmi", &image])?;
    std::fs::remove_file(copied)?;
    Ok(())
}
