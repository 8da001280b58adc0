//! Signals as users write them.

use crate::{Error, Result};

const NAMES: [(&str, i32); 34] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// Linux' real-time signals, as programs may use them.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// A signal's number from its name (with or without `SIG`, any case), or number; `RTMIN+n` and `RTMAX-n` too.
///
/// # Errors
/// Docker's sentence.
pub fn parse(text: &str) -> Result<i32> {
    let invalid = || Error::Invalid(format!("Invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=RTMAX).contains(&number) { Ok(number) } else { Err(invalid()) };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(n, _)| *n == name) {
        return Ok(*number);
    }
    let offset = |rest: &str, sign: char| match rest {
        "" => Some(0),
        rest => rest.strip_prefix(sign)?.parse::<i32>().ok(),
    };
    let real_time = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) => offset(rest, '+').map(|n| RTMIN + n),
        (_, Some(rest)) => offset(rest, '-').map(|n| RTMAX - n),
        _ => None,
    };
    real_time.filter(|n| (RTMIN..=RTMAX).contains(n)).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table() {
        let table = [
            ("KILL", Ok(9)),
            ("SIGTERM", Ok(15)),
            ("usr1", Ok(10)),
            ("15", Ok(15)),
            ("RTMIN+3", Ok(37)),
            ("SIGRTMAX-1", Ok(63)),
            ("RTMAX", Ok(64)),
            ("0", Err("Invalid signal: 0")),
            ("NOSUCH", Err("Invalid signal: NOSUCH")),
            ("RTMIN+99", Err("Invalid signal: RTMIN+99")),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text).map_err(|e| e.to_string()), expected.map_err(str::to_owned));
        }
    }
}
