//! Words as one line that a POSIX shell takes apart into the same words.

/// The line.
pub(crate) fn line(program: &str, words: &[String]) -> String {
    std::iter::once(program.to_owned()).chain(words.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        let words = ["a", "", "it's", "$x \"y\"", "--e=1"].map(str::to_owned);
        assert_eq!(line("berth", &words), r#"berth a '' 'it'\''s' '$x "y"' --e=1"#);
    }
}
