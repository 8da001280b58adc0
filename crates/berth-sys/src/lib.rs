//! The system calls that no crate wraps; the one crate where unsafe is allowed.
