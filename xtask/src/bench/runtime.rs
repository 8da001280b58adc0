//! OCI runtimes on the same bundle: ours, crun and runc.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::peer::{Stage, berth};
use super::sample::{Table, Unit};

const RUN: &str = "runtime `run` of a bundle";

/// `run ID` in a bundle made by `runc spec`, with the default seccomp profile absent on every side.
pub(crate) fn measure(stage: &Stage, rounds: usize, table: &mut Table) -> Result<()> {
    let bundle = stage.root().join("bundle");
    make_bundle(&bundle)?;
    let berth = berth()?.display().to_string();
    let runtimes: [(&str, Vec<&str>); 3] =
        [("berth", vec![&berth, "runtime"]), ("crun", vec!["crun"]), ("runc", vec!["runc"])];
    for round in 0..rounds + 1 {
        for (name, command) in &runtimes {
            let began = Instant::now();
            let Ok(status) = Command::new(command[0])
                .args(&command[1..])
                .args(["--root", &stage.root().join(name).join("runtime").display().to_string(), "run", "--bundle"])
                .arg(&bundle)
                .arg(format!("bench-{name}-{}", std::process::id()))
                .status()
            else {
                continue;
            };
            if !status.success() {
                bail!("{name} run ended with {status}");
            }
            if round > 0 {
                table.add(RUN, Unit::Milliseconds, name, began.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    Ok(())
}

fn make_bundle(bundle: &Path) -> Result<()> {
    let root = bundle.join("rootfs");
    fs::create_dir_all(root.join("bin"))?;
    for directory in ["proc", "sys", "dev", "tmp"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    std::os::unix::fs::symlink("busybox", root.join("bin/true"))?;
    let path = bundle.display().to_string();
    crate::run("runc", &["spec", "--bundle", &path])?;
    let file = bundle.join("config.json");
    let mut spec: Value = serde_json::from_str(&fs::read_to_string(&file)?)?;
    spec["process"]["terminal"] = false.into();
    spec["process"]["args"] = serde_json::json!(["true"]);
    // Raising the limit takes a capability that a build machine's root may lack.
    spec["process"].as_object_mut().context("the specification has a process")?.remove("rlimits");
    fs::write(file, spec.to_string())?;
    Ok(())
}
