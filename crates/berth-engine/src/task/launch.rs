//! From a container to its running process: everything `start` does, in one pass on one blocking thread.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use berth_cgroup::Driver;
use berth_image::snapshot;
use berth_network::Endpoint;
use berth_oci::ImageId;
use berth_shim::client::{ClientError, Connection, LaunchDescriptors, Launched, launch_in};
use berth_shim::protocol::{Blob, CgroupPlan, Code, Launch, LogPlan, Root, StdioPlan, Streams};

use super::joined::Held;
use super::propagation;
use crate::ground::{Ground, exit_record};
use crate::id::ContainerId;
use crate::logs::{self, Subject};
use crate::plan::mounts::{Opened, Source};
use crate::plan::{self, Inputs, Plan};
use crate::spec::{ContainerSpec, NetworkMode};
use crate::view::{Effective, Paths};
use crate::volumes::subtree;
use crate::{Error, Result, etc, host};

/// What is to be started.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) id: ContainerId,
    pub(super) name: String,
    pub(super) spec: Arc<ContainerSpec>,
    pub(super) effective: Arc<Effective>,
    pub(super) image: ImageId,
    pub(super) paths: Paths,
    /// Which start of the container this is, from 1.
    pub(super) run: u64,
    /// Clients that waited for it.
    pub(super) attach: Vec<(Streams, OwnedFd)>,
    /// What was made ready before.
    pub(super) prepared: Option<Prepared>,
}

/// What was started.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) connection: Connection,
    pub(super) launched: Launched,
    pub(super) endpoint: Option<Endpoint>,
}

/// Starts it. On an error nothing is left but files in the container's directory.
pub(super) fn launch(ground: &Ground, mut order: Order) -> Result<Birth> {
    let Prepared { root, layers, shim } = match order.prepared.take() {
        Some(prepared) => prepared,
        None => prepare(ground, &order.id, &order.image, &order.paths, order.spec.auto_remove)?,
    };
    let shim = Idle(Some(shim));
    let mut held = Held::of(ground, &order.id, &order.spec)?;
    let (network, lease) = network(ground, &order, held.network.take())?;
    let endpoint = lease.endpoint.clone();
    ground.faults.at("start.network")?;
    let users = etc::user_files(&root)?;
    let devices = host::devices(&order.spec.resources.devices, order.spec.isolation.privileged)?;
    let block = host::block_limits(&order.spec.resources)?;
    let init_program = match (order.spec.isolation.init, &ground.policy.init_path) {
        (true, Some(other)) => other.clone(),
        (true, None) => crate::init::program(&ground.data_root)?,
        (false, _) => PathBuf::new(),
    };
    let mut plan = plan::plan(Inputs {
        id: &order.id,
        spec: &order.spec,
        effective: &order.effective,
        host: &ground.host,
        paths: &order.paths,
        users: &users,
        devices: &devices,
        block: &block,
        joined: &held.joined,
        cgroup_parent: &ground.cgroup_parent,
        policy: &ground.policy,
        init_program: &init_program,
    })?;
    host::cdi::inject(&ground.policy.cdi_directories, &order.spec.resources.device_requests, &mut plan.oci)?;
    prepare_sources(&plan)?;
    propagation::check(&order.effective.mounts)?;
    let volumes = ground.volumes.mount_all(&order.effective.mounts, order.id.as_str())?;
    let sources = open_sources(ground, &order.id, &plan)?;
    etc::write(&order.paths, &order.spec, &order.effective, endpoint.as_ref(), &ground.networks)?;
    ground.faults.at("start.planned")?;
    let attach: (Vec<Streams>, Vec<OwnedFd>) = std::mem::take(&mut order.attach).into_iter().unzip();
    let descriptors = LaunchDescriptors { root: Some(root), network, attach: attach.1, sources, held: layers };
    let request = request(ground, &order, plan, attach.0, descriptors.network.is_some())?;
    let (connection, launched) =
        launch_in(shim.take()?, request, descriptors).map_err(|error| failed(&order.id, error))?;
    lease.keep();
    volumes.keep();
    Ok(Birth { connection, launched, endpoint })
}

