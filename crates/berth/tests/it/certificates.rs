//! An authority, a daemon's certificate and a client's, made for one test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Certificates that lie where Docker's clients look: `ca.pem`, `cert.pem`, `key.pem`.
pub(crate) struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let made = Self { directory: TempDir::with_prefix("berth-certificates-").unwrap() };
        made.authority("ca", "berth test authority");
        made.pair("server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth");
        made.client("client", "ca");
        // Somebody else's.
        made.authority("stranger-ca", "another authority");
        made.client("stranger", "stranger-ca");
        // Whoever trusts the daemon, and has nothing to show.
        fs::create_dir(made.path("authority")).unwrap();
        fs::copy(made.path("ca.pem"), made.path("authority/ca.pem")).unwrap();
        fs::copy(made.path("stranger-ca.pem"), made.path("stranger/ca.pem")).unwrap();
        made
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What `DOCKER_CERT_PATH` is to be for a client that the daemon trusts.
    pub(crate) fn client_directory(&self) -> PathBuf {
        self.path("client")
    }

    /// The daemon's flags.
    pub(crate) fn flags(&self) -> Vec<String> {
        let file = |flag: &str, name: &str| format!("--{flag}={}", self.path(name).display());
        vec![
            "--tlsverify".into(),
            file("tlscacert", "ca.pem"),
            file("tlscert", "server-cert.pem"),
            file("tlskey", "server-key.pem"),
        ]
    }

    fn authority(&self, name: &str, subject: &str) {
        let subject = format!("/CN={subject}");
        let (key, cert) = (format!("{name}-key.pem"), format!("{name}.pem"));
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
            "-subj",
            &subject,
            "-keyout",
            &key,
            "-out",
            &cert,
        ]);
    }

    fn client(&self, name: &str, authority: &str) {
        self.pair(name, authority, "extendedKeyUsage=clientAuth");
        let directory = self.path(name);
        fs::create_dir(&directory).unwrap();
        fs::copy(self.path("ca.pem"), directory.join("ca.pem")).unwrap();
        fs::copy(self.path(&format!("{name}-cert.pem")), directory.join("cert.pem")).unwrap();
        fs::copy(self.path(&format!("{name}-key.pem")), directory.join("key.pem")).unwrap();
    }

    fn pair(&self, name: &str, authority: &str, extensions: &str) {
        let file = |kind: &str| format!("{name}-{kind}.pem");
        self.openssl(&[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            &format!("/CN={name}"),
            "-keyout",
            &file("key"),
            "-out",
            &file("request"),
        ]);
        fs::write(self.path("extensions"), extensions).unwrap();
        let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}-key.pem"));
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &file("request"),
            "-CA",
            &ca,
            "-CAkey",
            &ca_key,
            "-CAcreateserial",
            "-days",
            "2",
            "-extfile",
            "extensions",
            "-out",
            &file("cert"),
        ]);
    }

    fn openssl(&self, args: &[&str]) {
        let done = Command::new("openssl").args(args).current_dir(self.directory()).output().unwrap();
        assert!(done.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    fn directory(&self) -> &Path {
        self.directory.path()
    }
}
