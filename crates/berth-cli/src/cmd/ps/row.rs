//! A container as a line of `ps`, with the fields templates may name.

use berth_api::ContainerSummary;
use berth_template::Value;
use jiff::Timestamp;

use super::ports;
use crate::unit::{size, time};
use crate::{format, label, table};

/// The row's fields.
pub(crate) fn row(container: ContainerSummary, truncate: bool, now: Timestamp) -> Value {
    let short = |id: &str| if truncate { id.chars().take(12).collect() } else { id.to_owned() };
    let command = if truncate { table::ellipsis(&container.command, 20) } else { container.command.clone() };
    let fields = [
        ("Command", format!("{command:?}")),
        ("CreatedAt", time::go_string(container.created)),
        ("ID", short(&container.id)),
        ("Image", image(&container, truncate)),
        ("Labels", label::line(&container.labels)),
        ("LocalVolumes", container.mounts.iter().filter(|m| m.driver == "local").count().to_string()),
        ("Mounts", mounts(&container, truncate)),
        ("Names", names(&container.names, truncate)),
        (
            "Networks",
            container.network_settings.networks.iter().flatten().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(","),
        ),
        ("Ports", ports::display(&container.ports)),
        ("RunningFor", time::ago(container.created, now)),
        ("Size", sizes(&container)),
        ("State", container.state.clone()),
        ("Status", container.status.clone()),
    ];
    let mut members: Vec<(String, Value)> =
        fields.into_iter().map(|(name, value)| (name.to_owned(), Value::text(value))).collect();
    // Which one of an image's platforms runs, where the daemon says.
    let at = members.iter().position(|(name, _)| name == "Ports").unwrap_or(members.len());
    members.insert(at, ("Platform".to_owned(), Value::Nil));
    members.push(label::member(container.labels));
    Value::record("*formatter.ContainerContext", members)
}

/// The headings of its fields.
pub(crate) fn headings() -> Value {
    let fields = [
        ("Command", "COMMAND"),
        ("CreatedAt", "CREATED AT"),
        ("ID", "CONTAINER ID"),
        ("Image", "IMAGE"),
        ("Labels", "LABELS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Mounts", "MOUNTS"),
        ("Names", "NAMES"),
        ("Networks", "NETWORKS"),
        ("Platform", "PLATFORM"),
        ("Ports", "PORTS"),
        ("RunningFor", "CREATED"),
        ("Size", "SIZE"),
        ("State", "STATE"),
        ("Status", "STATUS"),
    ];
    format::headings_and_labels(fields)
}

fn image(container: &ContainerSummary, truncate: bool) -> String {
    if container.image.is_empty() {
        return "<no image>".to_owned();
    }
    let digits = |id: &str| id.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    if truncate && digits(&container.image) == digits(&container.image_id) {
        return digits(&container.image_id);
    }
    match container.image.split_once('@') {
        Some((name, _)) if truncate && !name.is_empty() => name.to_owned(),
        _ => container.image.clone(),
    }
}

/// Names without the leading slash; those given by links have another and are left out where short.
fn names(names: &[String], truncate: bool) -> String {
    let bare = names.iter().map(|name| name.strip_prefix('/').unwrap_or(name));
    bare.filter(|name| !truncate || !name.contains('/')).collect::<Vec<_>>().join(",")
}

fn mounts(container: &ContainerSummary, truncate: bool) -> String {
    let name = |m: &berth_api::inspect::MountPoint| {
        let name = if m.name.is_empty() { &m.source } else { &m.name };
        if truncate { table::ellipsis(name, 15) } else { name.clone() }
    };
    container.mounts.iter().map(name).collect::<Vec<_>>().join(",")
}

fn sizes(container: &ContainerSummary) -> String {
    let written = size::human3(container.size_rw);
    match container.size_root_fs {
        n if n > 0 => format!("{written} (virtual {})", size::human3(n)),
        _ => written,
    }
}
