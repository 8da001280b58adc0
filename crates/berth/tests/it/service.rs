//! The daemon as a service: where it listens, and whom it lets in.

use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::certificates::Certificates;
use crate::host::{BERTH, Cli, Done, Host, Wishes};
use crate::terminal::Terminal;

rows![a002_unix_socket];

fn a002_unix_socket(host: &Host) {
    let path = host.address().trim_start_matches("unix://").to_owned();
    let found = std::fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o660);
    if let Some(group) = group("docker") {
        assert_eq!(found.gid(), group);
    }
    assert_eq!(host.run(&["version", "--format", "{{.Server.Os}}"]), "linux");
}

fn group(name: &str) -> Option<u32> {
    let file = std::fs::read_to_string("/etc/group").unwrap();
    let line = file.lines().find(|line| line.starts_with(&format!("{name}:")))?.to_owned();
    line.split(':').nth(2)?.parse().ok()
}

/// A daemon for each of the two command lines.
pub(crate) fn with_both(wishes: impl Fn() -> Wishes, check: impl Fn(&Host)) {
    for cli in [Cli::Ours, Cli::Docker] {
        check(&Host::start_as(cli, wishes()));
    }
}

/// A port for a listener that cannot choose one itself. It is below those that the kernel gives away (32768 and up), and
/// every call gives another, so that nobody takes it before the listener is there.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(number % 20_000).unwrap();
        if TcpListener::bind(("0.0.0.0", port)).is_ok() {
            return port;
        }
    }
}

pub(crate) fn flags(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| (*flag).to_owned()).collect()
}

/// The command line as it is, with another daemon.
fn at(host: &Host, address: &str, args: &[&str]) -> Done {
    Done::from(host.command().env("DOCKER_HOST", address).args(args).output().unwrap())
}

/// A daemon that is not to come up: what it says.
pub(crate) fn refused(args: &[&str]) -> Done {
    let root = tempfile::tempdir().unwrap();
    let path = |name: &str| root.path().join(name);
    let mut command = Command::new(BERTH);
    command.arg("daemon").arg("--data-root").arg(path("d")).arg("--exec-root").arg(path("e"));
    command.arg("--pidfile").arg(path("p")).args(args).stdin(Stdio::null());
    if !args.contains(&"--config-file") {
        command.args(["--config-file", "/dev/null"]);
    }
    let done = Done::from(command.output().unwrap());
    assert_ne!(done.code, 0, "it came up");
    done
}

#[test]
fn a005_several_hosts_and_a003_plain_tcp_on_the_loopback() {
    let (port, directory) = (free_port(), tempfile::tempdir().unwrap());
    let second = format!("unix://{}/second.sock", directory.path().display());
    let tcp = format!("tcp://127.0.0.1:{port}");
    with_both(
        || Wishes { flags: flags(&["-H", &second, "-H", &tcp]), ..Wishes::default() },
        |host| {
            let id = host.run(&["info", "-f", "{{.ID}}"]);
            for address in [&second, &tcp] {
                assert_eq!(at(host, address, &["info", "-f", "{{.ID}}"]).out, id, "{address}");
            }
            assert!(at(host, &tcp, &["version"]).out.contains("Server:"));
            let image = host.image();
            let done = at(host, &tcp, &["run", "--rm", &image, "echo", "by tcp"]);
            assert_eq!((done.code, done.out.as_str()), (0, "by tcp"), "{}", done.err);
            let mut command = host.command();
            let terminal = Terminal::start(command.env("DOCKER_HOST", &tcp).args(["run", "--rm", "-it", &image, "sh"]));
            terminal.type_in("echo is$((0+1)); exit 4\n");
            terminal.shows("is1");
            assert_eq!(terminal.ends(), 4);
        },
    );
    assert!(!directory.path().join("second.sock").exists(), "an end leaves no socket behind");
}

#[test]
fn a003_remote_tcp_is_refused_unless_insisted_upon() {
    let port = free_port();
    let address = format!("tcp://0.0.0.0:{port}");
    let unlocked = "without --tlsverify everybody who reaches it is root here";
    refused(&["-H", &address]).fails_with(1, unlocked);
    refused(&["-H", &address, "--bridge", "bx", "--tls", "--tlscert", "/none", "--tlskey", "/none"])
        .fails_with(1, "X509");
    let host =
        Host::start_as(Cli::Ours, Wishes { flags: flags(&["-H", &address, "--tls=false"]), ..Wishes::default() });
    let done = at(&host, &format!("tcp://127.0.0.1:{port}"), &["version", "-f", "{{.Server.Os}}"]);
    assert_eq!(done.out, "linux", "{}", done.err);
}

