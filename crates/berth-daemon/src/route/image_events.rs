//! What happens to images, as events with Docker's attributes: the image's labels, and a name.

use std::collections::BTreeMap;

use berth_engine::EventKind;
use berth_image::{Deleted, Image, Untagged};
use berth_oci::Reference;

use crate::daemon::Daemon;

/// Something happened to an image: `tag` with the name as users write it; `load`, `import` and `save` with its id.
pub(crate) fn tell(daemon: &Daemon, action: &str, image: &Image, name: &str) {
    publish(daemon, action, image.id.as_str(), image.config.labels(), name);
}

/// An image went to a registry or came from one (`push`, `pull`): the event is the name's.
pub(crate) fn moved(daemon: &Daemon, action: &str, reference: &Reference) {
    let name = reference.familiar();
    // Whoever was quick has removed it again; that it came is true all the same.
    let labels = daemon.images.resolve(&name).map(|image| image.config.labels()).unwrap_or_default();
    publish(daemon, action, &name, labels, &reference.familiar_name());
}

/// A deletion's lines.
pub(crate) fn deleted(daemon: &Daemon, lines: &[Deleted]) {
    for line in lines {
        match line {
            Deleted::Untagged { of: Some(Untagged { image, labels }), .. } => {
                publish(daemon, "untag", image.as_str(), labels.clone(), image.as_str());
            }
            // Its labels went with it.
            Deleted::Image(image) => publish(daemon, "delete", image.as_str(), BTreeMap::new(), image.as_str()),
            Deleted::Untagged { of: None, .. } | Deleted::Layer(_) => {}
        }
    }
}

fn publish(daemon: &Daemon, action: &str, id: &str, mut attributes: BTreeMap<String, String>, name: &str) {
    attributes.insert("name".to_owned(), name.to_owned());
    daemon.engine.events().publish(EventKind::Image, action, id, attributes);
}
