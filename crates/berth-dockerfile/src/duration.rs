//! Times as Go writes them: `1h30m`, `1.5s`, `250ms`.

/// Nanoseconds of a duration; `None`: it is none.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_f64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += number * unit(&rest[..end])?;
        rest = &rest[end..];
    }
    // 292 years are the most that Go counts.
    let nanoseconds = if total < 9.2e18 { total.round() as i64 } else { return None };
    Some(if negative { -nanoseconds } else { nanoseconds })
}

fn unit(name: &str) -> Option<f64> {
    Some(match name {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations() {
        for (text, nanoseconds) in [
            ("5s", Some(5_000_000_000)),
            ("1h30m", Some(5_400_000_000_000)),
            ("1.5s", Some(1_500_000_000)),
            ("250ms", Some(250_000_000)),
            ("0", Some(0)),
            ("-1s", Some(-1_000_000_000)),
            ("5", None),
            ("", None),
            ("s", None),
            ("5x", None),
            ("9999999h", None),
        ] {
            assert_eq!(parse(text), nanoseconds, "{text}");
        }
    }
}
