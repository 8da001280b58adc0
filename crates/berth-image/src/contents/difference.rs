//! `image diff`: what a container of one image sees otherwise than one of another.

use std::collections::BTreeMap;

use berth_oci::ChainId;
use serde_json::{Map, Value};

use super::explain::shown;
use super::layer;
use super::tree::{Is, Node, Tree};
use crate::{Image, ImageStore, Result};

/// How two images differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Difference {
    /// How many layers, from the bottom, both have.
    pub common_layers: usize,
    /// Bytes of the files that a container of each sees.
    pub seen: (u64, u64),
    /// What differs of what a container sees, by path.
    pub files: Vec<Differing>,
    /// What differs of what a container starts from.
    pub config: Vec<Setting>,
}

/// A path that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// From the root.
    pub path: String,
    /// Bytes in the first image, if it is a file there; nothing: the path is not there.
    pub before: Option<u64>,
    /// Bytes in the second image.
    pub after: Option<u64>,
    /// In what the two differ, where both have it.
    pub aspects: Vec<Aspect>,
}

/// In what two entries of one path differ. Times are not compared: builds differ in them without meaning to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// One is a file, say, and the other is a directory.
    Kind,
    /// A file's bytes.
    Content,
    /// Where a link points, or which device it is.
    Target,
    /// Permissions.
    Mode,
    /// User or group.
    Owner,
    /// Extended attributes.
    Xattrs,
}

/// A setting that is not the same in both.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// `Env.PATH`, `Cmd`, `Labels.x`, ….
    pub name: String,
    /// In the first image.
    pub before: Option<Value>,
    /// In the second image.
    pub after: Option<Value>,
}

impl ImageStore {
    /// Reads the layers of two images and tells how they differ. Blocks, for as long as reading takes.
    ///
    /// # Errors
    /// One is gone, or a layer cannot be read.
    pub fn difference(&self, before: &Image, after: &Image) -> Result<Difference> {
        let (_lease, first) = self.inner.lease_image(&before.id)?;
        let (_lease_too, second) = self.inner.lease_image(&after.id)?;
        let common = first.layers.iter().zip(&second.layers).take_while(|(a, b)| a == b).count();
        let mut below = Tree::default();
        self.lay(&mut below, &first.layers[..common], 0)?;
        let mut tree = below.clone();
        self.lay(&mut tree, &first.layers[common..], common)?;
        self.lay(&mut below, &second.layers[common..], common)?;
        Ok(Difference {
            common_layers: common,
            seen: (tree.seen(), below.seen()),
            files: files(&tree, &below),
            config: settings(&described(before), &described(after)),
        })
    }

    fn lay(&self, tree: &mut Tree, chains: &[ChainId], first: usize) -> Result<()> {
        for (n, chain) in chains.iter().enumerate() {
            tree.lay(first + n, layer::read(&self.inner, chain)?);
        }
        Ok(())
    }
}

/// What differs of what containers see.
pub(crate) fn files(before: &Tree, after: &Tree) -> Vec<Differing> {
    let paths: BTreeMap<&Vec<u8>, ()> = before.nodes.keys().chain(after.nodes.keys()).map(|path| (path, ())).collect();
    let mut found = Vec::new();
    for path in paths.into_keys() {
        let (old, new) = (before.nodes.get(path), after.nodes.get(path));
        let aspects = match (old, new) {
            (Some(old), Some(new)) => aspects((before, old), (after, new)),
            _ => Vec::new(),
        };
        if old.is_none() || new.is_none() || !aspects.is_empty() {
            found.push(Differing {
                path: shown(path),
                before: old.map(|node| size(before, node)),
                after: new.map(|node| size(after, node)),
                aspects,
            });
        }
    }
    found
}

fn size(tree: &Tree, node: &Node) -> u64 {
    if let Is::File(file) = node.is { tree.files[file].size } else { 0 }
}

fn aspects((before, old): (&Tree, &Node), (after, new): (&Tree, &Node)) -> Vec<Aspect> {
    let mut aspects = Vec::new();
    let mut differ = |yes: bool, aspect: Aspect| aspects.extend(yes.then_some(aspect));
    match (&old.is, &new.is) {
        (Is::File(a), Is::File(b)) => differ(before.files[*a].content != after.files[*b].content, Aspect::Content),
        (Is::Symlink(a), Is::Symlink(b)) => differ(a != b, Aspect::Target),
        (Is::Device { block: a, number: m }, Is::Device { block: b, number: n }) if a == b => {
            differ(m != n, Aspect::Target);
        }
        (a, b) => differ(a != b, Aspect::Kind),
    }
    // A link's own permissions mean nothing.
    let link = matches!(new.is, Is::Symlink(_));
    let (a, b) = (&old.attributes, &new.attributes);
    differ(a.mode & 0o7777 != b.mode & 0o7777 && !link, Aspect::Mode);
    differ(a.owner != b.owner, Aspect::Owner);
    differ(a.xattrs != b.xattrs, Aspect::Xattrs);
    aspects
}

