//! The lists that are not pushed yet: a directory each, a file for each image.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use berth_oci::Reference;

use super::Entry;
use crate::config::Config;
use crate::context::store::write_file;
use crate::grammar::os_error;

/// The lists of one configuration directory.
#[derive(Debug)]
pub(crate) struct Store {
    root: PathBuf,
}

impl Store {
    pub(crate) fn of(config: &Config) -> Self {
        Self { root: config.directory.join("manifests") }
    }

    /// The images of a list, by the names of their files; `None`: there is no such list.
    pub(crate) fn list(&self, list: &Reference) -> Result<Option<Vec<Entry>>, String> {
        let directory = self.directory(list);
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(|e| os_error("open", &directory.to_string_lossy(), &e))?,
        };
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        paths.into_iter().map(read).collect::<Result<_, _>>().map(Some)
    }

    /// One image of a list.
    pub(crate) fn get(&self, list: &Reference, image: &Reference) -> Result<Option<Entry>, String> {
        let path = self.file(list, image);
        if path.exists() { read(path).map(Some) } else { Ok(None) }
    }

    /// Puts an image into a list, instead of the one of that name where there is one.
    pub(crate) fn put(&self, list: &Reference, image: &Reference, entry: &Entry) -> Result<(), String> {
        let directory = self.directory(list);
        let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(&directory);
        made.map_err(|e| os_error("mkdir", &directory.to_string_lossy(), &e))?;
        let text = serde_json::to_vec(entry).map_err(|e| e.to_string())?;
        write_file(&self.file(list, image), &text, 0o644)
    }

    /// Removes a list; whether it was there.
    pub(crate) fn remove(&self, list: &Reference) -> Result<bool, String> {
        let directory = self.directory(list);
        match fs::remove_dir_all(&directory) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(os_error("remove", &directory.to_string_lossy(), &error)),
        }
    }

    fn directory(&self, list: &Reference) -> PathBuf {
        self.root.join(file_name(list))
    }

    fn file(&self, list: &Reference, image: &Reference) -> PathBuf {
        self.directory(list).join(file_name(image))
    }
}

fn read(path: PathBuf) -> Result<Entry, String> {
    let text = fs::read(&path).map_err(|e| os_error("open", &path.to_string_lossy(), &e))?;
    serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))
}

/// A reference in full has neither `..` nor anything else that leads out of a directory once its slashes are gone.
fn file_name(reference: &Reference) -> String {
    reference.to_string().replace(':', "-").replace('/', "_")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let name = |text: &str| file_name(&Reference::parse(text).unwrap());
        assert_eq!(name("127.0.0.1:5000/sub/b"), "127.0.0.1-5000_sub_b-latest");
        assert_eq!(name("busybox:1"), "docker.io_library_busybox-1");
        let digest = format!("sha256:{}", "a".repeat(64));
        assert_eq!(name(&format!("h:1/x@{digest}")), format!("h-1_x@sha256-{}", "a".repeat(64)));
    }
}
