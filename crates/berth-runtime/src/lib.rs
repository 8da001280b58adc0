//! OCI runtime specification to process: namespaces, mounts, capabilities, hooks.
