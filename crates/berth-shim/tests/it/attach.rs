//! Streams: several clients, stdin, a terminal.

use std::net::Shutdown;

use berth_shim::protocol::{Attach, Request, Resize, Response, StdioPlan};

use crate::stage::{ALL, OUTPUT, Stage, read_all, read_until, say, unframe};

#[test]
fn output_is_framed_and_logged() {
    let mut stage = Stage::new(&["sh", "-c", "echo out; echo err >&2; exit 3"]);
    let mut client = stage.attach(OUTPUT);
    let container = stage.start();
    assert_eq!(unframe(&read_all(&mut client)), [b"out\n".to_vec(), b"err\n".to_vec()]);
    assert_eq!(container.logged(), ["out\n".to_owned(), "err\n".to_owned()]);
    assert_eq!(container.end().code, 3);
}

#[test]
fn two_clients_hear_the_same() {
    let mut stage = Stage::with(
        &["sh", "-c", "read go; seq 1 50000"],
        StdioPlan { open_stdin: true, ..StdioPlan::default() },
        |_| {},
    );
    let mut first = stage.attach(ALL);
    let mut container = stage.start();
    let (mut second, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let attach = Request::Attach(Attach { streams: OUTPUT });
    assert_eq!(container.connection.call(attach, vec![theirs.into()]).unwrap(), Response::Done {});
    say(&mut first, "go\n");
    let reading = std::thread::spawn(move || unframe(&read_all(&mut second)));
    let heard = unframe(&read_all(&mut first));
    assert_eq!(heard[0].len(), 288_894);
    assert!(heard == reading.join().unwrap());
    assert!(container.logged()[0].as_bytes() == heard[0]);
    assert_eq!(container.end().code, 0);
}

#[test]
fn the_end_of_a_clients_input_is_the_end_of_stdin() {
    let plan = StdioPlan { open_stdin: true, stdin_once: true, ..StdioPlan::default() };
    let mut stage = Stage::with(&["sh", "-c", "cat; echo over"], plan, |_| {});
    let mut client = stage.attach(ALL);
    let container = stage.start();
    say(&mut client, "hello\n");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(unframe(&read_all(&mut client))[0], b"hello\nover\n");
    assert_eq!(container.end().code, 0);
}

#[test]
fn without_open_stdin_it_is_empty() {
    let mut stage = Stage::new(&["sh", "-c", "cat; echo over"]);
    let mut client = stage.attach(ALL);
    let container = stage.start();
    assert_eq!(unframe(&read_all(&mut client))[0], b"over\n");
    container.end();
}

#[test]
fn a_terminal_is_raw_and_can_be_resized() {
    let plan = StdioPlan { tty: true, open_stdin: true, rows: 30, columns: 90, ..StdioPlan::default() };
    let mut stage = Stage::with(&["sh", "-c", "stty size; read x; stty size; read y; exit 4"], plan, |_| {});
    let mut client = stage.attach(ALL);
    let mut container = stage.start();
    assert_eq!(read_until(&mut client, "\n"), "30 90\r\n");
    container.done(Request::Resize(Resize { exec: None, rows: 41, columns: 101 }));
    say(&mut client, "\n");
    read_until(&mut client, "41 101\r\n");
    say(&mut client, "\n");
    assert_eq!(container.end().code, 4);
    // What was typed is echoed by the terminal; nothing is framed.
    assert_eq!(read_all(&mut client), b"\r\n");
}
