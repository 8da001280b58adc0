//! Which devices a container may use: OCI's rules in order, made whole, and as v1 takes them.

mod program;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use crate::Error;

pub(crate) use program::install;

/// Reading, writing and making nodes, as bits of [`Rule::access`] (linux/bpf.h, `BPF_DEVCG_ACC_*`).
pub(crate) const MAKE: u8 = 1;
pub(crate) const READ: u8 = 2;
pub(crate) const WRITE: u8 = 4;
const EVERYTHING: u8 = MAKE | READ | WRITE;

/// Which devices a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    All,
    Block,
    Character,
}

/// One rule; of several that fit, the last counts. `None` is any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) allow: bool,
    pub(crate) kind: Kind,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
    pub(crate) access: u8,
}

/// What every container may use, whatever its rules: making nodes, and null, zero, full, random, urandom, tty,
/// pseudo-terminals and ptmx (runtime-spec, default devices).
const ALWAYS: [Rule; 10] = [
    character(None, None, MAKE),
    Rule { allow: true, kind: Kind::Block, major: None, minor: None, access: MAKE },
    character(Some(1), Some(3), EVERYTHING),
    character(Some(1), Some(5), EVERYTHING),
    character(Some(1), Some(7), EVERYTHING),
    character(Some(1), Some(8), EVERYTHING),
    character(Some(1), Some(9), EVERYTHING),
    character(Some(5), Some(0), EVERYTHING),
    character(Some(5), Some(2), EVERYTHING),
    character(Some(136), None, EVERYTHING),
];

const fn character(major: Option<u32>, minor: Option<u32>, access: u8) -> Rule {
    Rule { allow: true, kind: Kind::Character, major, minor, access }
}

const DENY_ALL: Rule = Rule { allow: false, kind: Kind::All, major: None, minor: None, access: EVERYTHING };

impl Rule {
    fn new(rule: &LinuxDeviceCgroup) -> Result<Option<Rule>, Error> {
        let wrong = |reason: &str| Error::Value {
            limit: "a device rule",
            value: format!("{:?}", rule.to_string()),
            reason: reason.to_owned(),
        };
        let kind = match rule.typ() {
            None | Some(LinuxDeviceType::A) => Kind::All,
            Some(LinuxDeviceType::B) => Kind::Block,
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => Kind::Character,
            Some(LinuxDeviceType::P) => return Err(wrong("a pipe is no device")),
        };
        let number = |number: Option<i64>| match number {
            None | Some(-1) => Ok(None),
            Some(number) => u32::try_from(number).map(Some).map_err(|_| wrong("a device number is 0 or more")),
        };
        let (major, minor) = (number(rule.major())?, number(rule.minor())?);
        let mut access = 0;
        for letter in rule.access().as_deref().unwrap_or_default().chars() {
            access |= match letter {
                'r' => READ,
                'w' => WRITE,
                'm' => MAKE,
                _ => return Err(wrong("access is made of r, w and m")),
            };
        }
        // The kernel's own "a" has no numbers; neither does a rule without access say anything.
        if kind == Kind::All && (major.is_some() || minor.is_some()) {
            return Err(wrong("a rule for all devices has no numbers"));
        }
        Ok((access != 0 || kind == Kind::All).then_some(Rule {
            allow: rule.allow(),
            kind,
            major,
            minor,
            access: if kind == Kind::All && access == 0 { EVERYTHING } else { access },
        }))
    }

    fn is_about_everything(&self) -> bool {
        self.kind == Kind::All && self.access == EVERYTHING
    }

    /// As v1's `devices.allow` and `devices.deny` take it.
    fn line(&self) -> String {
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |number| number.to_string());
        let letters = [(READ, 'r'), (WRITE, 'w'), (MAKE, 'm')];
        let access: String =
            letters.iter().filter(|(bit, _)| self.access & bit != 0).map(|(_, letter)| letter).collect();
        let kind = match self.kind {
            Kind::All => 'a',
            Kind::Block => 'b',
            Kind::Character => 'c',
        };
        format!("{kind} {}:{} {access}", number(self.major), number(self.minor))
    }
}

