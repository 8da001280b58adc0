//! Output that is sent away: syslog and journald, and services that are slow.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::certificates::Certificates;
use crate::host::{Host, until};
use crate::logging::{in_namespace, ran};

rows![
    a132_syslog_udp,
    a132_syslog_unix_and_tcp,
    a132_syslog_tls,
    a132_syslog_that_does_not_read,
    a132_non_blocking,
    a132_journald,
];

const LONG: Duration = Duration::from_secs(120);

fn received(socket: &UdpSocket) -> String {
    let mut packet = [0; 4096];
    socket.set_read_timeout(Some(LONG)).unwrap();
    let length = socket.recv(&mut packet).unwrap();
    String::from_utf8_lossy(&packet[..length]).into_owned()
}

fn a132_syslog_udp(host: &Host) {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = format!("syslog-address=udp://{}", server.local_addr().unwrap());
    let syslog = ["--log-driver", "syslog", "--log-opt", &address, "--log-opt"];
    let name =
        ran(host, &[&syslog[..], &["tag=web", "--log-opt", "syslog-facility=local3"]].concat(), "echo hi; echo no >&2");
    let (first, second) = (received(&server), received(&server));
    assert!(first.starts_with("<158>") && first.contains(" web[") && first.ends_with("]: hi\n"), "{first}");
    assert!(second.starts_with("<155>") && second.ends_with("]: no\n"), "{second}");
    // What went away is kept here as well, for `logs`.
    let done = host.try_run(&["logs", &name]);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("hi", "no\n"));
    let other = ran(
        host,
        &[&syslog[..], &["syslog-format=rfc5424micro", "--log-opt", "cache-disabled=true"]].concat(),
        "echo hi",
    );
    let id = host.inspect(&other, "{{.Id}}")[..12].to_owned();
    let message = received(&server);
    assert!(message.starts_with("<30>1 20") && message.contains(&format!(" {id} - hi\n")), "{message}");
    host.try_run(&["logs", &other]).fails_with(1, "configured logging driver does not support reading");
    host.run(&["rm", &name, &other]);
}

fn a132_syslog_unix_and_tcp(host: &Host) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let server = UnixDatagram::bind(&path).unwrap();
    let address = format!("syslog-address=unix://{}", path.display());
    let name = ran(host, &["--log-driver", "syslog", "--log-opt", &address], "echo hi");
    let mut packet = [0; 4096];
    server.set_read_timeout(Some(LONG)).unwrap();
    let length = server.recv(&mut packet).unwrap();
    let message = String::from_utf8_lossy(&packet[..length]).into_owned();
    assert!(message.starts_with("<30>") && message.ends_with("]: hi\n"), "{message}");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("syslog-address=tcp://{}", server.local_addr().unwrap());
    let reader = std::thread::spawn(move || {
        // The first only looked whether somebody is there.
        let mut texts = [0, 1].map(|_| {
            let mut text = String::new();
            server.accept().unwrap().0.read_to_string(&mut text).unwrap();
            text
        });
        std::mem::take(&mut texts[1])
    });
    let options = ["--log-driver", "syslog", "--log-opt", &address, "--log-opt", "syslog-format=rfc3164"];
    let other = ran(host, &options, "seq 1 2000");
    let text = reader.join().unwrap();
    let said: Vec<u32> = text.lines().map(|line| line.rsplit_once(": ").unwrap().1.parse().unwrap()).collect();
    assert_eq!(said, (1..=2000).collect::<Vec<_>>());
    host.run(&["rm", &name, &other]);
}

/// A server that speaks TLS, asks its clients for a certificate, and prints what they say.
struct Secured {
    server: Child,
    lines: BufReader<ChildStdout>,
    port: String,
}

