//! The words of a mount's `options`, as the specification and mount(8) spell them: pure.

use berth_sys::mount::{
    ATIME, NOATIME, NODEV, NODIRATIME, NOEXEC, NOSUID, NOSYMFOLLOW, Propagation, RDONLY, STRICTATIME,
};

/// What a mount's options say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `Some(recursive)` for a bind mount.
    pub(crate) bind: Option<bool>,
    /// Attributes of the mount itself.
    pub(crate) attributes: Change,
    /// Attributes of it and of all mounts below (`rro`, …).
    pub(crate) recursive: Change,
    /// The propagation, and whether of all mounts below too.
    pub(crate) propagation: Option<(Propagation, bool)>,
    /// `Some(recursive)`: ids are mapped, by the mount's own mappings or the container's.
    pub(crate) idmap: Option<bool>,
    /// A tmpfs begins with what lay below it.
    pub(crate) copy_up: bool,
    /// A bind mount's source is looked up in this mount namespace (`x-berth.namespace=PATH`, ours alone).
    pub(crate) namespace: Option<String>,
    /// Flags of the file system (`sync`, `dirsync`, …), by their `fsconfig` names.
    pub(crate) flags: Vec<&'static str>,
    /// What remains is the file system's own: `key` or `key=value`.
    pub(crate) data: Vec<(String, Option<String>)>,
}

/// Attributes to set and to clear.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) set: u64,
    pub(crate) clear: u64,
}

impl Change {
    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    fn apply(&mut self, bits: u64, on: bool) {
        if bits & ATIME != 0 {
            // The three times are one field: setting one means clearing the field.
            self.set = self.set & !ATIME | if on { bits } else { 0 };
            self.clear |= ATIME;
        } else if on {
            self.set |= bits;
            self.clear &= !bits;
        } else {
            self.clear |= bits;
            self.set &= !bits;
        }
    }
}

/// Every attribute by name, on or off; with an `r` before it, for the whole tree.
const ATTRIBUTES: &[(&str, u64, bool)] = &[
    ("ro", RDONLY, true),
    ("rw", RDONLY, false),
    ("nosuid", NOSUID, true),
    ("suid", NOSUID, false),
    ("nodev", NODEV, true),
    ("dev", NODEV, false),
    ("noexec", NOEXEC, true),
    ("exec", NOEXEC, false),
    ("noatime", NOATIME, true),
    ("atime", NOATIME, false),
    ("strictatime", STRICTATIME, true),
    ("nostrictatime", STRICTATIME, false),
    ("nodiratime", NODIRATIME, true),
    ("diratime", NODIRATIME, false),
    ("nosymfollow", NOSYMFOLLOW, true),
    ("symfollow", NOSYMFOLLOW, false),
    ("relatime", ATIME, false),
    ("norelatime", STRICTATIME, true),
];

const PROPAGATIONS: &[(&str, Propagation)] = &[
    ("private", Propagation::Private),
    ("slave", Propagation::Slave),
    ("shared", Propagation::Shared),
    ("unbindable", Propagation::Unbindable),
];

/// Every option this runtime knows by name, for `features`.
pub(crate) fn known() -> Vec<String> {
    let mut names: Vec<String> = ["bind", "rbind", "defaults", "sync", "async", "dirsync", "lazytime", "nolazytime"]
        .into_iter()
        .chain([
            "mand",
            "nomand",
            "iversion",
            "noiversion",
            "silent",
            "loud",
            "remount",
            "tmpcopyup",
            "idmap",
            "ridmap",
        ])
        .map(str::to_owned)
        .collect();
    let words = ATTRIBUTES.iter().map(|(name, ..)| *name).chain(PROPAGATIONS.iter().map(|(name, _)| *name));
    for word in words {
        names.push(word.to_owned());
        names.push(format!("r{word}"));
    }
    names.sort();
    names
}

/// Reads a mount's options.
pub(crate) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Options {
    let mut options = Options::default();
    for word in words {
        if !read_mount_word(&mut options, word) && !read_attribute(&mut options, word) {
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (word, None),
            };
            options.data.push((key.to_owned(), value));
        }
    }
    options
}

fn read_mount_word(options: &mut Options, word: &str) -> bool {
    match word {
        "" | "defaults" | "async" | "nomand" | "nolazytime" | "noiversion" | "loud" | "remount" => {}
        "bind" => options.bind = Some(options.bind.unwrap_or(false)),
        "rbind" => options.bind = Some(true),
        "sync" => options.flags.push("sync"),
        "dirsync" => options.flags.push("dirsync"),
        "mand" => options.flags.push("mand"),
        "lazytime" => options.flags.push("lazytime"),
        "iversion" => options.flags.push("iversion"),
        "silent" => options.flags.push("silent"),
        "tmpcopyup" => options.copy_up = true,
        "idmap" => options.idmap = Some(false),
        "ridmap" => options.idmap = Some(true),
        word => match word.strip_prefix("x-berth.namespace=") {
            Some(path) => options.namespace = Some(path.to_owned()),
            None => return false,
        },
    }
    true
}

fn read_attribute(options: &mut Options, word: &str) -> bool {
    let find = |name: &str| ATTRIBUTES.iter().find(|(known, ..)| *known == name).map(|(_, bits, on)| (*bits, *on));
    let propagation = |name: &str| PROPAGATIONS.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
    if let Some((bits, on)) = find(word) {
        options.attributes.apply(bits, on);
    } else if let Some(kind) = propagation(word) {
        options.propagation = Some((kind, false));
    } else if let Some((bits, on)) = word.strip_prefix('r').and_then(find) {
        options.recursive.apply(bits, on);
    } else if let Some(kind) = word.strip_prefix('r').and_then(propagation) {
        options.propagation = Some((kind, true));
    } else {
        return false;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockers_shm() {
        let options = parse(["nosuid", "noexec", "nodev", "mode=1777", "size=67108864"]);
        assert_eq!(options.attributes.set, NOSUID | NOEXEC | NODEV);
        assert_eq!(
            options.data,
            [("mode".to_owned(), Some("1777".to_owned())), ("size".to_owned(), Some("67108864".to_owned()))]
        );
    }

    #[test]
    fn the_last_word_wins() {
        let options = parse(["ro", "rw", "noatime", "strictatime"]);
        assert_eq!(options.attributes, Change { set: STRICTATIME, clear: ATIME | RDONLY });
    }

    #[test]
    fn recursion() {
        let options = parse(["rbind", "rro", "rslave"]);
        assert_eq!(options.bind, Some(true));
        assert_eq!(options.recursive, Change { set: RDONLY, clear: 0 });
        assert_eq!(options.propagation, Some((Propagation::Slave, true)));
        assert!(options.attributes.is_none());
    }
}
