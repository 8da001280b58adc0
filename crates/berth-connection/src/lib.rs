//! What lies below HTTP, at either end of it.
//!
//! [`Stream`] is a connection: a unix socket, TCP, or TLS over TCP. [`client`] makes TLS that believes certain authorities,
//! or whoever answers where the user said so, and shows a certificate; [`TlsFiles`] has both in files. Who is to be
//! connected to is known by who connects or listens; HTTP is not known here.

mod anybody;
mod pem;
mod stream;
mod tls;

pub use pem::{authorities, certificates, private_key};
pub use stream::Stream;
pub use tls::{Own, TlsError, TlsFiles, client, explain, greet};
