//! What `create` and `start` would do: decided as they decide it, and nothing of it done.
//!
//! No record, name, volume, directory or address is taken. What only making or starting decides is told in words, and
//! stands in the specification as zeros and numbers.

use std::path::PathBuf;
use std::sync::Arc;

use berth_image::snapshot;
use berth_oci::ImageId;
use oci_spec::runtime::Spec;

use super::Containers;
use super::create::{Settled, settle, settle_mounts};
use crate::ground::Ground;
use crate::id::{ContainerId, parse_name};
use crate::plan::namespaces::Joined;
use crate::plan::{self, Inputs, Plan};
use crate::spec::{ContainerSpec, IpcMode, MountKind, NetworkMode, PidMode};
use crate::task::can_join;
use crate::view::Effective;
use crate::{Error, Result, etc, host, init, volumes};

/// A container that is not made.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// The name asked for.
    pub name: Option<String>,
    /// What was asked for, completed.
    pub spec: ContainerSpec,
    /// What that amounts to with the image's defaults.
    pub effective: Effective,
    /// The image.
    pub image_id: ImageId,
    /// Its platform.
    pub platform: String,
    /// What `create` would warn of.
    pub warnings: Vec<String>,
    /// What is decided later, one sentence each.
    pub later: Vec<String>,
    /// Volumes that would be made.
    pub new_volumes: Vec<String>,
    /// Directories of the host that would be made.
    pub new_sources: Vec<PathBuf>,
    /// The container's cgroup, below each hierarchy's root.
    pub cgroup: String,
    /// The OCI specification.
    pub oci: Spec,
}

impl Containers {
    /// Says what making and starting a container would do.
    ///
    /// # Errors
    /// As [`Containers::create`]; and what a start could not do with the host as it is.
    pub async fn foresee(&self, name: Option<String>, spec: ContainerSpec) -> Result<Foreseen> {
        let ground = self.ground.clone();
        let name = name.filter(|name| !name.is_empty()).map(|name| parse_name(&name)).transpose()?;
        let foreseen = tokio::task::spawn_blocking(move || foresee(&ground, name, spec)).await;
        foreseen.map_err(|e| Error::Internal(format!("planning a container: {e}")))?
    }
}

fn foresee(ground: &Arc<Ground>, name: Option<String>, mut spec: ContainerSpec) -> Result<Foreseen> {
    let id = ContainerId::parse(&"0".repeat(64)).ok_or_else(|| Error::Internal("zeros are no id".into()))?;
    let Settled { image, platform, mut effective, warnings } = settle(ground, &id, &mut spec)?;
    if let Some(name) = &name {
        ground.index().check_free(name)?;
    }
    settle_mounts(ground, &spec, &image, &mut effective)?;
    let unnamed = effective.mounts.iter().any(|m| matches!(&m.kind, MountKind::Volume(v) if v.name.is_empty()));
    let new_volumes = volumes::foresee(&ground.volumes, &mut effective.mounts)?;
    let plan = plan_of(ground, &id, &spec, &effective, &image.id)?;
    let mut later = later(&spec, name.is_none(), unnamed);
    if let Err(error) = can_join(ground, &id, &spec) {
        later.push(format!("as things are it could not be started: {error}"));
    }
    Ok(Foreseen {
        name,
        image_id: image.id,
        platform: platform.to_string(),
        warnings,
        later,
        new_volumes,
        new_sources: plan.make_sources.into_iter().filter(|source| !source.exists()).collect(),
        cgroup: plan.cgroup,
        oci: plan.oci,
        spec,
        effective,
    })
}

/// The plan a start would make, whole: with devices of files and with the seccomp rules.
fn plan_of(
    ground: &Ground,
    id: &ContainerId,
    spec: &ContainerSpec,
    effective: &Effective,
    image: &ImageId,
) -> Result<Plan> {
    let root = snapshot::mount_readonly(&ground.images.root(image)?).map_err(|e| Error::Internal(e.to_string()))?;
    let init_program = match (spec.isolation.init, &ground.policy.init_path) {
        (true, Some(other)) => other.clone(),
        (true, None) => init::path(&ground.data_root)?,
        (false, _) => PathBuf::new(),
    };
    let mut plan = plan::plan(Inputs {
        id,
        spec,
        effective,
        host: &ground.host,
        paths: &ground.paths(id),
        users: &etc::user_files(&root)?,
        devices: &host::devices(&spec.resources.devices, spec.isolation.privileged)?,
        block: &host::block_limits(&spec.resources)?,
        joined: &joined(ground, spec),
        cgroup_parent: &ground.cgroup_parent,
        policy: &ground.policy,
        init_program: &init_program,
    })?;
    host::cdi::inject(&ground.policy.cdi_directories, &spec.resources.device_requests, &mut plan.oci)?;
    let rules = ground.filters.rules(&plan.seccomp)?;
    if let Some(linux) = plan.oci.linux_mut() {
        linux.set_seccomp(rules);
    }
    Ok(plan)
}

/// What it would share, by the paths it has now: it is opened only at the start.
fn joined(ground: &Ground, spec: &ContainerSpec) -> Joined {
    let view = |key: &str| ground.index().resolve(key).ok().map(|other| other.view());
    let namespace = |key: &str, kind: &str| {
        let pid = view(key).and_then(|other| other.state.pid()).map_or("PID".to_owned(), |pid| pid.0.to_string());
        Some(PathBuf::from(format!("/proc/{pid}/ns/{kind}")))
    };
    let mut joined = Joined::default();
    if let PidMode::Container(key) = &spec.isolation.pid {
        joined.pid = namespace(key, "pid");
    }
    if let IpcMode::Container(key) = &spec.isolation.ipc {
        (joined.ipc, joined.shm) = (namespace(key, "ipc"), namespace(key, "mnt"));
    }
    if let NetworkMode::Container(key) = &spec.network.mode {
        joined.files = view(key).map(|other| other.paths.clone());
    }
    joined
}

fn later(spec: &ContainerSpec, unnamed: bool, unnamed_volumes: bool) -> Vec<String> {
    let network = match &spec.network.mode {
        NetworkMode::Bridge => Some("its address and its network namespace, given at the start".to_owned()),
        NetworkMode::None => Some("its network namespace, made at the start".to_owned()),
        NetworkMode::Container(other) => {
            Some(format!("its network namespace, that of container {other} when this one starts"))
        }
        NetworkMode::Host => None,
    };
    let id = "its id (zeros stand for it here) and what is made of it: paths, cgroup, host name where none is given";
    [
        Some(id.to_owned()),
        unnamed.then(|| "its name, made up when it is created".to_owned()),
        unnamed_volumes.then(|| "the names of volumes without one (numbers stand for them here)".to_owned()),
        network,
    ]
    .into_iter()
    .flatten()
    .collect()
}
