//! From the rules of a profile to one decision per system call number: pure, and knows no BPF.

use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall};

use crate::Error;
use crate::syscalls::{ARM_PRIVATE, Abi, multiplexed};

/// The largest errno a filter can return (`MAX_ERRNO` of the kernel).
const MAX_ERRNO: u32 = 4095;
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

/// What the kernel is to do, as a filter returns it (`SECCOMP_RET_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict(pub(crate) u32);

impl Verdict {
    pub(crate) const KILL_THREAD: Verdict = Verdict(0);
    pub(crate) const ENOSYS: Verdict = Verdict(0x0005_0000 | ENOSYS);

    /// The verdict of an action with the errno it returns; EPERM where it needs one and none is given.
    pub(crate) fn new(action: LinuxSeccompAction, errno: Option<u32>) -> Result<Verdict, Error> {
        let data = match (action, errno) {
            (LinuxSeccompAction::ScmpActErrno | LinuxSeccompAction::ScmpActTrace, errno) => errno.unwrap_or(EPERM),
            (_, None) => 0,
            (action, Some(_)) => return Err(Error::ErrnoWithoutUse { action: action.to_string() }),
        };
        if data > MAX_ERRNO {
            return Err(Error::Errno { errno: data });
        }
        Ok(Verdict(base(action) | data))
    }

    /// The kernel's order: where verdicts compete the smaller wins.
    fn strictness(self) -> i32 {
        (self.0 & 0xffff_0000).cast_signed()
    }

    /// Whether a call that no rule names is refused by this default, so that ENOSYS is the kinder refusal.
    fn refuses(self) -> bool {
        const TRACE: i32 = 0x7ff0_0000;
        self.strictness() < TRACE
    }
}

fn base(action: LinuxSeccompAction) -> u32 {
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => 0,
        LinuxSeccompAction::ScmpActKillProcess => 0x8000_0000,
        LinuxSeccompAction::ScmpActTrap => 0x0003_0000,
        LinuxSeccompAction::ScmpActErrno => 0x0005_0000,
        LinuxSeccompAction::ScmpActNotify => 0x7fc0_0000,
        LinuxSeccompAction::ScmpActTrace => 0x7ff0_0000,
        LinuxSeccompAction::ScmpActLog => 0x7ffc_0000,
        LinuxSeccompAction::ScmpActAllow => 0x7fff_0000,
    }
}

/// One comparison of one argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) argument: u8,
    pub(crate) test: Test,
}

/// The comparison itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Equal(u64),
    NotEqual(u64),
    Less(u64),
    LessOrEqual(u64),
    Greater(u64),
    GreaterOrEqual(u64),
    Masked { mask: u64, value: u64 },
}

/// Conditions that must all hold, and the verdict then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Clause {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) verdict: Verdict,
}

/// What is decided for a system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Always(Verdict),
    /// The first clause that holds; else the default.
    First(Vec<Clause>),
}

/// A run of numbers, from `start` to the next interval, that share a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) start: u32,
    pub(crate) decision: Decision,
}

/// A profile whose values have been checked.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) default: Verdict,
    rules: Vec<Rule<'a>>,
    newer_is_enosys: bool,
}

#[derive(Debug)]
struct Rule<'a> {
    names: &'a [String],
    verdict: Verdict,
    /// Alternatives; an empty one always holds.
    alternatives: Vec<Vec<Condition>>,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(profile: &'a LinuxSeccomp, newer_is_enosys: bool) -> Result<Rules<'a>, Error> {
        let default = Verdict::new(profile.default_action(), profile.default_errno_ret())?;
        if profile.default_action() == LinuxSeccompAction::ScmpActNotify {
            return Err(Error::Notify("as the default action"));
        }
        let syscalls = profile.syscalls().as_deref().unwrap_or_default();
        let rules = syscalls.iter().map(|rule| Rule::new(rule, profile)).collect::<Result<_, _>>()?;
        Ok(Rules { default, rules, newer_is_enosys: newer_is_enosys && default.refuses() })
    }

    /// The decisions of one ABI over all 2³² numbers, in ascending order, neighbours always different.
    pub(crate) fn intervals(&self, abi: Abi) -> Vec<Interval> {
        let mut found: Vec<(u32, Clause)> = Vec::new();
        let mut newest = None;
        for rule in &self.rules {
            for name in rule.names {
                if let Some(number) = abi.number(name) {
                    newest = newest.max(Some(number).filter(|number| *number < ARM_PRIVATE || abi != Abi::Arm));
                    self.add(&mut found, number, rule);
                }
                if abi == Abi::X86 {
                    self.add_multiplexed(&mut found, name, rule);
                }
            }
        }
        found.sort_by_key(|(number, _)| *number);
        let mut line = Line::new(Decision::Always(self.default));
        for group in found.chunk_by(|a, b| a.0 == b.0) {
            line.set(group[0].0, decide(group));
        }
        if let Some(newest) = newest.filter(|_| self.newer_is_enosys) {
            line.refuse_newer(newest, if abi == Abi::Arm { ARM_PRIVATE } else { u32::MAX });
        }
        line.intervals
    }

    fn add(&self, found: &mut Vec<(u32, Clause)>, number: u32, rule: &Rule<'_>) {
        if rule.verdict == self.default {
            return;
        }
        for conditions in &rule.alternatives {
            found.push((number, Clause { conditions: conditions.clone(), verdict: rule.verdict }));
        }
    }

    /// The arguments of a call made through `socketcall` or `ipc` are behind a pointer, where a filter cannot look.
    /// So a rule that looks at arguments is taken there as if they matched where it is stricter than the default, and
    /// as if they did not where it is laxer.
    fn add_multiplexed(&self, found: &mut Vec<(u32, Clause)>, name: &str, rule: &Rule<'_>) {
        let Some(carrier) = multiplexed(name) else { return };
        let Some(number) = Abi::X86.number(carrier.through) else { return };
        let blind = rule.alternatives.iter().all(|conditions| !conditions.is_empty());
        let stricter = rule.verdict.strictness() < self.default.strictness();
        if rule.verdict == self.default || (blind && !stricter) {
            return;
        }
        let conditions = vec![Condition { argument: 0, test: Test::Equal(carrier.call.into()) }];
        found.push((number, Clause { conditions, verdict: rule.verdict }));
    }
}