#[test]
fn a004_tls_with_certificates() {
    let (port, certificates) = (free_port(), Certificates::new());
    let tls = format!("tcp://127.0.0.1:{port}");
    let ours = || {
        let mut flags = flags(&["-H", &tls]);
        flags.extend(certificates.flags());
        Wishes { flags, ..Wishes::default() }
    };
    with_both(ours, |host| {
        let known = certificates.client_directory();
        let as_client = |directory: &Path, args: &[&str]| {
            let mut command = host.command();
            command.env("DOCKER_HOST", &tls).env("DOCKER_TLS_VERIFY", "1").env("DOCKER_CERT_PATH", directory);
            Done::from(command.args(args).output().unwrap())
        };
        let id = host.run(&["info", "-f", "{{.ID}}"]);
        assert_eq!(as_client(&known, &["info", "-f", "{{.ID}}"]).out, id);
        let file = |flag: &str, name: &str| format!("--{flag}={}", known.join(name).display());
        let (ca, cert, key) = (file("tlscacert", "ca.pem"), file("tlscert", "cert.pem"), file("tlskey", "key.pem"));
        let by_flags = at(host, &tls, &["--tlsverify", &ca, &cert, &key, "info", "-f", "{{.ID}}"]);
        assert_eq!(by_flags.out, id, "{}", by_flags.err);

        // Streams: output, input and its end, a terminal.
        let image = host.image();
        let mut command = host.command();
        command.env("DOCKER_HOST", &tls).env("DOCKER_TLS_VERIFY", "1").env("DOCKER_CERT_PATH", &known);
        let counted =
            command.args(["run", "--rm", "-i", &image, "wc", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut counted = counted.spawn().unwrap();
        let mut input = counted.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, &vec![b'x'; 3_000_000]).unwrap();
        drop(input);
        let counted = Done::from(counted.wait_with_output().unwrap());
        assert_eq!((counted.code, counted.out.trim()), (0, "3000000"), "{}", counted.err);
        let big = as_client(&known, &["run", "--rm", &image, "head", "-c", "3000000", "/dev/zero"]);
        assert_eq!((big.code, big.out.len()), (0, 3_000_000), "{}", big.err);

        // Strangers, and those who speak something else.
        let mut command = host.command();
        command.env("DOCKER_HOST", &tls).env("DOCKER_CERT_PATH", certificates.path("authority"));
        let without = Done::from(command.args(["--tls", "info"]).output().unwrap());
        without.fails_with(1, "tls: certificate required");
        as_client(&certificates.path("stranger"), &["info"]).fails_with(1, "certificate signed by unknown authority");
        let shown = file("tlscert", "cert.pem").replace("/client/", "/stranger/");
        let key = file("tlskey", "key.pem").replace("/client/", "/stranger/");
        let stranger = at(host, &tls, &["--tlsverify", &ca, &shown, &key, "info"]);
        assert!(stranger.code == 1 && stranger.err.contains("tls: "), "{stranger:?}");
        at(host, &tls, &["info"]).fails_with(1, "Client sent an HTTP request to an HTTPS server.");
        let missing = at(host, &tls, &["--tlsverify", "--tlscacert=/no/ca.pem", "info"]);
        assert!(missing.code == 1 && missing.err.contains("/no/ca.pem"), "{missing:?}");
        assert_eq!(host.run(&["info", "-f", "{{.ID}}"]), id, "the daemon is none the worse for it");
    });
}

#[test]
fn a004_https_to_a_plain_daemon_is_said_to_be_that() {
    let port = free_port();
    let (tcp, certificates) = (format!("tcp://127.0.0.1:{port}"), Certificates::new());
    with_both(
        || Wishes { flags: flags(&["-H", &tcp]), ..Wishes::default() },
        |host| {
            let mut command = host.command();
            command.env("DOCKER_HOST", &tcp).env("DOCKER_CERT_PATH", certificates.path("authority"));
            let done = Done::from(command.args(["--tls", "info"]).output().unwrap());
            done.fails_with(1, "server gave HTTP response to HTTPS client");
        },
    );
}

/// systemd's part is played by a script: it listens, hands the sockets over, and becomes the daemon.
const HANDS_OVER: &str = r#"
import os, socket, sys
places, words = sys.argv[1].split(","), sys.argv[2:]
for number, place in enumerate(places):
    family = socket.AF_UNIX if place.startswith("/") else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(place if family == socket.AF_UNIX else ("127.0.0.1", int(place)))
    listener.listen()
    wanted, found = 3 + number, listener.detach()
    if found != wanted:
        os.dup2(found, wanted)
        os.close(found)
    os.set_inheritable(wanted, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(places)), LISTEN_FDNAMES="api:other")
