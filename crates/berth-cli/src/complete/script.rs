//! The shells' side of completion: scripts that ask `__complete`. They bear the name the program was called by.

use crate::program::Program;

/// The shells there is a script for, and what it is for.
pub(crate) const SHELLS: &[(&str, &str)] = &[
    ("bash", include_str!("scripts/bash")),
    ("fish", include_str!("scripts/fish")),
    ("powershell", include_str!("scripts/powershell")),
    ("zsh", include_str!("scripts/zsh")),
];

/// The script of a shell.
pub(crate) fn of(program: Program, shell: &str) -> Option<String> {
    let (_, text) = SHELLS.iter().find(|(name, _)| *name == shell)?;
    Some(text.replace("PROGRAM", program.0))
}
