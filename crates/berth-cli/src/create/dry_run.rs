//! `--dry-run` of `run` and `create`: asks the daemon what would happen, and tells.

use std::path::Path;

use berth_api::plan::{CreatePlan, PlannedLimits, PlannedMount};
use berth_client::{Client, Error};

use super::making::{cidfile_exists, is_about_image};
use super::{Plan, Pull};
use crate::cmd::pull;
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::session::Session;
use crate::unit::size;
use crate::{format, order, respell};

/// `--format` is about the plan, and nothing else.
pub(crate) fn check_format(parsed: &Parsed) -> Result<(), Failure> {
    match parsed.get("format") {
        Some(_) if !parsed.on("dry-run") => {
            Err(Failure::new("--format says how to show a plan: it goes with --dry-run"))
        }
        _ => Ok(()),
    }
}

/// Shows what would happen.
pub(crate) fn show(session: &Session, client: &Client, plan: &Plan, parsed: &Parsed) -> Outcome {
    let not_run = |reason: String| session.program.not_run(&reason, &session.path, 125);
    if let Some(path) = plan.cidfile.as_deref().filter(|path| Path::new(path).exists()) {
        return Err(not_run(cidfile_exists(path)));
    }
    let answer = session.block_on(client.plan_container(&plan.name, &plan.platform, &plan.request))?;
    let told = answer.map_err(|error| not_run(explained(client, plan, &error)))?;
    for warning in &told.warnings {
        eprintln!("WARNING: {warning}");
    }
    if plan.pull == Pull::Always {
        eprintln!("The image would be pulled first; this is about the one that is here.");
    }
    match parsed.get("format").filter(|format| !format.is_empty()) {
        None => crate::print(&summary(&told, session.command.name)),
        Some(template) => {
            let json = serde_json::to_value(&told).map_err(|error| Failure::new(error.to_string()))?;
            let value = order::like::<CreatePlan>(&json)?;
            crate::print(&format!("{}\n", format::object(template, &value)?));
        }
    }
    Ok(0)
}

/// Why there is no plan.
fn explained(client: &Client, plan: &Plan, error: &Error) -> String {
    let image = pull::familiar(&plan.request.config.image);
    match error.status() {
        Some(404) if is_about_image(error) && plan.pull != Pull::Never => format!(
            "image '{image}' is not here: it would be pulled first, and only then it is known what would run (pull it, and ask again)"
        ),
        Some(405) => knows_none(client),
        // An object that is missing is named; a call that is missing is not.
        Some(404) if !error.to_string().to_ascii_lowercase().contains("no such") => knows_none(client),
        _ => error.to_string(),
    }
}

fn knows_none(client: &Client) -> String {
    format!("the daemon at {} knows no dry runs; nothing was made", client.host())
}

fn summary(plan: &CreatePlan, verb: &str) -> String {
    let mut out =
        format!("Nothing was made. `{verb}` would {}:\n", if verb == "run" { "create and start" } else { "create" });
    let mut line = |name: &str, value: &str| {
        if !value.is_empty() {
            out.push_str(&format!("{:<13}{value}\n", format!("{name}:")));
        }
    };
    line("Container", if plan.name.is_empty() { "(a name is made up)" } else { &plan.name });
    line("Image", &format!("{} ({}, {})", plan.image, plan.image_id, plan.platform));
    line("Command", respell::line("", &plan.command).trim_start());
    line("User", if plan.user.is_empty() { "root" } else { &plan.user });
    line("Directory", &plan.working_dir);
    line("Runtime", &plan.runtime);
    line("Network", &network(plan));
    line("Limits", &limits(&plan.limits).join(", "));
    line("Cgroup", &plan.limits.cgroup);
    line("Afterwards", if plan.auto_remove { "removed when it exits" } else { "" });
    list(&mut out, "Environment", &plan.environment);
    list(&mut out, "Mounts", &plan.mounts.iter().map(mount).collect::<Vec<_>>());
    list(&mut out, "Not known yet", &plan.later);
    out.push_str("All of it, with the OCI specification: --format json\n");
    out
}

fn list(out: &mut String, name: &str, items: &[String]) {
    if !items.is_empty() {
        out.push_str(&format!("{name}:\n"));
        items.iter().for_each(|item| out.push_str(&format!("  {item}\n")));
    }
}

fn network(plan: &CreatePlan) -> String {
    let mut parts = vec![plan.network.mode.clone()];
    if plan.network.mode == "bridge" {
        parts.push("address given at the start".to_owned());
    }
    let asked = [
        ("mac", vec![plan.network.mac_address.clone()]),
        ("dns", plan.network.dns.clone()),
        ("hosts", plan.network.extra_hosts.clone()),
    ];
    parts.extend(
        asked
            .iter()
            .map(|(name, values)| (name, values.join(" ")))
            .filter(|(_, text)| !text.is_empty())
            .map(|(name, text)| format!("{name} {text}")),
    );
    parts.join(", ")
}

fn mount(mount: &PlannedMount) -> String {
    let source = if mount.source.is_empty() { String::new() } else { format!("{} ", mount.source) };
    let new = if mount.new { ", would be made" } else { "" };
    format!("{} {source}-> {} ({}){new}", mount.kind, mount.destination, mount.options.join(","))
}

fn limits(limits: &PlannedLimits) -> Vec<String> {
    let bytes = |name: &str, bytes: i64| match bytes {
        0 => None,
        -1 => Some(format!("{name} unlimited")),
        bytes => Some(format!("{name} {}", size::human_binary(bytes))),
    };
    let number = |name: &str, number: i64| (number != 0).then(|| format!("{name} {number}"));
    let cpus = (limits.nano_cpus != 0).then(|| format!("cpus {}", limits.nano_cpus as f64 / 1e9));
    let all = [
        bytes("memory", limits.memory),
        bytes("memory and swap", limits.memory_swap),
        bytes("memory reservation", limits.memory_reservation),
        cpus,
        number("cpu shares", limits.cpu_shares),
        number("cpu period", limits.cpu_period),
        number("cpu quota", limits.cpu_quota),
        (!limits.cpuset_cpus.is_empty()).then(|| format!("cpuset {}", limits.cpuset_cpus)),
        limits.pids_limit.map(|limit| format!("processes {limit}")),
    ];
    let ulimits = limits.ulimits.iter().map(|one| format!("{} {}:{}", one.name, one.soft, one.hard));
    all.into_iter().flatten().chain(ulimits).collect()
}
