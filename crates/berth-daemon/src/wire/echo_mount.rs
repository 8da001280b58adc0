//! One `--mount`, shown as it was asked for.

use berth_api::host_config::{BindOptions, ImageOptions, Mount, MountDriver, TmpfsOptions, VolumeOptions};
use berth_engine::spec::{MountKind, MountSpec, Reach, VolumeMount};

/// What came by `--mount`.
pub(crate) fn mount(mount: &MountSpec) -> Mount {
    let common = Mount { target: mount.target.clone(), read_only: mount.readonly, ..Mount::default() };
    match &mount.kind {
        MountKind::Bind { source, propagation, create_source, non_recursive, reach } => {
            let options = BindOptions {
                propagation: propagation.clone(),
                non_recursive: *non_recursive,
                create_mountpoint: *create_source,
                read_only_non_recursive: *reach == Reach::Top,
                read_only_force_recursive: *reach == Reach::Required,
            };
            Mount { kind: "bind".to_owned(), source: source.clone(), bind_options: given(options), ..common }
        }
        MountKind::Volume(asked) => {
            let source = if asked.anonymous { String::new() } else { asked.name.clone() };
            Mount { kind: "volume".to_owned(), source, volume_options: given(volume(asked)), ..common }
        }
        MountKind::Image { reference, subpath, .. } => Mount {
            kind: "image".to_owned(),
            source: reference.clone(),
            image_options: given(ImageOptions { subpath: subpath.clone() }),
            read_only: false,
            ..common
        },
        MountKind::Tmpfs { size, mode, options } => {
            let words = |word: &str| word.splitn(2, '=').map(str::to_owned).collect();
            let options = options.split(',').filter(|word| !word.is_empty()).map(words).collect();
            let options = TmpfsOptions { size_bytes: *size, mode: *mode, options };
            Mount { kind: "tmpfs".to_owned(), tmpfs_options: given(options), ..common }
        }
    }
}

fn volume(asked: &VolumeMount) -> VolumeOptions {
    VolumeOptions {
        no_copy: asked.no_copy,
        labels: asked.labels.clone(),
        subpath: asked.subpath.clone(),
        driver_config: given(MountDriver { name: asked.driver.clone(), options: asked.options.clone() }),
    }
}

/// Options that say nothing are not shown.
fn given<T: Default + PartialEq>(options: T) -> Option<T> {
    (options != T::default()).then_some(options)
}
