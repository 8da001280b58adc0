//! The little languages inside flags: environment, mounts, ports, limits, key sequences. Each file parses one of
//! them into the wire's type and has no other business.

pub(crate) mod device;
pub(crate) mod env;
pub(crate) mod keys;
pub(crate) mod mount;
pub(crate) mod network;
pub(crate) mod port;
pub(crate) mod security;
pub(crate) mod ulimit;

/// Splits one line of comma-separated values; a value may be quoted (`"a,b"`), a quote in it doubled.
pub(crate) fn csv(line: &str) -> Result<Vec<String>, String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let Some(quoted) = rest.strip_prefix('"') else {
            let (field, more) = rest.split_once(',').map_or((rest, None), |(f, m)| (f, Some(m)));
            if field.contains('"') {
                return Err(format!("parse error in {line:?}: bare \" in non-quoted-field"));
            }
            fields.push(field.to_owned());
            match more {
                Some(more) => rest = more,
                None => return Ok(fields),
            }
            continue;
        };
        let (field, after) =
            quoted_field(quoted).ok_or_else(|| format!("parse error in {line:?}: missing closing \""))?;
        fields.push(field);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(fields),
            None => return Err(format!("parse error in {line:?}: extraneous \" in field")),
        }
    }
}

fn quoted_field(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => return Some((field, after)),
        }
    }
}

/// `name=value` or `name` alone.
pub(crate) fn pair(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.to_owned())
}

/// A path that begins with `.` is relative to where the user stands, not to where the daemon runs.
pub(crate) fn absolute(path: &str) -> String {
    if path != "." && path != ".." && !path.starts_with("./") && !path.starts_with("../") {
        return path.to_owned();
    }
    let Ok(mut full) = std::env::current_dir() else { return path.to_owned() };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = full.pop(),
            name => full.push(name),
        }
    }
    full.to_string_lossy().into_owned()
}

/// What the operating system said about a file, in Go's words.
pub(crate) fn os_error(verb: &str, path: &str, error: &std::io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    let lower: String = chars.next().map(|c| c.to_ascii_lowercase()).into_iter().chain(chars).collect();
    format!("{verb} {path}: {lower}")
}

#[cfg(test)]
mod tests;
