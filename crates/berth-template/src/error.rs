//! What can go wrong with a template, in Go's words.

use gotmpl::TemplateError;

/// The template's text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {template}:{line}: {message}")]
pub struct ParseError {
    /// The template's name; mostly none.
    pub template: String,
    /// Line of the template, from 1.
    pub line: usize,
    /// What is wrong there.
    pub message: String,
}

impl ParseError {
    pub(crate) fn from_parser(error: TemplateError) -> Self {
        match error {
            TemplateError::Parse { line, message, .. } | TemplateError::Lex { line, message, .. } => {
                Self { template: String::new(), line, message: in_gos_words(message) }
            }
            other => Self { template: String::new(), line: 1, message: other.to_string() },
        }
    }
}

fn in_gos_words(message: String) -> String {
    if let Some(c) = message.strip_prefix("unexpected character: '").and_then(|rest| rest.chars().next()) {
        return format!("bad character U+{:04X} '{c}'", u32::from(c));
    }
    if let Some(rest) = message.strip_prefix("expected closing delimiter, got ") {
        let token = rest.split_once("(\"").map_or("", |(_, token)| token.trim_end_matches("\")"));
        return match rest.split('(').next().unwrap_or_default().trim() {
            "RightParen" => "unexpected right paren".to_owned(),
            _ => format!("unexpected {token:?} in operand"),
        };
    }
    match message.as_str() {
        "expected '=' after ':'" => "expected :=".to_owned(),
        text if text.starts_with("expected RightParen, got RightDelim") => "unclosed left paren".to_owned(),
        "unterminated string" => "unterminated quoted string".to_owned(),
        "empty command" => "missing value for command".to_owned(),
        _ => message,
    }
}

/// The template met a value that it can't be applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {template}:{line}:{column}: executing {template:?} at <{expression}>: {message}")]
pub struct RenderError {
    /// The template's name; mostly none.
    pub template: String,
    /// Line of the template, from 1.
    pub line: usize,
    /// Byte in that line, from 0.
    pub column: usize,
    /// The expression, as Go prints it.
    pub expression: String,
    /// What is wrong with it.
    pub message: String,
    /// The field that was probably meant.
    pub suggestion: Option<String>,
}

/// The candidate closest to `word`, if it is close enough to be what was meant.
pub(crate) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = 1 + word.chars().count() / 4;
    candidates.map(|c| (distance(word, c), c)).filter(|(d, _)| *d <= limit).min_by_key(|(d, _)| *d).map(|(_, c)| c)
}

/// Levenshtein's distance, letter case ignored.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
