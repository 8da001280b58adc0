//! The image embedded in the binary, `berth/hello`: the first container a newcomer runs, on any host, offline.
//!
//! It is an ordinary image in an ordinary archive (an OCI image layout, as `skopeo copy … oci-archive:` writes one),
//! made by the build script from `program/hello.rs`. Nothing here knows what becomes of it: whoever pulls
//! [`REFERENCE`] treats the archive as one more place where images come from.

/// What the image is called.
pub const REFERENCE: &str = "docker.io/berth/hello:latest";

/// The archive: an OCI image layout as an uncompressed tar.
#[must_use]
pub fn archive() -> &'static [u8] {
    include_bytes!(concat!(env!("OUT_DIR"), "/hello.oci.tar"))
}
