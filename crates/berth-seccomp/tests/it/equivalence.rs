//! The compiled program decides as the profile says.

use berth_seccomp::{Filter, Machine, Options, compile_with};
use proptest::prelude::*;
use serde_json::json;

use crate::interpreter::{Call, run};
use crate::oracle::{X32_BIT, X86, X86_64, call, evaluate, profile, spec};

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 2, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_program_is_its_profile(
        profile in profile(),
        newer_is_enosys in any::<bool>(),
        calls in prop::collection::vec(call(), 200),
    ) {
        let options = Options { newer_is_enosys, machine: Machine::X86_64 };
        let filter = compile_with(&spec(&profile), options).unwrap();
        for call in &calls {
            let expected = evaluate(&profile, call, newer_is_enosys);
            prop_assert_eq!(run(&filter, call), expected, "{:?}", call);
        }
    }
}

fn filter(profile: serde_json::Value) -> Filter {
    let options = Options { newer_is_enosys: false, machine: Machine::X86_64 };
    compile_with(&spec(&profile), options).unwrap()
}

fn x86(number: u32, args: [u64; 6]) -> Call {
    Call { number, arch: X86, args }
}

#[test]
fn jumps_beyond_255_instructions() {
    // 200 calls, each with two long rules: some 12,000 instructions would be too many, 60 rules a call are not.
    let args: Vec<_> = (0..6)
        .map(|index| json!({"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": u64::MAX - 1, "valueTwo": 2}))
        .collect();
    let names: Vec<_> =
        ["read", "open", "stat", "poll", "mmap", "brk", "ioctl", "pipe", "dup", "exit", "uname", "link"].into();
    let rules: Vec<_> = (1..8)
        .map(|errno| json!({"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": args[errno - 1..]}))
        .collect();
    let profile =
        json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "syscalls": rules[..6]});
    let filter = filter(profile.clone());
    assert!(filter.len() > 1500, "{}", filter.len());
    for number in 0..450 {
        for arch in [X86, X86_64] {
            for args in [[2; 6], [9, 3, 3, 3, 3, 3], [0, 0, 0, 0, 0, 3], [7; 6]] {
                let call = Call { number, arch, args };
                assert_eq!(run(&filter, &call), evaluate(&profile, &call, false), "{call:?}");
            }
        }
    }
}

#[test]
fn too_long_is_an_error() {
    let names: Vec<String> =
        include_str!("../../src/syscalls.tsv").lines().map(|l| l.split('\t').next().unwrap().into()).collect();
    let rules: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let args: Vec<_> =
                (0..6).map(|i| json!({"index": i, "op": "SCMP_CMP_GE", "value": at + (1 << 40)})).collect();
            json!({"names": [name], "action": "SCMP_ACT_ALLOW", "args": args})
        })
        .collect();
    let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules});
    let error = compile_with(&spec(&profile), Options::default()).unwrap_err();
    assert!(error.to_string().contains("the kernel takes at most 4096"), "{error}");
}

#[test]
fn calls_through_a_multiplexer_follow_their_own_rules() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"],
        "syscalls": [
            {"names": ["socket", "semop"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["bind"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]},
            {"names": ["listen"], "action": "SCMP_ACT_KILL", "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]},
        ],
    });
    let filter = filter(profile);
    let (socketcall, ipc, socket) = (102, 117, 359);
    assert_eq!(run(&filter, &x86(socketcall, [1, 0, 0, 0, 0, 0])), 0x7fff_0000);
    assert_eq!(run(&filter, &x86(socket, [9; 6])), 0x7fff_0000);
    assert_eq!(run(&filter, &x86(ipc, [1, 0, 0, 0, 0, 0])), 0x7fff_0000);
    assert_eq!(run(&filter, &x86(ipc, [2, 0, 0, 0, 0, 0])), 0x5_0001);
    // Whether bind's argument is 1 cannot be seen: it stays refused; listen's stays killed.
    assert_eq!(run(&filter, &x86(socketcall, [2, 1, 0, 0, 0, 0])), 0x5_0001);
    assert_eq!(run(&filter, &x86(socketcall, [4, 0, 0, 0, 0, 0])), 0);
    assert_eq!(run(&filter, &x86(socketcall, [5, 0, 0, 0, 0, 0])), 0x5_0001);
}

#[test]
fn a_tracers_minus_one_is_no_x32_call() {
    let filter = filter(json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}));
    let call = |number| Call { number, arch: X86_64, args: [0; 6] };
    assert_eq!(run(&filter, &call(u32::MAX)), 0x5_0001);
    assert_eq!(run(&filter, &call(X32_BIT)), 0);
    assert_eq!(run(&filter, &call(u32::MAX - 1)), 0);
}

#[test]
fn other_machines() {
    let profile = json!({
        "defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
        "syscalls": [{"names": ["openat", "open", "set_tls", "breakpoint"], "action": "SCMP_ACT_ALLOW"}],
    });
    let options = Options { newer_is_enosys: true, machine: Machine::Aarch64 };
    let filter = compile_with(&spec(&profile), options).unwrap();
    let call = |arch, number| run(&filter, &Call { number, arch, args: [0; 6] });
    let (aarch64, arm) = (0xc000_00b7, 0x4000_0028);
    assert_eq!(call(aarch64, 56), 0x7fff_0000);
    assert_eq!(call(aarch64, 55), 0x5_0001);
    assert_eq!(call(aarch64, 57), 0x5_0026);
    assert_eq!(call(arm, 322), 0x7fff_0000);
    assert_eq!(call(arm, 323), 0x5_0026);
    assert_eq!(call(arm, 0xf_0005), 0x7fff_0000);
    assert_eq!(call(arm, 0xf_0006), 0x5_0001);
    assert_eq!(call(X86_64, 56), 0);
}
