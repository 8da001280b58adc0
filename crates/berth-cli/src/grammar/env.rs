//! Environment variables and labels, from flags and from files.

use std::collections::BTreeMap;

use super::os_error;

/// Looks a variable of our own environment up.
pub(crate) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Our own environment.
pub(crate) fn own(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// `-e`: must have a name.
pub(crate) fn check(text: &str) -> Result<(), String> {
    match text.split('=').next() {
        None | Some("") => Err(format!("invalid environment variable: {text}")),
        Some(_) => Ok(()),
    }
}

/// `--label`: must have a name.
pub(crate) fn check_label(text: &str) -> Result<(), String> {
    match text.split('=').next() {
        None | Some("") => Err(format!("invalid label '{text}': empty name")),
        Some(_) => Ok(()),
    }
}

/// The container's variables: those of files first, then those of flags. A bare `NAME` takes our value; where we
/// have none it is sent bare, which removes the image's.
pub(crate) fn collect<'a>(
    files: impl Iterator<Item = &'a str>,
    flags: impl Iterator<Item = &'a str>,
    lookup: Lookup<'_>,
) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read(file).map_err(|e| os_error("open", file, &e))?;
        all.extend(parse_file(&text, Some(lookup)).map_err(|e| format!("invalid env file ({file}): {e}"))?);
    }
    all.extend(flags.map(|flag| match flag.contains('=') {
        true => flag.to_owned(),
        false => lookup(flag).map_or_else(|| flag.to_owned(), |value| format!("{flag}={value}")),
    }));
    Ok(all)
}

/// Labels: those of files first, then those of flags.
pub(crate) fn labels<'a>(
    files: impl Iterator<Item = &'a str>,
    flags: impl Iterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>, String> {
    let mut all = BTreeMap::new();
    for file in files {
        let text = std::fs::read(file).map_err(|e| os_error("open", file, &e))?;
        let lines = parse_file(&text, None).map_err(|e| format!("invalid label file ({file}): {e}"))?;
        all.extend(lines.iter().map(|line| super::pair(line)));
    }
    all.extend(flags.map(super::pair));
    Ok(all)
}

/// One `NAME=value` a line; blank lines and lines that begin with `#` are skipped; a bare name takes our value, or
/// is dropped where we have none.
pub(crate) fn parse_file(bytes: &[u8], lookup: Option<Lookup<'_>>) -> Result<Vec<String>, String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut found = Vec::new();
    for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let line = std::str::from_utf8(line).map_err(|_| format!("invalid utf8 bytes at line {}", number + 1))?;
        let line = line.strip_suffix('\r').unwrap_or(line).trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, has_value) = line.split_once('=').map_or((line, false), |(name, _)| (name, true));
        if name.is_empty() {
            return Err(format!("no variable name on line '{line}'"));
        }
        if name.contains([' ', '\t']) {
            return Err(format!("variable '{name}' contains whitespaces"));
        }
        match lookup {
            _ if has_value => found.push(line.to_owned()),
            Some(lookup) => found.extend(lookup(name).map(|value| format!("{name}={value}"))),
            None => {}
        }
    }
    Ok(found)
}
