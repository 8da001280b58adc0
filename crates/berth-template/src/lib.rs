//! Go's text/template, as `--format` needs it: Docker's functions, Go's words for what went wrong.
//!
//! The syntax tree comes from `gotmpl`; values, evaluation and errors are ours, because scripts and people
//! know three things that a generic engine does not keep: the order of JSON members, the difference between
//! an object with fixed fields and a free map (labels), and errors that name place and expression
//! (`template: :1:2: executing "" at <.Foo>: …`). This crate knows no Docker object; whoever builds a
//! [`Value`] says what is fixed and what is free. Start reading at [`Template`].

mod builtin;
mod error;
mod eval;
mod expression;
mod json;
mod signature;
mod structure;
mod value;

pub use error::{ParseError, RenderError};
pub use json::{Shape, to_indented, to_json};
pub use value::{Function, Method, Object, Value};

use std::collections::HashMap;

use gotmpl::parse::{DefineNode, ListNode, Parser};

/// A parsed template, ready to be rendered any number of times.
#[derive(Debug)]
pub struct Template {
    name: &'static str,
    source: String,
    tree: ListNode,
    defines: HashMap<String, ListNode>,
    headers: bool,
}

impl Template {
    /// Parses `source`; a function that does not exist is an error here, as in Go.
    pub fn parse(source: &str) -> Result<Self, ParseError> {
        Self::parse_named("", source)
    }

    /// The same under a name, by which errors speak of it.
    pub fn parse_named(name: &'static str, source: &str) -> Result<Self, ParseError> {
        Self::read(name, source).map_err(|error| ParseError { template: name.to_owned(), ..error })
    }

    fn read(name: &'static str, source: &str) -> Result<Self, ParseError> {
        structure::check(source)?;
        let parser = Parser::new(source, "{{", "}}").map_err(ParseError::from_parser)?;
        let (tree, defined) = parser.parse().map_err(ParseError::from_parser)?;
        let defines: HashMap<String, ListNode> =
            defined.into_iter().map(|DefineNode { name, body, .. }| (name.to_string(), body)).collect();
        builtin::check(&tree)?;
        defines.values().try_for_each(builtin::check)?;
        Ok(Self { name, source: source.to_owned(), tree, defines, headers: false })
    }

    /// The same template for a table's header line: functions that change a value leave the heading alone.
    #[must_use]
    pub fn for_headers(self) -> Self {
        Self { headers: true, ..self }
    }

    /// Renders with `data` as dot.
    pub fn render(&self, data: &Value) -> Result<String, RenderError> {
        eval::Evaluation::new((self.name, &self.source), &self.defines, self.headers, data).run(&self.tree)
    }
}
