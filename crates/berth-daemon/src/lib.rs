//! The Engine API served: listeners, routes, version steps, configuration.
