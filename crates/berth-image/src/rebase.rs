//! `rebase`: the layers that are an image's own, on another base.
//!
//! The layers stay what they are, byte for byte. What a container starts from is merged by threes: what the image has
//! as its old base has it follows the new base, and what it has changed it keeps.

mod merge;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_oci::{ChainId, History, ImageConfig, ImageId, Reference, RootFs};
use jiff::Timestamp;

use crate::assembled::{Assembly, Dialect, assemble, layer_of_tar};
use crate::contents::difference::files;
use crate::contents::explain::shown;
use crate::contents::layer::{self, Item, What};
use crate::contents::tree::Tree;
use crate::record::{ImageRecord, LayerRecord};
use crate::store::Inner;
use crate::{Error, Image, ImageStore, Result, open};

/// What a rebase came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebased {
    /// The new image.
    pub id: ImageId,
    /// What the image stood on.
    pub from: ImageId,
    /// How many layers are its own.
    pub own_layers: usize,
    /// Paths that its own layers have or remove, and in which the new base differs from the old one.
    pub conflicts: Vec<String>,
}

impl ImageStore {
    /// Puts what `image` has beyond `from` (or else the image here that it is seen to stand on) onto `onto`, durably.
    /// Blocks, for as long as reading all of them takes.
    ///
    /// # Errors
    /// It is not known what the image stands on, or it does not stand on `from`; the two are for different platforms;
    /// a layer cannot be read or written. Nothing is visible then.
    pub fn rebase(
        &self,
        image: &Image,
        from: Option<&Image>,
        onto: &Image,
        name: Option<&Reference>,
    ) -> Result<Rebased> {
        let from = match from {
            Some(from) => from.clone(),
            None => base_of(&self.list()?, image, onto)?,
        };
        if !image.layers.starts_with(&from.layers) {
            return Err(Error::NotRebased(format!("{} does not stand on {}", called(image), called(&from))));
        }
        if image.platform() != onto.platform() {
            let (own, other) = (image.platform(), onto.platform());
            return Err(Error::NotRebased(format!("{} is for {own}, and {} for {other}", called(image), called(onto))));
        }
        self.inner.made_room(rebase(&self.inner, image, &from, onto, name))
    }
}

/// As people know it.
fn called(image: &Image) -> &str {
    image.repo_tags.first().or(image.repo_digests.first()).map_or(image.id.short(), String::as_str)
}

/// The image that `image` stands on: of those here that have its first layers and a name, one of the new base's
/// repository, and otherwise the one that has most of them.
fn base_of(all: &[Image], image: &Image, onto: &Image) -> Result<Image> {
    let repositories = |image: &Image| -> BTreeSet<String> {
        let names = image.repo_tags.iter().chain(&image.repo_digests);
        names.filter_map(|name| Reference::parse_name(name).ok()).map(|name| name.name()).collect()
    };
    let wanted = repositories(onto);
    let stands_on = |base: &&Image| {
        let shorter = base.layers.len() < image.layers.len() && !base.layers.is_empty();
        shorter && base.is_named() && image.layers.starts_with(&base.layers)
    };
    let found = all.iter().filter(stands_on).max_by_key(|base| {
        let related = !repositories(base).is_disjoint(&wanted);
        (related, base.layers.len(), base.id == onto.id)
    });
    found.cloned().ok_or_else(|| {
        let name = called(image);
        Error::NotRebased(format!(
            "it is not known what {name} stands on: no image here has its first layers (say which: --from)"
        ))
    })
}

fn rebase(inner: &Arc<Inner>, image: &Image, from: &Image, onto: &Image, name: Option<&Reference>) -> Result<Rebased> {
    let (_lease, record) = inner.lease_image(&image.id)?;
    let (_base, old) = inner.lease_image(&from.id)?;
    let (mut lease, new) = inner.lease_image(&onto.id)?;
    let own = &record.layers[old.layers.len()..];
    let conflicts = conflicts(inner, &old.layers, &new.layers, own)?;
    let mut layers = Vec::with_capacity(new.layers.len() + own.len());
    for chain in &new.layers {
        layers.push((chain.clone(), recorded(inner, chain)?));
    }
    for own in own {
        let layer = recorded(inner, own)?;
        let parent = layers.last().map(|(chain, _)| chain.clone());
        let chain = ChainId::extend(parent.as_ref(), &layer.diff_id);
        lease.layer(&chain);
        lease.blob(&layer.blob.digest);
        let layer = match inner.layer(&chain)? {
            Some(there) => there,
            None => again(inner, own, &layer, parent.as_ref(), &chain)?,
        };
        layers.push((chain, layer));
    }
    let diff_ids = layers.iter().map(|(_, layer)| layer.diff_id.clone()).collect();
    let config = config(&record.config, &old, &new, diff_ids);
    let id =
        assemble(inner, Assembly { config, layers, dialect: Dialect::Oci, parent: None, name: name.cloned() }, lease)?;
    Ok(Rebased { id, from: from.id.clone(), own_layers: own.len(), conflicts })
}

