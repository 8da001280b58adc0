//! Durations as Go writes them (`1h30m`): what filters and flags take.

/// Reads a Go duration; the result is in nanoseconds.
///
/// # Errors
/// Go's sentence about what is no duration.
pub fn parse(text: &str) -> Result<i64, String> {
    let quoted = format!("{text:?}");
    let bad = || format!("time: invalid duration {quoted}");
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(bad());
    }
    let mut total = 0f64;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| bad())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (unit, after) = rest.split_at(end);
        if unit.is_empty() {
            return Err(format!("time: missing unit in duration {quoted}"));
        }
        total +=
            number * unit_nanos(unit).ok_or_else(|| format!("time: unknown unit {unit:?} in duration {quoted}"))?;
        rest = after;
    }
    if total > i64::MAX as f64 {
        return Err(bad());
    }
    Ok(if negative { -(total as i64) } else { total as i64 })
}

fn unit_nanos(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 6e10,
        "h" => 3.6e12,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations() {
        for (text, nanos) in
            [("0", 0), ("90s", 90_000_000_000), ("1h30m", 5_400_000_000_000), ("-1.5ms", -1_500_000), ("+2us", 2000)]
        {
            assert_eq!(parse(text), Ok(nanos), "{text}");
        }
        for (bad, why) in [
            ("", "time: invalid duration \"\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5x", "time: unknown unit \"x\" in duration \"5x\""),
            ("h", "time: invalid duration \"h\""),
            (
                "400000h400000h400000h400000h400000h400000h400000h",
                "time: invalid duration \"400000h400000h400000h400000h400000h400000h400000h\"",
            ),
        ] {
            assert_eq!(parse(bad), Err(why.to_owned()));
        }
    }
}