/// An address that goes back unless the start succeeds.
struct Lease<'a> {
    ground: &'a Ground,
    id: ContainerId,
    endpoint: Option<Endpoint>,
    kept: bool,
}

impl Lease<'_> {
    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if !self.kept
            && self.endpoint.is_some()
            && let Err(error) = self.ground.networks.release(self.id.as_str())
        {
            tracing::warn!(id = %self.id, %error, "giving an address back");
        }
    }
}

fn network<'a>(ground: &'a Ground, order: &Order, joined: Option<OwnedFd>) -> Result<(Option<OwnedFd>, Lease<'a>)> {
    let (netns, endpoint) = match order.spec.network.mode {
        NetworkMode::Container(_) => (joined, None),
        NetworkMode::Host => (None, None),
        NetworkMode::None => (Some(ground.networks.sandbox_none()?.into_netns()), None),
        NetworkMode::Bridge => {
            let (sandbox, endpoint) = ground.networks.sandbox_bridge(order.id.as_str())?;
            (Some(sandbox.into_netns()), Some(endpoint))
        }
    };
    Ok((netns, Lease { ground, id: order.id.clone(), endpoint, kept: false }))
}

/// What a start needs and need not wait for: the mounted root file system, and a shim that is there already.
#[derive(Debug)]
pub(crate) struct Prepared {
    root: OwnedFd,
    /// The mounts it stands on: the shim holds them for a later daemon.
    layers: Vec<OwnedFd>,
    shim: Connection,
}

impl Prepared {
    /// It was not needed. Blocks until the shim has gone.
    pub(crate) fn discard(self) {
        drop(Idle(Some(self.shim)));
    }
}

/// A shim without a container; reaped when it is not needed.
struct Idle(Option<Connection>);

impl Idle {
    fn take(mut self) -> Result<Connection> {
        self.0.take().ok_or_else(|| Error::Internal("the shim was taken twice".into()))
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        if let Some(shim) = self.0.take() {
            shim.dismiss();
        }
    }
}

/// Makes it ready. Blocks for about a millisecond.
pub(crate) fn prepare(
    ground: &Ground,
    id: &ContainerId,
    image: &ImageId,
    paths: &Paths,
    volatile: bool,
) -> Result<Prepared> {
    // First, so that it is executed while we mount.
    let shim = berth_shim::client::prepare(ground.program.as_fd(), id.as_str())
        .map_err(|source| Error::Shim { id: id.to_string(), source })?;
    let mounted = ground.faults.at("start.shim").and_then(|()| mount_root(ground, id, image, paths, volatile));
    match mounted.and_then(|root| ground.faults.at("start.mount").map(|()| root)) {
        Ok((root, layers)) => Ok(Prepared { root, layers, shim }),
        Err(error) => {
            shim.dismiss();
            Err(error)
        }
    }
}

/// Mounts a container's root file system, attached nowhere; with the mounts that it stands on.
pub(crate) fn mount_root(
    ground: &Ground,
    id: &ContainerId,
    image: &ImageId,
    paths: &Paths,
    volatile: bool,
) -> Result<(OwnedFd, Vec<OwnedFd>)> {
    let lowers = ground.images.layers(image, id.as_str())?;
    let writable = snapshot::Writable::at(&paths.directory);
    let refused = |e: berth_image::Error| Error::Internal(e.to_string());
    if volatile {
        // Always of this boot: a `--rm` container of another one does not exist any more.
        writable.forgive_volatile().map_err(refused)?;
    }
    let root = snapshot::mount_overlay(&lowers, &writable.upper, &writable.work, volatile, false).map_err(refused)?;
    let held = lowers.iter().map(|lower| lower.held().map_err(refused)).filter_map(Result::transpose);
    Ok((root, held.collect::<Result<_>>()?))
}

fn prepare_sources(plan: &Plan) -> Result<()> {
    for source in &plan.make_sources {
        if !source.exists() {
            fs::create_dir_all(source).map_err(Error::file("making the mount source", source))?;
        }
    }
    match plan.need_sources.iter().find(|source| !source.exists()) {
        Some(missing) => Err(missing_source(missing)),
        None => Ok(()),
    }
}