fn recorded(inner: &Inner, chain: &ChainId) -> Result<LayerRecord> {
    inner.layer(chain)?.ok_or_else(|| Error::Content(format!("layer {chain} is not in the store")))
}

/// The same layer in another place; it comes in the same blob.
fn again(
    inner: &Inner,
    place: &ChainId,
    layer: &LayerRecord,
    parent: Option<&ChainId>,
    chain: &ChainId,
) -> Result<LayerRecord> {
    let made = layer_of_tar(inner, open::open_archive(inner, place)?)?;
    if made.diff_id != layer.diff_id {
        return Err(match open::gives_archive(inner, layer) {
            true => Error::LayerVerification(layer.blob.digest.clone()),
            false => open::away(&layer.blob.digest),
        });
    }
    let record = made.record(parent, layer.blob.clone(), layer.kept);
    made.settle(chain)?;
    Ok(record)
}

fn config(image: &ImageConfig, old: &ImageRecord, new: &ImageRecord, diff_ids: Vec<berth_oci::DiffId>) -> ImageConfig {
    let mut config = image.clone();
    config.created = Some(Timestamp::now().to_string());
    config.config = merge::three(&old.config.config, &image.config, &new.config.config);
    config.rootfs = RootFs { kind: "layers".to_owned(), diff_ids };
    let own = own_history(&image.history, &old.config.history, old.layers.len());
    config.history = new.config.history.iter().chain(own).cloned().collect();
    for stale in ["container", "container_config"] {
        config.extra.remove(stale);
    }
    config
}

/// The steps that came after the base's; `layers`: how many the base has.
fn own_history<'a>(all: &'a [History], base: &[History], layers: usize) -> &'a [History] {
    if all.starts_with(base) {
        return &all[base.len()..];
    }
    let mut made = all.iter().enumerate().filter(|(_, step)| !step.empty_layer).map(|(n, _)| n + 1);
    let begin = if layers == 0 { 0 } else { made.nth(layers - 1).unwrap_or(all.len()) };
    &all[begin..]
}

/// What the image's own layers say about paths in which the bases differ.
fn conflicts(inner: &Inner, old: &[ChainId], new: &[ChainId], own: &[ChainId]) -> Result<Vec<String>> {
    let tree = |chains: &[ChainId]| {
        let mut tree = Tree::default();
        for (n, chain) in chains.iter().enumerate() {
            tree.lay(n, layer::read(inner, chain)?);
        }
        Ok::<_, Error>(tree)
    };
    let differing: BTreeMap<String, ()> =
        files(&tree(old)?, &tree(new)?).into_iter().map(|file| (file.path, ())).collect();
    let mut found = BTreeSet::new();
    for chain in own {
        layer::read(inner, chain)?.iter().for_each(|item| touched(item, &differing, &mut found));
    }
    Ok(found.into_iter().collect())
}

fn touched(item: &Item, differing: &BTreeMap<String, ()>, found: &mut BTreeSet<String>) {
    let path = shown(&item.path);
    let below = format!("{}/", path.trim_end_matches('/'));
    let inside = || differing.range(below.clone()..).map(|(path, ())| path).take_while(|path| path.starts_with(&below));
    match item.what {
        // A directory is merged, unless it hides what is below.
        What::Directory => {}
        What::Opaque => found.extend(inside().cloned()),
        What::Whiteout => {
            found.extend(inside().cloned());
            found.extend(differing.contains_key(&path).then_some(path));
        }
        _ => found.extend(differing.contains_key(&path).then_some(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_one_s_own() {
        let step = |by: &str, empty_layer| History { created_by: by.into(), empty_layer, ..History::default() };
        let all = [step("add", false), step("cmd", true), step("run", false), step("label", true)];
        assert_eq!(own_history(&all, &all[..2], 1), &all[2..]);
        // The base's own story was cut or rewritten: its layers count.
        assert_eq!(own_history(&all, &[step("other", false)], 1), &all[1..]);
        assert_eq!(own_history(&all, &[], 0), &all[..]);
        assert!(own_history(&all[..1], &[step("x", false)], 5).is_empty());
    }

    #[test]
    fn which_paths_are_touched() {
        let differing = BTreeMap::from(["/etc/group", "/etc/passwd", "/etcetera"].map(|path| (path.to_owned(), ())));
        let touches = |path: &str, what: What| {
            let mut found = BTreeSet::new();
            let item = Item { path: path.into(), what, attributes: layer::Attributes::default() };
            touched(&item, &differing, &mut found);
            found.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(touches("etc/passwd", What::Fifo), ["/etc/passwd"]);
        assert_eq!(touches("etc", What::Opaque), ["/etc/group", "/etc/passwd"]);
        assert_eq!(touches("etc", What::Whiteout), ["/etc/group", "/etc/passwd"]);
        assert_eq!(touches("", What::Opaque).len(), 3);
        assert!(touches("etc", What::Directory).is_empty() && touches("etc/x", What::Fifo).is_empty());
    }
}
