//! The host's own `ps`, for arguments that only it understands.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use super::{ProcessTable, no_pids};
use crate::{Error, Result};

/// Runs it and keeps the lines of these processes.
pub(super) fn list(pids: &[i32], arguments: &[String]) -> Result<ProcessTable> {
    let output = match Command::new("ps").args(arguments).stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::Invalid(format!(
                "ps {}: only -ef, aux and -o with common columns work on a host without the program ps",
                arguments.join(" ")
            )));
        }
        Err(source) => return Err(Error::File { doing: "running", path: "ps".into(), source }),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it failed and did not say why");
        return Err(Error::Internal(format!("ps {}: {}", arguments.join(" "), first.trim())));
    }
    parse(&String::from_utf8_lossy(&output.stdout), pids)
}

/// Columns end at blanks; the last one takes the rest of the line.
fn parse(output: &str, pids: &[i32]) -> Result<ProcessTable> {
    let mut lines = output.lines();
    let titles: Vec<String> = lines.next().unwrap_or_default().split_whitespace().map(str::to_owned).collect();
    let at = titles.iter().position(|title| title == "PID").ok_or_else(no_pids)?;
    let wanted: BTreeSet<i32> = pids.iter().copied().collect();
    let mut rows = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let pid = words.get(at).and_then(|word| word.parse::<i32>().ok());
        if !pid.is_some_and(|pid| wanted.contains(&pid)) {
            continue;
        }
        let last = (titles.len() - 1).min(words.len());
        let mut row: Vec<String> = words[..last].iter().map(|word| (*word).to_owned()).collect();
        row.push(words[last..].join(" "));
        rows.push(row);
    }
    Ok(ProcessTable { titles, rows })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;

    #[test]
    fn lines_of_others_are_dropped() {
        let output = "  PID TTY          TIME CMD\n    7 ?        00:00:00 sh  -c x\n    8 ?        00:00:00 other\n";
        let table = parse(output, &[7]).unwrap();
        assert_eq!(table.titles, ["PID", "TTY", "TIME", "CMD"]);
        assert_eq!(table.rows, [["7", "?", "00:00:00", "sh -c x"]]);
        assert!(parse("TTY CMD\n? sh\n", &[7]).is_err());
        assert!(parse("", &[7]).is_err());
        assert_eq!(parse("CMD PID\n", &[7]).unwrap().rows.len(), 0);
    }
}