/// What a container starts from, setting by setting.
fn described(image: &Image) -> BTreeMap<String, Value> {
    let config = &image.config;
    let mut all = BTreeMap::from([("Platform".to_owned(), Value::from(image.platform().to_string()))]);
    let Ok(Value::Object(members)) = serde_json::to_value(&config.config) else { return all };
    for (name, value) in members {
        match (name.as_str(), value) {
            // The container's that it was committed from.
            ("Hostname" | "Domainname" | "Image" | "AttachStdin" | "AttachStdout" | "AttachStderr", _) => {}
            (_, Value::Null) => {}
            ("Env", Value::Array(variables)) => {
                for variable in variables.iter().filter_map(Value::as_str) {
                    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
                    all.insert(format!("Env.{name}"), value.into());
                }
            }
            ("Labels", Value::Object(labels)) => all.extend(below("Labels", labels)),
            ("ExposedPorts" | "Volumes", Value::Object(keys)) => {
                all.extend(below(&name, keys).map(|(name, _)| (name, Value::Bool(true))));
            }
            (_, value) => drop(all.insert(name, value)),
        }
    }
    all
}

fn below(name: &str, members: Map<String, Value>) -> impl Iterator<Item = (String, Value)> {
    members.into_iter().map(move |(inner, value)| (format!("{name}.{inner}"), value))
}

fn settings(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Vec<Setting> {
    let names: BTreeMap<&String, ()> = before.keys().chain(after.keys()).map(|name| (name, ())).collect();
    let setting = |name: &String| Setting {
        name: name.clone(),
        before: before.get(name).cloned(),
        after: after.get(name).cloned(),
    };
    names.into_keys().map(setting).filter(|setting| setting.before != setting.after).collect()
}

#[cfg(test)]
mod tests {
    use berth_oci::Digest;

    use super::super::layer::{Attributes, Item, What};
    use super::*;

    fn tree(items: Vec<(&str, What, u32)>) -> Tree {
        let mut tree = Tree::default();
        let item = |(path, what, mode): (&str, What, u32)| Item {
            path: path.into(),
            what,
            attributes: Attributes { mode, ..Attributes::default() },
        };
        tree.lay(0, items.into_iter().map(item).collect());
        tree
    }

    fn file(text: &str) -> What {
        What::File { size: text.len() as u64, content: Digest::of(text.as_bytes()) }
    }

    #[test]
    fn every_way_to_differ() {
        let before = tree(vec![
            ("gone", file("1"), 0o644),
            ("same", file("2"), 0o644),
            ("text", file("3"), 0o644),
            ("mode", file("4"), 0o644),
            ("kind", file("5"), 0o644),
            ("link", What::Symlink("a".into()), 0o777),
            // The same bytes under two names, and as two files: a container sees no difference.
            ("hard", file("6"), 0o644),
            ("linked", What::HardLink("hard".into()), 0o644),
        ]);
        let after = tree(vec![
            ("new", file("12"), 0o644),
            ("same", file("2"), 0o644),
            ("text", file("345"), 0o644),
            ("mode", file("4"), 0o755),
            ("kind", What::Directory, 0o644),
            ("link", What::Symlink("b".into()), 0o755),
            ("hard", file("6"), 0o644),
            ("linked", file("6"), 0o644),
        ]);
        type Row = (String, Option<u64>, Option<u64>, Vec<Aspect>);
        let row = |d: Differing| -> Row { (d.path, d.before, d.after, d.aspects) };
        assert_eq!(
            files(&before, &after).into_iter().map(row).collect::<Vec<_>>(),
            [
                ("/gone".to_owned(), Some(1), None, vec![]),
                ("/kind".to_owned(), Some(1), Some(0), vec![Aspect::Kind]),
                ("/link".to_owned(), Some(0), Some(0), vec![Aspect::Target]),
                ("/mode".to_owned(), Some(1), Some(1), vec![Aspect::Mode]),
                ("/new".to_owned(), None, Some(2), vec![]),
                ("/text".to_owned(), Some(1), Some(3), vec![Aspect::Content]),
            ]
        );
    }

    #[test]
    fn settings_by_name() {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
        let found =
            settings(&map(&[("Env.A", "1"), ("Env.B", "2"), ("Cmd", "x")]), &map(&[("Env.A", "1"), ("Env.B", "3")]));
        let names: Vec<(&str, bool, bool)> =
            found.iter().map(|s| (s.name.as_str(), s.before.is_some(), s.after.is_some())).collect();
        assert_eq!(names, [("Cmd", true, false), ("Env.B", true, true)]);
    }
}
