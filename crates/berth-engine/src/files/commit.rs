//! `commit`: an image made of a container.

use std::collections::BTreeMap;

use berth_image::Commit;
use berth_oci::{ContainerConfig, History, ImageConfig, ImageId, Reference};
use jiff::Timestamp;

use super::{blocking, changes, config};
use crate::Result;
use crate::containers::Containers;
use crate::events::EventKind;
use crate::ground::Ground;
use crate::state::State;
use crate::view::ContainerView;

/// What `commit` is told.
#[derive(Debug, Clone, Default)]
pub struct CommitRequest {
    /// What the image is called; nothing: it is known by its id only.
    pub name: Option<Reference>,
    /// Who made it.
    pub author: String,
    /// Why.
    pub comment: String,
    /// The container stands still meanwhile.
    pub pause: bool,
    /// Dockerfile instructions that change its configuration.
    pub changes: Vec<String>,
    /// What is to be in its configuration instead of what the container was started with.
    pub config: Option<ContainerConfig>,
}

impl Containers {
    /// Makes an image of a container: its image's layers and one more, of what it has changed.
    ///
    /// # Errors
    /// No such container, a change that is none, or the disk. Nothing has happened then.
    pub async fn commit(&self, key: &str, request: CommitRequest) -> Result<ImageId> {
        let shared = self.find(key)?;
        let view = shared.view();
        let mut config = config::of_container(&view.effective);
        if let Some(asked) = &request.config {
            config = config::merge(asked.clone(), config);
        }
        config::apply(&mut config, &request.changes)?;
        let id = view.id.as_str();
        // One that ended, or that somebody else paused, stands still by itself.
        let paused = request.pause && matches!(view.state, State::Running { .. }) && self.pause(id).await.is_ok();
        let ground = self.ground.clone();
        let (comment, name) = (request.comment.clone(), request.name.clone());
        let labels = config.labels.clone().unwrap_or_default();
        let committing = view.clone();
        let made = blocking(move || commit(&ground, &committing, config, request)).await;
        if let Ok(image) = &made {
            self.tell(&view, image, labels, comment, name.as_ref());
        }
        if paused && let Err(error) = self.unpause(id).await {
            tracing::warn!(id, %error, "unpausing a container after its commit");
        }
        made
    }

    fn tell(
        &self,
        view: &ContainerView,
        image: &ImageId,
        mut attributes: BTreeMap<String, String>,
        comment: String,
        name: Option<&Reference>,
    ) {
        let reference = name.map(Reference::familiar).unwrap_or_default();
        if !reference.is_empty() {
            attributes.insert("name".to_owned(), reference.clone());
            self.ground.events.publish(EventKind::Image, "tag", image.as_str(), attributes);
        }
        let more = [("comment", comment), ("imageID", image.to_string()), ("imageRef", reference)];
        self.ground.publish(view, "commit", &more);
    }
}

fn commit(ground: &Ground, view: &ContainerView, config: ContainerConfig, request: CommitRequest) -> Result<ImageId> {
    let base = ground.images.resolve(view.image_id.as_str(), None)?.config;
    let now = Timestamp::now().to_string();
    let history = History {
        created: Some(now.clone()),
        created_by: view.effective.cmd.iter().flatten().cloned().collect::<Vec<_>>().join(" "),
        author: request.author.clone(),
        comment: request.comment,
        empty_layer: false,
    };
    let mut whole = ImageConfig { created: Some(now), author: request.author, config, ..base };
    whole.extra.remove("container_config");
    whole.extra.insert("container".into(), view.id.to_string().into());
    let hidden = changes::own(ground, view)?.hidden;
    ground.images.commit(Commit {
        base: view.image_id.clone(),
        container: view.id.to_string(),
        upper: view.paths.upper.clone(),
        hidden,
        config: whole,
        history,
        name: request.name,
    })
}
