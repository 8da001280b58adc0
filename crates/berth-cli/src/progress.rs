//! A pull, push or load as it goes on: lines that are rewritten on a terminal, plain lines elsewhere.

mod total;

use std::io::Write;
use std::time::Instant;

use berth_api::progress::{JsonMessage, ProgressDetail};
use berth_client::{Error, Lines};

use crate::failure::Failure;
use crate::terminal;
use crate::unit::size::human4;
use total::Total;

/// Where messages are shown, and how much of them.
#[derive(Debug)]
pub(crate) struct View<W: Write> {
    pub(crate) out: W,
    /// `out` is a terminal.
    pub(crate) live: bool,
    /// Nothing but failures.
    pub(crate) quiet: bool,
}

/// Why messages ended early.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The daemon said so, in these words.
    Said(String),
    /// What came of the daemon is no messages, or it is gone.
    Stream(Error),
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        Self::new(match broken {
            Broken::Said(text) => text,
            Broken::Stream(error) => error.to_string(),
        })
    }
}

/// Shows messages to their end; `seen` is told each before.
pub(crate) async fn follow<W: Write>(
    mut messages: Lines<JsonMessage>,
    view: View<W>,
    mut seen: impl FnMut(&JsonMessage),
) -> Result<(), Broken> {
    let width = terminal::size().map_or(80, |(_, columns)| columns.into());
    let mut progress = Progress::new(view.out, view.live, width);
    while let Some(message) = messages.next().await {
        let message = message.map_err(Broken::Stream)?;
        seen(&message);
        if !view.quiet || !message.error.is_empty() || message.error_detail.is_some() {
            progress.show(&message).map_err(Broken::Said)?;
        }
    }
    Ok(())
}

/// Shows the messages of one pull.
#[derive(Debug)]
struct Progress<W: Write> {
    out: W,
    live: bool,
    width: usize,
    /// Layers in the order of their lines.
    lines: Vec<String>,
    total: Total,
    /// The line of the total stands below the layers'.
    totalled: bool,
}

impl<W: Write> Progress<W> {
    /// `live`: `out` is a terminal `width` columns wide.
    fn new(out: W, live: bool, width: usize) -> Self {
        Self { out, live, width, lines: Vec::new(), total: Total::default(), totalled: false }
    }

    /// Shows one message; a failure comes back as its text.
    fn show(&mut self, message: &JsonMessage) -> Result<(), String> {
        if let Some(detail) = &message.error_detail {
            return Err(detail.message.clone());
        }
        if !message.error.is_empty() {
            return Err(message.error.clone());
        }
        // Nobody to show it to is no reason to stop pulling.
        _ = self.write(message);
        Ok(())
    }

    fn write(&mut self, message: &JsonMessage) -> std::io::Result<()> {
        if !message.stream.is_empty() {
            self.out.write_all(message.stream.as_bytes())?;
            return self.out.flush();
        }
        let detail = message.progress_detail.as_ref().filter(|d| d.current != 0 || d.total != 0);
        if !self.live {
            // What is only a step of a bar says nothing without one.
            if detail.is_some() || (message.status.is_empty() && message.aux.is_some()) {
                return Ok(());
            }
            let id = if message.id.is_empty() { String::new() } else { format!("{}: ", message.id) };
            writeln!(self.out, "{id}{}", message.status)?;
            return self.out.flush();
        }
        self.write_live(message, detail)
    }

    fn write_live(&mut self, message: &JsonMessage, detail: Option<&ProgressDetail>) -> std::io::Result<()> {
        if std::mem::take(&mut self.totalled) {
            write!(self.out, "\x1b[1A\x1b[2K\r")?;
        }
        self.total.take(message, Instant::now());
        self.write_line(message, detail)?;
        if let Some(text) = self.total.text().filter(|_| !self.lines.is_empty()) {
            let text: String = text.chars().take(self.width.saturating_sub(1)).collect();
            writeln!(self.out, "{text}")?;
            self.totalled = true;
        }
        self.out.flush()
    }

