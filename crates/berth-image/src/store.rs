//! The image store: what is here, under which names, and who needs it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_distribution::Credentials;
use berth_oci::{ChainId, Digest, ImageId, Platform, Reference};
use berth_state::Durability;

use crate::delete::{self, DeleteOptions, Deleted};
use crate::layers::Layers;
use crate::lease::Leases;
use crate::need::Unneeded;
use crate::pull::{self, Transfers};
use crate::push::Uploads;
use crate::record::{ImageRecord, NameRecord};
use crate::resolve::{parse_key, resolve};
use crate::{Error, Image, Lower, PullEvent, Result};

/// How images are pulled.
#[derive(Debug, Clone)]
pub struct PullConfig {
    /// How registries are reached: mirrors, insecure registries.
    pub registries: berth_distribution::Config,
    /// How many layers come in at once, over all pulls (Docker: 3).
    pub max_concurrent_downloads: usize,
    /// Layers' compressed blobs are kept beside them, so that what was pulled is pushed as it came.
    pub keep_blobs: bool,
    /// How many layers go out at once, over all pushes (Docker: 5).
    pub max_concurrent_uploads: usize,
    /// The form of new layers; the best there is where none is asked for.
    pub driver: Option<crate::Driver>,
    /// Images that are not asked of a registry but of an archive (an OCI layout as a tar) in memory.
    pub embedded: Vec<(Reference, &'static [u8])>,
}

impl Default for PullConfig {
    fn default() -> Self {
        Self {
            registries: berth_distribution::Config::default(),
            max_concurrent_downloads: 3,
            keep_blobs: true,
            max_concurrent_uploads: 5,
            driver: None,
            embedded: Vec::new(),
        }
    }
}

/// What a pull came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The image.
    pub id: ImageId,
    /// What the name stands for at its source: a manifest or a manifest list.
    pub digest: Digest,
    /// The name stands for something new.
    pub fresh: bool,
}

/// The image store; cheap to clone, every clone is the same store.
#[derive(Debug, Clone)]
pub struct ImageStore {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) state: berth_state::Store,
    pub(crate) content: berth_content::Store,
    pub(crate) layers: Layers,
    registries: Mutex<berth_distribution::Client>,
    pub(crate) transfers: Transfers,
    pub(crate) uploads: Uploads,
    pub(crate) embedded: Vec<(Reference, &'static [u8])>,
    pub(crate) keep_blobs: bool,
    /// What somebody works with. Locked while anything is deleted: so what is claimed and found cannot go before it
    /// is recorded.
    leases: Mutex<Leases>,
}

