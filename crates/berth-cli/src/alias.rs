//! `aliases` of `config.json`: Docker lets a plugin stand for `builder` (and so for `build`), and nothing else.

use crate::config::Config;
use crate::failure::Failure;

/// The one word that may be an alias.
const BUILDER: &str = "builder";

/// A command line whose first word is no command of ours, with the alias in that word's place.
pub(crate) fn replace(config: &Config, words: &[String]) -> Result<Vec<String>, Failure> {
    let aliases = config.aliases();
    let Some(first) = words.first() else { return Ok(Vec::new()) };
    if first != BUILDER && aliases.contains_key(first) {
        return Err(Failure::new(format!(
            "not allowed to alias {first:?} (allowed: {BUILDER}): take it out of \"aliases\" in {}",
            config.directory.join("config.json").display()
        )));
    }
    let Some(meant) = aliases.get(BUILDER).filter(|meant| !meant.is_empty()) else { return Ok(words.to_vec()) };
    let kept = match first.as_str() {
        BUILDER => &words[1..],
        "build" => words,
        _ => return Ok(words.to_vec()),
    };
    Ok(std::iter::once(meant.clone()).chain(kept.iter().cloned()).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn builder_alone() {
        let directory = std::env::temp_dir().join(format!("berth-alias-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("config.json"), r#"{"aliases":{"builder":"buildx","psq":"ps"}}"#).unwrap();
        let config = Config::load(directory.to_str());
        std::fs::remove_dir_all(&directory).unwrap();
        let of = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            replace(&config, &words).map(|words| words.join(" ")).map_err(|failure| failure.message)
        };
        assert_eq!(of("builder ls").unwrap(), "buildx ls");
        assert_eq!(of("build .").unwrap(), "buildx build .");
        assert_eq!(of("compose up").unwrap(), "compose up");
        assert!(of("psq").unwrap_err().starts_with("not allowed to alias \"psq\" (allowed: builder)"));
    }
}