impl Secured {
    fn start(certificates: &Certificates) -> Self {
        let file = |name: &str| certificates.path(name).display().to_string();
        let mut server = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", &file("server-cert.pem")])
            .args(["-key", &file("server-key.pem"), "-CAfile", &file("ca.pem"), "-Verify", "1", "-verify_return_error"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap());
        let mut secured = Self { server, lines, port: String::new() };
        let heading = secured.next(|line| line.starts_with("ACCEPT"));
        secured.port = heading.trim().rsplit_once(':').unwrap().1.to_owned();
        secured
    }

    /// The next line that is looked for.
    fn next(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        loop {
            let mut line = String::new();
            assert!(self.lines.read_line(&mut line).unwrap() > 0, "the server says no more");
            if wanted(&line) {
                return line;
            }
        }
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

fn a132_syslog_tls(host: &Host) {
    let certificates = Certificates::new();
    let mut server = Secured::start(&certificates);
    let file = |option: &str, name: &str| format!("syslog-tls-{option}={}", certificates.path(name).display());
    let own = [file("cert", "client-cert.pem"), file("key", "client-key.pem")];
    let options = |name: &str, more: &[&str]| {
        let address = format!("syslog-address=tcp+tls://{name}:{}", server.port);
        let options = own.iter().map(String::as_str).chain(more.iter().copied()).chain([address.as_str()]);
        let words = ["--log-driver", "syslog"].into_iter().chain(options.flat_map(|option| ["--log-opt", option]));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let (known, stranger) = (file("ca-cert", "ca.pem"), file("ca-cert", "stranger-ca.pem"));
    let refused = |options: &[String], why: &str| {
        let image = host.image();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let done = host.try_run(&[&["run", "--rm"], &options[..], &[&image, "true"]].concat());
        done.fails_with(125, "failed to initialize logging driver: ");
        assert!(done.err.contains(why), "{}", done.err);
    };
    refused(&options("localhost", &[&stranger]), "certificate signed by unknown authority");
    refused(&options("localhost", &[&file("ca-cert", "nosuch.pem")]), "could not read CA certificate");
    refused(&options("localhost", &["syslog-tls-skip-verify=false"]), "certificate signed by unknown authority");
    let (verified, unverified) =
        (options("localhost", &[&known]), options("127.0.0.1", &["syslog-tls-skip-verify=true"]));
    for options in [verified, unverified] {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        // More than TLS and the socket hold at once.
        let name = ran(host, &options, "seq 1 50000");
        for number in 1..=50_000 {
            let line = server.next(|line| line.starts_with("<30>"));
            assert!(line.ends_with(&format!("]: {number}\n")), "{number}: {line}");
        }
        assert_eq!(host.run(&["logs", "-n", "1", &name]), "50000");
        host.run(&["rm", &name]);
    }
}

/// The container waits for a while, then goes on; nothing is lost here, and the log says what the server did not get.
fn a132_syslog_that_does_not_read(host: &Host) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("syslog-address=tcp://{}", server.local_addr().unwrap());
    let holder = std::thread::spawn(move || [0, 1].map(|_| server.accept().unwrap()));
    let (image, name) = (host.image(), host.name("deaf"));
    let options = ["--log-driver", "syslog", "--log-opt", &address];
    let script = "seq 1 300000; echo through";
    host.run(&[&["run", "-d", "--name", &name], &options[..], &[&image, "sh", "-c", script]].concat());
    assert_eq!(host.run(&["wait", &name]), "0");
    let done = host.try_run(&["logs", &name]);
    assert_eq!((done.out.lines().count(), done.out.lines().last().unwrap()), (300_001, "through"));
    assert!(done.err.contains("berth: the log service has taken nothing for 10 seconds"), "{}", done.err);
    drop(holder.join().unwrap());
    host.run(&["rm", &name]);
}

fn a132_non_blocking(host: &Host) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("syslog-address=tcp://{}", server.local_addr().unwrap());
    let holder = std::thread::spawn(move || [0, 1].map(|_| server.accept().unwrap()));
    let (image, name) = (host.image(), host.name("free"));
    let options = [
        "--log-driver",
        "syslog",
        "--log-opt",
        &address,
        "--log-opt",
        "mode=non-blocking",
        "--log-opt",
        "max-buffer-size=64k",
    ];
    host.run(
        &[&["run", "-d", "--name", &name], &options[..], &[&image, "sh", "-c", "seq 1 300000; sleep 300"]].concat(),
    );
    until("it says all", || host.run(&["logs", "-n", "3", &name]).contains("300000"));
    assert_eq!(host.inspect(&name, "{{.State.Running}}"), "true");
    drop(holder.join().unwrap());
    host.run(&["rm", "-f", &name]);
}

fn a132_journald(host: &Host) {
    let image = host.image();
    let done = host.try_run(&["run", "--rm", "--log-driver", "journald", &image, "true"]);
    if !Path::new("/run/systemd/journal/socket").exists() {
        done.fails_with(125, "failed to initialize logging driver: journald is not enabled on this host");
    }
    let directory = tempfile::tempdir().unwrap();
    let journal = UnixDatagram::bind(directory.path().join("socket")).unwrap();
    let mount = format!(
        "mount -t tmpfs none /run; mkdir -p /run/systemd/journal; mount --bind {} /run/systemd/journal",
        directory.path().display()
    );
    let host = &in_namespace(host.cli(), &mount, &[]);
    let options =
        ["--log-driver", "journald", "--log-opt", "tag=web", "--label", "com.x=1", "--log-opt", "labels=com.x"];
    let name = ran(host, &options, "echo hi; head -c 20000 /dev/zero | tr '\\0' x");
    journal.set_read_timeout(Some(LONG)).unwrap();
    let mut packet = vec![0; 1 << 16];
    let mut message = || {
        let length = journal.recv(&mut packet).unwrap();
        String::from_utf8_lossy(&packet[..length]).into_owned()
    };
    let (first, part, last) = (message(), message(), message());
    let (id, image) = (host.inspect(&name, "{{.Id}}"), host.image());
    for field in [
        &format!("CONTAINER_ID={}", &id[..12]),
        &format!("CONTAINER_ID_FULL={id}"),
        &format!("CONTAINER_NAME={name}"),
        &format!("IMAGE_NAME={image}"),
        "CONTAINER_TAG=web",
        "SYSLOG_IDENTIFIER=web",
        "COM_X=1",
        "PRIORITY=6",
        "MESSAGE=hi",
    ] {
        assert!(first.lines().any(|line| line == field), "{field}:\n{first}");
    }
    assert!(part.contains("CONTAINER_PARTIAL_MESSAGE=true\n") && part.contains("CONTAINER_PARTIAL_LAST=false\n"));
    assert!(last.contains("CONTAINER_PARTIAL_ORDINAL=2\n"), "{last}");
    assert!(host.run(&["logs", &name]).starts_with("hi\nxxxx"));
    host.run(&["rm", &name]);
}
