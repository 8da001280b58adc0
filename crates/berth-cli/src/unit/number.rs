//! Numbers, with Go's words for what is wrong with them.

/// `strconv.ParseInt`, base 10 (and 0x, 0o, 0b), 64 bits.
pub(crate) fn parse_int(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    match magnitude(digits) {
        Some(n) if negative && n <= 1 << 63 => Ok(0i128.wrapping_sub(n as i128) as i64),
        Some(n) if n <= i64::MAX as u128 => Ok(n as i64),
        Some(_) => Err(format!("strconv.ParseInt: parsing {text:?}: value out of range")),
        None => Err(format!("strconv.ParseInt: parsing {text:?}: invalid syntax")),
    }
}

/// `strconv.ParseUint` with a number of bits.
pub(crate) fn parse_uint(text: &str, bits: u32) -> Result<u64, String> {
    match magnitude(text) {
        Some(n) if n <= u128::from(u64::MAX >> (64 - bits)) => Ok(n as u64),
        Some(_) => Err(format!("strconv.ParseUint: parsing {text:?}: value out of range")),
        None => Err(format!("strconv.ParseUint: parsing {text:?}: invalid syntax")),
    }
}

/// Digits with Go's base prefixes; anything beyond 128 bits counts as the largest number.
fn magnitude(digits: &str) -> Option<u128> {
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', rest @ ..] if !rest.is_empty() => (16, &lower[2..]),
        [b'0', b'o', rest @ ..] if !rest.is_empty() => (8, &lower[2..]),
        [b'0', b'b', rest @ ..] if !rest.is_empty() => (2, &lower[2..]),
        [b'0', rest @ ..] if !rest.is_empty() => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    let mut value = 0u128;
    for c in digits.chars() {
        value = value.saturating_mul(radix.into()).saturating_add(c.to_digit(radix)?.into());
    }
    (!digits.is_empty()).then_some(value)
}

/// `--cpus`: a decimal number in billionths.
pub(crate) fn parse_cpus(text: &str) -> Result<i64, String> {
    let bad = || format!("failed to parse {text} as a rational number");
    let (negative, digits) =
        text.strip_prefix('-').map_or((false, text.strip_prefix('+').unwrap_or(text)), |d| (true, d));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let digits_only = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits_only(whole) || !digits_only(fraction) {
        return Err(bad());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 9 {
        return Err("value is too precise".to_owned());
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().map_err(|_| bad())?;
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| bad())? };
    let value = whole.checked_mul(1_000_000_000).and_then(|w| w.checked_add(nanos)).ok_or_else(bad)?;
    Ok(if negative { -value } else { value })
}
