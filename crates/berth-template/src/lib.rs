//! Go's text/template, as --format needs it.
