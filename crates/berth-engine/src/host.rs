//! What the host can do, read once.

/// Facts about the host that plans depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostFacts {}
