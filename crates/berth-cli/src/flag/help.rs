//! Help texts: Docker's shape, 80 columns where the terminal does not say otherwise.

use std::fmt::Write as _;

use super::Flag;

/// Flags as aligned, wrapped lines under `heading`.
pub(crate) fn flags(heading: &str, flags: &[Flag], width: usize) -> String {
    let mut shown: Vec<&Flag> = flags.iter().filter(|f| !f.hidden).collect();
    if shown.is_empty() {
        return String::new();
    }
    shown.sort_by_key(|f| f.long);
    let left: Vec<String> = shown
        .iter()
        .map(|f| {
            let short = f.short.map_or("    ".to_owned(), |c| format!("-{c}, "));
            format!("  {short}--{}{}{}", f.long, if f.shown.is_empty() { "" } else { " " }, f.shown)
        })
        .collect();
    let column = left.iter().map(String::len).max().unwrap_or(0) + 3;
    let mut out = format!("\n{heading}:\n");
    for (flag, left) in shown.iter().zip(&left) {
        let text = match flag.default {
            "" => flag.help.to_owned(),
            default => format!("{} (default {default})", flag.help),
        };
        let wrapped = wrap(&text, width.saturating_sub(column).max(20));
        for (i, line) in wrapped.iter().enumerate() {
            _ = writeln!(out, "{:column$}{line}", if i == 0 { left.as_str() } else { "" });
        }
    }
    out
}

/// Names and what they are, aligned.
pub(crate) fn names(heading: &str, entries: &[(&str, &str)]) -> String {
    let column = entries.iter().map(|(name, _)| name.len()).max().unwrap_or(0).max(11);
    let mut out = format!("\n{heading}:\n");
    for (name, about) in entries {
        _ = writeln!(out, "  {name:column$} {about}");
    }
    out
}

/// Breaks at blanks; line breaks in the text stay.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.len() + 1 + word.len() > width {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}
