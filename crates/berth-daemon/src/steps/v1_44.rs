//! 1.44: `VirtualSize` went, endpoints got `DNSNames` (and later, for everyone from here on, `GwPriority`), and fields
//! of the first network model went from inspect.

use berth_api::{ContainerSummary, CreateRequest};
use serde_json::{Map, Value, json};

use super::{Object, add, below};

pub(super) fn answer(object: Object, map: &mut Map<String, Value>) {
    match object {
        Object::Image => {
            virtual_size(map);
            let mut empty = serde_json::to_value(berth_api::ContainerConfig::default()).unwrap_or_default();
            empty["OnBuild"] = Value::Null;
            // What was said of it, or else nothing: in every field.
            if map.get("ContainerConfig").is_none_or(Value::is_null) {
                map.insert("ContainerConfig".to_owned(), empty);
            }
        }
        Object::Images => virtual_size(map),
        Object::DiskUsage => {
            listed(map, "Images", Object::Images);
            listed(map, "Containers", Object::Containers);
        }
        Object::Container => container(map),
        Object::Containers => below(map, "NetworkSettings").map(endpoints).unwrap_or_default(),
        Object::Network | Object::Networks => network(map),
        _ => {}
    }
}

fn virtual_size(map: &mut Map<String, Value>) {
    let size = map.get("Size").cloned().unwrap_or_default();
    add(map, "VirtualSize", size);
}

fn container(map: &mut Map<String, Value>) {
    if let Some(config) = below(map, "Config") {
        add(config, "OnBuild", Value::Null);
    }
    if let Some(settings) = below(map, "NetworkSettings") {
        endpoints(settings);
    }
}

fn endpoints(settings: &mut Map<String, Value>) {
    let Some(networks) = below(settings, "Networks") else { return };
    for endpoint in networks.values_mut().filter_map(Value::as_object_mut) {
        endpoint.remove("DNSNames");
        endpoint.remove("GwPriority");
    }
}

/// The same for a line of a list.
pub(super) fn summary(line: &mut ContainerSummary) {
    for endpoint in line.network_settings.networks.iter_mut().flat_map(|networks| networks.values_mut()) {
        endpoint.dns_names.withhold();
        endpoint.gw_priority.withhold();
    }
}

fn network(map: &mut Map<String, Value>) {
    map.remove("EnableIPv4");
    add(map, "Containers", json!({}));
    if let Some(ipam) = below(map, "IPAM")
        && ipam.get("Config").is_some_and(Value::is_null)
    {
        ipam.insert("Config".to_owned(), json!([]));
    }
}

/// Older clients cannot mean what these fields came to mean.
pub(super) fn create_request(request: &mut CreateRequest) {
    if let Some(check) = &mut request.config.healthcheck {
        check.start_interval = 0;
    }
    let mounts = request.host_config.iter_mut().flat_map(|host| host.mounts.iter_mut());
    for mount in mounts.filter(|mount| mount.kind == "bind") {
        if let Some(options) = mount.bind_options.as_mut() {
            options.read_only_non_recursive = false;
            options.read_only_force_recursive = false;
        }
        // Read-only came to reach the mounts below only with this version.
        if mount.read_only {
            mount.bind_options.get_or_insert_default().read_only_non_recursive = true;
        }
    }
}

/// The same for what stands in a list of the answer.
fn listed(map: &mut Map<String, Value>, name: &str, object: Object) {
    let items = map.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten();
    items.filter_map(Value::as_object_mut).for_each(|item| answer(object, item));
}
