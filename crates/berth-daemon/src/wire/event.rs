//! Events: which a client wants, and how they are written.

use berth_api::Filters;
use berth_api::event::{Actor, EventMessage};
use berth_engine::{Event, EventKind};

/// Actions that bear a detail behind a colon.
const DETAILED: [&str; 3] = ["exec_create", "exec_start", "health_status"];

/// Whether a client that filters wants this.
pub(crate) fn wanted(event: &Event, filters: &Filters) -> bool {
    filters.allows("type", |kind| kind == event.kind.as_str())
        && action(event, filters)
        && filters.allows("scope", |scope| scope == "local")
        && named(event, filters, "container", EventKind::Container)
        && named(event, filters, "network", EventKind::Network)
        && named(event, filters, "volume", EventKind::Volume)
        && named(event, filters, "daemon", EventKind::Daemon)
        // Of what only swarms and plugins have, nothing happens.
        && !["config", "node", "plugin", "secret", "service"].iter().any(|key| filters.contains(key))
        && image(event, filters)
        && filters.allows_labels("label", &event.attributes)
}

/// `event=x`: exactly that. Who asks for one of the detailed actions without its detail gets whatever begins so.
fn action(event: &Event, filters: &Filters) -> bool {
    let loose = filters.get("event").any(|action| DETAILED.contains(&action));
    filters.allows("event", |action| action == event.action || loose && event.action.starts_with(action))
}

/// `container=x`: events of that kind about what has that id or name, or one that begins so.
fn named(event: &Event, filters: &Filters, key: &str, kind: EventKind) -> bool {
    filters.allows(key, |name| {
        let name = name.trim_start_matches('/');
        event.kind == kind
            && (event.id.starts_with(name) || event.attributes.get("name").is_some_and(|known| known.starts_with(name)))
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn event(kind: EventKind, action: &str, id: &str, attributes: &[(&str, &str)]) -> Event {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let time = jiff::Timestamp::UNIX_EPOCH;
        Event { kind, action: action.to_owned(), id: id.to_owned(), attributes: attributes.collect(), time }
    }

    /// A filter, and which of three events it leaves.
    #[test]
    fn filters() {
        let events = [
            event(
                EventKind::Container,
                "exec_create: sh -c x",
                "c0ffee",
                &[("name", "web"), ("image", "r:5000/a:1"), ("l", "v")],
            ),
            event(EventKind::Image, "pull", "r:5000/a:1", &[("name", "r:5000/a")]),
            event(EventKind::Network, "connect", "beef", &[("name", "bridge"), ("container", "c0ffee")]),
        ];
        for (filter, left) in [
            (&[][..], "012"),
            (&["type=container"], "0"),
            (&["type=container", "type=image"], "01"),
            (&["event=exec_create"], "0"),
            (&["event=exec_create: sh -c x"], "0"),
            (&["event=exec_create: sh"], ""),
            (&["event=exec_create", "event=pu"], "01"),
            (&["event=pu"], ""),
            (&["event=pull", "event=connect"], "12"),
            (&["container=c0"], "0"),
            (&["container=web"], "0"),
            (&["container=we"], "0"),
            (&["container=nosuch"], ""),
            (&["network=bridge"], "2"),
            (&["network=be"], "2"),
            (&["image=r:5000/a:1"], "01"),
            (&["image=r:5000/a"], "01"),
            (&["label=l"], "0"),
            (&["label=l=v"], "0"),
            (&["label=l=w"], ""),
            (&["scope=local"], "012"),
            (&["scope=swarm"], ""),
            (&["volume=x"], ""),
            (&["node=x"], ""),
            (&["plugin=x"], ""),
            (&["type=plugin"], ""),
        ] {
            let mut filters = Filters::default();
            filter.iter().filter_map(|text| text.split_once('=')).for_each(|(name, value)| filters.add(name, value));
            let found: String =
                (0..events.len()).filter(|at| wanted(&events[*at], &filters)).map(|at| at.to_string()).collect();
            assert_eq!(found, left, "{filter:?}");
        }
    }

    #[test]
    fn old_fields_are_there_for_containers_and_images_only() {
        let container = message(&event(EventKind::Container, "start", "c0ffee", &[("image", "bb")]));
        assert_eq!(
            (container.status.as_str(), container.id.as_str(), container.from.as_str()),
            ("start", "c0ffee", "bb")
        );
        let network = message(&event(EventKind::Network, "connect", "beef", &[]));
        assert_eq!((network.status.as_str(), network.id.as_str()), ("", ""));
        assert_eq!(network.actor.attributes, BTreeMap::new());
    }
}
