//! Much at once both ways: whoever stands between a client and a container that echoes must read each side while it
//! waits to write to the other, or all of them stand still.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::host::{Cli, Host, Wishes};
use crate::service::free_port;

rows![a130_attached_clients, a129_ssh_s_end, a130_web_socket];

/// More than all buffers on the way hold together.
const LENGTH: usize = 12 << 20;
const PIECE: usize = 48 << 10;
const LONG: Duration = Duration::from_secs(120);

fn noise() -> Vec<u8> {
    (0..LENGTH as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// A container that echoes until its input ends, made and not started.
fn echoing(host: &Host) -> String {
    let (image, name) = (host.image(), host.name("echo"));
    host.run(&["create", "-i", "--name", &name, &image, "cat"]);
    name
}

/// What a command that is given noise prints, compared with what it was given.
fn comes_back(mut child: Child) {
    let (sent, mut stdin) = (noise(), child.stdin.take().unwrap());
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success() && output.stdout == noise(), "{} bytes came back", output.stdout.len());
}

fn a130_attached_clients(host: &Host) {
    let (image, mut command) = (host.image(), host.command());
    let run = command.args(["run", "-i", "--rm", &image, "cat"]);
    comes_back(run.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
}

/// Over TCP the daemon itself copies, as it does wherever a connection cannot be handed to the container's shim.
#[test]
fn a129_over_tcp() {
    let address = format!("tcp://127.0.0.1:{}", free_port());
    let flags = ["-H", &address, "--tls=false"].map(str::to_owned).into();
    let host = Host::start_as(Cli::Ours, Wishes { flags, ..Wishes::default() });
    let (image, name) = (host.image(), host.name("box"));
    host.run(&["run", "-d", "--name", &name, &image, "sleep", "300"]);
    let mut command = host.command();
    let exec = command.args(["-H", &address, "exec", "-i", &name, "cat"]);
    comes_back(exec.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
}

fn attach(name: &str, path: &str, headers: &str) -> String {
    let query = "stream=1&stdin=1&stdout=1&stderr=1";
    format!("/v1.43/containers/{name}/attach{path}?{query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n{headers}\r\n")
}

/// Reads the head of an answer.
fn upgraded(stream: &mut impl Read) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
}

fn a129_ssh_s_end(host: &Host) {
    let (name, mut command) = (echoing(host), host.command());
    let dial = command.args(["system", "dial-stdio"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut dial = dial.spawn().unwrap();
    let (mut stdin, mut stdout) = (dial.stdin.take().unwrap(), dial.stdout.take().unwrap());
    write!(stdin, "POST {}", attach(&name, "", "Upgrade: tcp\r\n")).unwrap();
    upgraded(&mut stdout);
    host.run(&["start", &name]);
    let writer = std::thread::spawn(move || stdin.write_all(&noise()).map(|()| stdin));
    let mut back = Vec::with_capacity(LENGTH);
    while back.len() < LENGTH {
        let mut head = [0; 8];
        stdout.read_exact(&mut head).unwrap();
        let length = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let end = back.len();
        back.resize(end + length, 0);
        stdout.read_exact(&mut back[end..]).unwrap();
    }
    drop(writer.join().unwrap().unwrap());
    assert!(back == noise());
    host.run(&["rm", "-f", &name]);
    dial.wait().unwrap();
}

fn a130_web_socket(host: &Host) {
    let name = echoing(host);
    let mut stream = UnixStream::connect(host.address().strip_prefix("unix://").unwrap()).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let headers = "Upgrade: websocket\r\nOrigin: http://x\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    write!(stream, "GET {}", attach(&name, "/ws", headers)).unwrap();
    upgraded(&mut stream);
    host.run(&["start", &name]);
    let mut sending = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        for piece in noise().chunks(PIECE) {
            let [a, b] = (piece.len() as u16).to_be_bytes();
            // Masked with zeros. A ping before each: answers to them must not wait for their reader either.
            sending.write_all(&[0x89, 0x80, 0, 0, 0, 0, 0x82, 0x80 | 126, a, b, 0, 0, 0, 0])?;
            sending.write_all(piece)?;
        }
        std::io::Result::Ok(())
    });
    let mut back = Vec::with_capacity(LENGTH);
    while back.len() < LENGTH {
        let (opcode, payload) = message(&mut stream);
        match opcode {
            0x2 => back.extend(payload),
            0xa => {}
            other => panic!("message {other:x} after {} bytes", back.len()),
        }
    }
    writer.join().unwrap().unwrap();
    assert!(back == noise());
    host.run(&["rm", "-f", &name]);
}

fn message(stream: &mut UnixStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let length = match head[1] {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            u16::from_be_bytes(length).into()
        }
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length).unwrap();
            u64::from_be_bytes(length) as usize
        }
        length => length.into(),
    };
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload).unwrap();
    (head[0] & 0xf, payload)
}