    fn write_line(&mut self, message: &JsonMessage, detail: Option<&ProgressDetail>) -> std::io::Result<()> {
        if message.id.is_empty() || message.progress_detail.is_none() {
            if message.status.is_empty() {
                return Ok(());
            }
            let id = if message.id.is_empty() { String::new() } else { format!("{}: ", message.id) };
            self.lines.clear();
            return writeln!(self.out, "{id}{}", message.status);
        }
        let up = match self.lines.iter().position(|id| *id == message.id) {
            Some(at) => self.lines.len() - at,
            None => {
                self.lines.push(message.id.clone());
                writeln!(self.out)?;
                1
            }
        };
        let text = format!("{}: {}{}", message.id, message.status, detail.map_or(String::new(), |d| self.bar(d)));
        write!(self.out, "\x1b[{up}A\x1b[2K\r{text}\r\x1b[{up}B")
    }

    /// ` [====>    ]  1.2MB/3.4MB`.
    fn bar(&self, detail: &ProgressDetail) -> String {
        if !detail.units.is_empty() {
            return format!(" {}{}", detail.current, detail.units);
        }
        let current = human4(detail.current);
        if detail.total <= 0 {
            return format!(" {current:>8}");
        }
        let total = human4(detail.total);
        let counts = if detail.current > detail.total { current } else { format!("{current}/{total}") };
        if self.width < 110 {
            return format!(" {counts:>8}");
        }
        let done = ((detail.current.min(detail.total) * 50) / detail.total) as usize;
        let head = if done >= 50 { "=".repeat(50) } else { format!("{}>", "=".repeat(done)) };
        format!(" [{head:<50}] {counts:>8}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn shown(live: bool, width: usize, messages: &[&str]) -> String {
        let mut out = Vec::new();
        let mut progress = Progress::new(&mut out, live, width);
        for text in messages {
            progress.show(&serde_json::from_str(text).unwrap()).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    const MESSAGES: &[&str] = &[
        r#"{"status":"Pulling from team/app","id":"v1"}"#,
        r#"{"status":"Pulling fs layer","progressDetail":{},"id":"abc"}"#,
        r#"{"status":"Downloading","progressDetail":{"current":500000,"total":1000000},"id":"abc"}"#,
        r#"{"status":"Pull complete","progressDetail":{},"id":"abc"}"#,
        r#"{"status":"Digest: sha256:00"}"#,
    ];

    #[test]
    fn plain_lines_without_a_terminal() {
        assert_eq!(
            shown(false, 0, MESSAGES),
            "v1: Pulling from team/app\nabc: Pulling fs layer\nabc: Pull complete\nDigest: sha256:00\n"
        );
    }

    #[test]
    fn lines_are_rewritten_on_a_terminal() {
        let bar = format!("abc: Downloading [{:<50}] 500kB/1MB", format!("{}>", "=".repeat(25)));
        let text = shown(true, 120, MESSAGES);
        assert!(
            text.starts_with("v1: Pulling from team/app\n\n\x1b[1A\x1b[2K\rabc: Pulling fs layer\r\x1b[1B"),
            "{text:?}"
        );
        assert!(text.contains(&bar), "{text:?}");
        assert!(text.ends_with("abc: Pull complete\r\x1b[1BDigest: sha256:00\n"), "{text:?}");
        assert!(shown(true, 80, MESSAGES).contains("Downloading 500kB/1MB"));
    }

    #[test]
    fn the_total_stands_below_and_goes() {
        let sizes = r#"{"progressDetail":{},"aux":{"layers":{"abc":1000000}}}"#;
        let text = shown(true, 120, &[&[sizes], MESSAGES].concat());
        assert_eq!(text.matches("Total: ").count(), 2, "{text:?}");
        assert!(text.contains("\r\x1b[1BTotal: 500kB/1MB\n\x1b[1A\x1b[2K\r\x1b[1A"), "{text:?}");
        assert!(text.ends_with("abc: Pull complete\r\x1b[1BDigest: sha256:00\n"), "{text:?}");
        assert!(!shown(false, 0, &[sizes]).contains("Total"));
    }

    #[test]
    fn a_failure_is_an_error() {
        let mut progress = Progress::new(Vec::new(), false, 80);
        let message = serde_json::from_str(r#"{"errorDetail":{"message":"no"},"error":"no"}"#).unwrap();
        assert_eq!(progress.show(&message), Err("no".to_owned()));
    }
}
