//! Certificates and keys in PEM files, and what is wrong with them.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// All certificates of a file, of which there is at least one.
///
/// # Errors
/// What is wrong, without the path.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates = read.map_err(|error| describe(&error))?;
    if certificates.is_empty() { Err("no certificate in it".to_owned()) } else { Ok(certificates) }
}

/// The authorities of a file, besides those `known`.
///
/// # Errors
/// As [`certificates`].
pub fn authorities(path: &Path, mut known: RootCertStore) -> Result<RootCertStore, String> {
    for certificate in certificates(path)? {
        known.add(certificate).map_err(|error| error.to_string())?;
    }
    Ok(known)
}

/// The key in a file.
///
/// # Errors
/// What is wrong, without the path.
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| describe(&error))
}

/// Says "No such file or directory" rather than the crate's words around it.
fn describe(error: &Error) -> String {
    match error {
        Error::Io(error) => error.to_string(),
        Error::NoItemsFound => "nothing of the kind in it (an encrypted key?)".to_owned(),
        other => other.to_string(),
    }
}
