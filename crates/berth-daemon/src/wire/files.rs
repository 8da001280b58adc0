//! A container's files on the wire, and the image made of them.

use berth_api::files::{PathStat, go_mode};
use berth_oci::{ContainerConfig, Reference};
use rustix::fs::FileType;

use crate::http::error::ApiError;

/// What lies at a path, as Go tells it.
pub(crate) fn path_stat(stat: &berth_engine::PathStat) -> PathStat {
    PathStat {
        name: stat.name.clone(),
        size: i64::try_from(stat.size).unwrap_or(i64::MAX),
        mode: go_file_mode(stat.mode),
        mtime: stat.modified.to_string(),
        link_target: stat.link_target.clone(),
    }
}

fn go_file_mode(mode: u32) -> u32 {
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => go_mode::DIRECTORY,
        FileType::Symlink => go_mode::SYMLINK,
        FileType::BlockDevice => go_mode::DEVICE,
        FileType::CharacterDevice => go_mode::DEVICE | go_mode::CHARACTER,
        FileType::Fifo => go_mode::PIPE,
        FileType::Socket => go_mode::SOCKET,
        _ => 0,
    };
    let bits = [(0o4000, go_mode::SETUID), (0o2000, go_mode::SETGID), (0o1000, go_mode::STICKY)];
    bits.iter().filter(|(bit, _)| mode & bit != 0).fold(kind | mode & 0o777, |all, (_, bit)| all | bit)
}

/// A commit's `repo` and `tag`.
pub(crate) fn reference(repo: &str, tag: &str) -> Result<Option<Reference>, ApiError> {
    if repo.is_empty() {
        return Ok(None);
    }
    let invalid = |e: berth_oci::ReferenceError| ApiError::invalid(e.to_string());
    let name = Reference::parse_name(repo).map_err(invalid)?;
    if name.digest().is_some() {
        return Err(ApiError::invalid("refusing to create a tag with a digest reference"));
    }
    let tag = if tag.is_empty() { name.tag().unwrap_or(berth_oci::DEFAULT_TAG).to_owned() } else { tag.to_owned() };
    name.with_tag(&tag).map(Some).map_err(invalid)
}

/// A commit's body: a configuration, or nothing.
pub(crate) fn config(body: &[u8]) -> Result<Option<ContainerConfig>, ApiError> {
    if body.is_empty() {
        return Ok(None);
    }
    // `null` is what a client sends who has nothing to say.
    serde_json::from_slice::<Option<ContainerConfig>>(body).map_err(|e| ApiError::invalid(format!("invalid JSON: {e}")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn modes_are_go_s() {
        assert_eq!(go_file_mode(0o100_644), 0o644);
        assert_eq!(go_file_mode(0o040_755), 2_147_484_141);
        assert_eq!(go_file_mode(0o120_777), 134_218_239);
        assert_eq!(go_file_mode(0o104_755), 0o755 | 1 << 23);
        assert_eq!(go_file_mode(0o041_777), 0o777 | 1 << 31 | 1 << 20);
    }

    #[test]
    fn names_of_commits() {
        assert_eq!(reference("", "").unwrap(), None);
        assert_eq!(reference("r", "").unwrap().unwrap().familiar(), "r:latest");
        assert_eq!(reference("r", "t").unwrap().unwrap().familiar(), "r:t");
        assert!(reference("BAD", "").is_err());
    }
}
