//! The Engine API's wire types, shared by client and daemon.
