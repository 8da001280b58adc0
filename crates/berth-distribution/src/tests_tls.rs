//! `certs.d` against a real TLS server: openssl's.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Client, Config};
use crate::endpoint::endpoints;
use crate::repository::Repository;
use crate::request::Purpose;

/// A server that wants to see a certificate, and has one document.
struct Server {
    process: Child,
    host: String,
    root: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        drop(fs::remove_dir_all(&self.root));
    }
}

fn openssl(root: &Path, args: &[&str]) {
    let done = Command::new("openssl").args(args).current_dir(root).output().expect("openssl is installed");
    assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Server {
    fn start() -> Self {
        let root = std::env::temp_dir().join(format!("berth-tls-{}", std::process::id()));
        fs::create_dir_all(root.join("v2/a/manifests")).unwrap();
        let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let ca = ["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=tests", "-days", "2"];
        openssl(&root, &[&["req", "-x509"], &new[..], &ca[..]].concat());
        for (name, extension) in [("server", "subjectAltName=IP:127.0.0.1"), ("client", "extendedKeyUsage=clientAuth")]
        {
            let [key, request, cert] = ["key", "csr", "cert"].map(|suffix| format!("{name}.{suffix}"));
            fs::write(root.join("extension"), extension).unwrap();
            openssl(&root, &[&["req"], &new[..], &["-keyout", &key, "-out", &request, "-subj", "/CN=x"]].concat());
            let sign = ["x509", "-req", "-in", &request, "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"];
            openssl(&root, &[&sign[..], &["-days", "2", "-out", &cert, "-extfile", "extension"]].concat());
        }
        let body = r#"{"schemaVersion":2}"#;
        let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        fs::write(root.join("v2/a/manifests/x"), answer).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = format!("127.0.0.1:{port}");
        let process = Command::new("openssl")
            .args(["s_server", "-quiet", "-HTTP", "-accept", &host, "-cert", "server.cert", "-key", "server.key"])
            .args(["-CAfile", "ca.crt", "-Verify", "2", "-verify_return_error"])
            .current_dir(&root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, host, root };
        let began = Instant::now();
        while TcpStream::connect(&server.host).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "openssl s_server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// What comes of asking it, as a registry of another name whose certificates lie in `certs.d`.
    async fn ask(&self) -> Result<Vec<u8>, crate::Error> {
        let config = Config { certificates: vec![self.root.join("certs.d")], attempts: 1, ..Config::default() };
        let mut endpoints = endpoints("reg.example:5000", &config);
        endpoints[0].host.clone_from(&self.host);
        let repository = Repository::new(Client::new(config), endpoints, "a", None, Purpose::Pull);
        repository.manifest("x").await.map(|fetched| fetched.bytes)
    }
}

#[tokio::test]
async fn authorities_and_own_certificates_by_registry() {
    let server = Server::start();
    let stranger = server.ask().await.unwrap_err().to_string();
    assert!(stranger.ends_with("x509: certificate signed by unknown authority"), "{stranger}");
    let directory = server.root.join("certs.d/reg.example:5000");
    fs::create_dir_all(&directory).unwrap();
    fs::copy(server.root.join("ca.crt"), directory.join("ca.crt")).unwrap();
    assert!(server.ask().await.is_err(), "it wants a certificate of ours");
    fs::copy(server.root.join("client.cert"), directory.join("client.cert")).unwrap();
    let half = server.ask().await.unwrap_err().to_string();
    assert!(half.contains("missing key"), "{half}");
    fs::copy(server.root.join("client.key"), directory.join("client.key")).unwrap();
    assert_eq!(server.ask().await.unwrap(), br#"{"schemaVersion":2}"#);
    fs::write(directory.join("ca.crt"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    let broken = server.ask().await.unwrap_err().to_string();
    assert!(broken.contains("authority's certificate"), "{broken}");
}
