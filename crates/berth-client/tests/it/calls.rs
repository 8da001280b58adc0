//! Calls.

use std::sync::atomic::Ordering;

use berth_api::registry::AuthConfig;
use berth_api::{ApiVersion, ContainerConfig, CreateRequest};
use berth_client::{AttachOptions, Client, Error, Host, ListOptions, PullOptions, StopOptions, WaitCondition};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::rig::{Reply, json, rig};

#[tokio::test]
async fn plain_calls_share_a_connection() {
    let rig = rig(|line| match line {
        "POST /v1.51/containers/create?name=a%20b" => json("201 Created", r#"{"Id":"x","Warnings":null}"#),
        _ => Reply::Text("HTTP/1.1 204 No Content\r\n\r\n".into()),
    });
    let request = CreateRequest {
        config: ContainerConfig { image: "i".into(), ..ContainerConfig::default() },
        ..CreateRequest::default()
    };
    assert_eq!(rig.client.create_container("a b", "", &request).await.unwrap().id, "x");
    rig.client.start_container("x").await.unwrap();
    let options = StopOptions { timeout: Some(3), signal: "INT".into() };
    rig.client.stop_container("x", &options).await.unwrap();
    assert_eq!(rig.lines()[1..], ["POST /v1.51/containers/x/start", "POST /v1.51/containers/x/stop?t=3&signal=INT"]);
    assert_eq!(rig.connections.load(Ordering::Relaxed), 1);
    assert!(rig.seen.lock().unwrap()[0].body.contains(r#""Image":"i""#));
}

#[tokio::test]
async fn an_older_daemon_talks_the_version_down_once() {
    let rig = rig(|line| match line.contains("/v1.51/") {
        true => json(
            "400 Bad Request",
            r#"{"message":"client version 1.51 is too new. Maximum supported API version is 1.41"}"#,
        ),
        false => json("200 OK", "[]"),
    });
    rig.client.list_containers(&ListOptions { all: true, ..ListOptions::default() }).await.unwrap();
    rig.client.list_containers(&ListOptions::default()).await.unwrap();
    assert_eq!(
        rig.lines(),
        ["GET /v1.51/containers/json?all=1", "GET /v1.41/containers/json?all=1", "GET /v1.41/containers/json"]
    );
    assert_eq!(rig.client.version_spoken(), ApiVersion::new(1, 41));
    assert_eq!(rig.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_prescribed_version_stands() {
    let rig = rig(|_| json("400 Bad Request", r#"{"message":"client version 1.50 is too new. Maximum …"}"#));
    let client = rig.client.clone().with_version(ApiVersion::new(1, 50));
    let error = client.info().await.unwrap_err();
    assert_eq!(error.status(), Some(400));
    assert_eq!(rig.lines(), ["GET /v1.50/info"]);
}

#[tokio::test]
async fn errors_are_the_daemon_s_sentence() {
    let rig = rig(|_| json("404 Not Found", r#"{"message":"No such container: x"}"#));
    let error = rig.client.inspect_container("x", false).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.to_string(), "Error response from daemon: No such container: x");
    let host: Host = "unix:///nowhere/at.sock".parse().unwrap();
    let error = Client::connect(&host).ping().await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(
        error.to_string(),
        "Cannot connect to the Docker daemon at unix:///nowhere/at.sock. Is the docker daemon running?"
    );
}

#[tokio::test]
async fn a_connection_closed_between_calls_is_replaced() {
    let rig = rig(|_| Reply::Last("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK".into()));
    for _ in 0..3 {
        rig.client.ping().await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(rig.connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn attach_is_a_stream_whose_sides_close_alone() {
    let head = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly ";
    let rig = rig(|_| Reply::Echo(head.into()));
    let options = AttachOptions { stream: true, stdin: true, stdout: true, ..AttachOptions::default() };
    let stream = rig.client.attach_container("x", &options).await.unwrap();
    assert!(stream.multiplexed());
    let (mut read, mut write) = stream.into_split();
    write.write_all(b"typed").await.unwrap();
    write.shutdown().await.unwrap();
    let mut found = String::new();
    read.read_to_string(&mut found).await.unwrap();
    assert_eq!(found, "early typed goodbye");
    let seen = rig.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.line, "POST /v1.51/containers/x/attach?stream=1&stdin=1&stdout=1");
    assert!(seen.head.to_ascii_lowercase().contains("upgrade: tcp\r\n"), "{}", seen.head);
}

#[tokio::test]
async fn a_refused_attach_is_an_error() {
    let rig = rig(|_| json("409 Conflict", r#"{"message":"no"}"#));
    let error = rig.client.attach_container("x", &AttachOptions::default()).await.unwrap_err();
    assert!(matches!(error, Error::Api { status: 409, .. }), "{error}");
}

#[tokio::test]
async fn pull_streams_messages_and_sends_credentials() {
    let body = "{\"status\":\"a\",\"id\":\"1\"}\r\n\r\n{\"error\":\"b\"}";
    let text = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\n{}\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        &body[..7],
        body.len() - 7,
        &body[7..]
    );
    let rig = rig(move |_| Reply::Text(text.clone()));
    let auth = AuthConfig { username: "u".into(), ..AuthConfig::default() };
    let options = PullOptions { image: "h:5000/x".into(), tag: "t".into(), auth: Some(auth), ..PullOptions::default() };
    let mut lines = rig.client.pull_image(&options).await.unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap().status, "a");
    assert_eq!(lines.next().await.unwrap().unwrap().error, "b");
    assert!(lines.next().await.is_none());
    let seen = rig.seen.lock().unwrap()[0].clone();
    assert_eq!(seen.line, "POST /v1.51/images/create?fromImage=h%3A5000%2Fx&tag=t");
    assert!(seen.head.contains("x-registry-auth: eyJ1c2VybmFtZSI6InUifQ=="), "{}", seen.head);
}

#[tokio::test]
async fn wait_returns_when_the_daemon_watches() {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let end = "10\r\n{\"StatusCode\":7}\r\n0\r\n\r\n";
    let rig = rig(move |line| match line.contains("wait") {
        true => Reply::Text(format!("{text}{end}")),
        false => Reply::Text("HTTP/1.1 204 No Content\r\n\r\n".into()),
    });
    let waiting = rig.client.wait_container("x", WaitCondition::NextExit).await.unwrap();
    rig.client.start_container("x").await.unwrap();
    assert_eq!(waiting.finish().await.unwrap().status_code, 7);
    assert_eq!(rig.lines()[0], "POST /v1.51/containers/x/wait?condition=next-exit");
}
