//! 1.42: kernel memory limits went; the build cache's size came to stand with its entries; wait says `Error` only where there is one; create takes a terminal's size.

use berth_api::CreateRequest;
use serde_json::{Map, Value};

use super::{Object, add, below};

pub(super) fn answer(object: Object, map: &mut Map<String, Value>) {
    match object {
        Object::Container => {
            if let Some(host) = below(map, "HostConfig") {
                add(host, "KernelMemory", 0);
                add(host, "KernelMemoryTCP", 0);
            }
        }
        Object::Info => {
            add(map, "KernelMemory", false);
            add(map, "KernelMemoryTCP", false);
        }
        Object::DiskUsage => {
            add(map, "BuilderSize", 0);
            map.insert("BuildCache".to_owned(), Value::Null);
        }
        Object::Wait => add(map, "Error", Value::Null),
        _ => {}
    }
}

/// Old clients send sizes that were never meant.
pub(super) fn create_request(request: &mut CreateRequest) {
    if let Some(host) = &mut request.host_config {
        host.console_size = [0, 0];
    }
}
