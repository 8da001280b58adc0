//! How much of the disk a directory takes.

use std::path::Path;

/// Bytes in files below `root`, hard links counted once. What vanishes on the way counts nothing.
pub(crate) fn usage(root: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let (mut total, mut seen, mut directories) = (0, std::collections::HashSet::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                directories.push(entry.path());
            } else if metadata.nlink() == 1 || seen.insert((metadata.dev(), metadata.ino())) {
                total += metadata.len();
            }
        }
    }
    total
}
