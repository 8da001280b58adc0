//! What lies below HTTP, at either end of it.
//!
//! [`Stream`] is a connection: a unix socket, TCP, or TLS over TCP. [`Anybody`] makes TLS believe whoever answers, where
//! the user said so, and [`TlsFiles`] says whom else it believes and which certificate it shows. Who is to be connected
//! to is known by who connects or listens; HTTP is not known here.

mod anybody;
mod pem;
mod stream;
mod tls;

pub use anybody::Anybody;
pub use pem::{authorities, certificates, private_key};
pub use stream::Stream;
pub use tls::{TlsError, TlsFiles, explain, greet};
