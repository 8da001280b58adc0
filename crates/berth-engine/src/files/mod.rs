//! A container's files, from outside: looked at, copied in and out, compared with the image, exported, committed.
//!
//! Whatever the container does meanwhile, nothing outside its root is touched: every path is resolved by the kernel
//! below one descriptor (`root.rs`). Paths mean what they mean to `docker cp` (`path.rs`). It works on a container in
//! any state: one that runs is seen through its own mount namespace, of one that does not the same things are mounted.

mod changes;
mod commit;
mod config;
mod export;
mod import;
mod path;
mod root;
mod stream;

use std::io::{self, BufRead, BufReader};
use std::sync::Arc;

use berth_archive::{Owner, Rules, Target, UnpackError};
use rustix::fs::{FileType, Mode, OFlags};

use crate::containers::Containers;
use crate::shared::Shared;
use crate::{Error, Result, etc};

pub use changes::{Change, ChangeKind};
pub use commit::CommitRequest;
pub use import::config_of;
pub use path::PathStat;
pub use stream::{Archive, Pieces};

use path::Asked;
use root::Root;

/// Bytes unpacked at once.
const BUFFER: usize = 256 << 10;

/// How files are put into a container.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExtractOptions {
    /// A directory is not replaced by anything else, nor anything else by a directory.
    pub keep_kind: bool,
    /// They become the container's user's; else they keep the archive's owners.
    pub own: bool,
}

impl Containers {
    /// What lies at `path`; a link itself, not what it leads to.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`].
    pub async fn path_stat(&self, key: &str, path: &str) -> Result<PathStat> {
        let (root, key, asked) = (self.root(key).await?, key.to_owned(), Asked::parse(path));
        blocking(move || asked.find(&root, &key)?.stat(&root)).await
    }

    /// What lies at `path`, and an archive of it.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`].
    pub async fn archive(&self, key: &str, path: &str) -> Result<(PathStat, Archive)> {
        let shared = self.find(key)?;
        let (root, key, asked) = (self.root(key).await?, key.to_owned(), Asked::parse(path));
        let (root, found, stat) = blocking(move || {
            let found = asked.find(&root, &key)?;
            let stat = found.stat(&root)?;
            Ok((root, found, stat))
        })
        .await?;
        self.ground.publish(&shared.view(), "archive-path", &[]);
        Ok((stat, stream::of(move |writer| found.pack(&root, writer))))
    }

    /// Extracts an archive (as it is, or compressed by gzip or zstd) into the directory at `path`.
    ///
    /// # Errors
    /// [`Error::NoSuchFile`], [`Error::ReadOnly`], a broken archive. What was extracted before stays.
    pub async fn extract(&self, key: &str, path: &str, options: ExtractOptions, archive: Pieces) -> Result<()> {
        let shared = self.find(key)?;
        let (root, key, path) = (self.writable_root(key).await?, key.to_owned(), path.to_owned());
        let view = shared.view();
        let user = view.effective.user.clone();
        self.ground.publish(&view, "extract-to-dir", &[]);
        blocking(move || {
            let directory = path::directory(&root, &path, &key)?;
            root.check_writable(&directory)?;
            let owner = if options.own { owner(&root, &user)? } else { Owner::Recorded };
            let target = Target { root: root.reopened()?, directory: root.below(&directory)?, rename: None };
            let rules = Rules { owner, keep_kind: options.keep_kind };
            let plain = plain(stream::reader(archive)).map_err(|e| broken(&path, e.to_string()))?;
            extract(plain, target, rules, &path)
        })
        .await
    }

    /// What differs from the image, sorted by path.
    ///
    /// # Errors
    /// The writable layer cannot be read.
    pub async fn changes(&self, key: &str) -> Result<Vec<Change>> {
        let (view, ground) = (self.find(key)?.view(), self.ground.clone());
        blocking(move || changes::of(&ground, &view)).await
    }

    /// An archive of the root file system, without what is mounted in it.
    ///
    /// # Errors
    /// It cannot be mounted.
    pub async fn export(&self, key: &str) -> Result<Archive> {
        let shared = self.find(key)?;
        let root = self.root(key).await?;
        let bare = blocking(move || root.without_mounts()).await?;
        self.ground.publish(&shared.view(), "export", &[]);
        Ok(stream::of(move |writer| export::pack_all(bare.descriptor(), writer)))
    }

    /// Its root, to be read: through its main process, or mounted for us where it has none.
    async fn root(&self, key: &str) -> Result<Root> {
        let (ground, view) = (self.ground.clone(), self.find(key)?.view());
        blocking(move || match Root::running(&ground, &view)? {
            Some(root) => Ok(root),
            None => Root::at_rest(&ground, &view),
        })
        .await
    }

    /// Its root, to be written to.
    async fn writable_root(&self, key: &str) -> Result<Root> {
        let shared = self.find(key)?;
        // A container that ends between two looks is looked at once more.
        for _ in 0..16 {
            let lease = borrow(&shared).await?;
            let (ground, view) = (self.ground.clone(), shared.view());
            let opened = blocking(move || match lease {
                Some(lease) => Root::lent(&ground, &view, lease).map(Some),
                None => Root::running(&ground, &view),
            });
            if let Some(root) = opened.await? {
                return Ok(root);
            }
        }
        Err(Error::Internal(format!("container {} starts and ends all the time", shared.id)))
    }
}

/// The right to mount the root of a container that does not run; `None`: it runs.
async fn borrow(shared: &Arc<Shared>) -> Result<Option<tokio::sync::OwnedMutexGuard<()>>> {
    loop {
        match shared.ask(|reply| crate::shared::Command::Borrow { reply }).await? {
            crate::shared::Borrowed::Runs => return Ok(None),
            crate::shared::Borrowed::Lent(lease) => return Ok(Some(lease)),
            crate::shared::Borrowed::Taken => drop(shared.files.clone().lock_owned().await),
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Internal(format!("a container's files: {e}")))?
}

/// The container's user, as its own files name it.
fn owner(root: &Root, user: &str) -> Result<Owner> {
    if user.is_empty() {
        return Ok(Owner::Recorded);
    }
    let user = etc::user_files(root.descriptor())?.resolve(user, &[])?;
    Ok(Owner::All { uid: user.uid, gid: user.gid })
}

fn broken(path: &str, why: String) -> Error {
    Error::Invalid(format!("extracting the archive to {path}: {why}"))
}

/// An archive without its compression. One that has none is not copied on the way.
fn plain(mut incoming: impl BufRead + Send + 'static) -> io::Result<Box<dyn BufRead>> {
    Ok(match berth_image::is_plain(incoming.fill_buf()?) {
        true => Box::new(incoming),
        false => Box::new(BufReader::with_capacity(BUFFER, berth_image::decompress(incoming)?)),
    })
}

fn extract(archive: impl BufRead, target: Target, rules: Rules, path: &str) -> Result<()> {
    berth_archive::extract(archive, target, rules).map_err(|error| match error {
        UnpackError::Step { errno: rustix::io::Errno::ROFS, .. } => {
            Error::ReadOnly("mounted volume is marked read-only")
        }
        UnpackError::Step { doing, path, errno } => {
            Error::File { doing, path: format!("/{path} in the container").into(), source: errno.into() }
        }
        error => broken(path, error.to_string()),
    })
}

/// What kind of file an open descriptor is.
fn kind(file: &impl std::os::fd::AsFd) -> rustix::io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode))
}

const READ: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const LOOK: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);
const NO_MODE: Mode = Mode::empty();
