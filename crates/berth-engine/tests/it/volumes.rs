//! Volumes made, needed and removed all at once: nothing that a container needs is ever lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use berth_engine::spec::{ContainerSpec, MountKind, MountSpec, Origin, VolumeMount};
use berth_engine::{ContainerView, Engine, NewVolume, RemoveOptions};

use crate::harness::{script, with_engine};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("creating_and_removing_race_without_loss", creating_and_removing_race_without_loss),
    ("a_failed_creation_leaves_no_volume", a_failed_creation_leaves_no_volume),
];

fn volume(name: &str) -> MountSpec {
    let kind = MountKind::Volume(VolumeMount {
        name: name.into(),
        anonymous: name.is_empty(),
        no_copy: true,
        ..VolumeMount::default()
    });
    MountSpec { target: format!("/v{name}"), kind, readonly: false, bind_text: None, origin: Origin::Asked }
}

fn with_volumes(names: &[&str]) -> ContainerSpec {
    let mut spec = script("true");
    spec.mounts = names.iter().map(|name| volume(name)).collect();
    spec
}

/// Every volume of a container that is there.
fn assert_whole(engine: &Engine, view: &ContainerView) {
    for mount in &view.effective.mounts {
        let MountKind::Volume(volume) = &mount.kind else { continue };
        let found = engine.volumes().inspect(&volume.name).unwrap();
        assert!(found.containers.contains(&view.id.to_string()), "{found:?}");
        assert!(found.mountpoint.is_dir(), "{found:?}");
    }
}

fn creating_and_removing_race_without_loss() {
    with_engine(|engine| async move {
        let stop = Arc::new(AtomicBool::new(false));
        let removers: Vec<_> = (0..2)
            .map(|turn| {
                let (volumes, stop) = (engine.volumes(), stop.clone());
                std::thread::spawn(move || {
                    let mut removed = 0;
                    while !stop.load(Ordering::Relaxed) {
                        match turn {
                            0 => removed += usize::from(volumes.remove("shared", true).is_ok()),
                            _ => removed += volumes.prune(false, |_| true).unwrap().names.len(),
                        }
                    }
                    removed
                })
            })
            .collect();
        let containers = engine.containers();
        for _ in 0..40 {
            let (one, two) = tokio::join!(
                containers.create(None, with_volumes(&["shared", ""])),
                containers.create(None, with_volumes(&["shared"]))
            );
            let new = NewVolume { name: "shared".into(), ..NewVolume::default() };
            let volumes = engine.volumes();
            tokio::task::spawn_blocking(move || volumes.create(new)).await.unwrap().unwrap();
            for created in [one.unwrap(), two.unwrap()] {
                assert_whole(&engine, &containers.inspect(created.id.as_str()).unwrap());
                let options = RemoveOptions { force: false, volumes: true };
                containers.remove(created.id.as_str(), options).await.unwrap();
            }
        }
        stop.store(true, Ordering::Relaxed);
        for remover in removers {
            remover.join().unwrap();
        }
        let _ = engine.volumes().remove("shared", true);
        assert_eq!(engine.volumes().list().unwrap(), []);
    });
}

/// A creation that fails at its last step leaves neither its own volumes nor takes somebody else's.
fn a_failed_creation_leaves_no_volume() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let new = NewVolume { name: "before".into(), ..NewVolume::default() };
        engine.volumes().create(new).unwrap();
        let mut spec = with_volumes(&["before", "fresh", ""]);
        spec.mounts.push(volume("no/name"));
        assert!(containers.create(None, spec.clone()).await.is_err());
        let names = |engine: &Engine| engine.volumes().list().unwrap().into_iter().map(|v| v.name).collect::<Vec<_>>();
        assert_eq!(names(&engine), ["before"]);
        let root =
            engine.volumes().inspect("before").unwrap().mountpoint.parent().unwrap().parent().unwrap().to_owned();
        assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1);
        spec.mounts.pop();
        let id = containers.create(None, spec).await.unwrap().id;
        assert_whole(&engine, &containers.inspect(id.as_str()).unwrap());
        containers.remove(id.as_str(), RemoveOptions { force: false, volumes: true }).await.unwrap();
        assert_eq!(names(&engine), ["before", "fresh"]);
    });
}
