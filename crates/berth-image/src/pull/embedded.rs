//! An image in memory: an OCI image layout in an uncompressed tar, read as if a registry had it.

use std::collections::HashMap;
use std::io::Read;

use berth_archive::{ArchiveError, Reader};
use berth_distribution::Piece;
use berth_oci::{Descriptor, Digest, Document};

use super::source::{Blob, Fetched, Future_, Source};
use crate::{Error, Result};

/// The layout's files. The archive is small: it is part of a program.
#[derive(Debug)]
pub(crate) struct Embedded {
    blobs: HashMap<Digest, Vec<u8>>,
    /// The manifest or manifest list that the layout is about.
    root: Descriptor,
}

impl Embedded {
    pub(crate) fn open(archive: &[u8]) -> Result<Self> {
        let files = files(archive).map_err(|e| Error::BadImage(format!("reading the embedded image: {e}")))?;
        let bad = |what: &str| Error::BadImage(format!("the embedded image {what}"));
        let index = files.get("index.json").ok_or_else(|| bad("has no index.json"))?;
        let document = Document::parse(index, berth_oci::media::OCI_INDEX).map_err(|e| bad(&e.to_string()))?;
        let Document::Index(index) = document else { return Err(bad("has no index")) };
        let root = index.manifests.into_iter().next().ok_or_else(|| bad("has no manifest"))?;
        let blobs = files.into_iter().filter_map(|(path, bytes)| {
            let hex = path.strip_prefix("blobs/sha256/")?;
            Some((Digest::from_sha256_hex(hex).ok()?, bytes))
        });
        Ok(Self { blobs: blobs.collect(), root })
    }

    fn get(&self, digest: &Digest) -> Result<&Vec<u8>> {
        self.blobs.get(digest).ok_or_else(|| Error::BadImage(format!("the embedded image has no blob {digest}")))
    }
}

fn files(archive: &[u8]) -> Result<HashMap<String, Vec<u8>>, ArchiveError> {
    let mut reader = Reader::new(archive);
    let mut files = HashMap::new();
    let mut buffer = vec![0; 64 * 1024];
    while let Some(entry) = reader.next()? {
        let mut bytes = Vec::new();
        loop {
            let (_, got) = reader.read(&mut buffer)?;
            if got == 0 {
                break;
            }
            (&buffer[..got]).read_to_end(&mut bytes)?;
        }
        let path = String::from_utf8_lossy(&entry.path);
        files.insert(path.trim_start_matches("./").to_owned(), bytes);
    }
    Ok(files)
}

impl Source for Embedded {
    fn digest<'a>(&'a self, _object: &'a str) -> Future_<'a, Option<Digest>> {
        Box::pin(async { Ok(Some(self.root.digest.clone())) })
    }

    fn manifest<'a>(&'a self, object: &'a str) -> Future_<'a, Fetched> {
        Box::pin(async {
            let digest = Digest::parse(object).unwrap_or_else(|_| self.root.digest.clone());
            let media_type = if digest == self.root.digest { self.root.media_type.clone() } else { String::new() };
            Ok(Fetched { bytes: self.get(&digest)?.clone(), media_type })
        })
    }

    fn blob<'a>(&'a self, descriptor: &'a Descriptor, from: u64) -> Future_<'a, Box<dyn Blob>> {
        Box::pin(async move {
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            let bytes = self.get(&descriptor.digest)?.get(from..).unwrap_or_default().to_vec();
            Ok(Box::new(Whole(Some(bytes))) as Box<dyn Blob>)
        })
    }
}

/// A blob that comes in one piece.
struct Whole(Option<Vec<u8>>);

impl Blob for Whole {
    fn next(&mut self) -> Future_<'_, Option<Piece>> {
        let bytes = self.0.take();
        Box::pin(async { Ok(bytes.map(|b| Piece::Bytes(b.into()))) })
    }
}
