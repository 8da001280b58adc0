//! Events: which a client wants, and how they are written.

use berth_api::Filters;
use berth_api::event::{Actor, EventMessage};
use berth_engine::{Event, EventKind};

/// Whether a client that filters wants this.
pub(crate) fn wanted(event: &Event, filters: &Filters) -> bool {
    let word = event.action.split(':').next().unwrap_or_default();
    filters.allows("type", |kind| kind == event.kind.as_str())
        && filters.allows("event", |action| action == event.action || action == word)
        && filters.allows("scope", |scope| scope == "local")
        && named(event, filters, "container", EventKind::Container)
        && named(event, filters, "network", EventKind::Network)
        && named(event, filters, "volume", EventKind::Volume)
        && named(event, filters, "daemon", EventKind::Daemon)
        && image(event, filters)
        && filters.allows_labels("label", &event.attributes)
}

/// `container=x`: events of that kind about that id, its beginning, or that name.
fn named(event: &Event, filters: &Filters, key: &str, kind: EventKind) -> bool {
    filters.allows(key, |name| {
        let name = name.trim_start_matches('/');
        event.kind == kind
            && (event.id.starts_with(name) || event.attributes.get("name").is_some_and(|known| known == name))
    })
}

/// `image=x`: events about the image, or about containers of it; a tag need not be named.
fn image(event: &Event, filters: &Filters) -> bool {
    filters.allows("image", |wanted| {
        let key = if event.kind == EventKind::Image { "name" } else { "image" };
        let known = event.attributes.get(key).map_or("", String::as_str);
        let untagged = known.rsplit_once(':').map_or(known, |(name, tag)| if tag.contains('/') { known } else { name });
        known == wanted || untagged == wanted || (event.kind == EventKind::Image && event.id.contains(wanted))
    })
}

/// One line of `GET /events`; the fields that old clients read are there for what they know.
pub(crate) fn message(event: &Event) -> EventMessage {
    let old = matches!(event.kind, EventKind::Container | EventKind::Image);
    let or_empty = |text: &str| if old { text.to_owned() } else { String::new() };
    let from = match event.kind {
        EventKind::Container => event.attributes.get("image").cloned().unwrap_or_default(),
        _ => String::new(),
    };
    EventMessage {
        status: or_empty(&event.action),
        id: or_empty(&event.id),
        from,
        kind: event.kind.as_str().to_owned(),
        action: event.action.clone(),
        actor: Actor { id: event.id.clone(), attributes: event.attributes.clone() },
        scope: "local".to_owned(),
        time: event.time.as_second(),
        time_nano: i64::try_from(event.time.as_nanosecond()).unwrap_or(i64::MAX),
    }
}
