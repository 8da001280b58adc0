//! Where copied files go, by Docker's rules; pure.

use crate::failure::Failure;

/// The end of a path says that the directory's contents are meant.
pub(super) fn is_contents(path: &str) -> bool {
    path == "." || path.ends_with("/.")
}

/// The end of a path says that a directory is meant.
pub(super) fn ends_as_directory(path: &str) -> bool {
    path.ends_with('/') || is_contents(path)
}

/// Without doubled slashes, `.` and `..` where they mean nothing; relative stays relative.
pub(super) fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    match (absolute, parts.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".into(),
        (false, path) => path,
    }
}

/// The directory a path lies in, and its last part; `.` where its contents are meant.
pub(super) fn split(path: &str) -> (String, String) {
    let cleaned = clean(path);
    if is_contents(path) {
        return (cleaned, ".".into());
    }
    match cleaned.rsplit_once('/') {
        Some(("", "")) => ("/".into(), "/".into()),
        Some(("", base)) => ("/".into(), base.into()),
        Some((directory, base)) => (directory.into(), base.into()),
        None => (".".into(), cleaned),
    }
}

/// What a target path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Missing,
    Directory,
    File,
}

/// Where an archive is extracted, and what its first component becomes; `None`: it stays.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) directory: String,
    pub(super) rename: Option<String>,
}

/// Decides it.
pub(super) fn decide(source_is_directory: bool, path: &str, target: Target) -> Result<Place, Failure> {
    let beside = || {
        let (directory, base) = split(&clean(path));
        Ok(Place { directory, rename: Some(base) })
    };
    match target {
        Target::Directory => Ok(Place { directory: path.to_owned(), rename: None }),
        Target::File if source_is_directory => Err(Failure::new("cannot copy directory")),
        Target::File => beside(),
        Target::Missing if !source_is_directory && ends_as_directory(path) => Err(Failure::new("no such directory")),
        Target::Missing => beside(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn place(directory: &str, rename: Option<&str>) -> Place {
        Place { directory: directory.into(), rename: rename.map(str::to_owned) }
    }

    #[test]
    fn files_go_where_docker_puts_them() {
        assert_eq!(decide(false, "/tmp/", Target::Directory).unwrap(), place("/tmp/", None));
        assert_eq!(decide(false, "/tmp/x", Target::Missing).unwrap(), place("/tmp", Some("x")));
        assert_eq!(decide(false, "/tmp/x", Target::File).unwrap(), place("/tmp", Some("x")));
        assert_eq!(decide(true, "/tmp/x/", Target::Missing).unwrap(), place("/tmp", Some("x")));
        assert_eq!(decide(true, "x", Target::Missing).unwrap(), place(".", Some("x")));
        assert_eq!(decide(true, "/x", Target::Directory).unwrap(), place("/x", None));
        assert_eq!(decide(false, "/tmp/x/", Target::Missing).unwrap_err().message, "no such directory");
        assert_eq!(decide(true, "/tmp/x", Target::File).unwrap_err().message, "cannot copy directory");
    }

    #[test]
    fn paths_are_split() {
        for (path, directory, base) in [
            ("/a/b", "/a", "b"),
            ("/a/b/", "/a", "b"),
            ("/a/b/.", "/a/b", "."),
            ("/", "/", "/"),
            ("/a", "/", "a"),
            ("a", ".", "a"),
            (".", ".", "."),
            ("../x", "..", "x"),
            ("..", ".", ".."),
        ] {
            assert_eq!(split(path), (directory.to_owned(), base.to_owned()), "{path}");
        }
    }
}
