//! The third part of `-v source:target:mode`.

use std::collections::BTreeSet;

/// What it says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mode {
    pub(crate) readonly: bool,
    pub(crate) non_recursive: bool,
    /// `rprivate`, …
    pub(crate) propagation: Option<String>,
    /// `nocopy` (true) or `copy`.
    pub(crate) no_copy: Option<bool>,
}

impl Mode {
    /// `ro`, `rw`, `z`, `Z`, `nocopy`, a propagation, … in any order; each kind once. `None`: no mode.
    pub(crate) fn parse(words: &str) -> Option<Self> {
        let mut mode = Self::default();
        let mut kinds = BTreeSet::new();
        for word in words.split(',').filter(|word| !word.is_empty()) {
            let kind = match word {
                "ro" | "rw" => {
                    mode.readonly = word == "ro";
                    "access"
                }
                // SELinux labels: nothing to relabel where there is no SELinux.
                "z" | "Z" => "label",
                "shared" | "rshared" | "slave" | "rslave" | "private" | "rprivate" => {
                    mode.propagation = Some(word.to_owned());
                    "propagation"
                }
                "copy" | "nocopy" => {
                    mode.no_copy = Some(word == "nocopy");
                    "copy"
                }
                "consistent" | "cached" | "delegated" => "consistency",
                "bind-nonrecursive" => {
                    mode.non_recursive = true;
                    "recursion"
                }
                _ => return None,
            };
            if !kinds.insert(kind) {
                return None;
            }
        }
        Some(mode)
    }
}
