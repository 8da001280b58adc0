//! Containers: the state machines, and what a run is made of.
