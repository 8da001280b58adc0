//! A context as a tar archive: `meta.json`, and keys below `tls/<endpoint>/`, as Docker exports them.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Component, Path};

use super::{Meta, Store};

/// No context is larger; an archive that says otherwise is none.
const LIMIT: u64 = 10 << 20;

/// What an archive holds.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    pub(crate) meta: Meta,
    /// The keys of the endpoint `docker`.
    pub(crate) tls: BTreeMap<String, Vec<u8>>,
}

/// Writes a context.
pub(crate) fn write(meta: &Meta, store: &Store, out: impl Write) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("writing the archive: {error}");
    let mut tar = tar::Builder::new(out);
    let text = serde_json::to_vec(meta).map_err(|e| e.to_string())?;
    tar.append(&header("meta.json", text.len(), 0o644, tar::EntryType::Regular).map_err(failed)?, text.as_slice())
        .map_err(failed)?;
    let directory = |path: &str| header(path, 0, 0o700, tar::EntryType::Directory);
    tar.append(&directory("tls").map_err(failed)?, std::io::empty()).map_err(failed)?;
    let files = store.tls(&meta.name).files;
    if !files.is_empty() {
        tar.append(&directory("tls/docker").map_err(failed)?, std::io::empty()).map_err(failed)?;
    }
    for (name, path) in &files {
        let bytes = std::fs::read(path).map_err(failed)?;
        let header = header(&format!("tls/docker/{name}"), bytes.len(), 0o600, tar::EntryType::Regular);
        tar.append(&header.map_err(failed)?, bytes.as_slice()).map_err(failed)?;
    }
    tar.into_inner().and_then(|mut out| out.flush()).map_err(failed)
}

fn header(path: &str, size: usize, mode: u32, kind: tar::EntryType) -> std::io::Result<tar::Header> {
    let mut header = tar::Header::new_ustar();
    header.set_path(path)?;
    header.set_size(size as u64);
    header.set_mode(mode);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_entry_type(kind);
    header.set_cksum();
    Ok(header)
}

/// Reads what [`write`] or Docker wrote. Nothing is written anywhere.
pub(crate) fn read(input: impl Read) -> Result<Imported, String> {
    let mut head = [0; 4];
    let mut input = input.take(LIMIT);
    let length = read_some(&mut input, &mut head)?;
    if head[..length] == *b"PK\x03\x04" {
        return Err("a zip archive can't be imported: unpack it and import it as a tar archive".to_owned());
    }
    // Docker's archives break off after the last file's last byte.
    let padding = std::io::repeat(0).take(2048);
    let mut tar = tar::Archive::new(head[..length].chain(input).chain(padding));
    let mut found = Imported::default();
    let mut has_meta = false;
    for entry in tar.entries().map_err(|e| format!("not a tar archive: {e}"))? {
        let mut entry = entry.map_err(|e| format!("not a tar archive: {e}"))?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(|e| e.to_string())?.into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|e| format!("{}: {e}", path.display()))?;
        if path == Path::new("meta.json") {
            found.meta = serde_json::from_slice(&bytes).map_err(|e| format!("meta.json of the archive: {e}"))?;
            has_meta = true;
            continue;
        }
        let parts: Vec<Component<'_>> = path.components().collect();
        match parts.as_slice() {
            [Component::Normal(tls), Component::Normal(endpoint), Component::Normal(file)]
                if *tls == "tls" && *endpoint == "docker" =>
            {
                found.tls.insert(file.to_string_lossy().into_owned(), bytes);
            }
            _ => return Err(format!("unexpected context file: {}", path.display())),
        }
    }
    if has_meta { Ok(found) } else { Err("invalid context: no metadata found".to_owned()) }
}

fn read_some(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, String> {
    let mut length = 0;
    while length < buffer.len() {
        match input.read(&mut buffer[length..]).map_err(|e| e.to_string())? {
            0 => break,
            n => length += n,
        }
    }
    Ok(length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn strangers_archives() {
        assert!(read(&b""[..]).unwrap_err().contains("no metadata"));
        assert!(read(&b"root:x:0:0:root:/root:/bin/bash\n".repeat(40)[..]).is_err());
        assert!(read(&b"PK\x03\x04xxxx"[..]).unwrap_err().contains("zip"));
        let mut tar = tar::Builder::new(Vec::new());
        let mut escape = header("tls/docker/key.pem", 1, 0o600, tar::EntryType::Regular).unwrap();
        escape.as_mut_bytes()[..19].copy_from_slice(b"tls/docker/../../ab");
        escape.set_cksum();
        tar.append(&escape, &b"x"[..]).unwrap();
        assert!(read(tar.into_inner().unwrap().as_slice()).unwrap_err().contains("unexpected context file"));
    }
}
