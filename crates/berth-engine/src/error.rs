//! What can go wrong with a container, in the engine's words; knows no HTTP.
//!
//! Every error answers [`Error::kind`]; one table in the daemon maps kinds to status codes. Texts that
//! Docker's clients match on are produced here and nowhere else.

/// The family an error belongs to; what a caller may do about it follows from this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The object named does not exist.
    NotFound,
    /// The request contradicts the object's present state, or a name is taken.
    Conflict,
    /// The request itself is wrong.
    Invalid,
    /// The object is already as the request wants it.
    NotModified,
    /// The caller may not.
    Forbidden,
    /// berth does not do this yet.
    NotImplemented,
    /// Something needed is away for now.
    Unavailable,
    /// A bug or a broken host.
    Internal,
}
