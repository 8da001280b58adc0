//! Who works on which volume just now, so that making and removing one cannot lose it between two steps.
//!
//! A volume is a record and a directory, and the two change one after the other. Whoever makes a volume or is about to
//! need one claims its name; whoever removes one takes the name away. Held for milliseconds, by threads that may block.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The names that somebody works on.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    held: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Containers being made that need the volume; requests without a container are called nothing.
    claimed: HashMap<String, Vec<String>>,
    leaving: HashSet<String>,
    alone: HashSet<String>,
}

impl State {
    fn give_up(&mut self, name: &str, container: &str) {
        let Some(holders) = self.claimed.get_mut(name) else { return };
        if let Some(at) = holders.iter().position(|holder| holder == container) {
            holders.swap_remove(at);
        }
        if holders.is_empty() {
            self.claimed.remove(name);
        }
    }
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a name for a container (or, with an empty one, for a request); waits until a removal under way is over.
    pub(crate) fn claim(self: &Arc<Self>, name: &str, container: &str) -> Claim {
        let mut state = self.lock();
        while state.leaving.contains(name) {
            state = self.wait(state);
        }
        state.claimed.entry(name.to_owned()).or_default().push(container.to_owned());
        Claim { claims: self.clone(), name: name.to_owned(), container: container.to_owned(), given_up: false }
    }

    /// Takes a name away from everybody until the guard is dropped; waits for requests.
    ///
    /// # Errors
    /// The containers being made that need it.
    pub(crate) fn take(self: &Arc<Self>, name: &str) -> Result<Leaving, Vec<String>> {
        let mut state = self.lock();
        loop {
            let claimed = state.claimed.get(name).map(Vec::as_slice).unwrap_or_default();
            let containers: Vec<String> = claimed.iter().filter(|holder| !holder.is_empty()).cloned().collect();
            match (containers.is_empty(), claimed.is_empty() && !state.leaving.contains(name)) {
                (false, _) => return Err(containers),
                (true, true) => break,
                (true, false) => state = self.wait(state),
            }
        }
        state.leaving.insert(name.to_owned());
        Ok(Leaving { claims: self.clone(), name: name.to_owned() })
    }

    /// One at a time for each name: filling a volume, mounting and unmounting it.
    pub(crate) fn alone(self: &Arc<Self>, name: &str) -> Alone {
        let mut state = self.lock();
        while !state.alone.insert(name.to_owned()) {
            state = self.wait(state);
        }
        Alone { claims: self.clone(), name: name.to_owned() }
    }
}

/// A name that cannot be taken away.
#[derive(Debug)]
pub(crate) struct Claim {
    claims: Arc<Claims>,
    name: String,
    container: String,
    given_up: bool,
}

impl Claim {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Gives it up; where nobody else claims the name, `last` is done before anybody can.
    pub(crate) fn give_up(mut self, last: impl FnOnce(&str)) {
        let mut state = self.claims.lock();
        if state.claimed.get(&self.name).is_some_and(|holders| holders.len() == 1) {
            last(&self.name);
        }
        state.give_up(&self.name, &self.container);
        drop(state);
        self.claims.changed.notify_all();
        self.given_up = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.given_up {
            self.claims.lock().give_up(&self.name, &self.container);
            self.claims.changed.notify_all();
        }
    }
}

/// A name that is being taken away.
#[derive(Debug)]
pub(crate) struct Leaving {
    claims: Arc<Claims>,
    name: String,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.claims.lock().leaving.remove(&self.name);
        self.claims.changed.notify_all();
    }
}

/// A turn with a volume's content.
#[derive(Debug)]
pub(crate) struct Alone {
    claims: Arc<Claims>,
    name: String,
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.claims.lock().alone.remove(&self.name);
        self.claims.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn a_container_in_the_making_keeps_its_volume() {
        let claims = Arc::new(Claims::default());
        let (one, two) = (claims.claim("v", "c1"), claims.claim("v", "c2"));
        assert_eq!(claims.take("v").unwrap_err(), ["c1", "c2"]);
        one.give_up(|_| panic!("somebody else claims it"));
        let mut last = false;
        two.give_up(|_| last = true);
        assert!(last && claims.take("v").is_ok() && claims.take("v").is_ok());
    }

    #[test]
    fn a_claim_waits_for_the_removal() {
        let claims = Arc::new(Claims::default());
        let leaving = claims.take("v").unwrap();
        let (sender, claimed) = std::sync::mpsc::channel();
        let thread = std::thread::spawn({
            let claims = claims.clone();
            move || {
                let claim = claims.claim("v", "c");
                sender.send(()).unwrap();
                claim
            }
        });
        assert!(claimed.recv_timeout(std::time::Duration::from_millis(50)).is_err());
        drop(leaving);
        claimed.recv().unwrap();
        assert_eq!(claims.take("v").unwrap_err(), ["c"]);
        drop(thread.join().unwrap());
        assert!(claims.take("v").is_ok());
    }
}
