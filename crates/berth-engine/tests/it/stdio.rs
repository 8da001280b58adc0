//! Attach and logs.

use std::sync::Arc;

use berth_engine::{LogOptions, OutputStream, WaitCondition};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{attach_all, drain, log_entries, marked, script, with_engine};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("stdio::attach_before_start", attach_before_start),
    ("stdio::attach_while_it_runs_a130", attach_while_it_runs),
    ("stdio::terminal_a102", terminal),
    ("stdio::logs_a132", logs),
    ("stdio::logs_follow_to_the_end", follow),
    ("stdio::logs_of_much_output", much),
];

fn attach_before_start() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let mut spec = script("cat; echo done");
        (spec.stdio.open_stdin, spec.stdio.stdin_once) = (true, true);
        let id = containers.create(None, spec).await.unwrap().id;
        let mut attachment = containers.attach(id.as_str(), attach_all()).await.unwrap();
        let exit = containers.wait(id.as_str(), WaitCondition::NextExit).await.unwrap();
        containers.start(id.as_str()).await.unwrap();
        let stream = attachment.stream.as_mut().unwrap();
        stream.write_all(b"typed\n").await.unwrap();
        stream.shutdown().await.unwrap();
        assert_eq!(drain(attachment).await, "typed\ndone\n");
        assert_eq!(exit.await.unwrap().code, 0);
    });
}

fn attach_while_it_runs() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let mut spec = script("while read line; do echo got $line; test $line = end && exit 4; done");
        spec.stdio.open_stdin = true;
        let id = containers.create(None, spec).await.unwrap().id;
        containers.start(id.as_str()).await.unwrap();
        // Without a terminal there is nothing to resize, and nothing wrong with asking.
        containers.resize(id.as_str(), 30, 100).await.unwrap();
        for word in ["one", "end"] {
            let mut attachment = containers.attach(id.as_str(), attach_all()).await.unwrap();
            attachment.stream.as_mut().unwrap().write_all(format!("{word}\n").as_bytes()).await.unwrap();
            if word == "end" {
                assert_eq!(drain(attachment).await, "got end\n");
                continue;
            }
            let mut frame = [0; 16];
            attachment.stream.as_mut().unwrap().read_exact(&mut frame).await.unwrap();
            assert_eq!(&frame[8..], b"got one\n");
        }
        let exit = containers.wait(id.as_str(), WaitCondition::NotRunning).await.unwrap().await.unwrap();
        assert_eq!(exit.code, 4);
    });
}

fn terminal() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let mut spec = script("tty; stty size; echo $TERM; read x; stty size; exit 4");
        spec.process.tty = true;
        spec.stdio.open_stdin = true;
        spec.console_size = (24, 80);
        let id = containers.create(None, spec).await.unwrap().id;
        let mut attachment = containers.attach(id.as_str(), attach_all()).await.unwrap();
        assert!(attachment.tty && attachment.detach_keys.is_some());
        containers.start(id.as_str()).await.unwrap();
        let stream = attachment.stream.as_mut().unwrap();
        let mut first = vec![0; "/dev/pts/0\r\n24 80\r\nxterm\r\n".len()];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(String::from_utf8(first).unwrap(), "/dev/pts/0\r\n24 80\r\nxterm\r\n");
        containers.resize(id.as_str(), 30, 100).await.unwrap();
        stream.write_all(b"\n").await.unwrap();
        assert_eq!(drain(attachment).await, "\r\n30 100\r\n");
        let exit = containers.wait(id.as_str(), WaitCondition::NotRunning).await.unwrap().await.unwrap();
        assert_eq!(exit.code, 4);
    });
}

fn logs() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id = containers
            .create(None, script("for i in 1 2 3 4; do echo out $i; echo err $i >&2; sleep 0.02; done"))
            .await
            .unwrap()
            .id;
        let exit = containers.wait(id.as_str(), WaitCondition::NextExit).await.unwrap();
        containers.start(id.as_str()).await.unwrap();
        exit.await.unwrap();
        let read = |options: LogOptions| {
            let (containers, id) = (containers.clone(), id.clone());
            async move {
                let stamped: berth_engine::Render = Arc::new(|entry, out| {
                    let mark = if entry.stream == OutputStream::Stdout { 1 } else { 2 };
                    let text = [entry.stamp().as_bytes(), &entry.text].concat();
                    out.extend([&[mark][..], &(text.len() as u32).to_be_bytes(), &text].concat());
                });
                log_entries(containers.logs(id.as_str(), options, stamped).await.unwrap()).await
            }
        };
        let both = LogOptions { stdout: true, stderr: true, ..LogOptions::default() };
        let all = read(both.clone()).await;
        assert_eq!(all.len(), 8);
        let errors = read(LogOptions { stdout: false, ..both.clone() }).await;
        assert!(errors.len() == 4 && errors.iter().all(|(stream, _)| *stream == OutputStream::Stderr));
        let tail = read(LogOptions { tail: Some(2), ..both.clone() }).await;
        assert_eq!(tail, all[6..]);
        let stamp = |text: &str| text[..30].parse::<jiff::Timestamp>().unwrap();
        let middle = stamp(&all[4].1);
        // Several may bear the same stamp: those that were written at once.
        let (before, after) = (
            all.partition_point(|(_, text)| stamp(text) < middle),
            all.partition_point(|(_, text)| stamp(text) <= middle),
        );
        assert_eq!(read(LogOptions { since: Some(middle), ..both.clone() }).await, all[before..]);
        assert_eq!(read(LogOptions { until: Some(middle), ..both.clone() }).await, all[..after]);
        let none = containers.logs(id.as_str(), LogOptions::default(), marked()).await.unwrap_err();
        assert_eq!(none.to_string(), "Bad parameters: you must choose at least one stream");
    });
}

fn follow() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id = containers
            .create(None, script("for i in $(seq 1 20); do echo $i; sleep 0.03; done; exit 2"))
            .await
            .unwrap()
            .id;
        containers.start(id.as_str()).await.unwrap();
        let options = LogOptions { stdout: true, follow: true, ..LogOptions::default() };
        let stream = containers.logs(id.as_str(), options, marked()).await.unwrap();
        let seen: Vec<u32> = log_entries(stream).await.iter().map(|(_, text)| text.trim().parse().unwrap()).collect();
        assert_eq!(seen, (1..=20).collect::<Vec<_>>());
        let exit = containers.wait(id.as_str(), WaitCondition::NotRunning).await.unwrap().await.unwrap();
        assert_eq!(exit.code, 2);
    });
}

fn much() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let mut spec = script("seq 1 30000");
        spec.log.options.insert("max-size".into(), "500k".into());
        spec.log.options.insert("max-file".into(), "20".into());
        let id = containers.create(None, spec).await.unwrap().id;
        containers.start(id.as_str()).await.unwrap();
        let options = LogOptions { stdout: true, follow: true, ..LogOptions::default() };
        let all = log_entries(containers.logs(id.as_str(), options, marked()).await.unwrap()).await;
        assert_eq!(all.len(), 30_000);
        for (expected, (_, text)) in (1..).zip(all) {
            assert_eq!(text, format!("{expected}\n"));
        }
    });
}
