//! What lies below HTTP, at either end of it.
//!
//! [`Stream`] is a connection: a unix socket, TCP, or TLS over TCP. [`Anybody`] makes TLS believe whoever answers, where
//! the user said so. Who is to be connected to, whom else to believe and which certificate to show is known by who
//! connects or listens; HTTP is not known here.

mod anybody;
mod stream;

pub use anybody::Anybody;
pub use stream::Stream;
