//! A line for a syslog server, in the layouts that Docker offers.

use std::io::Write;

use super::Stream;
use super::lines::Line;
use crate::clock::Moment;
use crate::protocol::{Layout, SyslogForm};

const INFORMATIONAL: u8 = 6;
const ERROR: u8 = 3;

/// Appends one message; an empty line is none.
pub(super) fn encode(out: &mut Vec<u8>, form: &SyslogForm, stream: Stream, line: Line<'_>, now: Moment) {
    if line.text.is_empty() {
        return;
    }
    let severity = match stream {
        Stream::Stdout => INFORMATIONAL,
        Stream::Stderr => ERROR,
    };
    head(out, form, form.facility << 3 | severity, line.at.unwrap_or(now));
    out.extend_from_slice(line.text);
    out.push(b'\n');
}

/// Everything before the text. Writing to a Vec cannot fail.
fn head(out: &mut Vec<u8>, form: &SyslogForm, priority: u8, at: Moment) {
    let SyslogForm { tag, hostname, .. } = form;
    let (offset, pid) = (offset(&form.zone, at), std::process::id());
    let _ = match form.layout {
        Layout::Unix => write!(out, "<{priority}>{} {tag}[{pid}]: ", at.stamp(offset)),
        Layout::Rfc3164 => write!(out, "<{priority}>{} {hostname} {tag}[{pid}]: ", at.stamp(offset)),
        Layout::Rfc5424 => write!(out, "<{priority}>1 {} {hostname} {tag} {pid} {tag} - ", at.zoned(offset, false)),
        Layout::Rfc5424Micro => write!(out, "<{priority}>1 {} {hostname} {tag} {pid} {tag} - ", at.zoned(offset, true)),
    };
}

/// Seconds ahead of UTC at that moment.
fn offset(zone: &[(i64, i32)], at: Moment) -> i32 {
    let since = zone.partition_point(|(from, _)| *from <= at.seconds());
    since.checked_sub(1).and_then(|index| zone.get(index)).map_or(0, |(_, offset)| *offset)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn message(layout: Layout, stream: Stream) -> String {
        let zone = vec![(i64::MIN, 0), (1_763_690_000, 3600), (1_763_700_000, -1800)];
        let form = SyslogForm { layout, facility: 3, tag: "web".into(), hostname: "box".into(), zone };
        let at = Some(Moment::from_nanoseconds(1_763_692_799_012_345_678));
        let mut out = Vec::new();
        encode(&mut out, &form, stream, Line { text: b"hi", complete: true, at }, Moment::now());
        String::from_utf8(out).unwrap().replace(&format!("{}", std::process::id()), "PID")
    }

    #[test]
    fn layouts_are_those_of_docker_in_local_time() {
        assert_eq!(message(Layout::Unix, Stream::Stdout), "<30>Nov 21 03:39:59 web[PID]: hi\n");
        assert_eq!(message(Layout::Rfc3164, Stream::Stderr), "<27>Nov 21 03:39:59 box web[PID]: hi\n");
        assert_eq!(message(Layout::Rfc5424, Stream::Stdout), "<30>1 2025-11-21T03:39:59+01:00 box web PID web - hi\n");
        assert_eq!(
            message(Layout::Rfc5424Micro, Stream::Stdout),
            "<30>1 2025-11-21T03:39:59.012345+01:00 box web PID web - hi\n"
        );
    }
}
