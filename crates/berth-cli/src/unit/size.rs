//! Bytes: `64m` in, `4.21MB` out.

/// Reads a size with binary units (`64m`, `1.5g`, `512`, `1kB`, `2GiB`).
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    let bad = || format!("invalid size: '{text}'");
    let number_end = text.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |at| at + 1);
    let (number, unit) = text.split_at(number_end);
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(bad());
    }
    let number: f64 = number.parse().map_err(|_| bad())?;
    let factor = factor(unit).ok_or_else(|| format!("invalid suffix: '{unit}'"))?;
    let bytes = number * factor;
    if bytes >= i64::MAX as f64 { Err(bad()) } else { Ok(bytes as i64) }
}

fn factor(unit: &str) -> Option<f64> {
    let lower = unit.to_ascii_lowercase();
    let letter = match lower.as_str() {
        "" | "b" => return Some(1.0),
        other => other.strip_suffix("ib").or_else(|| other.strip_suffix('b')).unwrap_or(other),
    };
    let power = ["k", "m", "g", "t", "p"].iter().position(|l| *l == letter)?;
    Some(1024f64.powi(power as i32 + 1))
}

/// `--memory-swap`: as [`parse`], and -1 for no limit.
pub(crate) fn parse_swap(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { parse(text) }
}

/// Decimal units with three significant digits, as tables show sizes (`4.21MB`).
pub(crate) fn human3(bytes: i64) -> String {
    human(bytes as f64, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"], 3)
}

/// Decimal units with four significant digits, as progress bars show them.
pub(crate) fn human4(bytes: i64) -> String {
    human(bytes as f64, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"], 4)
}

/// Binary units (`15.61GiB`), as `info` shows memory.
pub(crate) fn human_binary(bytes: i64) -> String {
    human(bytes as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"], 4)
}

fn human(mut size: f64, base: f64, units: &[&str], digits: usize) -> String {
    let mut unit = 0;
    while size >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    format!("{}{}", significant(size, digits), units[unit])
}

/// C's `%.{digits}g`.
fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponential = format!("{value:.*e}", digits - 1);
    let exponent: i32 = exponential.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    if exponent >= digits as i32 {
        let mantissa = exponential.split_once('e').map_or(exponential.as_str(), |(m, _)| m);
        let mantissa =
            if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
        return format!("{mantissa}e+{exponent:02}");
    }
    let fixed = format!("{value:.*}", (digits as i32 - 1 - exponent).max(0) as usize);
    if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.').to_owned() } else { fixed }
}
