//! `create`: everything is checked, then one record is committed.

use std::fs;
use std::sync::Arc;

use berth_image::snapshot::Writable;
use berth_oci::ImageId;
use berth_state::Durability;
use jiff::Timestamp;

use super::{Containers, Created};
use crate::ground::Ground;
use crate::id::{ContainerId, parse_name};
use crate::images::ContainerImage;
use crate::plan::{capabilities, cgroup, effective, mounts, namespaces, points, resources, signals};
use crate::record::{ContainerRecord, Phase};
use crate::restart::History;
use crate::spec::{CgroupnsMode, ContainerSpec, IpcMode, MountKind, MountSpec, NetworkMode, PidMode, VolumesFrom};
use crate::task::{Seed, Task};
use crate::view::Effective;
use crate::volumes::{Entries, Making, forget_in};
use crate::{Error, ErrorKind, Result, etc, logs, names};

impl Containers {
    /// Makes a container from an image that is there. The record is durable when this returns.
    ///
    /// # Errors
    /// A bad or taken name, no such image, or a specification that cannot be.
    pub async fn create(&self, name: Option<String>, spec: ContainerSpec) -> Result<Created> {
        let ground = self.ground.clone();
        let asked = name.filter(|name| !name.is_empty()).map(|name| parse_name(&name)).transpose()?;
        let prepare = move || prepare(&ground, asked, spec);
        let prepared = tokio::task::spawn_blocking(prepare).await;
        let Prepared { id, record, images, warnings, reservation, volumes } =
            prepared.map_err(|e| Error::Internal(format!("creating a container: {e}")))??;
        self.record(&id, record.clone(), images, volumes.entries()).await?;
        let mounts = record.effective.mounts.clone();
        let seed = Seed { id: id.clone(), record, shim: None, expect_start: true };
        let task = match self.ground.faults.at("create.recorded").and_then(|()| Task::new(self.ground.clone(), seed)) {
            Ok(task) => task,
            Err(error) => {
                self.undo(&id, mounts).await;
                return Err(error);
            }
        };
        volumes.done();
        reservation.keep();
        self.ground.publish(&task.shared().view(), "create", &[]);
        tokio::spawn(task.run());
        // Whoever creates a container is likely to start it.
        self.ground.networks.prepare();
        Ok(Created { id, warnings })
    }

    /// Takes the record back: nobody was told of the container.
    async fn undo(&self, id: &ContainerId, mounts: Vec<MountSpec>) {
        let key = id.to_string();
        let delete = move |tx: &mut berth_state::Transaction<'_>| {
            tx.delete::<ContainerRecord>(&key)?;
            forget_in(tx, &key, &mounts)
        };
        if let Err(error) = self.ground.store.write_async(Durability::Relaxed, delete).await {
            tracing::error!(%id, %error, "taking a container back that could not be made");
        }
    }

    async fn record(
        &self,
        id: &ContainerId,
        record: ContainerRecord,
        needed: Vec<(ImageId, String)>,
        volumes: Entries,
    ) -> Result<()> {
        let passing = record.spec.auto_remove && !volumes.lasting();
        let durability = if passing { Durability::Relaxed } else { Durability::Synced };
        let (images, key) = (self.ground.images.clone(), id.to_string());
        let write = move |tx: &mut berth_state::Transaction<'_>| {
            for (image, name) in &needed {
                if !images.hold(tx, image, &key)? {
                    return Err(Error::NoSuchImage(format!("No such image: {name}")));
                }
            }
            volumes.record_in(tx, &key)?;
            Ok(tx.put(&key, &record)?)
        };
        self.ground.store.try_write_async(durability, write).await
    }
}

struct Prepared {
    id: ContainerId,
    record: ContainerRecord,
    /// The images it stands on or mounts, with their names as the user wrote them.
    images: Vec<(ImageId, String)>,
    warnings: Vec<String>,
    reservation: Reservation,
    volumes: Making,
}

/// A name taken, and a directory made: given up again unless the container comes to be.
struct Reservation {
    ground: Arc<Ground>,
    id: ContainerId,
    name: String,
    kept: bool,
}

