//! Every spelling of a mount, and what is wrong with one, in the words of Docker 20.10 (recorded from it).
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn bind(text: &str) -> Result<MountSpec, ApiError> {
    super::bind(text, "")
}

fn mount_of(json: Value) -> Result<MountSpec, ApiError> {
    mount(&serde_json::from_value(json).unwrap())
}

#[test]
fn binds() {
    let mount = bind("/a:/b:ro,rslave,z").unwrap();
    assert!(mount.readonly);
    let MountKind::Bind { source, propagation, create_source, .. } = mount.kind else { panic!("no bind") };
    assert_eq!((source.as_str(), propagation.as_str(), create_source), ("/a", "rslave", true));
    let volume = |text: &str| match bind(text).unwrap().kind {
        MountKind::Volume(volume) => (volume.name.clone(), volume.anonymous, volume.no_copy),
        _ => panic!("no volume"),
    };
    assert_eq!(volume("vol:/d"), ("vol".to_owned(), false, false));
    assert_eq!(volume("vol:/d:ro,nocopy"), ("vol".to_owned(), false, true));
    assert_eq!(volume("/d"), (String::new(), true, false));
    // Its name is checked where it is made.
    assert_eq!(volume("../x:/b"), ("../x".to_owned(), false, false));
    let type_of = |kind: &str| format!("invalid mount config for type \"{kind}\": ");
    for (text, kind, wanted) in [
        ("/a:b", "bind", "invalid mount path: 'b' mount path must be absolute"),
        ("/a:/", "bind", "invalid specification: destination can't be '/'"),
        ("/a:/x/..", "bind", "invalid specification: destination can't be '/'"),
        ("a", "volume", "invalid mount path: 'a' mount path must be absolute"),
        ("v1:d", "volume", "invalid mount path: 'd' mount path must be absolute"),
        ("v1:/d:rslave", "volume", "field BindOptions must not be specified"),
        ("/a:/b:nocopy", "bind", "field VolumeOptions must not be specified"),
    ] {
        let wanted = format!("invalid volume specification: '{text}': {}{wanted}", type_of(kind));
        assert_eq!(bind(text).unwrap_err().message, wanted);
    }
    for text in [":/b", "/foo:ro", "/a:/b:ro:rw", "::", ""] {
        let message = bind(text).unwrap_err().message;
        assert!(message.starts_with(&format!("invalid volume specification: '{text}'")), "{message}");
    }
    assert_eq!(bind("/a:/b:xx").unwrap_err().message, "invalid mode: xx");
    assert_eq!(bind("v:/b:ro,rw").unwrap_err().message, "invalid mode: ro,rw");
}

#[test]
fn mounts() {
    let kind = |json: Value| mount_of(json).unwrap().kind;
    let volume = kind(json!({"Type": "volume", "Source": "v", "Target": "/t", "VolumeOptions": {
        "NoCopy": true, "Subpath": "a/b", "Labels": {"l": "1"}, "DriverConfig": {"Name": "local", "Options": {"type": "tmpfs"}}}}));
    let MountKind::Volume(volume) = volume else { panic!("no volume") };
    assert!(
        volume.no_copy && volume.subpath == "a/b" && volume.labels["l"] == "1" && volume.options["type"] == "tmpfs"
    );
    let options = json!([["exec"], ["nr_inodes", "5"]]);
    let tmpfs = kind(json!({"Type": "tmpfs", "Target": "/t", "TmpfsOptions": {"Options": options}}));
    assert_eq!(tmpfs, MountKind::Tmpfs { size: 0, mode: 0, options: "exec,nr_inodes=5".into() });
    let image = mount_of(json!({"Type": "image", "Source": "busybox", "Target": "/t"})).unwrap();
    assert!(image.readonly && matches!(image.kind, MountKind::Image { reference, .. } if reference == "busybox"));
    let reach = |options: Value| {
        kind(json!({"Type": "bind", "Source": "/", "Target": "/t", "ReadOnly": true, "BindOptions": options}))
    };
    assert!(matches!(reach(json!({"ReadOnlyNonRecursive": true})), MountKind::Bind { reach: Reach::Top, .. }));
    assert!(matches!(reach(json!({"ReadOnlyForceRecursive": true})), MountKind::Bind { reach: Reach::Required, .. }));
}

