//! A pull as it goes on: lines that are rewritten on a terminal, plain lines elsewhere.

use std::io::Write;

use berth_api::progress::{JsonMessage, ProgressDetail};

use crate::unit::size::human4;

/// Shows the messages of one pull.
#[derive(Debug)]
pub(crate) struct Progress<W: Write> {
    out: W,
    live: bool,
    width: usize,
    /// Layers in the order of their lines.
    lines: Vec<String>,
}

impl<W: Write> Progress<W> {
    /// `live`: `out` is a terminal `width` columns wide.
    pub(crate) fn new(out: W, live: bool, width: usize) -> Self {
        Self { out, live, width, lines: Vec::new() }
    }

    /// Shows one message; a failure comes back as its text.
    pub(crate) fn show(&mut self, message: &JsonMessage) -> Result<(), String> {
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
        if message.id.is_empty() || message.progress_detail.is_none() {
            if message.status.is_empty() {
                return Ok(());
            }
            let id = if message.id.is_empty() { String::new() } else { format!("{}: ", message.id) };
            self.lines.clear();
            writeln!(self.out, "{id}{}", message.status)?;
            return self.out.flush();
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
        write!(self.out, "\x1b[{up}A\x1b[2K\r{text}\r\x1b[{up}B")?;
        self.out.flush()
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
