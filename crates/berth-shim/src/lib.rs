//! One small process a container: its parent, its stdio, its log and its exit status.