/// An unconditional rule decides, the first one if there are several, as in libseccomp. Of conditional ones that hold
/// together the strictest verdict wins, as among several filters in the kernel (libseccomp has an order of its own).
fn decide(group: &[(u32, Clause)]) -> Decision {
    if let Some((_, clause)) = group.iter().find(|(_, clause)| clause.conditions.is_empty()) {
        return Decision::Always(clause.verdict);
    }
    let mut clauses: Vec<Clause> = Vec::new();
    for (_, clause) in group {
        if !clauses.contains(clause) {
            clauses.push(clause.clone());
        }
    }
    clauses.sort_by_key(|clause| clause.verdict.strictness());
    Decision::First(clauses)
}

impl<'a> Rule<'a> {
    fn new(rule: &'a LinuxSyscall, profile: &LinuxSeccomp) -> Result<Rule<'a>, Error> {
        if rule.action() == LinuxSeccompAction::ScmpActNotify {
            let reachable = profile.listener_path().as_ref().is_some_and(|path| !path.as_os_str().is_empty());
            if !reachable {
                return Err(Error::Notify("without a listenerPath"));
            }
            if rule.names().iter().any(|name| name == "write") {
                return Err(Error::Notify("for write, which the runtime itself needs to hand over the listener"));
            }
        }
        let verdict = Verdict::new(rule.action(), rule.errno_ret())?;
        let syscall = rule.names().first().map_or("", String::as_str);
        let arguments = rule.args().as_deref().unwrap_or_default();
        let conditions = arguments.iter().map(|one| Condition::new(one, syscall)).collect::<Result<Vec<_>, _>>()?;
        Ok(Rule { names: rule.names(), verdict, alternatives: alternatives(conditions) })
    }
}

/// All conditions together, unless two look at the same argument: then each alone suffices, as runtimes have it.
fn alternatives(conditions: Vec<Condition>) -> Vec<Vec<Condition>> {
    let mut seen = [false; 6];
    let twice = conditions.iter().any(|one| std::mem::replace(&mut seen[usize::from(one.argument)], true));
    if twice { conditions.into_iter().map(|one| vec![one]).collect() } else { vec![conditions] }
}

impl Condition {
    fn new(argument: &LinuxSeccompArg, syscall: &str) -> Result<Condition, Error> {
        let index = argument.index();
        let value = argument.value();
        let test = match argument.op() {
            LinuxSeccompOperator::ScmpCmpEq => Test::Equal(value),
            LinuxSeccompOperator::ScmpCmpNe => Test::NotEqual(value),
            LinuxSeccompOperator::ScmpCmpLt => Test::Less(value),
            LinuxSeccompOperator::ScmpCmpLe => Test::LessOrEqual(value),
            LinuxSeccompOperator::ScmpCmpGt => Test::Greater(value),
            LinuxSeccompOperator::ScmpCmpGe => Test::GreaterOrEqual(value),
            LinuxSeccompOperator::ScmpCmpMaskedEq => {
                Test::Masked { mask: value, value: argument.value_two().unwrap_or(0) & value }
            }
        };
        match u8::try_from(index) {
            Ok(argument) if argument < 6 => Ok(Condition { argument, test }),
            _ => Err(Error::ArgumentIndex { syscall: syscall.to_owned(), index }),
        }
    }
}

/// The numbers from 0 upwards, cut into intervals as decisions are set in ascending order.
struct Line {
    intervals: Vec<Interval>,
    rest: Decision,
}

impl Line {
    fn new(rest: Decision) -> Line {
        Line { intervals: vec![Interval { start: 0, decision: rest.clone() }], rest }
    }

    /// Numbers must come in ascending order.
    fn set(&mut self, number: u32, decision: Decision) {
        self.push(number, decision);
        self.push(number + 1, self.rest.clone());
    }

    fn push(&mut self, start: u32, decision: Decision) {
        if self.intervals.last().is_some_and(|last| last.start == start) {
            self.intervals.pop();
        }
        if self.intervals.last().is_none_or(|last| last.decision != decision) {
            self.intervals.push(Interval { start, decision });
        }
    }

    /// Numbers above `newest` up to `end` (a tracer's −1 excepted) are answered ENOSYS.
    fn refuse_newer(&mut self, newest: u32, end: u32) {
        let tail: Vec<Interval> = self.intervals.iter().filter(|one| one.start > newest + 1).cloned().collect();
        self.intervals.retain(|one| one.start <= newest + 1);
        self.push(newest + 1, Decision::Always(Verdict::ENOSYS));
        self.push(end, self.rest.clone());
        for one in tail {
            self.push(one.start, one.decision);
        }
    }
}