/// The rules that count: from the last one about everything on (at first everything is denied), and then what every
/// container may use.
pub(crate) fn rules(asked: &[LinuxDeviceCgroup]) -> Result<Vec<Rule>, Error> {
    let mut rules = vec![DENY_ALL];
    for rule in asked {
        if let Some(rule) = Rule::new(rule)? {
            if rule.is_about_everything() {
                rules.clear();
            }
            rules.push(rule);
        }
    }
    for rule in ALWAYS {
        if !rules.contains(&rule) && !allow_everything(&rules) {
            rules.push(rule);
        }
    }
    Ok(rules)
}

/// Whether the rules come down to allowing everything.
pub(crate) fn allow_everything(rules: &[Rule]) -> bool {
    matches!(rules, [only] if only.allow && only.is_about_everything())
}

/// Sets the rules of a v1 cgroup. A new one has everything its parent has, so that allowing everything needs no write.
pub(crate) fn write_v1(directory: &Path, rules: &[Rule], is_new: bool) -> Result<(), Error> {
    let rules = if is_new && allow_everything(rules) { &[] } else { rules };
    let mut files = [None, None];
    for rule in rules {
        let name = if rule.allow { "devices.allow" } else { "devices.deny" };
        let path = directory.join(name);
        let line = rule.line();
        let file = match &mut files[usize::from(rule.allow)] {
            Some(file) => Ok(file),
            empty => OpenOptions::new().write(true).open(&path).map(|file| empty.insert(file)),
        };
        file.and_then(|file| file.write_all(line.as_bytes())).map_err(|source| Error::Write {
            path,
            value: line,
            source,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn oci(json: serde_json::Value) -> Vec<LinuxDeviceCgroup> {
        serde_json::from_value(json).unwrap()
    }

    fn lines(rules: &[Rule]) -> Vec<String> {
        rules.iter().map(|rule| format!("{} {}", if rule.allow { '+' } else { '-' }, rule.line())).collect()
    }

    #[test]
    fn what_comes_before_a_rule_about_everything_is_moot() {
        let asked = oci(serde_json::json!([
            {"allow": true, "type": "b", "major": 8, "access": "rwm"},
            {"allow": false, "access": "rwm"},
            {"allow": true, "type": "c", "major": 10, "minor": 200, "access": "rw"},
        ]));
        let rules = lines(&rules(&asked).unwrap());
        assert_eq!(rules[..2], ["- a *:* rwm", "+ c 10:200 rw"]);
        assert!(rules.contains(&"+ c 136:* rwm".to_owned()));
        assert!(!rules.iter().any(|rule| rule.contains("b 8:")));
    }

    #[test]
    fn privileged_is_one_rule() {
        let asked =
            oci(serde_json::json!([{"allow": false, "access": "rwm"}, {"allow": true, "type": "a", "access": "rwm"}]));
        assert_eq!(lines(&rules(&asked).unwrap()), ["+ a *:* rwm"]);
    }

    #[test]
    fn without_rules_only_the_defaults_are_allowed() {
        let rules = lines(&rules(&[]).unwrap());
        assert_eq!(rules[0], "- a *:* rwm");
        assert_eq!(rules.len(), 1 + ALWAYS.len());
    }

    #[test]
    fn nonsense_is_named() {
        for (rule, reason) in [
            (serde_json::json!({"allow": true, "type": "c", "access": "rx"}), "access is made of"),
            (serde_json::json!({"allow": true, "type": "p", "access": "r"}), "a pipe is no device"),
            (serde_json::json!({"allow": true, "type": "c", "major": -2, "access": "r"}), "0 or more"),
            (serde_json::json!({"allow": true, "type": "a", "major": 2, "access": "r"}), "has no numbers"),
        ] {
            let error = rules(&oci(serde_json::json!([rule]))).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
