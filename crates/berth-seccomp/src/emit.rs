//! From decisions to classic BPF: a binary search over the numbers, whose leaves end in a return.
//!
//! The program looks at `seccomp_data` (linux/seccomp.h): number at 0, architecture at 4, arguments from 16, each with
//! its lower half first on the little-endian machines we know. It uses only what the kernel's per-call cache of
//! always-allowed numbers understands before it reaches a return.

use crate::filter::Instruction;
use crate::rules::{Clause, Condition, Decision, Interval, Test, Verdict};
use crate::syscalls::{Abi, X32_BIT};

const LOAD: u16 = 0x20;
const JUMP: u16 = 0x05;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_EQUAL: u16 = 0x35;
const AND: u16 = 0x54;
const RETURN: u16 = 0x06;

const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// The code of one architecture token: its ABIs' decisions.
pub(crate) struct Section {
    pub(crate) abi: Abi,
    pub(crate) intervals: Vec<Interval>,
}

/// The whole program. What is called by an architecture without a section is killed, as libseccomp does by default.
pub(crate) fn program(sections: &[Section], default: Verdict) -> Vec<Instruction> {
    let mut code = vec![load(ARCHITECTURE)];
    for section in sections.iter().filter(|section| section.abi != Abi::X32) {
        let body = body(section, sections, default);
        skip_unless_equal(&mut code, section.abi.audit(), body);
    }
    code.push(give(Verdict::KILL_THREAD));
    code
}

fn body(section: &Section, all: &[Section], default: Verdict) -> Vec<Instruction> {
    let mut code = vec![load(NUMBER)];
    if section.abi == Abi::X86_64 {
        let high = match all.iter().find(|one| one.abi == Abi::X32) {
            Some(x32) => x32.code(default),
            // A tracer skips a call by setting its number to −1: that is no x32 call.
            None => vec![jump(JUMP_EQUAL, u32::MAX, 0, 1), give(default), give(Verdict::KILL_THREAD)],
        };
        split(&mut code, X32_BIT, section.code(default), high);
    } else {
        code.extend(section.code(default));
    }
    code
}

impl Section {
    fn code(&self, default: Verdict) -> Vec<Instruction> {
        Emitter { default, narrow: self.abi.is_narrow() }.search(&self.intervals)
    }
}

/// What the code of one ABI has in common.
#[derive(Clone, Copy)]
struct Emitter {
    default: Verdict,
    /// Whether only the lower halves of arguments are compared.
    narrow: bool,
}

impl Emitter {
    /// A balanced tree of comparisons over the intervals' starts.
    fn search(self, intervals: &[Interval]) -> Vec<Instruction> {
        match intervals {
            [] => vec![give(self.default)],
            [one] => self.leaf(&one.decision),
            _ => {
                let (below, above) = intervals.split_at(intervals.len() / 2);
                let mut code = Vec::new();
                split(&mut code, above[0].start, self.search(below), self.search(above));
                code
            }
        }
    }

    fn leaf(self, decision: &Decision) -> Vec<Instruction> {
        match decision {
            Decision::Always(verdict) => vec![give(*verdict)],
            Decision::First(clauses) => {
                let mut code: Vec<Instruction> = clauses.iter().flat_map(|clause| self.clause(clause)).collect();
                code.push(give(self.default));
                code
            }
        }
    }

    /// Returns the verdict where every condition holds, and falls through where one does not.
    fn clause(self, clause: &Clause) -> Vec<Instruction> {
        let mut code = vec![give(clause.verdict)];
        for condition in clause.conditions.iter().rev() {
            let mut test = condition.code(self.narrow, code.len());
            test.append(&mut code);
            code = test;
        }
        code
    }
}

/// `high` for numbers from `pivot` on, `low` for those below. A conditional jump reaches 255 instructions only.
fn split(code: &mut Vec<Instruction>, pivot: u32, low: Vec<Instruction>, high: Vec<Instruction>) {
    match u8::try_from(low.len()) {
        Ok(distance) => code.push(jump(JUMP_GREATER_EQUAL, pivot, distance, 0)),
        Err(_) => code.extend([jump(JUMP_GREATER_EQUAL, pivot, 0, 1), far(low.len())]),
    }
    code.extend(low);
    code.extend(high);
}

fn skip_unless_equal(code: &mut Vec<Instruction>, value: u32, body: Vec<Instruction>) {
    match u8::try_from(body.len()) {
        Ok(distance) => code.push(jump(JUMP_EQUAL, value, 0, distance)),
        Err(_) => code.extend([jump(JUMP_EQUAL, value, 1, 0), far(body.len())]),
    }
    code.extend(body);
}

