//! Dockerfile instructions: what a line says, and what its words become; pure.
//!
//! It owns the grammar of the instructions that change an image's configuration (`CMD`, `ENV`, …), which `commit -c`
//! and `import -c` take one at a time. It reads no file, knows no image, and runs nothing. Start reading at
//! [`Instruction::parse`]; [`words`] takes text apart, [`duration`] reads times.

pub mod duration;
mod health;
mod instruction;
pub mod words;

pub use health::Health;
pub use instruction::{Command, Instruction};

/// What is wrong with an instruction; the sentence is Docker's where Docker has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Docker has no such instruction, or it does not change an image's configuration.
    #[error("{0} is not a valid change command")]
    NotAChange(String),
    /// There is nothing behind it.
    #[error("{0} requires at least one argument")]
    NeedsArgument(&'static str),
    /// There is nothing behind it, or too much.
    #[error("{0} requires exactly one argument")]
    NeedsOne(&'static str),
    /// `ENV` or `LABEL` with a name and no value.
    #[error("{0} must have two arguments")]
    NeedsTwo(&'static str),
    /// Among `name=value` pairs, one that is none.
    #[error("Syntax error - can't find = in {0:?}. Must be of the form: name=value")]
    NoEquals(String),
    /// `=value`.
    #[error("{0} names can not be blank")]
    BlankName(&'static str),
    /// An instruction that must not be put off.
    #[error("{0}")]
    Trigger(String),
    /// Wrong with `HEALTHCHECK`.
    #[error("{0}")]
    Health(String),
    /// A quote or brace without its end, or a substitution that is none.
    #[error("{0}")]
    Word(String),
}
