//! What creating a container would do, as `POST /containers/plan` shows it.

use std::path::Path;

use berth_api::host_config::Ulimit;
use berth_api::plan::{CreatePlan, PlannedLimits, PlannedMount, PlannedNetwork};
use berth_engine::Foreseen;
use berth_engine::plan::mounts::clean;
use berth_engine::spec::{ContainerSpec, MountKind, MountSpec};

use super::echo;
use crate::http::error::ApiError;

/// The answer.
pub(crate) fn plan(foreseen: &Foreseen) -> Result<CreatePlan, ApiError> {
    let Foreseen { spec, effective, oci, .. } = foreseen;
    let process = oci.process().as_ref();
    let written = serde_json::to_value(oci).map_err(|e| ApiError::internal(e.to_string()))?;
    Ok(CreatePlan {
        name: foreseen.name.clone().unwrap_or_default(),
        image: spec.image.clone(),
        image_id: foreseen.image_id.to_string(),
        platform: foreseen.platform.clone(),
        command: effective.argv(),
        environment: process.and_then(|process| process.env().clone()).unwrap_or_default(),
        user: effective.user.clone(),
        working_dir: process.map(|process| process.cwd().display().to_string()).unwrap_or_default(),
        hostname: effective.hostname.clone(),
        runtime: spec.runtime.clone(),
        auto_remove: spec.auto_remove,
        mounts: effective.mounts.iter().map(|asked| mount(foreseen, asked)).collect(),
        limits: limits(spec, &foreseen.cgroup),
        network: PlannedNetwork {
            mode: echo::network_name(&spec.network.mode).into_owned(),
            mac_address: spec.network.mac_address.clone().unwrap_or_default(),
            dns: spec.network.dns.clone(),
            extra_hosts: spec.network.extra_hosts.clone(),
        },
        warnings: foreseen.warnings.clone(),
        later: foreseen.later.clone(),
        spec: written,
    })
}

fn mount(foreseen: &Foreseen, asked: &MountSpec) -> PlannedMount {
    let destination = clean(&asked.target);
    let (kind, source, new) = match &asked.kind {
        MountKind::Bind { source, .. } => {
            let source = clean(source);
            let new = foreseen.new_sources.iter().any(|new| new == Path::new(&source));
            ("bind", source, new)
        }
        MountKind::Volume(volume) => ("volume", volume.name.clone(), foreseen.new_volumes.contains(&volume.name)),
        MountKind::Tmpfs { .. } => ("tmpfs", String::new(), false),
        MountKind::Image { reference, .. } => ("image", reference.clone(), false),
    };
    let mut mounts = foreseen.oci.mounts().iter().flatten();
    let planned = mounts.find(|mount| mount.destination() == Path::new(&destination));
    let options = planned.and_then(|mount| mount.options().clone()).unwrap_or_default();
    PlannedMount { kind: kind.to_owned(), source, destination, options, new }
}

fn limits(spec: &ContainerSpec, cgroup: &str) -> PlannedLimits {
    let resources = &spec.resources;
    let ulimits = resources.ulimits.iter();
    PlannedLimits {
        memory: resources.memory,
        memory_swap: resources.memory_swap,
        memory_reservation: resources.memory_reservation,
        nano_cpus: resources.nano_cpus,
        cpu_shares: resources.cpu_shares,
        cpu_period: resources.cpu_period,
        cpu_quota: resources.cpu_quota,
        cpuset_cpus: resources.cpuset_cpus.clone(),
        pids_limit: resources.pids_limit.filter(|limit| *limit > 0),
        ulimits: ulimits.map(|u| Ulimit { name: u.name.clone(), hard: u.hard, soft: u.soft }).collect(),
        cgroup: cgroup.to_owned(),
    }
}
