//! Pruning: what nothing needs is removed, or only told.

use berth_api::Filters;
use berth_api::image::ImageDeleted;
use http::Method;
use serde::Deserialize;

use crate::query::Path;
use crate::system::filters;
use crate::{Client, Error};

/// What can be pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prunable {
    /// Containers that do not run.
    Containers,
    /// Networks without containers.
    Networks,
    /// Volumes without containers.
    Volumes,
    /// Images without containers.
    Images,
    /// What builds left behind.
    BuildCache,
}

impl Prunable {
    fn path(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::Networks => "networks",
            Self::Volumes => "volumes",
            Self::Images => "images",
            Self::BuildCache => "build",
        }
    }
}

/// What went, or would go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Ids or names; nothing for images.
    pub deleted: Vec<String>,
    /// What became of images.
    pub images: Vec<ImageDeleted>,
    /// Bytes.
    pub space_reclaimed: u64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Answer {
    containers_deleted: Option<Vec<String>>,
    networks_deleted: Option<Vec<String>>,
    volumes_deleted: Option<Vec<String>>,
    caches_deleted: Option<Vec<String>>,
    images_deleted: Option<Vec<ImageDeleted>>,
    space_reclaimed: u64,
}

impl Client {
    /// Prunes; with `dry` nothing is removed, and the answer is what would be. A dry run is berth's own: it is asked
    /// with `GET`, which other engines refuse, and nothing is lost there.
    ///
    /// # Errors
    /// See [`Error`]; 404 or 405: the daemon knows no dry runs; 501: it can't prune such things.
    pub async fn prune(&self, what: Prunable, wanted: &Filters, dry: bool) -> Result<Pruned, Error> {
        let method = if dry { Method::GET } else { Method::POST };
        let path = Path::new(&[what.path(), "prune"]).flag("dry-run", dry).text("filters", &filters(wanted));
        let answer: Answer = self.call(method, path).decode().await?;
        let lists = [answer.containers_deleted, answer.networks_deleted, answer.volumes_deleted, answer.caches_deleted];
        Ok(Pruned {
            deleted: lists.into_iter().flatten().flatten().collect(),
            images: answer.images_deleted.unwrap_or_default(),
            space_reclaimed: answer.space_reclaimed,
        })
    }
}