impl Reservation {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.kept {
            self.ground.index_mut().free(&self.name);
            // Not there at all, mostly; what cannot be removed no record speaks of, and is swept.
            drop(fs::remove_dir_all(self.ground.paths(&self.id).directory));
        }
    }
}

/// What is decided before anything is touched.
pub(super) struct Settled {
    pub(super) image: ContainerImage,
    pub(super) platform: berth_oci::Platform,
    pub(super) effective: Effective,
    pub(super) warnings: Vec<String>,
}

/// Completes what was asked for, and decides what it amounts to.
pub(super) fn settle(ground: &Ground, id: &ContainerId, spec: &mut ContainerSpec) -> Result<Settled> {
    spec.runtime = ground.runtimes().resolve(&spec.runtime)?;
    let mut warnings = complete(ground, spec)?;
    let image = ground.images.resolve(&spec.image, spec.platform.as_deref())?;
    let mut effective = effective::merge(id, spec, &image.config, &ground.host)?;
    share_names(ground, spec, &mut effective);
    if !effective.stop_signal.is_empty() {
        signals::parse(&effective.stop_signal)?;
    }
    let platform = image.config.platform();
    let host = berth_oci::Platform::host();
    if spec.platform.is_none() && !platform.architecture.is_empty() && host.suits(&platform).is_none() {
        warnings.push(format!(
            "The requested image's platform ({platform}) does not match the detected host platform ({host}) and no specific platform was requested"
        ));
    }
    Ok(Settled { image, platform, effective, warnings })
}

fn prepare(ground: &Arc<Ground>, name: Option<String>, mut spec: ContainerSpec) -> Result<Prepared> {
    let id = ContainerId::random();
    let Settled { image, platform, mut effective, warnings } = settle(ground, &id, &mut spec)?;
    let name = reserve(ground, name, &id)?;
    let reservation = Reservation { ground: ground.clone(), id: id.clone(), name: name.clone(), kept: false };
    ground.faults.at("create.reserved")?;
    make_files(ground, &id)?;
    ground.faults.at("create.files")?;
    let (volumes, mounted) = prepare_mounts(ground, &id, &spec, &image, &mut effective)?;
    let images = std::iter::once((image.id.clone(), spec.image.clone())).chain(mounted).collect();
    let record = ContainerRecord {
        name,
        created: Timestamp::now(),
        effective,
        image_id: image.id.to_string(),
        platform: platform.to_string(),
        boot_id: ground.host.boot_id.clone(),
        phase: Phase::Created { failed: None },
        runs: 0,
        history: History::default(),
        spec,
    };
    Ok(Prepared { id, record, images, warnings, reservation, volumes })
}

/// Resolves the mounts, makes and fills their volumes; gives back the images that are mounted.
fn prepare_mounts(
    ground: &Arc<Ground>,
    id: &ContainerId,
    spec: &ContainerSpec,
    image: &ContainerImage,
    effective: &mut Effective,
) -> Result<(Making, Vec<(ImageId, String)>)> {
    let images = settle_mounts(ground, spec, image, effective)?;
    let volumes = Making::begin(&ground.volumes, id.as_str(), &mut effective.mounts).map_err(wanting)?;
    if effective.mounts.iter().any(|mount| matches!(mount.kind, MountKind::Volume(_))) {
        volumes.fill(&effective.mounts, &ground.images.root(&image.id)?)?;
    }
    Ok((volumes, images))
}

/// Adds other containers' mounts, and finds the images that are mounted.
pub(super) fn settle_mounts(
    ground: &Ground,
    spec: &ContainerSpec,
    image: &ContainerImage,
    effective: &mut Effective,
) -> Result<Vec<(ImageId, String)>> {
    if !spec.volumes_from.is_empty() {
        let donors = spec.volumes_from.iter().map(|from| donor(ground, from)).collect::<Result<Vec<_>>>()?;
        effective.mounts = points::resolve(spec, &points::declared(spec, &image.config), &donors)?;
    }
    let mut images = Vec::new();
    for mount in &mut effective.mounts {
        if let MountKind::Image { reference, id, .. } = &mut mount.kind {
            let found = ground.images.resolve(reference, None).map_err(wanting)?.id;
            *id = found.to_string();
            images.push((found, reference.clone()));
        }
    }
    Ok(images)
}

