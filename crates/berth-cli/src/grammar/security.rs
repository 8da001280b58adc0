//! `--security-opt`: what is a file here becomes its text, because the daemon may be elsewhere.

use super::os_error;

/// The options as the daemon takes them, and the paths that `systempaths=unconfined` lays bare.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SecurityOptions {
    pub(crate) options: Vec<String>,
    pub(crate) unmasked: bool,
}

/// Reads the options, and the seccomp profile they name.
pub(crate) fn parse(options: &[String]) -> Result<SecurityOptions, String> {
    let mut out = SecurityOptions::default();
    for option in options {
        let (name, value) = match option.split_once('=') {
            Some(parts) => parts,
            None if option == "no-new-privileges" => {
                out.options.push(option.clone());
                continue;
            }
            // The form before 1.11, with a colon.
            None => option.split_once(':').ok_or_else(|| format!("Invalid --security-opt: {option:?}"))?,
        };
        match (name, value) {
            ("systempaths", "unconfined") => out.unmasked = true,
            ("seccomp", "unconfined" | "builtin") => out.options.push(option.clone()),
            ("seccomp", path) => {
                let text = std::fs::read(path)
                    .map_err(|e| format!("opening seccomp profile ({path}) failed: {}", os_error("open", path, &e)))?;
                let json: serde_json::Value = serde_json::from_slice(&text)
                    .map_err(|e| format!("compacting json for seccomp profile ({path}) failed: {e}"))?;
                out.options.push(format!("seccomp={json}"));
            }
            _ => out.options.push(option.clone()),
        }
    }
    Ok(out)
}
