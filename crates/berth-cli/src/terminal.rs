//! The user's terminal: is there one, how large, raw while a container has it, restored whatever happens.

use std::os::fd::AsFd;
use std::sync::Mutex;

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

/// What the terminal was like before it was made raw; also read by the panic hook.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// Standard input is a terminal.
pub(crate) fn stdin_is_terminal() -> bool {
    isatty(rustix::stdio::stdin())
}

/// Standard output is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    isatty(rustix::stdio::stdout())
}

/// Standard error is a terminal.
pub(crate) fn stderr_is_terminal() -> bool {
    isatty(rustix::stdio::stderr())
}

/// Rows and columns of the terminal at standard output, if it has a size.
pub(crate) fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(rustix::stdio::stdout()).ok()?;
    (size.ws_row > 0 && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// Columns for help texts.
pub(crate) fn width() -> usize {
    size().map_or(80, |(_, columns)| usize::from(columns).max(40))
}

/// The terminal at standard input in raw mode; it is put back when this is dropped, on a panic and on
/// [`restore`].
#[derive(Debug)]
pub(crate) struct Raw(());

impl Raw {
    /// Makes it raw; `None` where standard input is no terminal.
    pub(crate) fn enter() -> Option<Self> {
        let stdin = rustix::stdio::stdin();
        let before = tcgetattr(stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        install_panic_hook();
        *BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(before);
        tcsetattr(stdin.as_fd(), OptionalActions::Now, &raw).ok()?;
        Some(Self(()))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the terminal back, if it is raw.
pub(crate) fn restore() {
    let before = BEFORE.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    if let Some(before) = before {
        _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &before);
    }
}

/// A panic may abort without dropping anything.
fn install_panic_hook() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        usual(info);
    }));
}