#[test]
fn what_mounts_may_not_be() {
    for (json, kind, wanted) in [
        (
            json!({"Type": "volume", "Target": "/d", "ReadOnly": true}),
            "volume",
            "must not set ReadOnly mode when using anonymous volumes",
        ),
        (
            json!({"Type": "volume", "Target": "/d", "VolumeOptions": {"Subpath": "a"}}),
            "volume",
            "must not set Subpath when using anonymous volumes",
        ),
        (
            json!({"Type": "volume", "Source": "v", "Target": "/d", "VolumeOptions": {"Subpath": "a/../../b"}}),
            "volume",
            "subpath must be a relative path within the volume",
        ),
        (
            json!({"Type": "image", "Source": "v", "Target": "/d", "ImageOptions": {"Subpath": "/etc"}}),
            "image",
            "subpath must be a relative path within the image",
        ),
        (
            json!({"Type": "volume", "Source": "v1", "Target": "d"}),
            "volume",
            "invalid mount path: 'd' mount path must be absolute",
        ),
        (
            json!({"Type": "bind", "Source": "/", "Target": "/d", "VolumeOptions": {}}),
            "bind",
            "field VolumeOptions must not be specified",
        ),
        (
            json!({"Type": "volume", "Source": "v1", "Target": "/d", "BindOptions": {}}),
            "volume",
            "field BindOptions must not be specified",
        ),
        (json!({"Type": "tmpfs", "Source": "v1", "Target": "/d"}), "tmpfs", "field Source must not be specified"),
        (json!({"Type": "volume", "Source": "v1", "Target": ""}), "volume", "field Target must not be empty"),
        (json!({"Type": "foo", "Source": "v1", "Target": "/x"}), "foo", "mount type unknown"),
        (json!({"Type": "image", "Target": "/x"}), "image", "field Source must not be empty"),
        (
            json!({"Type": "bind", "Source": "/", "Target": "/d", "BindOptions": {"Propagation": "xx"}}),
            "bind",
            "invalid propagation mode: xx",
        ),
        (
            json!({"Type": "bind", "Source": "/no/such/thing", "Target": "/d"}),
            "bind",
            "bind source path does not exist: /no/such/thing",
        ),
        (
            json!({"Type": "tmpfs", "Target": "/d", "TmpfsOptions": {"Options": [["size", "5"]]}}),
            "tmpfs",
            "invalid tmpfs option: size=5",
        ),
        (
            json!({"Type": "tmpfs", "Target": "/d", "TmpfsOptions": {"Options": [["uid", "5,exec"]]}}),
            "tmpfs",
            "invalid tmpfs option: uid=5,exec",
        ),
        (
            json!({"Type": "tmpfs", "Target": "/d", "TmpfsOptions": {"Options": [[]]}}),
            "tmpfs",
            "invalid option array length",
        ),
    ] {
        let error = mount_of(json).unwrap_err();
        assert_eq!(error.message, format!("invalid mount config for type \"{kind}\": {wanted}"));
        assert_eq!(error.status, http::StatusCode::BAD_REQUEST);
    }
    let root = json!({"Type": "bind", "Source": "/", "Target": "/t"});
    let mounts = vec![serde_json::from_value(root).unwrap()];
    let host = HostConfig { binds: Some(vec!["/:/t/".into()]), mounts, ..HostConfig::default() };
    assert_eq!(all(&host).unwrap_err().message, "Duplicate mount point: /t");
}

#[test]
fn other_containers_volumes() {
    let from = |text: &str| {
        let host = HostConfig { volumes_from: Some(vec![text.to_owned()]), ..HostConfig::default() };
        volumes_from(&host).map(|from| (from[0].container.clone(), from[0].readonly)).map_err(|error| error.message)
    };
    assert_eq!(from("c2"), Ok(("c2".to_owned(), false)));
    assert_eq!(from("c2:ro,z"), Ok(("c2".to_owned(), true)));
    for words in ["xx", "rslave", "nocopy", "ro,rw"] {
        assert_eq!(from(&format!("c2:{words}")), Err(format!("invalid mode: {words}")));
    }
    assert_eq!(from(""), Err("volumes-from specification cannot be an empty string".to_owned()));
}

proptest! {
    /// Any text is a mount with an absolute target or a refusal.
    #[test]
    fn any_bind(text in "[a-z/:.,]{0,12}|\\PC{0,12}") {
        if let Ok(mount) = bind(&text) {
            prop_assert!(clean(&mount.target).len() > 1 && mount.target.starts_with('/'));
        }
    }
}
