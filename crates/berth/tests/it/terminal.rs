//! A person at a terminal: types, reads the screen, resizes the window.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::host::until;

/// A command whose standard streams are a pseudo-terminal of its own.
pub(crate) struct Terminal {
    master: OwnedFd,
    child: Child,
    screen: Arc<Mutex<String>>,
}

impl Terminal {
    /// Starts `command` in a window of 24 rows and 80 columns, with `setsid --ctty`, so that the terminal is its controlling one, as under a shell.
    pub(crate) fn start(command: &Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let slave = File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
        let mut wrapped = Command::new("setsid");
        wrapped.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => wrapped.env(name, value),
                None => wrapped.env_remove(name),
            };
        }
        wrapped.env("TERM", "xterm");
        wrapped.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        set_size(&master, 24, 80);
        let child = wrapped.spawn().unwrap();
        drop(wrapped);
        let terminal = Self { master, child, screen: Arc::default() };
        terminal.read_screen();
        terminal
    }

    fn read_screen(&self) {
        let screen = Arc::clone(&self.screen);
        let mut master = File::from(self.master.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The read fails with EIO once the last process has let go of the terminal.
            while let Ok(count @ 1..) = master.read(&mut bytes) {
                screen.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
    }

    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        set_size(&self.master, rows, columns);
    }

    pub(crate) fn type_in(&self, text: &str) {
        File::from(self.master.try_clone().unwrap()).write_all(text.as_bytes()).unwrap();
    }

    /// All that was ever printed.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn shows(&self, text: &str) {
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(text, || self.screen().contains(text));
        }));
        assert!(shown.is_ok(), "the screen does not show {text:?}:\n{}", self.screen());
    }

    /// The exit code of the command.
    #[track_caller]
    pub(crate) fn ends(mut self) -> i32 {
        let mut status = None;
        until("the command ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.and_then(|status| status.code()).unwrap_or(-1)
    }
}

fn set_size(master: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master.as_fd(), size).unwrap();
}
