//! What is fed: the readers of what strangers wrote, and what must hold of their answers.

use std::fs::File;
use std::io::Read;

use berth_archive::{Limits, Reader};
use berth_erofs::Image;
use berth_oci::{Document, ImageConfig, Reference};

use crate::chance::Chance;
use crate::mutate::{mutate, repair};
use crate::{json, names, packed, seeds, tar};

/// One reader.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    /// Inputs that it understands.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
    /// What its inputs are.
    pub(crate) shape: Shape,
    /// Reads an input; a panic is a failure.
    pub(crate) read: fn(&[u8], &File),
}

/// What an input is, and so how an odd one is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Name,
    Json,
    /// Checksums are made right again after changes.
    Archive,
    Packed,
}

impl Target {
    /// An input by chance.
    pub(crate) fn input(&self, seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
        let mut input = match (chance.below(3), self.shape) {
            (0, _) => seeds[chance.below(seeds.len())].clone(),
            (_, Shape::Name) => return names::make(chance),
            (_, Shape::Json) => return json::change(seeds, chance),
            (_, Shape::Archive) => return tar::make(chance),
            (_, Shape::Packed) => return packed::change(seeds, chance),
        };
        mutate(&mut input, seeds, chance);
        if self.shape == Shape::Archive {
            repair(&mut input, chance);
        }
        input
    }
}

/// Every reader.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "reference", seeds: seeds::references, shape: Shape::Name, read: reference },
    Target { name: "manifest", seeds: seeds::manifests, shape: Shape::Json, read: manifest },
    Target { name: "config", seeds: seeds::configs, shape: Shape::Json, read: config },
    Target { name: "tar", seeds: seeds::archives, shape: Shape::Archive, read: archive },
    Target { name: "compressed", seeds: seeds::compressed, shape: Shape::Packed, read: compressed },
    Target { name: "erofs", seeds: seeds::archives, shape: Shape::Archive, read: erofs },
];

/// Bytes that are taken of something compressed.
const ENOUGH: u64 = 64 << 20;

fn reference(input: &[u8], _: &File) {
    let text = String::from_utf8_lossy(input);
    if let Ok(name) = Reference::parse_name(&text) {
        assert_eq!(Reference::parse_name(&name.to_string()).as_ref(), Ok(&name), "what is written is read");
        assert_eq!(Reference::parse_name(&name.familiar()).map(|n| n.to_string()), Ok(name.to_string()));
    }
    drop(Reference::parse(&text));
}

fn manifest(input: &[u8], _: &File) {
    for announced in ["", berth_oci::media::OCI_INDEX, berth_oci::media::DOCKER_MANIFEST] {
        match Document::parse(input, announced) {
            Ok(Document::Manifest(manifest)) => {
                let written = serde_json::to_vec(&manifest).unwrap_or_default();
                assert!(Document::parse(&written, berth_oci::media::OCI_MANIFEST).is_ok(), "what is written is read");
            }
            Ok(Document::Index(index)) => drop(index.manifests.iter().filter(|m| m.is_attestation()).count()),
            Err(_) => {}
        }
    }
}

fn config(input: &[u8], _: &File) {
    if let Ok(config) = ImageConfig::parse(input) {
        drop((config.chain_ids(), config.platform().to_string(), config.labels(), config.env().len()));
        let written = serde_json::to_vec(&config).unwrap_or_default();
        assert!(ImageConfig::parse(&written).is_ok(), "what is written is read");
    }
}

fn archive(input: &[u8], _: &File) {
    let (mut reader, mut buffer) = (Reader::new(input), [0; 4096]);
    while let Ok(Some(_)) = reader.next() {
        while matches!(reader.read(&mut buffer), Ok((_, 1..))) {}
    }
    drop(reader.finish());
}

fn compressed(input: &[u8], _: &File) {
    if let Ok(plain) = berth_image::decompress(input) {
        drop(std::io::copy(&mut plain.take(ENOUGH), &mut std::io::sink()));
    }
}

fn erofs(input: &[u8], scratch: &File) {
    drop(scratch.set_len(0));
    if let Ok(image) = Image::write(input, scratch, Limits::default()) {
        drop(image.seal(scratch, [0; 16]));
    }
}