impl ImageStore {
    /// Opens what is under `data_root`, and sweeps what an earlier process left there unrecorded.
    ///
    /// # Errors
    /// When directories or records cannot be read or written.
    pub fn open(data_root: &Path, state: berth_state::Store, config: PullConfig) -> Result<Self> {
        let content = berth_content::Store::open(&data_root.join("content"))?;
        let layers = Layers::open(&data_root.join("layers"), config.driver)?;
        let inner = Inner {
            content,
            layers,
            registries: Mutex::new(berth_distribution::Client::new(config.registries)),
            transfers: Transfers::new(config.max_concurrent_downloads),
            uploads: Uploads::new(config.max_concurrent_uploads),
            embedded: config.embedded,
            keep_blobs: config.keep_blobs,
            leases: Mutex::default(),
            state,
        };
        inner.sweep()?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// In which form new layers are kept, and why.
    #[must_use]
    pub fn storage(&self) -> &crate::Storage {
        self.inner.layers.storage()
    }

    /// Takes up the layers that a process of an earlier daemon's time holds ([`crate::Lower::held`]), so that none is
    /// mounted a second time. Before anything is mounted; what is missed is mounted anew.
    pub fn adopt_mounts(&self, process: i32) {
        self.inner.layers.mounts().adopt(process);
    }

    /// Reaches registries otherwise from now on, and with so many layers at once. Pulls and pushes that run are not
    /// disturbed.
    pub fn reconfigure(&self, registries: berth_distribution::Config, downloads: usize, uploads: usize) {
        let client = berth_distribution::Client::new(registries);
        *self.inner.registries.lock().unwrap_or_else(PoisonError::into_inner) = client;
        self.inner.transfers.allow(downloads);
        self.inner.uploads.allow(uploads);
    }

    /// Brings an image here and gives it its name.
    ///
    /// `platform`: the host's where none is given. `progress` is called on the caller's task. Dropping the future
    /// stops what no other pull waits for.
    ///
    /// # Errors
    /// What the source or the disk said; nothing is visible then but layers that are whole.
    pub async fn pull(
        &self,
        reference: &Reference,
        platform: Option<Platform>,
        credentials: Option<Credentials>,
        progress: &(dyn Fn(PullEvent) + Send + Sync),
    ) -> Result<Pulled> {
        let pulled = pull::pull(&self.inner, reference, platform, credentials, progress).await;
        self.inner.made_room_soon(pulled).await
    }

    /// Makes an image of a container's writable layer and the layers it stands on, durably. Blocks.
    ///
    /// # Errors
    /// The container holds no image, or the disk refuses; nothing is visible then.
    pub fn commit(&self, commit: crate::Commit) -> Result<ImageId> {
        self.inner.made_room(crate::commit::commit(&self.inner, commit))
    }

    /// The blob of a layer, whether it is kept or not: that of a layer made here is made anew of its directory, byte
    /// for byte. Whoever sends it on verifies it, as any blob. Blocks.
    ///
    /// # Errors
    /// There is no such layer, or it cannot be read.
    pub fn open_layer(&self, blob: &Digest) -> Result<Box<dyn std::io::Read + Send>> {
        crate::open::open_layer(&self.inner, blob)
    }

    /// Loads the images of an archive, as `save` or another engine wrote it, compressed or not. Blocks.
    ///
    /// `platform`: which image to take where there is a choice; one that is not for it is an error. `tell` is called
    /// from several threads.
    ///
    /// # Errors
    /// What is wrong with the archive, or what the disk said; nothing has happened then.
    pub fn load(
        &self,
        archive: impl std::io::Read + Send,
        platform: Option<&Platform>,
        tell: &(dyn Fn(crate::LoadEvent) + Send + Sync),
    ) -> Result<Vec<ImageId>> {
        self.inner.made_room(crate::load::load(&self.inner, archive, platform, tell))
    }

    /// Makes an image of an archive of a root file system, compressed or not, durably. Blocks.
    ///
    /// # Errors
    /// It is no such archive, or the disk refuses; nothing has happened then.
    pub fn import(&self, archive: impl std::io::Read + Send, import: crate::Import) -> Result<ImageId> {
        self.inner.made_room(crate::import::import(&self.inner, archive, import))
    }

    /// Begins to fetch what lies at an `http` or `https` URL, as registries are reached.
    ///
    /// # Errors
    /// It is no URL, there is no such file, or no way to the server.
    pub async fn fetch(&self, url: &str) -> Result<crate::Download> {
        self.inner.registries().fetch(url).await.map_err(|e| Error::Fetch(crate::error::chain(&e)))
    }

    /// The images that names stand for when they are saved: a repository for those of all its tags.
    ///
    /// # Errors
    /// [`Error::NoSuchReference`].
    pub fn meant(&self, names: &[String]) -> Result<Vec<ImageId>> {
        crate::save::meant(&self.inner, names)
    }

    /// Finds images to be saved in an archive, and claims them until that is done. `platform`: what they must be for.
    ///
    /// # Errors
    /// [`Error::NoSuchReference`], or an image is for something else.
    pub fn save(&self, names: &[String], platform: Option<&Platform>) -> Result<crate::Saving> {
        crate::save::plan(&self.inner, names, platform)
    }

    /// A layer's archive, uncompressed, whatever form the layer has. Of a layer that does not keep it, it is made anew:
    /// the same files, perhaps not the same bytes. Blocks.
    ///
    /// # Errors
    /// There is no such layer, or it cannot be read.
    pub fn open_archive(&self, layer: &ChainId) -> Result<Box<dyn std::io::Read + Send>> {
        crate::open::open_archive(&self.inner, layer)
    }

    /// Every tag of a repository, as its registry lists them (for `pull --all-tags`).
    ///
    /// # Errors
    /// What the registry said.
    pub async fn remote_tags(&self, reference: &Reference, credentials: Option<Credentials>) -> Result<Vec<String>> {
        pull::remote_tags(&self.inner, reference, credentials).await
    }

    /// The image that `name` means: a name, a name with a digest, an id or the beginning of one.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`], or what is wrong with the name.
    pub fn resolve(&self, name: &str) -> Result<Image> {
        self.inner.state.read(|reader| {
            let id = resolve(reader, name)?;
            let record = reader.get::<ImageRecord>(id.as_str())?;
            let record = record.ok_or_else(|| Error::NoSuchImage(name.to_owned()))?;
            let names = crate::resolve::names(reader, &id)?;
            Ok(Image::new(id, record, &names))
        })
    }

    /// Every image, newest first.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn list(&self) -> Result<Vec<Image>> {
        let (records, names) = self
            .inner
            .state
            .read(|reader| Ok::<_, Error>((reader.list::<ImageRecord>()?, reader.list::<NameRecord>()?)))?;
        let mut by_image: HashMap<ImageId, Vec<Reference>> = HashMap::new();
        for (key, name) in names {
            by_image.entry(name.image).or_default().push(parse_key(&key)?);
        }
        let mut images = Vec::with_capacity(records.len());
        for (key, record) in records {
            let id = ImageId::parse(&key).map_err(|e| Error::State(format!("reading the image id {key:?}: {e}")))?;
            let names = by_image.remove(&id).unwrap_or_default();
            images.push(Image::new(id, record, &names));
        }
        images.sort_by(|a, b| b.created().cmp(a.created()).then_with(|| a.id.cmp(&b.id)));
        Ok(images)
    }

    /// Removes a name, and the image with its last one; by id, the image with all its names.
    ///
    /// # Errors
    /// [`Error::NoSuchImage`], or the conflict in Docker's words.
    pub fn delete(&self, name: &str, options: DeleteOptions) -> Result<Vec<Deleted>> {
        let (name, inner) = (name.to_owned(), self.inner.clone());
        let mut leases = self.inner.leases();
        let claims = leases.claims();
        let gone = inner.state.try_write(Durability::Synced, move |tx| delete::delete(tx, &name, options, &claims))?;
        inner.discard(&gone.files);
        leases.spare(gone.files.spared);
        drop(leases);
        inner.write_index();
        tracing::debug!(lines = ?gone.lines, "image deleted");
        Ok(gone.lines)
    }

    /// The layers of an image's root file system, topmost first, never none.
    #[must_use]
    pub fn root(&self, image: &Image) -> Vec<Lower> {
        self.inner.layers.lowers(&image.layers)
    }
}

impl Inner {
    /// The registries, as they are reached now.
    pub(crate) fn registries(&self) -> berth_distribution::Client {
        self.registries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out of sight what no record knows any longer, and removes it off everybody's path. A failure costs disk
    /// until the next start, and nothing else.
    pub(crate) fn discard(&self, gone: &Unneeded) {
        if let Err(error) = self.content.discard(&gone.blobs) {
            tracing::warn!(error = %crate::error::chain(&error), "blobs could not be removed; the next start does it");
        }
        self.layers.discard(&gone.layers);
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
