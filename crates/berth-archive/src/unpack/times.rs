//! Directories' times: they change with what is made in them, so they are set at the end.

use std::collections::BTreeMap;

/// Seconds and nanoseconds since 1970.
pub(super) type Time = (i64, u32);

/// What directories are to have, by the paths that lead to them without any link: a link on the way may lead elsewhere
/// when the end has come.
#[derive(Debug, Default)]
pub(super) struct Times {
    of: BTreeMap<Vec<u8>, Time>,
}

impl Times {
    pub(super) fn put(&mut self, directory: Vec<u8>, time: Time) {
        self.of.insert(directory, time);
    }

    /// What lay here, and everything below it, is gone.
    pub(super) fn forget(&mut self, path: &[u8]) {
        self.of.remove(path);
        let inside = [path, b"/"].concat();
        let gone = self.of.range(inside.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&inside));
        for path in gone.cloned().collect::<Vec<_>>() {
            self.of.remove(&path);
        }
    }

    /// All of them, the deepest first.
    pub(super) fn deepest_first(self) -> impl Iterator<Item = (Vec<u8>, Time)> {
        self.of.into_iter().rev()
    }
}
