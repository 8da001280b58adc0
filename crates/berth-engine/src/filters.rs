//! Compiled seccomp filters, each made once: compiling is dear, containers are many and mostly alike.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use berth_seccomp::{KernelVersion, Machine, Profile, compile, default_profile};

use oci_spec::runtime::LinuxSeccomp;

use crate::plan::Seccomp;
use crate::{Error, Result};

/// Filters kept at most; profiles of users can be many.
const KEPT: usize = 64;

type Key = (Option<String>, BTreeSet<String>);

/// Whether a text is a seccomp profile that this machine can use.
///
/// # Errors
/// What is wrong with it.
pub fn check_seccomp_profile(json: &str) -> Result<()> {
    let refused = |e: berth_seccomp::Error| Error::Invalid(e.to_string());
    let rules = Profile::parse(json).map_err(refused)?.resolve(&BTreeSet::new(), Machine::host(), KernelVersion(0, 0));
    compile(&rules).map(drop).map_err(refused)
}

#[derive(Debug)]
pub(crate) struct Filters {
    kernel: KernelVersion,
    compiled: Mutex<HashMap<Key, Arc<Vec<u8>>>>,
}

impl Filters {
    pub(crate) fn new(kernel: KernelVersion) -> Self {
        Self { kernel, compiled: Mutex::default() }
    }

    /// The rules themselves, for runtimes that compile them; `None`: unconfined.
    pub(crate) fn rules(&self, choice: &Seccomp) -> Result<Option<LinuxSeccomp>> {
        let (profile, capabilities) = match choice {
            Seccomp::Unconfined => return Ok(None),
            Seccomp::Default(capabilities) => (default_profile(), capabilities),
            Seccomp::Profile(json, capabilities) => {
                let parsed = Profile::parse(json).map_err(|error| Error::Invalid(error.to_string()))?;
                return Ok(Some(parsed.resolve(capabilities, Machine::host(), self.kernel)));
            }
        };
        Ok(Some(profile.resolve(capabilities, Machine::host(), self.kernel)))
    }

    /// The filter's bytes; `None`: unconfined.
    pub(crate) fn bytes(&self, choice: &Seccomp) -> Result<Option<Arc<Vec<u8>>>> {
        let key: Key = match choice {
            Seccomp::Unconfined => return Ok(None),
            Seccomp::Default(capabilities) => (None, capabilities.clone()),
            Seccomp::Profile(json, capabilities) => (Some(json.clone()), capabilities.clone()),
        };
        if let Some(known) = self.compiled.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Some(known.clone()));
        }
        // Compiled outside the lock: two at once do the same work, and nobody waits for another's.
        let refused = |e: berth_seccomp::Error| Error::Invalid(e.to_string());
        let rules = match &key.0 {
            None => default_profile().resolve(&key.1, Machine::host(), self.kernel),
            Some(json) => Profile::parse(json).map_err(refused)?.resolve(&key.1, Machine::host(), self.kernel),
        };
        let bytes = Arc::new(compile(&rules).map_err(refused)?.as_bytes().to_vec());
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= KEPT {
            compiled.clear();
        }
        compiled.insert(key, bytes.clone());
        Ok(Some(bytes))
    }
}
