//! The field's words: digest, reference, descriptor, platform, manifest, image configuration.