/// What no path names safely goes to the shim as a descriptor.
fn open_sources(ground: &Ground, container: &ContainerId, plan: &Plan) -> Result<Vec<OwnedFd>> {
    let open = |opened: &Opened| match &opened.what {
        Source::Volume(name) => ground.volumes.open_subpath(name, &opened.subpath),
        Source::Image(id) => {
            let image = ImageId::parse(id).map_err(|e| Error::Internal(format!("the image {id}: {e}")))?;
            let layers = ground.images.layers(&image, container.as_str())?;
            let root = snapshot::mount_readonly(&layers).map_err(|e| Error::Internal(e.to_string()))?;
            match opened.subpath.as_str() {
                "" => Ok(root),
                subpath => subtree::of_detached(root, subpath, &format!("image {id}")),
            }
        }
    };
    plan.opened.iter().map(open).collect()
}

pub(crate) fn missing_source(path: &std::path::Path) -> Error {
    Error::Invalid(format!(
        "invalid mount config for type \"bind\": bind source path does not exist: {}",
        path.display()
    ))
}

fn request(ground: &Ground, order: &Order, plan: Plan, attach: Vec<Streams>, network: bool) -> Result<Launch> {
    let runtime = ground.runtimes().plan(&order.spec.runtime)?;
    let mut plan = plan;
    if runtime.is_some() && !plan.opened.is_empty() {
        // It would follow the volume's own links out of it.
        return Err(Error::Unsupported(format!(
            "a mount of a volume's subpath or of an image needs berth's own runtime: leave --runtime {} out",
            order.spec.runtime
        )));
    }
    let filter = match &runtime {
        None => ground.filters.bytes(&plan.seccomp)?,
        Some(_) => {
            let rules = ground.filters.rules(&plan.seccomp)?;
            if let Some(linux) = plan.oci.linux_mut() {
                linux.set_seccomp(rules);
            }
            None
        }
    };
    let (spec, paths) = (&order.spec, &order.paths);
    let (rows, columns) = spec.console_size;
    Ok(Launch {
        id: order.id.to_string(),
        spec: plan.oci,
        bundle: paths.directory.clone(),
        root: Root::Descriptor,
        network,
        cgroup: Some(cgroup_plan(ground, plan.cgroup)),
        seccomp: filter.map(|bytes| Blob(bytes.to_vec())),
        log: log_plan(ground, order)?,
        exit_record: exit_record(&paths.directory, order.run),
        durable: !spec.auto_remove,
        socket: ground.socket(&order.id),
        stdio: StdioPlan {
            tty: spec.process.tty,
            open_stdin: spec.stdio.open_stdin,
            stdin_once: spec.stdio.stdin_once,
            rows,
            columns,
        },
        attach,
        sources: plan.opened.into_iter().map(|opened| opened.target.into()).collect(),
        no_pivot: false,
        no_new_keyring: false,
        runtime,
    })
}

fn cgroup_plan(ground: &Ground, path: String) -> CgroupPlan {
    let driver = if ground.policy.systemd_cgroups { Driver::Systemd } else { Driver::Cgroupfs };
    CgroupPlan { path, hierarchy: Some(ground.hierarchy_value.clone()), driver }
}

fn log_plan(ground: &Ground, order: &Order) -> Result<LogPlan> {
    let subject = Subject {
        id: order.id.as_str(),
        name: &order.name,
        image: &order.spec.image,
        image_id: &order.image.to_string(),
        effective: &order.effective,
        hostname: &ground.host.hostname,
        options: &order.spec.log.options,
    };
    logs::plan(&order.spec.log, &order.paths, &subject)
}

fn failed(id: &ContainerId, error: ClientError) -> Error {
    match error {
        ClientError::Launch(failure) => {
            let code = match failure.code {
                Code::NotFound => 127,
                Code::NotExecutable => 126,
                _ => 125,
            };
            Error::Launch { code, message: failure.message }
        }
        source => Error::Shim { id: id.to_string(), source },
    }
}
