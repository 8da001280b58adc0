//! What the parser of the syntax tree lets pass and Go does not: blocks that do not match, actions without a value.

use crate::ParseError;

/// Checks that every block is closed and every action that needs a value has one.
pub(crate) fn check(source: &str) -> Result<(), ParseError> {
    let mut open: Vec<&str> = Vec::new();
    let mut offset = 0;
    while let Some(start) = source[offset..].find("{{") {
        let begin = offset + start + 2;
        let Some(length) = action_length(&source[begin..]) else { return Ok(()) };
        let line = 1 + source[..begin].matches('\n').count();
        check_action(trim(&source[begin..begin + length]), &mut open).map_err(|message| ParseError {
            template: String::new(),
            line,
            message,
        })?;
        offset = begin + length + 2;
    }
    match open.is_empty() {
        true => Ok(()),
        false => Err(ParseError {
            template: String::new(),
            line: 1 + source.matches('\n').count(),
            message: "unexpected EOF".to_owned(),
        }),
    }
}

/// Bytes up to the `}}` that ends the action; `None` where there is none (the parser says what is wrong).
fn action_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let comment = text.trim_start_matches("- ").trim_start().starts_with("/*");
    if comment {
        let end = text.find("*/")?;
        return text[end..].find("}}").map(|at| end + at);
    }
    let (mut i, mut quote) = (0, None);
    while i < bytes.len() {
        match (quote, bytes[i]) {
            (Some(b'"' | b'\''), b'\\') => i += 1,
            (Some(q), b) if q == b => quote = None,
            (None, q @ (b'"' | b'\'' | b'`')) => quote = Some(q),
            (None, b'}') if bytes.get(i + 1) == Some(&b'}') => return Some(i),
            _ => {}
        }
        i += 1;
    }
    None
}

/// Without the marks that trim the text around the action.
fn trim(action: &str) -> &str {
    let action = action.strip_prefix("- ").unwrap_or(action);
    action.strip_suffix(" -").unwrap_or(action).trim()
}

fn check_action<'a>(action: &'a str, open: &mut Vec<&'a str>) -> Result<(), String> {
    let word = action.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let rest = action[word.len()..].trim();
    match word {
        "" if action.is_empty() => return Err("missing value for command".to_owned()),
        "" if action.starts_with('|') => return Err("unexpected \"|\" in command".to_owned()),
        "template" | "define" if rest.is_empty() => return Err(format!("unexpected \"}}}}\" in {word} clause")),
        "if" | "range" | "with" | "define" | "block" => {
            if rest.is_empty() {
                return Err(format!("missing value for {word}"));
            }
            open.push(word);
        }
        "else" => match open.last() {
            Some(&("if" | "range" | "with")) => {}
            _ => return Err("unexpected {{else}}".to_owned()),
        },
        "end" if open.pop().is_none() => return Err("unexpected {{end}}".to_owned()),
        "break" | "continue" if rest.is_empty() && !open.contains(&"range") => {
            return Err(format!("{{{{{word}}}}} outside {{{{range}}}}"));
        }
        _ => {}
    }
    Ok(())
}
