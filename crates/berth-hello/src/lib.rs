//! The image embedded in the binary: berth/hello.
