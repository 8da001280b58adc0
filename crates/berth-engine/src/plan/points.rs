//! Which mounts a container has: those asked for, those declared by request and image, those of other containers. Pure.

use std::collections::BTreeSet;

use berth_oci::ImageConfig;

use super::mounts::clean;
use crate::spec::{ContainerSpec, MountKind, MountSpec, Origin, VolumeMount};
use crate::{Error, Result};

/// The mounts of a container named by `--volumes-from`, and whether they are to be read only.
pub type Donor = (Vec<MountSpec>, bool);

/// The paths that request and image declare to be volumes.
#[must_use]
pub fn declared<'a>(spec: &'a ContainerSpec, image: &'a ImageConfig) -> BTreeSet<&'a str> {
    let of_image = image.config.volumes.iter().flatten().map(|(path, _)| path.as_str());
    spec.volumes.iter().map(String::as_str).chain(of_image).collect()
}

/// Every mount of a container, each target once: what is asked for goes over what donors have, and a declared path
/// becomes a volume only where nothing else is mounted.
///
/// # Errors
/// A declared path that is the root.
pub fn resolve(spec: &ContainerSpec, declared: &BTreeSet<&str>, donors: &[Donor]) -> Result<Vec<MountSpec>> {
    let mut points: Vec<MountSpec> = Vec::new();
    for (mounts, readonly) in donors {
        mounts.iter().filter(|mount| is_point(mount)).for_each(|mount| put(&mut points, inherited(mount, *readonly)));
    }
    spec.mounts.iter().for_each(|mount| put(&mut points, mount.clone()));
    for path in declared {
        let target = clean(path);
        if target == "/" {
            return Err(Error::Invalid("invalid specification: destination can't be '/'".into()));
        }
        if !points.iter().any(|point| clean(&point.target) == target) {
            points.push(anonymous(target));
        }
    }
    Ok(points)
}

/// `--tmpfs` belongs to the container alone; everything else can be handed on.
fn is_point(mount: &MountSpec) -> bool {
    !matches!(mount.kind, MountKind::Tmpfs { .. }) || mount.bind_text.is_none()
}

fn put(points: &mut Vec<MountSpec>, mount: MountSpec) {
    let target = clean(&mount.target);
    points.retain(|point| clean(&point.target) != target);
    points.push(mount);
}

fn inherited(mount: &MountSpec, readonly: bool) -> MountSpec {
    let mut mount = mount.clone();
    mount.readonly |= readonly;
    mount.bind_text = None;
    mount.origin = Origin::Inherited;
    if let MountKind::Volume(volume) = &mut mount.kind {
        volume.no_copy = true;
    }
    mount
}

fn anonymous(target: String) -> MountSpec {
    let volume = VolumeMount { anonymous: true, ..VolumeMount::default() };
    MountSpec { target, kind: MountKind::Volume(volume), readonly: false, bind_text: None, origin: Origin::Declared }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use proptest::prelude::*;

    use super::*;

    fn named(name: &str, target: &str) -> MountSpec {
        let volume = VolumeMount { name: name.into(), ..VolumeMount::default() };
        let kind = MountKind::Volume(volume);
        MountSpec { target: target.into(), kind, readonly: false, bind_text: None, origin: Origin::Asked }
    }

    fn tmpfs(target: &str) -> MountSpec {
        let kind = MountKind::Tmpfs { size: 0, mode: 0, options: String::new() };
        MountSpec {
            target: target.into(),
            kind,
            readonly: false,
            bind_text: Some(target.into()),
            origin: Origin::Asked,
        }
    }

    fn lines(points: &[MountSpec]) -> Vec<String> {
        let line = |point: &MountSpec| {
            let name = match &point.kind {
                MountKind::Volume(volume) if volume.anonymous => "?",
                MountKind::Volume(volume) => &volume.name,
                _ => "-",
            };
            format!("{} {name} {:?}{}", point.target, point.origin, if point.readonly { " ro" } else { "" })
        };
        points.iter().map(line).collect()
    }

    #[test]
    fn what_is_asked_for_goes_first() {
        let mut spec = ContainerSpec { mounts: vec![named("v", "/a/"), tmpfs("/t")], ..ContainerSpec::default() };
        spec.volumes = vec!["/new".into()];
        let mut image = ImageConfig::default();
        let paths = ["/a", "/t", "data", "/x/../new"].map(|path| (path.to_owned(), serde_json::json!({})));
        image.config.volumes = Some(paths.into());
        let declared = declared(&spec, &image);
        let donor = (vec![named("d", "/a"), named("e", "/new"), tmpfs("/own")], true);
        let points = resolve(&spec, &declared, &[donor]).unwrap();
        assert_eq!(lines(&points), ["/new e Inherited ro", "/a/ v Asked", "/t - Asked", "/data ? Declared"]);
        assert!(resolve(&spec, &BTreeSet::from(["/.."]), &[]).is_err());
    }

    proptest! {
        /// No target twice, and nothing asked for is lost.
        #[test]
        fn each_target_once(asked in "[ab/.]{1,4}", declared in proptest::collection::btree_set("/[ab]{1,2}", 0..4)) {
            let spec = ContainerSpec { mounts: vec![named("v", &format!("/c{asked}"))], ..ContainerSpec::default() };
            let declared: BTreeSet<&str> = declared.iter().map(String::as_str).collect();
            let points = resolve(&spec, &declared, &[(vec![named("d", "/a"), named("d", "/ab/")], false)]).unwrap();
            let targets: BTreeSet<String> = points.iter().map(|point| clean(&point.target)).collect();
            prop_assert_eq!(targets.len(), points.len());
            prop_assert!(points.contains(&spec.mounts[0]));
            prop_assert!(declared.iter().all(|path| targets.contains(&clean(path))));
        }
    }
}
