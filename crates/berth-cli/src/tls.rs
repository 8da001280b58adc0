//! TLS as the user asked for it: by flags, or by `DOCKER_TLS_VERIFY`, `DOCKER_TLS` and `DOCKER_CERT_PATH`.

use std::path::{Path, PathBuf};

use berth_client::{Tls, TlsFiles};

use crate::failure::Failure;

/// What the flags before the command say.
#[derive(Debug, Default, Clone)]
pub(crate) struct TlsFlags {
    pub(crate) tls: Option<bool>,
    pub(crate) verify: Option<bool>,
    pub(crate) ca: Option<String>,
    pub(crate) cert: Option<String>,
    pub(crate) key: Option<String>,
}

/// The environment, as far as it matters here.
struct Surroundings<'a> {
    verify: bool,
    tls: bool,
    /// Where certificates lie unless flags say otherwise.
    directory: &'a Path,
}

impl TlsFlags {
    /// TLS is wanted, verified or not.
    pub(crate) fn wanted(&self) -> bool {
        let verify = set("DOCKER_TLS_VERIFY");
        self.verify.is_some() || verify || self.tls.unwrap_or_else(|| set("DOCKER_TLS"))
    }

    /// The certificates and what to do with them; `None` without TLS. `config` is the directory of `config.json`.
    ///
    /// # Errors
    /// A file that cannot be used.
    pub(crate) fn load(&self, config: &Path) -> Result<Option<Tls>, Failure> {
        let path = std::env::var_os("DOCKER_CERT_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
        let directory = path.unwrap_or_else(|| config.to_owned());
        let here = Surroundings { verify: set("DOCKER_TLS_VERIFY"), tls: set("DOCKER_TLS"), directory: &directory };
        let Some(files) = self.files(&here) else { return Ok(None) };
        let failed = |error: berth_client::TlsError| Failure::new(format!("Failed to initialize: {error}"));
        Tls::load(&files).map(Some).map_err(failed)
    }

    /// A named file must be there; one in the usual place is used where it is.
    fn files(&self, here: &Surroundings<'_>) -> Option<TlsFiles> {
        let verify = self.verify.unwrap_or(here.verify);
        if !verify && self.verify.is_none() && !self.tls.unwrap_or(here.tls) {
            return None;
        }
        let usual = |name: &str| Some(here.directory.join(name));
        let found = |given: &Option<String>, name: &str| match given {
            Some(path) => Some(PathBuf::from(path.trim_matches('"'))),
            None => usual(name).filter(|path| path.exists()),
        };
        Some(TlsFiles {
            // To be verified, the daemon needs an authority: one that is missing is told by its usual path.
            ca: if verify { found(&self.ca, "ca.pem").or_else(|| usual("ca.pem")) } else { None },
            cert: found(&self.cert, "cert.pem"),
            key: found(&self.key, "key.pem"),
            verify,
        })
    }
}

/// A variable that is set to anything at all says yes.
fn set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted() {
        let directory = Path::new("/nowhere");
        let files = |tls, verify, env_tls, env_verify| {
            let flags = TlsFlags { tls, verify, ..TlsFlags::default() };
            flags.files(&Surroundings { verify: env_verify, tls: env_tls, directory }).map(|files| files.verify)
        };
        assert_eq!(files(None, None, false, false), None);
        assert_eq!(files(Some(true), None, false, false), Some(false));
        assert_eq!(files(None, Some(true), false, false), Some(true));
        // Given at all, `--tlsverify` means TLS.
        assert_eq!(files(None, Some(false), false, true), Some(false));
        assert_eq!(files(None, None, true, false), Some(false));
        assert_eq!(files(Some(false), None, true, false), None);
        assert_eq!(files(None, None, false, true), Some(true));
        let flags = TlsFlags { verify: Some(true), cert: Some("\"/c\"".to_owned()), ..TlsFlags::default() };
        let found = flags.files(&Surroundings { verify: false, tls: false, directory });
        let wanted = TlsFiles { ca: Some("/nowhere/ca.pem".into()), cert: Some("/c".into()), key: None, verify: true };
        assert_eq!(found, Some(wanted));
    }
}