/// Where a half of a comparison leads.
#[derive(Clone, Copy)]
enum To {
    /// Behind the whole comparison: it holds.
    Holds,
    /// Behind all that follows too: it does not hold.
    Fails,
    /// The next instruction: the lower half decides.
    Next,
}

impl To {
    fn distance(self, behind: usize, after: usize) -> u8 {
        let distance = match self {
            To::Holds => behind,
            To::Fails => behind + after,
            To::Next => 0,
        };
        u8::try_from(distance).expect("six conditions are shorter than a short jump")
    }
}

impl Condition {
    /// Code that goes on behind itself where the condition holds, and `after` instructions further where not.
    /// Six conditions are at most 37 instructions, so that every jump here is short.
    fn code(&self, narrow: bool, after: usize) -> Vec<Instruction> {
        let low = ARGUMENTS + 8 * u32::from(self.argument);
        let mut steps = self.steps();
        steps.retain(|step| !(narrow && step.high));
        let total = steps.iter().map(Step::length).sum::<usize>();
        let mut code = Vec::with_capacity(total);
        for step in steps {
            code.push(load(if step.high { low + 4 } else { low }));
            code.extend(step.mask.map(|mask| jump(AND, mask, 0, 0)));
            for (operation, value, yes, no) in step.jumps {
                let behind = total - code.len() - 1;
                code.push(jump(operation, value, yes.distance(behind, after), no.distance(behind, after)));
            }
        }
        code
    }

    /// The halves to compare, the upper first.
    fn steps(&self) -> Vec<Step> {
        use To::{Fails, Holds, Next};
        let (high, low) = match self.test {
            Test::Equal(value) => return Step::equal(u64::MAX, value),
            Test::Masked { mask, value } => return Step::equal(mask, value),
            Test::NotEqual(value) => {
                let (high, low) = halves(value);
                (vec![(JUMP_EQUAL, high, Next, Holds)], vec![(JUMP_EQUAL, low, Fails, Holds)])
            }
            Test::Greater(value) => ordered(value, JUMP_GREATER, Holds, Fails),
            Test::GreaterOrEqual(value) => ordered(value, JUMP_GREATER_EQUAL, Holds, Fails),
            Test::Less(value) => ordered(value, JUMP_GREATER_EQUAL, Fails, Holds),
            Test::LessOrEqual(value) => ordered(value, JUMP_GREATER, Fails, Holds),
        };
        vec![Step { high: true, mask: None, jumps: high }, Step { high: false, mask: None, jumps: low }]
    }
}

type Jump = (u16, u32, To, To);

/// One half of an argument: load, perhaps mask, compare.
struct Step {
    high: bool,
    mask: Option<u32>,
    jumps: Vec<Jump>,
}

impl Step {
    fn length(&self) -> usize {
        1 + usize::from(self.mask.is_some()) + self.jumps.len()
    }

    /// `argument & mask == value`, leaving out a half that the mask blanks. No step at all: it always holds.
    fn equal(mask: u64, value: u64) -> Vec<Step> {
        let (mask_high, mask_low) = halves(mask);
        let (high, low) = halves(value);
        let step = |is_high, mask: u32, value| Step {
            high: is_high,
            mask: (mask != u32::MAX).then_some(mask),
            jumps: vec![(JUMP_EQUAL, value, To::Next, To::Fails)],
        };
        [(true, mask_high, high), (false, mask_low, low)]
            .into_iter()
            .filter(|(_, mask, _)| *mask != 0)
            .map(|(is_high, mask, value)| step(is_high, mask, value))
            .collect()
    }
}

/// An order: the upper half decides unless it is equal. `last` is the operation on the lower half.
fn ordered(value: u64, last: u16, above: To, below: To) -> (Vec<Jump>, Vec<Jump>) {
    let (high, low) = halves(value);
    let upper = vec![(JUMP_GREATER, high, above, To::Next), (JUMP_EQUAL, high, To::Next, below)];
    (upper, vec![(last, low, above, below)])
}

fn halves(value: u64) -> (u32, u32) {
    ((value >> 32) as u32, value as u32)
}

fn load(offset: u32) -> Instruction {
    Instruction { code: LOAD, jt: 0, jf: 0, k: offset }
}

fn give(verdict: Verdict) -> Instruction {
    Instruction { code: RETURN, jt: 0, jf: 0, k: verdict.0 }
}

fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

fn far(distance: usize) -> Instruction {
    Instruction { code: JUMP, jt: 0, jf: 0, k: u32::try_from(distance).unwrap_or(u32::MAX) }
}
