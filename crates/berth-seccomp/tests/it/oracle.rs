//! What a profile says of a call, worked out rule by rule with no cleverness; and random profiles and calls.

use std::collections::HashMap;
use std::sync::OnceLock;

use oci_spec::runtime::LinuxSeccomp;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::interpreter::Call;

pub(crate) const X86_64: u32 = 0xc000_003e;
pub(crate) const X86: u32 = 0x4000_0003;
pub(crate) const X32_BIT: u32 = 0x4000_0000;

/// System call numbers: name → column → number.
pub(crate) fn number(name: &str, column: usize) -> Option<u32> {
    static TABLE: OnceLock<HashMap<&str, Vec<Option<u32>>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let rows = include_str!("../../src/syscalls.tsv").lines().filter(|line| !line.starts_with('#'));
        rows.map(|row| {
            let mut cells = row.split('\t');
            (cells.next().unwrap(), cells.map(|cell| cell.parse().ok()).collect())
        })
        .collect()
    });
    table.get(name)?[column]
}

/// 1 and 0 are the ABI's column and whether its arguments are 32 bits wide.
fn abi(call: &Call, profile: &Value) -> Option<(usize, bool)> {
    let listed = |arch: &str| profile["architectures"].as_array().unwrap().iter().any(|one| one == arch);
    match call.arch {
        X86_64 if call.number == u32::MAX => Some((0, false)),
        X86_64 if call.number >= X32_BIT => listed("SCMP_ARCH_X32").then_some((2, true)),
        X86_64 => Some((0, false)),
        X86 => listed("SCMP_ARCH_X86").then_some((1, true)),
        _ => None,
    }
}

fn verdict(rule: &Value, action: &str, errno: &str) -> u32 {
    let errno = rule[errno].as_u64().unwrap_or(1) as u32;
    match rule[action].as_str().unwrap() {
        "SCMP_ACT_KILL_THREAD" | "SCMP_ACT_KILL" => 0,
        "SCMP_ACT_KILL_PROCESS" => 0x8000_0000,
        "SCMP_ACT_TRAP" => 0x3_0000,
        "SCMP_ACT_ERRNO" => 0x5_0000 | errno,
        "SCMP_ACT_NOTIFY" => 0x7fc0_0000,
        "SCMP_ACT_TRACE" => 0x7ff0_0000 | errno,
        "SCMP_ACT_LOG" => 0x7ffc_0000,
        "SCMP_ACT_ALLOW" => 0x7fff_0000,
        other => panic!("{other}"),
    }
}

fn holds(condition: &Value, call: &Call, narrow: bool) -> bool {
    let cut = |value: u64| if narrow { value & 0xffff_ffff } else { value };
    let actual = cut(call.args[condition["index"].as_u64().unwrap() as usize]);
    let value = cut(condition["value"].as_u64().unwrap());
    let second = cut(condition["valueTwo"].as_u64().unwrap());
    match condition["op"].as_str().unwrap() {
        "SCMP_CMP_NE" => actual != value,
        "SCMP_CMP_LT" => actual < value,
        "SCMP_CMP_LE" => actual <= value,
        "SCMP_CMP_EQ" => actual == value,
        "SCMP_CMP_GE" => actual >= value,
        "SCMP_CMP_GT" => actual > value,
        "SCMP_CMP_MASKED_EQ" => actual & value == second & value,
        other => panic!("{other}"),
    }
}

/// What the kernel is to do with a call under a profile.
pub(crate) fn evaluate(profile: &Value, call: &Call, newer_is_enosys: bool) -> u32 {
    let Some((column, narrow)) = abi(call, profile) else { return 0 };
    let default = verdict(profile, "defaultAction", "defaultErrnoRet");
    let bit = if column == 2 { X32_BIT } else { 0 };
    let mut newest = None;
    let mut conditional: Option<u32> = None;
    let mut unconditional: Option<u32> = None;
    for rule in profile["syscalls"].as_array().unwrap() {
        let verdict = verdict(rule, "action", "errnoRet");
        let args = rule["args"].as_array().unwrap();
        for name in rule["names"].as_array().unwrap() {
            let number = number(name.as_str().unwrap(), column).map(|number| number | bit);
            newest = newest.max(number);
            if number != Some(call.number) || verdict == default {
                continue;
            }
            let doubled = args.iter().enumerate().any(|(i, a)| args[..i].iter().any(|b| a["index"] == b["index"]));
            let mut tests = args.iter().map(|condition| holds(condition, call, narrow));
            if args.is_empty() {
                unconditional = unconditional.or(Some(verdict));
            } else if if doubled { tests.any(|yes| yes) } else { tests.all(|yes| yes) } {
                let strictness = |verdict: u32| (verdict & 0xffff_0000).cast_signed();
                conditional = match conditional {
                    Some(other) if strictness(other) <= strictness(verdict) => Some(other),
                    _ => Some(verdict),
                };
            }
        }
    }
    let refuses = !matches!(default & 0x7fff_0000, 0x7ff0_0000 | 0x7ffc_0000 | 0x7fff_0000);
    if newer_is_enosys && refuses && call.number != u32::MAX && newest.is_some_and(|newest| call.number > newest) {
        return 0x5_0026;
    }
    unconditional.or(conditional).unwrap_or(default)
}

