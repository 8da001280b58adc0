//! `--format`: tables, JSON and Go templates over the rows of a list.

use berth_template::{ParseError, RenderError, Template, Value};

use crate::failure::Failure;
use crate::table;

/// What `--format` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    /// Aligned columns with a heading.
    Table(String),
    /// A line for each row.
    Template(String),
}

/// What a format begins with that wants columns.
const TABLE: &str = "table";

/// How the sentences about a bad template begin; Docker's commands differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words {
    parse: &'static str,
    execute: &'static str,
}

/// For `ps`.
pub(crate) const FAILED: Words = Words { parse: "failed to parse template", execute: "failed to execute template" };

/// For `images` and `inspect`.
pub(crate) const PARSING: Words = Words { parse: "template parsing error", execute: "template parsing error" };

impl Format {
    /// Reads a format; an empty one and `table` alone mean the template `default`.
    pub(crate) fn parse(text: &str, default: &str) -> Self {
        match text {
            "" | "table" => Self::Table(default.to_owned()),
            "json" => Self::Template("{{json .}}".to_owned()),
            text => match text.strip_prefix(TABLE) {
                Some(template) => Self::Table(unescape(template.trim_matches(' '))),
                None => Self::Template(unescape(text.trim_matches(' '))),
            },
        }
    }

    /// The same, where `raw` means a template: a line for each of some fields.
    pub(crate) fn parse_with_raw(text: &str, default: &str, raw: &str) -> Self {
        if text == "raw" { Self::Template(raw.to_owned()) } else { Self::parse(text, default) }
    }

    /// The format names this field.
    pub(crate) fn mentions(&self, field: &str) -> bool {
        let (Self::Table(text) | Self::Template(text)) = self;
        text.contains(field)
    }

    /// Renders rows; `headings` maps fields to their headings; `words` begin the sentences about a bad template.
    pub(crate) fn render(&self, rows: &[Value], headings: &Value, words: Words) -> Result<String, Failure> {
        let (Self::Table(text) | Self::Template(text)) = self;
        let template = Template::parse(text).map_err(|e| Failure::new(format!("{}: {e}", words.parse)))?;
        let mut out = String::new();
        let failed = |mut error: RenderError| {
            if matches!(self, Self::Table(_)) && error.line == 1 {
                // Counted from where the user began to type.
                error.column += TABLE.len() + 1;
            }
            with_hint(words.execute, &error)
        };
        for row in rows {
            out.push_str(&template.render(row).map_err(failed)?);
            out.push('\n');
        }
        if matches!(self, Self::Template(_)) {
            return Ok(out);
        }
        let heading = template.for_headers().render(headings).map_err(failed)?;
        Ok(table::align(&format!("{heading}\n{out}")))
    }
}

/// A shell passes `\t` as two characters.
fn unescape(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\n", "\n")
}

/// What a list's fields are called in its first line.
pub(crate) fn headings<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    Value::map(fields.into_iter().map(heading).collect())
}

/// The same of a list whose things have labels.
pub(crate) fn headings_and_labels<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    Value::map(fields.into_iter().map(heading).chain([crate::label::heading()]).collect())
}

fn heading((name, heading): (&str, &str)) -> (String, Value) {
    (name.to_owned(), Value::text(heading))
}

/// A template that can't be parsed.
pub(crate) fn bad_template(error: &ParseError) -> Failure {
    Failure::new(format!("template parsing error: {error}"))
}

/// A template that does not fit its data.
pub(crate) fn failed(error: &RenderError) -> Failure {
    with_hint(PARSING.execute, error)
}

fn with_hint(words: &str, error: &RenderError) -> Failure {
    let hint = error.suggestion.as_ref().map_or(String::new(), |name| format!("\nhint: did you mean .{name}?"));
    let words = if words.is_empty() { String::new() } else { format!("{words}: ") };
    Failure::new(format!("{words}{error}{hint}"))
}

/// What `version` and `info` say before Go's own sentence.
pub(crate) const BARE: Words = Words { parse: "template parsing error", execute: "" };

/// Renders one object with a template given by `--format` (`json` stands for `{{json .}}`).
pub(crate) fn object(format: &str, value: &Value) -> Result<String, Failure> {
    object_as("", PARSING, format, value)
}

/// The same with a name for the template, and with other words before what is wrong.
pub(crate) fn object_as(name: &'static str, words: Words, format: &str, value: &Value) -> Result<String, Failure> {
    let text = if format == "json" { "{{json .}}" } else { format };
    let template = Template::parse_named(name, text).map_err(|e| bad_template(&e).code(64))?;
    template.render(value).map_err(|e| with_hint(words.execute, &e))
}
