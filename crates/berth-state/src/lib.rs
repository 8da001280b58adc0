//! The transactional metadata store.
