//! What takes up space, asked of the API.

use serde_json::Value;

use crate::clients::{ask, json};
use crate::host::{Cli, Host};

#[test]
fn a185_disk_usage_by_kind_and_version() {
    let host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("writer"));
    host.run(&[
        "run",
        "--name",
        &name,
        &image,
        "sh",
        "-c",
        "head -c 2000000 /dev/zero > /file; head -c 700000 /dev/zero | tr '\\0' x",
    ]);
    let usage = json(&host, "GET", "/v1.51/system/df", None);
    let size = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("{value} is no number"));
    let container = &usage["Containers"][0];
    assert!(size(&container["SizeRw"]) >= 2_700_000, "what was written, and the log: {container}");
    assert!(size(&container["SizeRootFs"]) > size(&container["SizeRw"]), "{container}");
    let shown = &usage["Images"][0];
    assert_eq!((size(&shown["Containers"]), size(&shown["SharedSize"])), (1, 0), "{shown}");
    assert_eq!(usage["LayersSize"], shown["Size"]);
    assert!(usage["BuildCache"].is_array() && usage.get("BuilderSize").is_none(), "{usage}");

    let only = json(&host, "GET", "/v1.44/system/df?type=image&type=volume", None);
    assert!(only["Images"].is_array() && only["Volumes"].is_array() && only["Containers"].is_null(), "{only}");
    assert!(only["Images"][0].get("Descriptor").is_none(), "{only}");
    let old = json(&host, "GET", "/v1.41/system/df?type=image", None);
    assert!(old["Containers"].is_array(), "old clients get everything: {old}");
    assert_eq!((&old["BuilderSize"], &old["BuildCache"]), (&Value::from(0), &Value::Null));
    assert_eq!(old["Images"][0]["VirtualSize"], old["Images"][0]["Size"]);
    let wrong = ask(&host, "GET", "/v1.51/system/df?type=nothing", None);
    assert_eq!((wrong.status, wrong.body.trim()), (400, r#"{"message":"unknown object type: nothing"}"#));
}
