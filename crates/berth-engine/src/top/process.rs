//! One process as `/proc` tells it (proc(5)), and what of the host the columns need.

use std::fs;

use crate::{Error, Result};

/// Clock ticks a second, as `/proc` counts on every architecture (USER_HZ).
pub(super) const TICKS: u64 = 100;

/// One process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: i64,
    pub(super) program: String,
    pub(super) command: String,
    pub(super) state: char,
    pub(super) parent: i64,
    pub(super) group: i64,
    pub(super) session: i64,
    /// Device number.
    pub(super) terminal: u64,
    /// Process group in its terminal's foreground.
    pub(super) foreground: i64,
    /// Processor time in clock ticks.
    pub(super) ticks: u64,
    pub(super) nice: i64,
    pub(super) threads: u64,
    /// Clock ticks after the boot.
    pub(super) start: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Bytes.
    pub(super) resident: u64,
    pub(super) processor: u64,
    pub(super) uid: u32,
    pub(super) real_uid: u32,
    pub(super) gid: u32,
}

impl Process {
    /// Reads one; `None`: it has ended.
    pub(super) fn read(pid: i32) -> Option<Self> {
        let read = |name: &str| fs::read(format!("/proc/{pid}/{name}"));
        let stat = read("stat").ok()?;
        let mut process = Self::parse_stat(&String::from_utf8_lossy(&stat))?;
        let status = read("status").ok()?;
        process.take_status(&String::from_utf8_lossy(&status));
        process.command = command(&read("cmdline").unwrap_or_default(), &process.program);
        Some(process)
    }

    /// The program's name is in parentheses and may hold anything, parentheses too.
    fn parse_stat(text: &str) -> Option<Self> {
        let (head, rest) = text.rsplit_once(')')?;
        let (pid, program) = head.split_once('(')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<i64>().ok()).unwrap_or(0);
        let count = |at: usize| u64::try_from(number(at)).unwrap_or(0);
        Some(Self {
            pid: pid.trim().parse().ok()?,
            program: printable(program.as_bytes()),
            state: fields.first()?.chars().next()?,
            parent: number(1),
            group: number(2),
            session: number(3),
            terminal: count(4),
            foreground: number(5),
            ticks: count(11) + count(12),
            nice: number(16),
            threads: count(17),
            start: count(19),
            size: count(20),
            processor: count(36),
            ..Self::default()
        })
    }

    fn take_status(&mut self, status: &str) {
        let ids = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let mut ids = line.unwrap_or_default().split_whitespace().map(|id| id.parse().unwrap_or(0));
            (ids.next().unwrap_or(0), ids.next().unwrap_or(0))
        };
        (self.real_uid, self.uid) = ids("Uid:");
        self.gid = ids("Gid:").1;
        self.resident = u64::from(ids("VmRSS:").0) * 1024;
    }
}

/// The arguments side by side; the program's name in brackets where there are none (kernel threads, zombies).
fn command(arguments: &[u8], program: &str) -> String {
    let text = arguments.strip_suffix(b"\0").unwrap_or(arguments);
    if text.is_empty() {
        return format!("[{program}]");
    }
    printable(&text.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }).collect::<Vec<u8>>())
}

/// What a container calls its processes must not move anybody's cursor.
fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// What columns need to know of the host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host {
    /// Seconds since 1970.
    pub(super) booted: u64,
    /// Seconds since then.
    pub(super) uptime: u64,
    /// Bytes.
    pub(super) memory: u64,
}

impl Host {
    pub(super) fn read() -> Result<Self> {
        let read = |path: &str| fs::read_to_string(path).map_err(Error::file("reading", path));
        let number = |text: &str, name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        let uptime = read("/proc/uptime")?;
        Ok(Self {
            booted: number(&read("/proc/stat")?, "btime "),
            uptime: uptime.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0),
            memory: number(&read("/proc/meminfo")?, "MemTotal:") * 1024,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_may_hold_anything() {
        let fields: Vec<String> = (0..49).map(|number| number.to_string()).collect();
        let line = format!("7 (a) S (\u{1b}[2J) R {}", fields.join(" "));
        let process = Process::parse_stat(&line).unwrap();
        assert_eq!((process.pid, process.program.as_str(), process.state), (7, "a) S (?[2J", 'R'));
        assert_eq!((process.parent, process.ticks, process.start), (0, 10 + 11, 18));
    }

    #[test]
    fn commands() {
        assert_eq!(command(b"sh\0-c\0a\nb\0", "sh"), "sh -c a?b");
        assert_eq!(command(b"", "kthreadd"), "[kthreadd]");
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}|[0-9]{1,3} \\([a-z)( ]{0,9}\\) [A-Z]( -?[0-9]{0,25}){0,40}") {
            drop(Process::parse_stat(&text));
        }
    }
}
