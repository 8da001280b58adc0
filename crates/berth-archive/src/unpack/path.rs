//! What a name in an archive means: a place below the root, or a whiteout; pure.

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const WHITEOUT_META: &[u8] = b".wh..wh.";
const NAME_MAX: usize = 255;
const MAX_DEPTH: usize = 256;

/// Why a name is refused; continues a sentence that begins with the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// It climbs above the root.
    #[error("leads out of the image")]
    Escape,
    /// Longer than any path.
    #[error("is an absurdly long name")]
    TooLong,
    /// A mark of absence for nothing.
    #[error("is a whiteout of nothing that could be there")]
    Whiteout,
    /// It has a zero byte.
    #[error("has a zero byte in its name")]
    Zero,
}

/// A place below the root: its components are neither empty nor `.` nor `..`, and there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    path: Vec<u8>,
    /// Where the last component begins.
    base: usize,
}

/// What an entry whose name begins with `.wh.` says about the layers below.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whiteout {
    /// This is gone.
    Of(Name),
    /// Everything in this directory is gone.
    Opaque,
    /// Bookkeeping of a file system that nobody has any more.
    Ignored,
}

impl Name {
    /// Cleans a path lexically; absolute ones are taken as relative to the root. `None` is the root itself.
    ///
    /// # Errors
    /// Why there can be no such name.
    pub fn parse(path: &[u8]) -> Result<Option<Self>, BadPath> {
        if path.len() > crate::PATH_MAX {
            return Err(BadPath::TooLong);
        }
        if path.contains(&0) {
            return Err(BadPath::Zero);
        }
        let mut parts: Vec<&[u8]> = Vec::new();
        for part in path.split(|&b| b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => drop(parts.pop().ok_or(BadPath::Escape)?),
                part if part.len() > NAME_MAX => return Err(BadPath::TooLong),
                part => parts.push(part),
            }
        }
        if parts.len() > MAX_DEPTH {
            return Err(BadPath::TooLong);
        }
        let Some(last) = parts.last() else { return Ok(None) };
        let base_length = last.len();
        let path = parts.join(&b'/');
        Ok(Some(Self { base: path.len() - base_length, path }))
    }

    /// The whole path, without a leading slash.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The directory it lies in; empty for what lies in the root.
    #[must_use]
    pub fn parent(&self) -> &[u8] {
        &self.path[..self.base.saturating_sub(1)]
    }

    /// The last component.
    #[must_use]
    pub fn base(&self) -> &[u8] {
        &self.path[self.base..]
    }

    pub(crate) fn whiteout(&self) -> Result<Option<Whiteout>, BadPath> {
        let base = self.base();
        if base == OPAQUE {
            return Ok(Some(Whiteout::Opaque));
        }
        if base.starts_with(WHITEOUT_META) {
            return Ok(Some(Whiteout::Ignored));
        }
        match base.strip_prefix(WHITEOUT) {
            None => Ok(None),
            Some(b"" | b"." | b"..") => Err(BadPath::Whiteout),
            Some(target) => {
                let path = [&self.path[..self.base], target].concat();
                Ok(Some(Whiteout::Of(Self { path, base: self.base })))
            }
        }
    }
}

/// Whether a relative link target, followed from where the link lies, climbs above the root.
pub(crate) fn climbs_out(link: &Name, target: &[u8]) -> bool {
    if target.starts_with(b"/") {
        return false;
    }
    let mut depth = link.path().split(|&b| b == b'/').count() - 1;
    for part in target.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn name(path: &str) -> Name {
        Name::parse(path.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn paths_are_cleaned() {
        for (path, clean) in [("a", "a"), ("./a//b/", "a/b"), ("/etc/x", "etc/x"), ("a/../b", "b"), ("a/./b", "a/b")] {
            assert_eq!(name(path).path(), clean.as_bytes());
        }
        assert_eq!((name("a/b/c").parent(), name("a/b/c").base()), (&b"a/b"[..], &b"c"[..]));
        assert_eq!((name("a").parent(), name("a").base()), (&b""[..], &b"a"[..]));
        assert_eq!(Name::parse(b"./").unwrap(), None);
        assert_eq!(Name::parse(b"").unwrap(), None);
        for bad in ["..", "../x", "a/../../x", "/../x"] {
            assert_eq!(Name::parse(bad.as_bytes()), Err(BadPath::Escape), "{bad}");
        }
        assert_eq!(Name::parse("x".repeat(256).as_bytes()), Err(BadPath::TooLong));
        assert_eq!(Name::parse("x/".repeat(2049).as_bytes()), Err(BadPath::TooLong));
        assert_eq!(Name::parse(b"a\0b"), Err(BadPath::Zero));
    }

    #[test]
    fn whiteouts_are_recognised() {
        assert_eq!(name("a/.wh.b").whiteout(), Ok(Some(Whiteout::Of(name("a/b")))));
        assert_eq!(name(".wh.b").whiteout(), Ok(Some(Whiteout::Of(name("b")))));
        assert_eq!(name("a/.wh..wh..opq").whiteout(), Ok(Some(Whiteout::Opaque)));
        assert_eq!(name(".wh..wh.plnk").whiteout(), Ok(Some(Whiteout::Ignored)));
        assert_eq!(name("a/wh.b").whiteout(), Ok(None));
        for bad in ["a/.wh.", "a/.wh..", "a/.wh..."] {
            assert_eq!(name(bad).whiteout(), Err(BadPath::Whiteout), "{bad}");
        }
    }

    #[test]
    fn links_that_climb_out_are_seen() {
        assert!(climbs_out(&name("x"), b"../etc"));
        assert!(climbs_out(&name("a/b/x"), b"../../../etc"));
        assert!(climbs_out(&name("a/x"), b"b/../../../c"));
        assert!(!climbs_out(&name("a/b/x"), b"../../etc"));
        assert!(!climbs_out(&name("x"), b"/../etc"));
        assert!(!climbs_out(&name("x"), b"usr/lib"));
    }
}
