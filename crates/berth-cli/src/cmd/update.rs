//! `update`.

use berth_api::HostConfig;

use crate::command::{Args, Command};
use crate::create;
use crate::failure::{Failure, Outcome};
use crate::flag::{Flag, Parsed};
use crate::session::Session;
use crate::unit::{number, size};

pub(crate) const COMMAND: Command = Command {
    name: "update",
    usage: "update [OPTIONS] CONTAINER [CONTAINER...]",
    about: "Change the limits and restart policy of containers",
    aliases: &["container update", "update"],
    flags: &[
        Flag::typed(
            "blkio-weight",
            "uint16",
            |v| number::parse_uint(v, 16).map(drop),
            "Relative weight of block IO (10 to 1000, 0: off)",
        ),
        Flag::int("cpu-period", "Length of a CPU period in microseconds"),
        Flag::int("cpu-quota", "CPU time in a period in microseconds"),
        Flag::int("cpu-rt-period", "Length of a real-time period in microseconds"),
        Flag::int("cpu-rt-runtime", "Real-time CPU time in a period in microseconds"),
        Flag::int("cpu-shares", "Relative weight of CPU time").short('c'),
        Flag::typed("cpus", "decimal", |v| number::parse_cpus(v).map(drop), "Number of CPUs"),
        Flag::text("cpuset-cpus", "CPUs it may run on (0-3, 0,1)"),
        Flag::text("cpuset-mems", "Memory nodes it may use (0-3, 0,1)"),
        Flag::typed("kernel-memory", "bytes", |v| size::parse(v).map(drop), "Kernel memory limit").hidden(),
        Flag::typed("memory", "bytes", |v| size::parse(v).map(drop), "Memory limit").short('m'),
        Flag::typed("memory-reservation", "bytes", |v| size::parse(v).map(drop), "Soft memory limit"),
        Flag::typed(
            "memory-swap",
            "bytes",
            |v| size::parse_swap(v).map(drop),
            "Limit of memory and swap together ('-1': none for swap)",
        ),
        Flag::int("pids-limit", "Limit of processes (-1: none)"),
        Flag::text("restart", "What to do when it exits"),
    ],
    args: Args::AtLeast(1),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    if !COMMAND.flags.iter().any(|flag| parsed.get(flag.long).is_some()) {
        return Err(Failure::new("you must provide one or more flags when using this command"));
    }
    let changes = changes(parsed)?;
    let client = session.client()?;
    session.block_on(async {
        let (mut warnings, mut failed) = (Vec::new(), false);
        for name in &parsed.args {
            match client.update_container(name, &changes).await {
                Ok(more) => {
                    crate::print(&format!("{name}\n"));
                    warnings.extend(more);
                }
                Err(error) => {
                    failed = true;
                    eprintln!("{error}");
                }
            }
        }
        warnings.iter().for_each(|warning| eprintln!("{warning}"));
        if failed { Err(Failure::silent(1)) } else { Ok(0) }
    })?
}

fn changes(parsed: &Parsed) -> Result<HostConfig, String> {
    let bytes = |name: &str| parsed.get(name).map_or(Ok(0), size::parse);
    let int = |name: &str| parsed.int(name).unwrap_or(0);
    Ok(HostConfig {
        blkio_weight: parsed.get("blkio-weight").map_or(Ok(0), |v| number::parse_uint(v, 16))? as u16,
        cpu_period: int("cpu-period"),
        cpu_quota: int("cpu-quota"),
        cpu_realtime_period: int("cpu-rt-period"),
        cpu_realtime_runtime: int("cpu-rt-runtime"),
        cpu_shares: int("cpu-shares"),
        nano_cpus: parsed.get("cpus").map_or(Ok(0), number::parse_cpus)?,
        cpuset_cpus: parsed.text("cpuset-cpus"),
        cpuset_mems: parsed.text("cpuset-mems"),
        memory: bytes("memory")?,
        memory_reservation: bytes("memory-reservation")?,
        memory_swap: parsed.get("memory-swap").map_or(Ok(0), size::parse_swap)?,
        pids_limit: parsed.int("pids-limit"),
        restart_policy: parsed.get("restart").map(create::restart_policy).transpose()?.unwrap_or_default(),
        ..HostConfig::default()
    })
}
