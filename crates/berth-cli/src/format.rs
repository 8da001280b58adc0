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
        match text.trim() {
            "" | "table" => Self::Table(default.to_owned()),
            "json" => Self::Template("{{json .}}".to_owned()),
            trimmed => match trimmed.strip_prefix("table ") {
                Some(template) => Self::Table(unescape(template.trim())),
                None => Self::Template(unescape(trimmed)),
            },
        }
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
        for row in rows {
            out.push_str(&template.render(row).map_err(|e| with_hint(words.execute, &e))?);
            out.push('\n');
        }
        if matches!(self, Self::Template(_)) {
            return Ok(out);
        }
        let heading = template.for_headers().render(headings).map_err(|e| with_hint(words.execute, &e))?;
        Ok(table::align(&format!("{heading}\n{out}")))
    }
}

/// A shell passes `\t` as two characters.
fn unescape(text: &str) -> String {
    text.replace("\\t", "\t").replace("\\n", "\n")
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
    Failure::new(format!("{words}: {error}{hint}"))
}

/// Renders one object with a template given by `--format` (`json` stands for `{{json .}}`).
pub(crate) fn object(format: &str, value: &Value) -> Result<String, Failure> {
    let text = if format == "json" { "{{json .}}".to_owned() } else { unescape(format) };
    let template = Template::parse(&text).map_err(|e| bad_template(&e).code(64))?;
    template.render(value).map_err(|e| failed(&e))
}