os.execvp(words[0], words)
"#;

#[test]
fn a011_socket_activation() {
    let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
    let path = directory.path().join("handed.sock");
    let wrapper = || {
        let _ = std::fs::remove_file(&path);
        vec!["python3".into(), "-c".into(), HANDS_OVER.into(), format!("{},{port}", path.display())]
    };
    let handed = format!("unix://{}", path.display());
    with_both(
        || Wishes { wrapper: wrapper(), flags: flags(&["-H", "fd://"]), ..Wishes::default() },
        |host| {
            let id = host.run(&["info", "-f", "{{.ID}}"]);
            assert_eq!(at(host, &handed, &["info", "-f", "{{.ID}}"]).out, id);
            assert_eq!(at(host, &format!("tcp://127.0.0.1:{port}"), &["info", "-f", "{{.ID}}"]).out, id);
        },
    );
    assert!(path.exists(), "a socket that was handed over is not ours to remove");
    let by_name = Wishes { wrapper: wrapper(), flags: flags(&["-H", "fd://api"]), ..Wishes::default() };
    let host = Host::start_as(Cli::Ours, by_name);
    assert_eq!(at(&host, &handed, &["version", "-f", "{{.Server.Os}}"]).out, "linux");
    drop(host);
    refused(&["-H", "fd://"])
        .fails_with(1, "no sockets found via socket activation: make sure the service was started by systemd");
}

#[test]
fn a006_a_group_that_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let address = format!("unix://{}/x.sock", directory.path().display());
    refused(&["-H", &address, "--group", "no-such-group"]).fails_with(1, "group no-such-group not found");
    let wishes = Wishes { flags: flags(&["--group", "12"]), ..Wishes::default() };
    let host = Host::start_as(Cli::Ours, wishes);
    let path = host.address().trim_start_matches("unix://").to_owned();
    assert_eq!(std::fs::metadata(path).unwrap().gid(), 12);
}

/// What `Type=notify` waits for, and what `systemctl reload` and `stop` are told.
#[test]
fn a011_tells_its_service_manager_where_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let wishes = Wishes { environment: vec![("NOTIFY_SOCKET", path.display().to_string())], ..Wishes::default() };
    let mut host = Host::start_as(Cli::Ours, wishes);
    let said = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let pid = std::fs::read_to_string(host.daemon().root().join("pid")).unwrap();
    assert_eq!(said(), format!("READY=1\nMAINPID={}\n", pid.trim()));
    let daemon = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(daemon, rustix::process::Signal::HUP).unwrap();
    let reloading = said();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(said(), "READY=1\n");
    host.stop_daemon();
    assert_eq!(said(), "STOPPING=1\n");
    host.restart_daemon();
}

/// The units call the program with words that it knows.
#[test]
fn a011_units_say_what_the_program_understands() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/systemd");
    let read = |name: &str| std::fs::read_to_string(units.join(name)).unwrap();
    let value = |text: &str, key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key} is missing"));
        line.to_owned()
    };
    let service = read("berth.service");
    assert_eq!((value(&service, "Type="), value(&service, "KillMode=")), ("notify".into(), "process".into()));
    let start = value(&service, "ExecStart=/usr/bin/berth daemon ").replace("$DOCKER_OPTS", "--debug");
    let mut command = Command::new(BERTH);
    command.args(["daemon", "--validate", "--config-file", "/dev/null"]).args(start.split_whitespace());
    let done = Done::from(command.output().unwrap());
    assert_eq!((done.code, done.out.as_str()), (0, "configuration OK"), "{}", done.err);
    let stop = value(&read("berth-containers.service"), "ExecStop=/usr/bin/berth ");
    let done = Done::from(Command::new(BERTH).args(stop.split_whitespace()).arg("--help").output().unwrap());
    assert!(done.ok() && done.out.contains("stop-all"), "{done:?}");
    assert_eq!(value(&read("berth.socket"), "ListenStream="), "/run/berth/berth.sock");
}
