//! Taken-over connections over socket pairs: the engine's side is a stream of our own.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use berth_api::ApiVersion;
use berth_connection::Stream;
use berth_engine::DetachKeys;
use bytes::Bytes;
use http::HeaderMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::answer;
use super::connection::{self, Answering};
use super::takeover::{self, Opened, Slot, Takeover};

/// How long anything is waited for: the machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(120);

/// A served connection, and the engine's end of what `POST /take` hands it to.
struct Rig {
    client: UnixStream,
    engine: UnixStream,
    detached: Arc<AtomicBool>,
}

fn rig(detach: Option<&str>) -> Rig {
    let (client, served) = UnixStream::pair().unwrap();
    let (engine, attachment) = UnixStream::pair().unwrap();
    let attachment = Arc::new(std::sync::Mutex::new(Some(attachment)));
    let detached = Arc::new(AtomicBool::new(false));
    let keys = detach.map(|keys| DetachKeys::parse(keys).unwrap());
    let told = detached.clone();
    let respond = move |request: http::Request<hyper::body::Incoming>, slot: Slot| -> Answering {
        if request.uri().path() != "/take" {
            return Box::pin(async { answer::json(http::StatusCode::OK, &"plain") });
        }
        let (stream, keys, told) = (attachment.lock().unwrap().take(), keys.clone(), told.clone());
        let head = takeover::head(request.headers(), ApiVersion::MAX, keys.is_some());
        Box::pin(async move {
            tokio::task::yield_now().await;
            let opened = Opened {
                backlog: Some(Box::pin(futures_util::stream::iter([Bytes::from_static(b"before ")]))),
                stream,
                stdin: true,
                detach: keys,
                detached: Some(Box::new(move || told.store(true, Ordering::Relaxed))),
                handed_over: false,
            };
            slot.put(Takeover { head, patience: Duration::ZERO, open: takeover::ready(opened), websocket: None });
            std::future::pending().await
        })
    };
    tokio::spawn(connection::serve(Stream::Unix(served), respond));
    Rig { client, engine, detached }
}

const UPGRADE: &str = "POST /take HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";

async fn read_head(client: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, client.read_u8()).await.unwrap().unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn expect(stream: &mut UnixStream, wanted: &[u8]) {
    let mut found = vec![0; wanted.len()];
    timeout(PATIENCE, stream.read_exact(&mut found)).await.unwrap().unwrap();
    assert_eq!(found, wanted);
}

async fn expect_end(stream: &mut UnixStream) {
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn upgrade_with_input_behind_the_head() {
    let Rig { mut client, mut engine, .. } = rig(None);
    // A plain request first: the connection is kept.
    client.write_all(b"GET /plain HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    expect(&mut client, b"\"plain\"\n").await;
    client.write_all(format!("{UPGRADE}typed early").as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 101 UPGRADED\r\n"), "{head}");
    for line in [
        "Content-Type: application/vnd.docker.multiplexed-stream\r\n",
        "Connection: Upgrade\r\n",
        "Upgrade: tcp\r\n",
        "Api-Version: 1.51\r\n",
        "Ostype: linux\r\n",
    ] {
        assert!(head.contains(line), "{line} in {head}");
    }
    expect(&mut client, b"before ").await;
    expect(&mut engine, b"typed early").await;
    client.write_all(b" and late").await.unwrap();
    expect(&mut engine, b" and late").await;
    engine.write_all(b"out").await.unwrap();
    expect(&mut client, b"out").await;
}

#[tokio::test]
async fn either_side_may_be_closed_alone() {
    let Rig { mut client, mut engine, .. } = rig(None);
    client.write_all(format!("{UPGRADE}all I have").as_bytes()).await.unwrap();
    // The sending side is closed before anything is answered.
    client.shutdown().await.unwrap();
    read_head(&mut client).await;
    expect(&mut engine, b"all I have").await;
    expect_end(&mut engine).await;
    engine.write_all(b"still here").await.unwrap();
    expect(&mut client, b"before still here").await;
    engine.shutdown().await.unwrap();
    expect_end(&mut client).await;
}

#[tokio::test]
async fn old_clients_get_200_and_raw_bytes() {
    let Rig { mut client, mut engine, .. } = rig(None);
    client.write_all(b"POST /take HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\nin").await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
    expect(&mut engine, b"in").await;
    engine.write_all(b"out").await.unwrap();
    expect(&mut client, b"before out").await;
}

#[tokio::test]
async fn detach_keys_end_the_session_only_where_typed_in_a_row() {
    let Rig { mut client, mut engine, detached } = rig(Some(""));
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let head = read_head(&mut client).await;
    assert!(head.contains("vnd.docker.raw-stream"), "{head}");
    client.write_all(b"a\x10b").await.unwrap();
    expect(&mut engine, b"a\x10b").await;
    client.write_all(b"c\x10").await.unwrap();
    expect(&mut engine, b"c").await;
    assert!(!detached.load(Ordering::Relaxed));
    client.write_all(b"\x11never seen").await.unwrap();
    expect(&mut client, b"before ").await;
    expect_end(&mut client).await;
    assert!(detached.load(Ordering::Relaxed));
    expect_end(&mut engine).await;
}

#[tokio::test]
async fn a_client_that_goes_is_noticed_even_while_nothing_is_said() {
    let Rig { mut client, mut engine, .. } = rig(None);
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    read_head(&mut client).await;
    client.shutdown().await.unwrap();
    expect_end(&mut engine).await;
    // Half closed, it still listens.
    tokio::time::sleep(Duration::from_millis(50)).await;
    engine.write_all(b"x").await.unwrap();
    expect(&mut client, b"before x").await;
    drop(client);
    // Nothing is said meanwhile: writing would find out by itself.
    let gone = async {
        while !engine.ready(Interest::WRITABLE).await.unwrap().is_write_closed() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the engine's side is closed");
    assert!(engine.write_all(b"y").await.is_err());
}

#[tokio::test]
async fn large_output_arrives_whole() {
    let Rig { mut client, mut engine, .. } = rig(None);
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    read_head(&mut client).await;
    let data: Vec<u8> = (0..5_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let sent = data.clone();
    tokio::spawn(async move {
        engine.write_all(&sent).await.unwrap();
        engine.shutdown().await.unwrap();
        // What the client says meanwhile is read, or it could not be told apart from a stuck container.
        let mut rest = Vec::new();
        engine.read_to_end(&mut rest).await.unwrap();
    });
    let mut found = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut found)).await.unwrap().unwrap();
    assert_eq!(&found[..7], b"before ");
    assert!(found[7..] == data[..]);
}

#[test]
fn heads_by_version_and_terminal() {
    let head = |version, tty| String::from_utf8(takeover::head(&HeaderMap::new(), version, tty)).unwrap();
    for (minor, tty) in [(51, false), (41, false), (51, true)] {
        assert!(head(ApiVersion::new(1, minor), tty).contains("raw-stream"));
    }
    let mut upgrade = HeaderMap::new();
    upgrade.insert(http::header::UPGRADE, http::HeaderValue::from_static("tcp"));
    let kind = |minor, tty| {
        let head = String::from_utf8(takeover::head(&upgrade, ApiVersion::new(1, minor), tty)).unwrap();
        head.contains("multiplexed-stream")
    };
    assert_eq!((kind(42, false), kind(41, false), kind(51, true)), (true, false, false));
}
