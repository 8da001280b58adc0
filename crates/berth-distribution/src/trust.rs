//! Whom a connection believes: the host's authorities, those that the user put beside them, or anybody.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use berth_connection::Own;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Error;

/// Whom a connection believes, and how it goes. Connections are kept by this.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Trust {
    /// Any certificate will do.
    pub(crate) anybody: bool,
    /// The registry is on this host: never through a proxy.
    pub(crate) local: bool,
    /// What the user put under `certs.d` for this registry.
    pub(crate) certificates: Certificates,
}

/// The files of `certs.d/<host>`: `*.crt` are authorities, `*.cert` with the `*.key` beside them our own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Certificates {
    authorities: Vec<Vec<u8>>,
    /// Where more than one is there, the first.
    own: Option<(Vec<u8>, Vec<u8>)>,
    /// Why they cannot be used.
    broken: Option<String>,
}

impl Certificates {
    /// Reads those of `host` in the first of `directories` that has it. Read anew for every pull: a certificate
    /// takes effect when it is put there.
    pub(crate) fn read(directories: &[PathBuf], host: &str) -> Self {
        let found = directories.iter().map(|directory| directory.join(host)).find(|directory| directory.is_dir());
        let Some(directory) = found else { return Self::default() };
        let mut certificates = Self::default();
        if let Err(reason) = certificates.take(&directory) {
            certificates.broken = Some(reason);
        }
        certificates
    }

    fn take(&mut self, directory: &Path) -> Result<(), String> {
        let failed = |path: &Path| {
            let path = path.display().to_string();
            move |error: io::Error| format!("reading {path}: {error}")
        };
        let entries = fs::read_dir(directory).map_err(failed(directory))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        let kind = |path: &Path| path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_owned();
        for path in &paths {
            match kind(path).as_str() {
                "crt" => self.authorities.push(fs::read(path).map_err(failed(path))?),
                "cert" => {
                    let key = path.with_extension("key");
                    if !paths.contains(&key) {
                        return Err(format!(
                            "missing key {} for client certificate {}. CA certificates must use the extension .crt",
                            key.display(),
                            path.display()
                        ));
                    }
                    let pair = (fs::read(path).map_err(failed(path))?, fs::read(&key).map_err(failed(&key))?);
                    self.own.get_or_insert(pair);
                }
                "key" if !paths.contains(&path.with_extension("cert")) => {
                    let certificate = path.with_extension("cert");
                    return Err(format!(
                        "missing client certificate {} for key {}",
                        certificate.display(),
                        path.display()
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn own(&self) -> Result<Option<Own>, Error> {
        let Some((certificate, key)) = &self.own else { return Ok(None) };
        let wrong = |what: &str, why: String| Error::Malformed(format!("the client {what} for this registry: {why}"));
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate).collect();
        let chain = chain.map_err(|e| wrong("certificate", e.to_string()))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|e| wrong("key", e.to_string()))?;
        Ok(Some((chain, key)))
    }
}

impl Trust {
    /// What TLS is to do.
    pub(crate) fn tls(&self) -> Result<ClientConfig, Error> {
        if let Some(reason) = &self.certificates.broken {
            return Err(Error::Malformed(reason.clone()));
        }
        let roots = if self.anybody { None } else { Some(self.roots()?) };
        berth_connection::client(roots, self.certificates.own()?)
            .map_err(|e| Error::Malformed(format!("the client certificate for this registry: {e}")))
    }

    fn roots(&self) -> Result<rustls::RootCertStore, Error> {
        let mut roots = rustls::RootCertStore::empty();
        let loaded = rustls_native_certs::load_native_certs();
        for error in &loaded.errors {
            tracing::warn!(%error, "a certificate authority of this host cannot be read");
        }
        roots.add_parsable_certificates(loaded.certs);
        for text in &self.certificates.authorities {
            for certificate in CertificateDer::pem_slice_iter(text) {
                let wrong = |e: String| Error::Malformed(format!("an authority's certificate for this registry: {e}"));
                let certificate = certificate.map_err(|e| wrong(e.to_string()))?;
                roots.add(certificate).map_err(|e| wrong(e.to_string()))?;
            }
        }
        Ok(roots)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_half_of_a_pair_is_said() {
        let root = std::env::temp_dir().join(format!("berth-certs-{}", std::process::id()));
        let host = root.join("reg.example:5000");
        fs::create_dir_all(&host).unwrap();
        let read = || Certificates::read(&[PathBuf::from("/nonexistent"), root.clone()], "reg.example:5000");
        fs::write(host.join("ca.crt"), "x").unwrap();
        fs::write(host.join("README"), "x").unwrap();
        assert_eq!((read().authorities.len(), read().broken), (1, None));
        fs::write(host.join("client.cert"), "x").unwrap();
        assert!(read().broken.unwrap().contains("missing key"));
        fs::write(host.join("client.key"), "x").unwrap();
        assert!(read().broken.is_none() && read().own.is_some());
        fs::remove_file(host.join("client.cert")).unwrap();
        assert!(read().broken.unwrap().contains("missing client certificate"));
        assert_eq!(Certificates::read(std::slice::from_ref(&root), "other"), Certificates::default());
        fs::remove_dir_all(root).unwrap();
    }
}
