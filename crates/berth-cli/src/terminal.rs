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

/// Reads a line that nobody sees. `None`: Ctrl-C.
pub(crate) fn read_hidden() -> std::io::Result<Option<String>> {
    let raw = Raw::enter();
    let mut line: Vec<u8> = Vec::new();
    loop {
        let mut byte = [0];
        let end = rustix::io::read(rustix::stdio::stdin(), &mut byte)? == 0;
        match byte[0] {
            _ if end => break,
            b'\r' | b'\n' => break,
            // Ctrl-C; Ctrl-D ends the line, as it does everywhere.
            3 => return Ok(None),
            4 => break,
            // Backspace takes a character back, not a byte of it.
            8 | 127 => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl-U
            21 => line.clear(),
            byte => line.push(byte),
        }
    }
    drop(raw);
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

/// A panic may abort without dropping anything.
fn install_panic_hook() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        restore();
        usual(info);
    }));
}
