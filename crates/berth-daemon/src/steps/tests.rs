//! Every step against the shapes that Docker's own versions have.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use berth_api::image::ImageInspect;
use berth_api::network::Network;
use berth_api::system::Info;
use berth_api::{ApiVersion, ContainerInspect, ContainerSummary, Newer, WaitResponse, decode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Object, value};

fn recorded(api: &str, request: &str) -> Value {
    let text = include_str!("../../../berth-api/tests/golden/answers.json");
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    all.into_iter().find(|one| one["api"] == api && one["request"] == request).unwrap()["answer"].clone()
}

/// The names in use, by path; what is below a name of the user's own is left out.
fn names(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(name, value)| {
            let path = format!("{path}.{name}");
            names(value, &path, found);
            found.insert(path);
        }),
        Value::Array(items) => items.iter().for_each(|item| names(item, &format!("{path}[]"), found)),
        _ => {}
    }
}

/// The newest recorded answer, taken back to `version`, has the names that the old engine's answer has.
fn agrees<T: DeserializeOwned + Serialize>(api: &str, request: &str, object: Object, known: &[&str]) {
    let version: ApiVersion = api.parse().unwrap();
    let newest: T = decode::from_value(recorded("1.51", request)).unwrap();
    let (mut ours, mut theirs) = (BTreeSet::new(), BTreeSet::new());
    names(&value(version, object, &newest), "", &mut ours);
    names(&recorded(api, request), "", &mut theirs);
    let differences: Vec<&String> =
        ours.symmetric_difference(&theirs).filter(|name| !known.iter().any(|known| name.starts_with(known))).collect();
    assert!(differences.is_empty(), "{api} {request}: {differences:#?}");
}

/// A list of containers is taken back before it is JSON: to the same text that taking back its JSON gives.
#[test]
fn lists_of_containers_are_taken_back_alike() {
    let mut line = ContainerSummary { id: "0123".into(), state: "created".into(), ..ContainerSummary::default() };
    let endpoint = berth_api::network::EndpointSettings {
        dns_names: Newer::from(Some(vec!["web".to_owned()])),
        gateway: "10.0.0.1".into(),
        ..Default::default()
    };
    line.network_settings.networks = Some([("bridge".to_owned(), endpoint)].into());
    line.image_manifest_descriptor = Some(berth_api::image::Descriptor::default());
    for api in ["1.24", "1.43", "1.44", "1.47", "1.48", "1.51"] {
        let version: ApiVersion = api.parse().unwrap();
        let taken = |lines: Vec<ContainerSummary>| match super::summaries(version, lines.into_iter()).into_body() {
            crate::http::answer::Content::Whole(Some(text)) => serde_json::from_slice::<Value>(&text).unwrap(),
            _ => panic!("a list is whole"),
        };
        let ours = taken(vec![line.clone()]);
        assert_eq!(ours, value(version, Object::Containers, &vec![line.clone()]), "{api}");
        let names = &ours[0]["NetworkSettings"]["Networks"]["bridge"];
        assert_eq!(names.get("DNSNames").is_some(), version >= ApiVersion::new(1, 44), "{api}");
    }
}

#[test]
fn old_versions_have_their_old_names() {
    for api in ["1.24", "1.41"] {
        // The storage driver's own data.
        let known = [".GraphDriver.Data", ".Mounts"];
        agrees::<ContainerInspect>(api, "GET /containers/<id>/json", Object::Container, &known);
        let known = [".GraphDriver.Data", ".Config.OnBuild", ".Config.Tty"];
        agrees::<ImageInspect>(api, "GET /images/busybox/json", Object::Image, &known);
        agrees::<WaitResponse>(api, "POST /containers/<id>/wait", Object::Wait, &[]);
        agrees::<Network>(api, "GET /networks/recv", Object::Network, &[".IPAM.Config[].Gateway"]);
    }
}

#[test]
fn info_of_1_24() {
    let known = [
        // Parts and registries that differ from host to host.
        ".RegistryConfig",
        ".Runtimes",
        ".ContainerdCommit",
        ".RuncCommit",
        ".InitCommit",
        ".CDISpecDirs",
        ".BridgeNf",
        ".FirewallBackend",
        ".Containerd",
    ];
    agrees::<Info>("1.24", "GET /info", Object::Info, &known);
    let newest: Info = decode::from_value(recorded("1.51", "GET /info")).unwrap();
    let old = value(ApiVersion::new(1, 24), Object::Info, &newest);
    assert_eq!(old["SecurityOptions"], serde_json::json!(["seccomp"]));
}

#[test]
fn the_newest_form_is_left_alone() {
    let newest: ContainerInspect = decode::from_value(recorded("1.51", "GET /containers/<id>/json")).unwrap();
    let shown = value(ApiVersion::MAX, Object::Container, &newest);
    assert_eq!(shown, serde_json::to_value(&newest).unwrap());
}
