//! A typed client of the Engine API.
