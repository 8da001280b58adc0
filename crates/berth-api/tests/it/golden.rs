//! Recorded answers go through our types and come out the same: names, nulls and what is left out.
//!
//! `tests/golden/answers.json` holds answers of Docker 20.10 (API 1.24, 1.41) and 29 (1.51) to one scenario, with ids
//! and times replaced.

use std::collections::BTreeSet;

use berth_api::exec::ExecInspect;
use berth_api::image::{ImageInspect, ImageSummary};
use berth_api::network::Network;
use berth_api::system::{Info, Version};
use berth_api::{ContainerInspect, ContainerSummary, CreateRequest, CreateResponse, WaitResponse, decode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn answers(api: &str, request: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../golden/answers.json")).unwrap();
    let found: Vec<Value> = all.into_iter().filter(|one| one["api"] == api && one["request"] == request).collect();
    assert!(!found.is_empty(), "no recorded {api} {request}");
    found
}

/// Every difference as `path: theirs / ours`.
fn differences(theirs: &Value, ours: &Value, path: &str, found: &mut BTreeSet<String>) {
    match (theirs, ours) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys()).collect::<BTreeSet<_>>() {
                let path = format!("{path}.{name}");
                match (a.get(name), b.get(name)) {
                    (Some(a), Some(b)) => differences(a, b, &path, found),
                    (Some(_), None) => drop(found.insert(format!("-{path}"))),
                    _ => drop(found.insert(format!("+{path}"))),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).for_each(|(a, b)| differences(a, b, &format!("{path}[]"), found));
        }
        (a, b) if a == b => {}
        (a, b) => drop(found.insert(format!("{path}: {a} / {b}"))),
    }
}

/// Decodes, encodes and compares; `known` are the differences meant.
fn same<T: DeserializeOwned + Serialize>(api: &str, request: &str, known: &[&str]) {
    for answer in answers(api, request) {
        let theirs = &answer["answer"];
        let ours = serde_json::to_value(decode::from_value::<T>(theirs.clone()).unwrap()).unwrap();
        let mut found = BTreeSet::new();
        differences(theirs, &ours, "", &mut found);
        found.retain(|one| !known.contains(&one.as_str()));
        assert!(found.is_empty(), "{api} {request} {}: {found:#?}", answer["note"]);
    }
}

/// Fields of the first network model: gone from Docker 29, kept by us for every version as Docker 28 does.
const OLD_NETWORK: [&str; 6] = [
    "+.NetworkSettings.Bridge",
    "+.NetworkSettings.HairpinMode",
    "+.NetworkSettings.LinkLocalIPv6Address",
    "+.NetworkSettings.LinkLocalIPv6PrefixLen",
    "+.NetworkSettings.SecondaryIPAddresses",
    "+.NetworkSettings.SecondaryIPv6Addresses",
];

#[test]
fn newest_forms() {
    same::<ContainerInspect>("1.51", "GET /containers/<id>/json", &OLD_NETWORK);
    same::<Vec<ContainerSummary>>("1.51", "GET /containers/json?all=1&size=1", &[]);
    same::<Vec<ImageSummary>>("1.51", "GET /images/json", &[]);
    same::<ImageInspect>("1.51", "GET /images/busybox/json", &[]);
    same::<ExecInspect>("1.51", "GET /exec/<id>/json", &[]);
    same::<WaitResponse>("1.51", "POST /containers/<id>/wait", &[]);
    same::<Vec<Network>>("1.51", "GET /networks", &[]);
    same::<Network>("1.51", "GET /networks/recv", &[]);
    same::<CreateResponse>("1.51", "POST /containers/create?name=recv", &["-.message", "+.Id", "+.Warnings"]);
    same::<Version>("1.51", "GET /version", &[]);
}

#[test]
fn info() {
    let known = [
        // Parts that berth does not have.
        "-.Containerd",
        "-.FirewallBackend",
        // Docker 28 still says these.
        "+.BridgeNfIptables",
        "+.BridgeNfIp6tables",
    ];
    same::<Info>("1.51", "GET /info", &known);
}

#[test]
fn a_create_body_keeps_every_field() {
    for recorded in answers("1.51", "POST /containers/create?name=recv") {
        let body = serde_json::to_vec(&recorded["body"]).unwrap();
        let request = CreateRequest::decode(&body).unwrap();
        let ours = serde_json::to_value(&request).unwrap();
        let mut found = BTreeSet::new();
        differences(&recorded["body"], &ours, "", &mut found);
        // Fields that were not sent are written as their zero values; nothing is lost or changed.
        found.retain(|one| !one.starts_with('+'));
        assert!(found.is_empty(), "{found:#?}");
    }
}

/// Old answers decode too: the client may talk to an old daemon.
#[test]
fn old_forms_decode() {
    for api in ["1.24", "1.41"] {
        for answer in answers(api, "GET /containers/<id>/json") {
            let inspect: ContainerInspect = decode::from_value(answer["answer"].clone()).unwrap();
            assert_eq!(inspect.config.unwrap().image, "busybox");
        }
        for answer in answers(api, "GET /images/json") {
            decode::from_value::<Vec<ImageSummary>>(answer["answer"].clone()).unwrap();
        }
        for answer in answers(api, "GET /info") {
            decode::from_value::<Info>(answer["answer"].clone()).unwrap();
        }
    }
}

#[test]
fn commands_may_be_one_string() {
    let request = CreateRequest::decode(br#"{"Cmd":"ls","Entrypoint":["a","b"],"hostconfig":{"memory":7}}"#).unwrap();
    assert_eq!(request.config.cmd, Some(vec!["ls".into()]));
    assert_eq!(request.config.entrypoint, Some(vec!["a".into(), "b".into()]));
    assert_eq!(request.host_config.unwrap().memory, 7);
    assert_eq!(CreateRequest::decode(b"null").unwrap(), CreateRequest::default());
    assert!(CreateRequest::decode(b"[]").is_err());
}
