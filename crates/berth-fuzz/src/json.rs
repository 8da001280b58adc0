//! JSON that is well-formed and wrong: values that do not belong where they are, keys twice, too deep, too long.

use serde_json::{Map, Value, json};

use crate::chance::Chance;

/// Text on which readers of descriptions turn.
const TEXTS: [&str; 22] = [
    "",
    "sha256:",
    "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    "sha512:00",
    "SHA256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.empty.v1+json",
    "../../etc/passwd",
    "\u{0}",
    "\u{fffd}\u{10ffff}",
    "0000-00-00T00:00:00Z",
    "2026-13-45T99:99:99+99:99",
    "linux",
    "windows",
    "=",
    "A=",
    "80/tcp/udp",
    "-1",
];

/// Bytes of JSON that one change adds by repetition, at most.
const MOST_COPIED: usize = 1 << 20;

/// One of the seeds, changed in a few places. Keys come from all of them.
pub(crate) fn change(seeds: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let seed = &seeds[chance.below(seeds.len())];
    let Ok(mut value) = serde_json::from_slice::<Value>(seed) else { return seed.clone() };
    let mut keys = Vec::new();
    seeds.iter().filter_map(|seed| serde_json::from_slice(seed).ok()).for_each(|seed: Value| names(&seed, &mut keys));
    for _ in 0..=chance.below(4) {
        edit(&mut value, &keys, chance);
    }
    let text = value.to_string();
    match chance.below(12) {
        // Values cannot say these.
        0 => text.replacen(':', ":1e999,\"x\":", 1).into_bytes(),
        1 => twice(&text).into_bytes(),
        2 => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        3 => (text + "{}").into_bytes(),
        _ => text.into_bytes(),
    }
}

fn names(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            keys.push(key.clone());
            names(value, keys);
        }),
        Value::Array(list) => list.iter().for_each(|value| names(value, keys)),
        _ => {}
    }
}

/// The first member once more, with another value.
fn twice(text: &str) -> String {
    match text.strip_prefix("{\"").and_then(|rest| rest.split_once("\":")) {
        Some((key, rest)) => format!("{{\"{key}\":null,\"{key}\":{rest}"),
        None => text.to_owned(),
    }
}

/// Goes down by chance, and changes what is there.
fn edit(value: &mut Value, keys: &[String], chance: &mut Chance) {
    let deeper = chance.below(5) > 0;
    match value {
        Value::Object(map) if deeper && !map.is_empty() => {
            let at = chance.below(map.len());
            if let Some(inner) = map.values_mut().nth(at) {
                return edit(inner, keys, chance);
            }
        }
        Value::Array(list) if deeper && !list.is_empty() => {
            let at = chance.below(list.len());
            return edit(&mut list[at], keys, chance);
        }
        _ => {}
    }
    match value {
        Value::Object(map) if chance.below(2) == 0 => members(map, keys, chance),
        Value::Array(list) if chance.below(2) == 0 => items(list, chance),
        other => *other = something(chance),
    }
}

fn members(map: &mut Map<String, Value>, keys: &[String], chance: &mut Chance) {
    let taken = map.keys().nth(chance.below(map.len().max(1))).cloned().unwrap_or_default();
    let other = keys.get(chance.below(keys.len().max(1))).cloned().unwrap_or_default();
    match chance.below(3) {
        0 => drop(map.remove(&taken)),
        1 => drop(map.insert(other, something(chance))),
        _ => {
            let value = map.remove(&taken).unwrap_or_default();
            map.insert(other, value);
        }
    }
}

fn items(list: &mut Vec<Value>, chance: &mut Chance) {
    let copy = list.first().cloned().unwrap_or_default();
    match chance.below(4) {
        0 => drop(list.pop()),
        1 => {
            // Copies of copies fill the memory.
            let most = (MOST_COPIED / copy.to_string().len()).min(700);
            list.extend(std::iter::repeat_n(copy, chance.below(most.max(1))));
        }
        2 => list.push(something(chance)),
        _ => list.reverse(),
    }
}

fn something(chance: &mut Chance) -> Value {
    match chance.below(14) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!([]),
        3 => json!({}),
        4 => json!(chance.number()),
        5 => json!(i64::MIN),
        6 => json!(u64::MAX),
        7 => json!(-1),
        8 => json!(0.5),
        9 => json!("x".repeat(1 << chance.below(18))),
        10 => (0..chance.below(120)).fold(Value::Null, |inner, _| json!([inner])),
        11 => (0..chance.below(120)).fold(Value::Null, |inner, _| json!({"platform": inner})),
        _ => json!(TEXTS[chance.below(TEXTS.len())]),
    }
}
