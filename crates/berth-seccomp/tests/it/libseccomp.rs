//! Our programs decide as libseccomp's do, over the same random profiles and over Docker's.
//!
//! Left out is where libseccomp cannot be the measure: conditional rules of different actions on one call (its order
//! depends on its tree); alternatives with several arguments or with orders (merging their trees, 2.5.4 compares an
//! argument with a value meant for another, or forgets that upper halves differ: `equivalence` covers these); calls
//! through i386 multiplexers.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use berth_seccomp::{Instruction, KernelVersion, Machine, Options, compile_with, default_profile};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::interpreter::{Call, run, run_program};
use crate::oracle::{ACTIONS, X32_BIT, X86, X86_64, architectures, call, condition, errno, number, spec};

const NAMES: [&str; 14] = [
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
    "preadv2",
    "nonsense",
];
const PYTHON: &str = "/usr/bin/python3";

/// Random profiles in which all rules for one name have the same action, and no argument is looked at twice in a rule.
fn profile() -> impl Strategy<Value = Value> {
    let rules = prop::collection::vec(prop::collection::vec(prop::collection::vec(condition(), 0..4), 1..4), 14);
    let actions = prop::collection::vec((prop::sample::select(&ACTIONS[..]), 0..60u32, any::<bool>()), 14);
    let default = prop::sample::select(&ACTIONS[..]);
    (default, 0..60u32, architectures(), rules, actions).prop_map(|(default, number, arches, rules, actions)| {
        let mut syscalls = Vec::new();
        for ((name, alternatives), (action, number, used)) in NAMES.iter().zip(rules).zip(actions) {
            let several = alternatives.len() > 1;
            for mut args in alternatives.into_iter().filter(|_| used) {
                let mut seen = BTreeSet::new();
                args.retain(|one| seen.insert(one["index"].as_u64()));
                if several {
                    args.truncate(1);
                    for one in &mut args {
                        one["index"] = json!(number % 6);
                        one["op"] = json!("SCMP_CMP_EQ");
                    }
                }
                syscalls.push(json!({
                    "names": [name], "action": action, "errnoRet": errno(action, number), "args": args,
                }));
            }
        }
        json!({
            "defaultAction": default, "defaultErrnoRet": errno(default, number), "architectures": arches,
            "syscalls": syscalls,
        })
    })
}

/// libseccomp's programs for the profiles; `None` where its Python module is not installed.
fn libseccomp(profiles: &[Value]) -> Option<Vec<Vec<Instruction>>> {
    let there = Command::new(PYTHON).args(["-c", "import seccomp"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut python = Command::new(PYTHON)
        .args(["-c", include_str!("libseccomp.py")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = Value::from(profiles.to_vec()).to_string();
    let mut stdin = python.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap().lines().map(decode).collect())
}

fn decode(hex: &str) -> Vec<Instruction> {
    let bytes: Vec<u8> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    let one = |raw: &[u8]| Instruction {
        code: u16::from_le_bytes([raw[0], raw[1]]),
        jt: raw[2],
        jf: raw[3],
        k: u32::from_le_bytes([raw[4], raw[5], raw[6], raw[7]]),
    };
    bytes.chunks_exact(8).map(one).collect()
}

fn options() -> Options {
    Options { newer_is_enosys: false, machine: Machine::X86_64 }
}

fn skip(test: &str) {
    eprintln!("skipped: {test}: {PYTHON} has no module seccomp (Debian package python3-seccomp)");
}

#[test]
fn random_profiles_agree() {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let profiles: Vec<Value> = (0..400).map(|_| profile().new_tree(&mut runner).unwrap().current()).collect();
    let Some(theirs) = libseccomp(&profiles) else { return skip("libseccomp::random_profiles_agree") };
    assert_eq!(theirs.len(), profiles.len());
    let mut compared = 0;
    for (profile, theirs) in profiles.iter().zip(&theirs) {
        let ours = compile_with(&spec(profile), options()).unwrap();
        for _ in 0..300 {
            let call = call().new_tree(&mut runner).unwrap().current();
            assert_eq!(run(&ours, &call), run_program(theirs, &call), "{call:x?}\n{profile}");
            compared += 1;
        }
    }
    eprintln!("{compared} decisions agree with libseccomp");
}

/// One more than the last number that libseccomp 2.5.4 knows: those of Linux 5.17.
const KNOWN: u32 = 451;

/// Whether libseccomp 2.5.4 knows a name (x32 has numbers of its own from 512 on).
fn is_old(name: &str) -> bool {
    let old = |number| !(KNOWN..512).contains(&number);
    name != "uretprobe" && (0..3).all(|column| number(name, column).is_none_or(old))
}

#[test]
fn dockers_profile_agrees() {
    for capabilities in [&[][..], &["CAP_SYS_ADMIN", "CAP_SYS_PTRACE", "CAP_BPF"]] {
        let capabilities = capabilities.iter().map(|cap| (*cap).to_owned()).collect();
        let resolved = default_profile().resolve(&capabilities, Machine::X86_64, KernelVersion(6, 1));
        let mut plain = serde_json::to_value(&resolved).unwrap();
        for rule in plain["syscalls"].as_array_mut().unwrap() {
            if rule["args"].is_null() {
                rule["args"] = json!([]);
            }
            for arg in rule["args"].as_array_mut().unwrap() {
                if arg["valueTwo"].is_null() {
                    arg["valueTwo"] = json!(0);
                }
            }
            rule["names"].as_array_mut().unwrap().retain(|name| is_old(name.as_str().unwrap()));
        }
        let Some(theirs) = libseccomp(&[plain.clone()]) else { return skip("libseccomp::dockers_profile_agrees") };
        let ours = compile_with(&spec(&plain), options()).unwrap();
        let interesting = [0, 1, 8, 38, 39, 40, 41, 0x2_0000, 0x2_0008, 0xffff_ffff, 0x1000_0000, 1 << 40];
        for (arch, number) in (0..KNOWN)
            .flat_map(|number| [(X86_64, number), (X86, number)])
            .chain((0..560).map(|number| (X86_64, number | X32_BIT)))
        {
            for value in interesting {
                let call = Call { number, arch, args: [value; 6] };
                assert_eq!(run(&ours, &call), run_program(&theirs[0], &call), "{call:x?}");
            }
        }
        eprintln!("Docker's profile: ours {} instructions, libseccomp's {}", ours.len(), theirs[0].len());
    }
}
