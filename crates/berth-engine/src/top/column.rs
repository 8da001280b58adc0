//! The columns we can show, with the names and headings that `ps` gives them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Users;
use super::process::{Host, Process, TICKS};

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    User,
    RealUser,
    UserId,
    Group,
    GroupId,
    Pid,
    Parent,
    ProcessGroup,
    Session,
    /// Processor use in whole percent.
    Share,
    Percent,
    MemoryPercent,
    Virtual,
    Resident,
    Terminal,
    State,
    Flags,
    Started,
    StartedInFull,
    Elapsed,
    ElapsedSeconds,
    Time,
    Minutes,
    Command,
    Program,
    Threads,
    Nice,
    Processor,
}

impl Column {
    /// By its name in `-o`, with its heading there.
    pub(super) fn named(name: &str) -> Option<(Self, &'static str)> {
        Some(match name {
            "user" | "uname" => (Self::User, "USER"),
            "euser" => (Self::User, "EUSER"),
            "ruser" => (Self::RealUser, "RUSER"),
            "uid" => (Self::UserId, "UID"),
            "euid" => (Self::UserId, "EUID"),
            "group" => (Self::Group, "GROUP"),
            "egroup" => (Self::Group, "EGROUP"),
            "gid" => (Self::GroupId, "GID"),
            "egid" => (Self::GroupId, "EGID"),
            "pid" | "tgid" => (Self::Pid, if name == "pid" { "PID" } else { "TGID" }),
            "ppid" => (Self::Parent, "PPID"),
            "pgid" | "pgrp" => (Self::ProcessGroup, if name == "pgid" { "PGID" } else { "PGRP" }),
            "sid" => (Self::Session, "SID"),
            "sess" | "session" => (Self::Session, "SESS"),
            "c" => (Self::Share, "C"),
            "%cpu" | "pcpu" => (Self::Percent, "%CPU"),
            "%mem" | "pmem" => (Self::MemoryPercent, "%MEM"),
            "vsz" | "vsize" => (Self::Virtual, "VSZ"),
            "rss" | "rssize" => (Self::Resident, "RSS"),
            "rsz" => (Self::Resident, "RSZ"),
            "tty" | "tt" => (Self::Terminal, "TT"),
            "tname" => (Self::Terminal, "TTY"),
            "s" | "state" => (Self::State, "S"),
            "stat" => (Self::Flags, "STAT"),
            "stime" => (Self::Started, "STIME"),
            "start_time" => (Self::Started, "START"),
            "lstart" => (Self::StartedInFull, "STARTED"),
            "etime" => (Self::Elapsed, "ELAPSED"),
            "etimes" => (Self::ElapsedSeconds, "ELAPSED"),
            "time" | "cputime" => (Self::Time, "TIME"),
            "bsdtime" => (Self::Minutes, "TIME"),
            "cmd" => (Self::Command, "CMD"),
            "args" | "command" => (Self::Command, "COMMAND"),
            "comm" | "ucomm" => (Self::Program, "COMMAND"),
            "ucmd" => (Self::Program, "CMD"),
            "nlwp" => (Self::Threads, "NLWP"),
            "thcount" => (Self::Threads, "THCNT"),
            "ni" | "nice" => (Self::Nice, "NI"),
            "psr" => (Self::Processor, "PSR"),
            _ => return None,
        })
    }

    /// What stands in it for one process.
    pub(super) fn show(self, process: &Process, host: &Host, users: &mut Users) -> String {
        let elapsed = host.uptime.saturating_sub(process.start / TICKS).max(1);
        let used = process.ticks / TICKS;
        match self {
            Self::User => users.user(process.uid),
            Self::RealUser => users.user(process.real_uid),
            Self::UserId => process.uid.to_string(),
            Self::Group => users.group(process.gid),
            Self::GroupId => process.gid.to_string(),
            Self::Pid => process.pid.to_string(),
            Self::Parent => process.parent.to_string(),
            Self::ProcessGroup => process.group.to_string(),
            Self::Session => process.session.to_string(),
            Self::Share => (process.ticks * 100 / TICKS / elapsed).min(99).to_string(),
            Self::Percent => tenths(process.ticks * 1000 / TICKS / elapsed),
            Self::MemoryPercent => tenths((process.resident * 1000 / host.memory.max(1)).min(999)),
            Self::Virtual => (process.size / 1024).to_string(),
            Self::Resident => (process.resident / 1024).to_string(),
            Self::Terminal => terminal(process.terminal),
            Self::State => process.state.to_string(),
            Self::Flags => flags(process),
            Self::Started => started(process, host),
            Self::StartedInFull => at(process, host).strftime("%a %b %e %H:%M:%S %Y").to_string(),
            Self::Elapsed => clock(elapsed, true),
            Self::ElapsedSeconds => elapsed.to_string(),
            Self::Time => clock(used, false),
            Self::Minutes => format!("{}:{:02}", used / 60, used % 60),
            Self::Command => process.command.clone(),
            Self::Program => process.program.clone(),
            Self::Threads => process.threads.to_string(),
            Self::Nice => process.nice.to_string(),
            Self::Processor => process.processor.to_string(),
        }
    }
}

fn tenths(value: u64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

/// `[DD-]HH:MM:SS`; elapsed times leave empty hours out.
fn clock(seconds: u64, short: bool) -> String {
    let (days, hours, minutes, seconds) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours) {
        (0, 0) if short => format!("{minutes:02}:{seconds:02}"),
        (0, hours) => format!("{hours:02}:{minutes:02}:{seconds:02}"),
        (days, hours) => format!("{days}-{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// When it was started, as the host's clock on the wall showed it.
fn at(process: &Process, host: &Host) -> jiff::Zoned {
    let seconds = i64::try_from(host.booted + process.start / TICKS).unwrap_or(0);
    Timestamp::from_second(seconds).unwrap_or_default().to_zoned(TimeZone::system())
}

/// The time today, the day this year, or the year.
fn started(process: &Process, host: &Host) -> String {
    let (then, now) = (at(process, host), Timestamp::now().to_zoned(TimeZone::system()));
    let format = match () {
        () if then.year() != now.year() => "%Y",
        () if then.date() != now.date() => "%b%d",
        () => "%H:%M",
    };
    then.strftime(format).to_string()
}

/// From the kernel's device number (`Documentation/admin-guide/devices.txt`).
fn terminal(device: u64) -> String {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
    match major {
        136..=143 => format!("pts/{}", minor + (major - 136) * 256),
        4 if minor < 64 => format!("tty{minor}"),
        4 => format!("ttyS{}", minor - 64),
        5 if minor == 1 => "console".to_owned(),
        _ => "?".to_owned(),
    }
}

fn flags(process: &Process) -> String {
    let mut flags = process.state.to_string();
    for (flag, set) in [
        ('<', process.nice < 0),
        ('N', process.nice > 0),
        ('s', process.session == process.pid),
        ('l', process.threads > 1),
        ('+', process.foreground == process.group),
    ] {
        if set {
            flags.push(flag);
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_and_terminals() {
        assert_eq!((clock(0, false).as_str(), clock(61, true).as_str()), ("00:00:00", "01:01"));
        assert_eq!(clock(90061, false), "1-01:01:01");
        assert_eq!((terminal(0).as_str(), terminal(136 << 8 | 3).as_str()), ("?", "pts/3"));
        assert_eq!((terminal(4 << 8 | 1).as_str(), terminal(4 << 8 | 65).as_str()), ("tty1", "ttyS1"));
        // Minor numbers beyond 255 stand in the upper bits.
        assert_eq!(terminal(136 << 8 | 1 << 20), "pts/256");
    }
}
