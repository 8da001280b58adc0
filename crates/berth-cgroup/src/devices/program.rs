//! Device rules as v2 takes them: an eBPF program that the kernel asks at every access.
//!
//! It sees `struct bpf_cgroup_dev_ctx` (linux/bpf.h): the type in the lower and the access in the upper half of the
//! first word, then major and minor, and returns 1 to permit.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use berth_sys::bpf;
use berth_sys::bpf::Instruction;
use rustix::io::Errno;

use super::{Kind, Rule};
use crate::Error;

const BLOCK: i32 = 1;
const CHARACTER: i32 = 2;

const R0: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

const LOAD_WORD: u8 = 0x61;
const AND_IMMEDIATE: u8 = 0x54;
const SHIFT_RIGHT: u8 = 0x74;
const MOVE: u8 = 0xbc;
const MOVE_IMMEDIATE: u8 = 0xb4;
const JUMP_NOT_EQUAL: u8 = 0x55;
const JUMP_NOT_EQUAL_REGISTER: u8 = 0x5d;
const JUMP_EQUAL: u8 = 0x15;
const EXIT: u8 = 0x95;

/// The program: the last rule that fits decides, so they are asked in reverse. The kernel refuses code that nothing
/// leads to, so that it ends with the first rule that always fits.
fn program(rules: &[Rule]) -> Vec<Instruction> {
    let mut code = vec![
        register(LOAD_WORD, TYPE, CONTEXT, 0, 0),
        immediate(AND_IMMEDIATE, TYPE, 0xffff),
        register(LOAD_WORD, ACCESS, CONTEXT, 0, 0),
        immediate(SHIFT_RIGHT, ACCESS, 16),
        register(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        register(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules.iter().rev() {
        code.extend(rule.code());
        if rule.is_about_everything() {
            return code;
        }
    }
    code.extend([immediate(MOVE_IMMEDIATE, R0, 0), immediate(EXIT, R0, 0)]);
    code
}

impl Rule {
    /// Ends with the verdict where the rule fits, and falls through where it does not. Allowing takes a rule that
    /// covers all that is asked for; denying, one that covers any of it.
    fn code(&self) -> Vec<Instruction> {
        let verdict = [immediate(MOVE_IMMEDIATE, R0, i32::from(self.allow)), immediate(EXIT, R0, 0)];
        let mut tests: Vec<Instruction> = Vec::new();
        match self.kind {
            Kind::All => {}
            Kind::Block => tests.push(immediate(JUMP_NOT_EQUAL, TYPE, BLOCK)),
            Kind::Character => tests.push(immediate(JUMP_NOT_EQUAL, TYPE, CHARACTER)),
        }
        tests.extend(self.major.map(|major| immediate(JUMP_NOT_EQUAL, MAJOR, major.cast_signed())));
        tests.extend(self.minor.map(|minor| immediate(JUMP_NOT_EQUAL, MINOR, minor.cast_signed())));
        if self.access != super::EVERYTHING {
            tests.push(register(MOVE, SCRATCH, ACCESS, 0, 0));
            tests.push(immediate(AND_IMMEDIATE, SCRATCH, self.access.into()));
            tests.push(if self.allow {
                register(JUMP_NOT_EQUAL_REGISTER, SCRATCH, ACCESS, 0, 0)
            } else {
                immediate(JUMP_EQUAL, SCRATCH, 0)
            });
        }
        let total = tests.len() + verdict.len();
        for (at, test) in tests.iter_mut().enumerate() {
            if test.code & 0x07 == 0x05 {
                test.offset = i16::try_from(total - at - 1).expect("a rule is ten instructions at most");
            }
        }
        tests.extend(verdict);
        tests
    }
}

fn immediate(code: u8, destination: u8, value: i32) -> Instruction {
    Instruction { code, registers: destination, offset: 0, immediate: value }
}

fn register(code: u8, destination: u8, source: u8, offset: i16, value: i32) -> Instruction {
    Instruction { code, registers: source << 4 | destination, offset, immediate: value }
}

/// Attaches the rules to a v2 cgroup, in place of those attached there before: until the old program is gone both are
/// asked, so that there is no moment without rules.
pub(crate) fn install(directory: &Path, rules: &[Rule]) -> Result<(), Error> {
    let failed =
        |step| move |errno: Errno| Error::DeviceProgram { path: directory.to_owned(), step, source: errno.into() };
    let cgroup = File::open(directory).map_err(|source| Error::DeviceProgram {
        path: directory.to_owned(),
        step: "open the directory",
        source,
    })?;
    let old = bpf::device_programs(cgroup.as_fd()).map_err(failed("ask for the present program"))?;
    let new = bpf::load_device_program(&program(rules)).map_err(failed("load the program"))?;
    bpf::attach_device_program(cgroup.as_fd(), new.as_fd()).map_err(failed("attach the program"))?;
    for id in old {
        match bpf::detach_device_program(cgroup.as_fd(), id) {
            // Somebody else took it away meanwhile.
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed("detach the old program")(errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::{EVERYTHING, MAKE, READ, Rule, WRITE, rules};
    use super::*;

    /// The kernel's machine, as far as these programs use it.
    fn run(code: &[Instruction], kind: i32, access: u8, major: u32, minor: u32) -> bool {
        let context = [(i32::from(access) << 16 | kind).cast_unsigned(), major, minor];
        let mut registers = [0_u32; 11];
        let mut at = 0;
        loop {
            let one = code[at];
            let (to, from) = (usize::from(one.registers & 15), usize::from(one.registers >> 4));
            let value = one.immediate.cast_unsigned();
            let jump = usize::try_from(one.offset).unwrap();
            at += 1;
            match one.code {
                LOAD_WORD => registers[to] = context[jump / 4],
                AND_IMMEDIATE => registers[to] &= value,
                SHIFT_RIGHT => registers[to] >>= value,
                MOVE => registers[to] = registers[from],
                MOVE_IMMEDIATE => registers[to] = value,
                JUMP_NOT_EQUAL => at += if registers[to] == value { 0 } else { jump },
                JUMP_NOT_EQUAL_REGISTER => at += if registers[to] == registers[from] { 0 } else { jump },
                JUMP_EQUAL => at += if registers[to] == value { jump } else { 0 },
                EXIT => return registers[0] == 1,
                other => panic!("{other:#x}"),
            }
        }
    }

    /// The rules said plainly.
    fn allowed(rules: &[Rule], kind: i32, access: u8, major: u32, minor: u32) -> bool {
        let fits = |rule: &&Rule| {
            let this = match rule.kind {
                Kind::All => true,
                Kind::Block => kind == BLOCK,
                Kind::Character => kind == CHARACTER,
            };
            let covered = if rule.allow { access & rule.access == access } else { access & rule.access != 0 };
            this && rule.major.is_none_or(|one| one == major) && rule.minor.is_none_or(|one| one == minor) && covered
        };
        rules.iter().rev().find(fits).is_some_and(|rule| rule.allow)
    }

    #[test]
    fn defaults_and_nothing_else() {
        let code = program(&rules(&[]).unwrap());
        assert!(run(&code, CHARACTER, READ | WRITE, 1, 3), "/dev/null");
        assert!(run(&code, CHARACTER, READ | WRITE, 136, 7), "/dev/pts/7");
        assert!(run(&code, BLOCK, MAKE, 8, 0), "making a node");
        assert!(!run(&code, BLOCK, READ, 8, 0), "reading a disk");
        assert!(!run(&code, CHARACTER, READ, 1, 1), "/dev/mem");
        assert!(!run(&code, CHARACTER, MAKE | READ, 1, 1));
    }

    /// Whether every instruction is reached, as the verifier demands.
    fn is_reached(code: &[Instruction]) -> bool {
        let mut reached = vec![false; code.len()];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut reached[at], true) || code[at].code == EXIT {
                continue;
            }
            open.push(at + 1);
            if code[at].code & 0x07 == 0x05 {
                open.push(at + 1 + usize::try_from(code[at].offset).unwrap());
            }
        }
        reached.into_iter().all(|one| one)
    }

    proptest::proptest! {
        #[test]
        fn a_program_is_its_rules(raw in proptest::collection::vec((0..2u8, 0..3u8, 0..4u32, 0..4u32, 1..8u8), 0..12)) {
            let number = |n: u32| (n < 3).then_some(n);
            let rules: Vec<Rule> = raw.into_iter().map(|(allow, kind, major, minor, access)| match kind {
                0 => Rule { allow: allow == 1, kind: Kind::All, major: None, minor: None, access },
                1 => Rule { allow: allow == 1, kind: Kind::Block, major: number(major), minor: number(minor), access },
                _ => Rule { allow: allow == 1, kind: Kind::Character, major: number(major), minor: number(minor), access },
            }).collect();
            let code = program(&rules);
            proptest::prop_assert!(is_reached(&code));
            for kind in [BLOCK, CHARACTER] {
                for access in 1..=EVERYTHING {
                    for (major, minor) in [(0, 0), (1, 2), (2, 1), (9, 1), (1, 9)] {
                        proptest::prop_assert_eq!(
                            run(&code, kind, access, major, minor),
                            allowed(&rules, kind, access, major, minor)
                        );
                    }
                }
            }
        }
    }
}
