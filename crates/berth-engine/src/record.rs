//! What lies on disk of a container.
