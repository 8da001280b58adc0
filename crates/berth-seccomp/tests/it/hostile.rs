//! Profiles and filters from strangers: refused or compiled, never a panic.

use berth_seccomp::{Filter, KernelVersion, Machine, Profile, compile};
use proptest::prelude::*;
use serde_json::{Value, json};

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
        prop::sample::select(vec![
            "SCMP_ACT_ALLOW",
            "SCMP_ACT_NOTIFY",
            "SCMP_ARCH_X86",
            "SCMP_CMP_LT",
            "read",
            "9.9.9"
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "defaultAction",
        "defaultErrnoRet",
        "architectures",
        "archMap",
        "flags",
        "listenerPath",
        "syscalls",
        "names",
        "name",
        "action",
        "errnoRet",
        "args",
        "index",
        "value",
        "valueTwo",
        "op",
        "includes",
        "excludes",
        "caps",
        "arches",
        "minKernel",
        "architecture",
        "subArchitectures",
        "comment",
    ]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(key.clone().prop_map(str::to_owned), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn try_everything(text: &str) {
    if let Ok(profile) = Profile::parse(text) {
        let resolved = profile.resolve(&Default::default(), Machine::host(), KernelVersion(6, 1));
        let _ = compile(&resolved);
    }
    if let Ok(spec) = serde_json::from_str(text) {
        let _ = compile(&spec);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_json(value in json_value()) {
        try_everything(&value.to_string());
    }

    #[test]
    fn nearly_a_profile(
        mut value in crate::oracle::profile(),
        key in prop::sample::select(vec!["defaultAction", "architectures", "syscalls", "archMap", "flags"]),
        other in json_value(),
    ) {
        value[key] = other.clone();
        try_everything(&value.to_string());
        value["defaultAction"] = json!("SCMP_ACT_ERRNO");
        value["syscalls"] = json!([{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [other]}]);
        try_everything(&value.to_string());
    }

    #[test]
    fn arbitrary_text(text in ".*") {
        try_everything(&text);
    }

    #[test]
    fn arbitrary_bytes_are_no_filter(mut bytes in prop::collection::vec(any::<u8>(), 0..80), framed in any::<bool>()) {
        if framed && bytes.len() >= 4 {
            bytes[..4].copy_from_slice(b"bsf\x01");
        }
        if let Ok(filter) = Filter::from_bytes(&bytes) {
            prop_assert_eq!(filter.as_bytes(), &bytes[..]);
            prop_assert!(!filter.is_empty());
        }
    }
}

#[test]
fn contradictions_are_named() {
    let refuse = |profile: Value| {
        let error = match Profile::parse(&profile.to_string()) {
            Ok(profile) => {
                compile(&profile.resolve(&Default::default(), Machine::X86_64, KernelVersion(6, 1))).unwrap_err()
            }
            Err(error) => error,
        };
        error.to_string()
    };
    let rule = |rule: Value| json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]});
    assert_eq!(
        refuse(
            json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]})
        ),
        "the seccomp profile is not valid: it has both architectures and archMap"
    );
    assert_eq!(
        refuse(rule(json!({"name": "read", "names": ["write"], "action": "SCMP_ACT_ERRNO"}))),
        "the seccomp profile is not valid: the rule for read has both name and names"
    );
    assert_eq!(
        refuse(rule(json!({"names": ["read"], "action": "SCMP_ACT_TRAP", "errnoRet": 5}))),
        "seccomp: errnoRet is given for SCMP_ACT_TRAP, which returns no errno"
    );
    assert_eq!(
        refuse(rule(
            json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]})
        )),
        "seccomp: a rule for read looks at argument 6, but system calls have arguments 0 to 5"
    );
    assert_eq!(
        refuse(rule(json!({"names": ["read"], "action": "SCMP_ACT_NOTIFY"}))),
        "seccomp: SCMP_ACT_NOTIFY cannot be used without a listenerPath"
    );
    assert!(
        refuse(json!({"defaultAction": "SCMP_ACT_MAYBE"}))
            .starts_with("the seccomp profile cannot be read: unknown variant")
    );
}
