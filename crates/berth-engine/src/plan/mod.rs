//! From a container's specification to an OCI runtime specification: pure.
