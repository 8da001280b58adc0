//! Ids of containers and exec sessions, names, and how a user's key finds a container.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// 256 random bits in hexadecimal.
fn random_hex() -> String {
    let mut bytes = [0_u8; 32];
    // Fails only where the kernel has no getrandom, which none of ours lacks.
    getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
        text
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new one, never seen before.
            #[must_use]
            pub fn random() -> Self {
                Self(random_hex())
            }

            /// Takes up 64 lower-case hexadecimal digits; `None` for anything else.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                (text.len() == 64 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
            }

            /// All 64 digits.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first twelve digits, as people see it.
            #[must_use]
            pub fn short(&self) -> &str {
                &self.0[..12]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id! {
    /// A container's id: 64 hexadecimal digits.
    ContainerId
}
id! {
    /// An exec session's id: 64 hexadecimal digits.
    ExecId
}

/// Checks a name as the user gave it (a leading slash is allowed and dropped).
pub(crate) fn parse_name(text: &str) -> Result<String> {
    let name = text.strip_prefix('/').unwrap_or(text);
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphanumeric());
    let rest = name.len() > 1 && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if first && rest { Ok(name.to_owned()) } else { Err(Error::InvalidName(text.to_owned())) }
}

/// Who bears which id and name.
#[derive(Debug)]
pub(crate) struct Index<T> {
    ids: BTreeMap<String, T>,
    names: HashMap<String, String>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { ids: BTreeMap::new(), names: HashMap::new() }
    }
}

impl<T: Clone> Index<T> {
    /// Takes a name for `id` before there is anything to find under it.
    pub(crate) fn reserve(&mut self, name: &str, id: &ContainerId) -> Result<()> {
        self.check_free(name)?;
        self.names.insert(name.to_owned(), id.as_str().to_owned());
        Ok(())
    }

    /// Whether a name could be taken.
    pub(crate) fn check_free(&self, name: &str) -> Result<()> {
        match self.names.get(name) {
            Some(holder) => Err(Error::NameTaken { name: name.to_owned(), holder: holder.clone() }),
            None => Ok(()),
        }
    }

    /// Gives a name back.
    pub(crate) fn free(&mut self, name: &str) {
        self.names.remove(name);
    }

    /// Makes `id` findable.
    pub(crate) fn insert(&mut self, id: &ContainerId, value: T) {
        self.ids.insert(id.as_str().to_owned(), value);
    }

    /// Forgets `id` and its name.
    pub(crate) fn remove(&mut self, id: &ContainerId, name: &str) {
        self.ids.remove(id.as_str());
        if self.names.get(name).is_some_and(|holder| holder == id.as_str()) {
            self.names.remove(name);
        }
    }

    pub(crate) fn values(&self) -> Vec<T> {
        self.ids.values().cloned().collect()
    }

    /// Finds by whole id, else by name, else by an id's unique beginning: Docker's order.
    pub(crate) fn resolve(&self, key: &str) -> Result<T> {
        if let Some(value) = self.ids.get(key) {
            return Ok(value.clone());
        }
        if let Some(value) = self.names.get(key.strip_prefix('/').unwrap_or(key)).and_then(|id| self.ids.get(id)) {
            return Ok(value.clone());
        }
        if key.is_empty() {
            return Err(Error::NoSuchContainer(key.to_owned()));
        }
        let from = (Bound::Included(key.to_owned()), Bound::Unbounded);
        let mut found = self.ids.range(from).take_while(|(id, _)| id.starts_with(key));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value.clone()),
            (Some(_), Some(_)) => Err(Error::AmbiguousPrefix(key.to_owned())),
            (None, _) => Err(Error::NoSuchContainer(key.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_docker_s() {
        for good in ["ab", "/web", "a.b-c_d", "0x", "A1"] {
            assert_eq!(parse_name(good).unwrap(), good.trim_start_matches('/'));
        }
        for bad in ["", "a", "/", "-ab", "bad name", "é1", "a/b", "//ab", "_a"] {
            let text = parse_name(bad).unwrap_err().to_string();
            assert_eq!(text, format!("Invalid container name ({bad}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
        }
    }

    proptest! {
        /// Whatever ids and names there are, resolving says what a plain search over all of them says.
        #[test]
        fn resolving_is_a_search(
            ids in proptest::collection::btree_set("[ab]{64}", 1..8),
            names in proptest::collection::vec("[ab]{2,3}", 8),
            key in "[ab]{0,4}",
        ) {
            let mut index = Index::default();
            let mut named = HashMap::new();
            for (id, name) in ids.iter().zip(&names) {
                let id = ContainerId(id.clone());
                let free = index.reserve(name, &id).is_ok();
                prop_assert_eq!(free, !named.contains_key(name));
                if free { named.insert(name.clone(), id.clone()); }
                index.insert(&id, id.clone());
            }
            let prefixed: Vec<_> = ids.iter().filter(|id| id.starts_with(&key) && !key.is_empty()).collect();
            let expected = match named.get(&key) {
                Some(id) => Ok(id.as_str().to_owned()),
                None if prefixed.len() == 1 => Ok(prefixed[0].clone()),
                None if prefixed.is_empty() => Err("No such container"),
                None => Err("Multiple IDs"),
            };
            match (index.resolve(&key), expected) {
                (Ok(id), Ok(wanted)) => prop_assert_eq!(id.as_str(), wanted),
                (Err(error), Err(text)) => prop_assert!(error.to_string().starts_with(text)),
                (got, wanted) => prop_assert!(false, "{:?} for {:?}", got, wanted),
            }
            let first = ContainerId(ids.iter().next().unwrap().clone());
            prop_assert_eq!(index.resolve(first.as_str()).unwrap(), first);
        }
    }
}