fn donor(ground: &Ground, from: &VolumesFrom) -> Result<points::Donor> {
    let view = ground.index().resolve(&from.container).map_err(wanting)?.view();
    Ok((view.effective.mounts.clone(), from.readonly))
}

/// Checks what was asked for, and fills in what the engine's configuration and the host say.
fn complete(ground: &Ground, spec: &mut ContainerSpec) -> Result<Vec<String>> {
    let mut warnings = resources::validate(&spec.resources, &ground.host)?;
    resources::complete(&mut spec.resources, &ground.host);
    cgroup::validate(&spec.resources, ground.policy.systemd_cgroups)?;
    namespaces::validate(spec)?;
    if spec.isolation.cgroupns == Some(CgroupnsMode::Private) && !ground.host.cgroup_namespaces {
        warnings.push("Your kernel does not support cgroup namespaces.  Cgroup namespace setting discarded.".into());
    }
    spec.isolation.cgroupns = Some(namespaces::cgroup(&spec.isolation, &ground.host, &ground.policy));
    name_others(ground, spec)?;
    logs::check(&spec.log)?;
    capabilities::effective(&spec.isolation, &ground.host)?;
    mounts::validate(&spec.mounts)?;
    for mount in &spec.mounts {
        if let MountKind::Bind { source, create_source: false, .. } = &mount.kind
            && !std::path::Path::new(source).exists()
        {
            return Err(crate::task::missing_source(std::path::Path::new(source)));
        }
    }
    // Any address will do for the check: the bridge's is known only once it is used.
    etc::extra_hosts(spec, Some(std::net::Ipv4Addr::LOCALHOST.into()))?;
    Ok(warnings)
}

/// What is missing besides the container's own image is an error of the request: whoever hears "not found" pulls that
/// image and tries again.
fn wanting(error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::Invalid(error.to_string()),
        _ => error,
    }
}

/// Other containers are kept by their ids, which outlast a change of name. One whose network is to be shared is looked
/// for at start, where it is not there yet.
fn name_others(ground: &Ground, spec: &mut ContainerSpec) -> Result<()> {
    let index = ground.index();
    let id = |key: &str| index.resolve(key).map(|other| other.id.to_string());
    if let NetworkMode::Container(key) = &mut spec.network.mode
        && let Ok(other) = id(key)
    {
        *key = other;
    }
    if let PidMode::Container(key) = &mut spec.isolation.pid {
        *key = id(key).map_err(wanting)?;
    }
    if let IpcMode::Container(key) = &mut spec.isolation.ipc {
        *key = id(key).map_err(wanting)?;
    }
    Ok(())
}

/// A container in another's network goes by the other's name.
fn share_names(ground: &Ground, spec: &mut ContainerSpec, effective: &mut Effective) {
    if let NetworkMode::Container(key) = &spec.network.mode
        && let Ok(other) = ground.index().resolve(key)
    {
        let view = other.view();
        effective.hostname.clone_from(&view.effective.hostname);
        spec.domainname.clone_from(&view.spec.domainname);
    }
}

fn reserve(ground: &Ground, name: Option<String>, id: &ContainerId) -> Result<String> {
    let mut index = ground.index_mut();
    if let Some(name) = name {
        index.reserve(&name, id)?;
        return Ok(name);
    }
    for attempt in 0..64 {
        let name = names::random(attempt);
        if index.reserve(&name, id).is_ok() {
            return Ok(name);
        }
    }
    let name = id.short().to_owned();
    index.reserve(&name, id)?;
    Ok(name)
}

/// The writable layer, and in it what Docker puts into every container.
fn make_files(ground: &Ground, id: &ContainerId) -> Result<()> {
    let paths = ground.paths(id);
    fs::create_dir(&paths.directory).map_err(Error::file("making", &paths.directory))?;
    let writable = Writable::create(&paths.directory).map_err(|e| Error::Internal(e.to_string()))?;
    let mark = writable.upper.join(".dockerenv");
    fs::File::create(&mark).map_err(Error::file("making", mark))?;
    Ok(())
}
