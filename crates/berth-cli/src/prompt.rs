//! Asking before something is lost.

use std::io::{BufRead as _, Write as _};

/// Shows `text`, and whether the answer was yes. No answer at all is no.
pub(crate) fn confirm(text: &str) -> bool {
    crate::print(&format!("{text} [y/N] "));
    _ = std::io::stdout().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_err() || answer.is_empty() {
        crate::print("\n");
    }
    matches!(answer.trim(), "y" | "Y" | "yes" | "YES" | "Yes")
}