pub(crate) fn spec(profile: &Value) -> LinuxSeccomp {
    serde_json::from_value(profile.clone()).unwrap()
}

/// Names that exist everywhere, only on some architectures, with odd neighbours, or nowhere.
pub(crate) const NAMES: [&str; 18] = [
    "read",
    "write",
    "open",
    "openat",
    "clone",
    "clone3",
    "personality",
    "getpid",
    "execve",
    "rt_sigaction",
    "uname",
    "readv",
    "stat64",
    "preadv2",
    "fadvise64",
    "arm_fadvise64_64",
    "nonsense",
    "mseal",
];

pub(crate) const ACTIONS: [&str; 7] = [
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_LOG",
    "SCMP_ACT_ALLOW",
];

const OPERATORS: [&str; 7] =
    ["SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"];

/// Values around which comparisons of halves go wrong.
pub(crate) fn value() -> impl Strategy<Value = u64> {
    prop_oneof![
        prop::sample::select(vec![
            0,
            1,
            2,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_fffe,
            0xffff_ffff,
            0x1_0000_0000,
            0x1_0000_0001,
            0x1_ffff_ffff,
            0x2_0000_0000,
            u64::MAX - 1,
            u64::MAX,
            0x7e02_0000,
        ]),
        0u64..8,
        any::<u64>(),
    ]
}

pub(crate) fn condition() -> impl Strategy<Value = Value> {
    (0..6u64, prop::sample::select(&OPERATORS[..]), value(), value())
        .prop_map(|(index, op, value, two)| json!({"index": index, "op": op, "value": value, "valueTwo": two}))
}

pub(crate) fn errno(action: &str, errno: u32) -> Value {
    if matches!(action, "SCMP_ACT_ERRNO" | "SCMP_ACT_TRACE") { json!(errno) } else { Value::Null }
}

fn rule() -> impl Strategy<Value = Value> {
    let names = prop::collection::vec(prop::sample::select(&NAMES[..]), 0..5);
    let args = prop::collection::vec(condition(), 0..4);
    (names, prop::sample::select(&ACTIONS[..]), 0..60u32, args).prop_map(|(names, action, number, args)| {
        json!({"names": names, "action": action, "errnoRet": errno(action, number), "args": args})
    })
}

pub(crate) fn architectures() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_MIPS"], 0..=4)
}

pub(crate) fn profile() -> impl Strategy<Value = Value> {
    let rules = prop::collection::vec(rule(), 0..12);
    (prop::sample::select(&ACTIONS[..]), 0..60u32, architectures(), rules).prop_map(
        |(action, number, arches, rules)| {
            json!({
                "defaultAction": action, "defaultErrnoRet": errno(action, number), "architectures": arches,
                "syscalls": rules,
            })
        },
    )
}

pub(crate) fn call() -> impl Strategy<Value = Call> {
    let named = (prop::sample::select(&NAMES[..]), 0..3usize)
        .prop_map(|(name, column)| number(name, column).unwrap_or(0) | if column == 2 { X32_BIT } else { 0 });
    let number = prop_oneof![
        8 => named,
        2 => 0..480u32,
        1 => (0..560u32).prop_map(|number| number | X32_BIT),
        1 => Just(u32::MAX),
        1 => any::<u32>(),
    ];
    let arch = prop_oneof![6 => Just(X86_64), 3 => Just(X86), 1 => Just(0xc000_00b7)];
    (number, arch, prop::array::uniform6(value())).prop_map(|(number, arch, args)| Call { number, arch, args })
}
