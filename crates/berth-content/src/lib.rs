//! The content-addressed blob store: an OCI image layout on disk.
