//! run, exec, attach, start: the calls in their order, streams, exit codes.

use super::daemon::{Answer, Daemon, frame};
use super::{cli, cli_with};

const ID: &str = "b01d14ff741f094d81f8704d2103683e5a320881486b7d4615ceafe61b1fc361";

fn created() -> (&'static str, Answer) {
    ("POST /containers/create", Answer::Json(201, format!(r#"{{"Id":"{ID}","Warnings":["mind the gap"]}}"#)))
}

fn exits(code: i64) -> (&'static str, Answer) {
    (
        "POST /containers/b01d14ff741f094d81f8704d2103683e5a320881486b7d4615ceafe61b1fc361/wait",
        Answer::Json(200, format!(r#"{{"StatusCode":{code}}}"#)),
    )
}

fn says(frames: &[(u8, &str)]) -> (&'static str, Answer) {
    let bytes = frames.iter().flat_map(|(stream, text)| frame(*stream, text)).collect();
    ("POST /containers/b01d14ff741f094d81f8704d2103683e5a320881486b7d4615ceafe61b1fc361/attach", Answer::Hijack(bytes))
}

fn starts() -> (&'static str, Answer) {
    (
        "POST /containers/b01d14ff741f094d81f8704d2103683e5a320881486b7d4615ceafe61b1fc361/start",
        Answer::Json(200, String::new()),
    )
}

#[test]
fn a101_four_calls_and_the_containers_own_code() {
    let daemon = Daemon::new(vec![created(), exits(7), says(&[(1, "out\n"), (2, "err\n")]), starts()]);
    let ended = cli(&daemon.host(), &["run", "--rm", "--name", "n", "x", "sh", "-c", "exit 7"]);
    assert_eq!((ended.out.as_str(), ended.err.as_str(), ended.code), ("out\n", "WARNING: mind the gap\nerr\n", 7));
    let mut asked = daemon.asked();
    asked[1..3].sort();
    assert_eq!(
        asked,
        [
            "POST /containers/create?name=n".to_owned(),
            format!("POST /containers/{ID}/attach?stream=1&stdout=1&stderr=1"),
            format!("POST /containers/{ID}/wait?condition=removed"),
            format!("POST /containers/{ID}/start"),
        ]
    );
    assert!(daemon.body("POST /containers/create").contains(r#""AutoRemove":true"#));
}

#[test]
fn a104_in_the_background() {
    let daemon = Daemon::new(vec![created(), starts()]);
    let ended = cli(&daemon.host(), &["run", "-d", "x"]);
    assert_eq!((ended.out, ended.code), (format!("{ID}\n"), 0));
    assert_eq!(daemon.asked().len(), 2);
}

#[test]
fn standard_input_reaches_it_and_ends() {
    let daemon = Daemon::new(vec![created(), exits(0), says(&[(1, "done\n")]), starts()]);
    let ended = cli_with(&daemon.host(), &["run", "-i", "x", "cat"], b"typed");
    assert_eq!((ended.out.as_str(), ended.code), ("done\n", 0));
    assert_eq!(daemon.body(&format!("POST /containers/{ID}/attach")), "typed");
}

#[test]
fn a101_what_could_not_start() {
    for (reason, code) in [
        (r#"exec: \"nosuch\": executable file not found in $PATH"#, 127),
        (r#"exec: \"/etc/passwd\": permission denied"#, 126),
        ("no space left on device", 125),
    ] {
        let refusal = Answer::Json(400, format!(r#"{{"message":"{reason}"}}"#));
        let daemon = Daemon::new(vec![created(), exits(0), says(&[]), (starts().0, refusal)]);
        let ended = cli(&daemon.host(), &["run", "--rm", "x"]);
        let reason = reason.replace('\\', "");
        let said = format!(
            "WARNING: mind the gap\ndocker: Error response from daemon: {reason}\n\nRun 'docker run --help' for more information\n"
        );
        assert_eq!((ended.err, ended.code), (said, code));
    }
}

#[test]
fn a100_a_missing_image_is_pulled() {
    let missing = Answer::Json(404, r#"{"message":"No such image: team/x:1"}"#.to_owned());
    let failure = "{\"status\":\"Pulling from team/x\",\"id\":\"1\"}\r\n{\"errorDetail\":{\"message\":\"manifest unknown\"},\"error\":\"manifest unknown\"}\r\n";
    let daemon = Daemon::new(vec![
        ("POST /containers/create", missing),
        ("POST /images/create", Answer::Bytes("application/json", failure.into())),
    ]);
    let ended = cli(&daemon.host(), &["run", "team/x:1"]);
    assert_eq!(
        ended.err,
        "Unable to find image 'team/x:1' locally\n1: Pulling from team/x\ndocker: manifest unknown\n\nRun 'docker run --help' for more information\n"
    );
    assert_eq!(ended.code, 125);
    assert_eq!(daemon.asked()[1], "POST /images/create?fromImage=docker.io%2Fteam%2Fx&tag=1");
    let never = cli(&daemon.host(), &["run", "--pull", "never", "team/x:1"]);
    assert!(never.err.starts_with("docker: Error response from daemon: No such image: team/x:1\n"));
}

#[test]
fn a129_exec_in_three_calls() {
    let output = [frame(1, "out\n"), frame(2, "err\n")].concat();
    let daemon = Daemon::new(vec![
        ("POST /containers/c/exec", Answer::Json(201, r#"{"Id":"e1"}"#.to_owned())),
        ("POST /exec/e1/start", Answer::Hijack(output)),
        ("GET /exec/e1/json", Answer::Json(200, r#"{"ID":"e1","Running":false,"ExitCode":5}"#.to_owned())),
    ]);
    let ended = cli_with(&daemon.host(), &["exec", "-i", "-e", "A=b", "-w", "/", "c", "sh"], b"in");
    assert_eq!((ended.out.as_str(), ended.err.as_str(), ended.code), ("out\n", "err\n", 5));
    assert_eq!(daemon.asked(), ["POST /containers/c/exec", "POST /exec/e1/start", "GET /exec/e1/json"]);
    let config = daemon.body("POST /containers/c/exec");
    assert!(config.contains(r#""Env":["A=b"]"#) && config.contains(r#""AttachStdin":true"#), "{config}");
}

#[test]
fn a130_attach_ends_as_the_container() {
    let inspect = format!(r#"{{"Id":"{ID}","State":{{"Running":true}},"Config":{{"Tty":false}}}}"#);
    let daemon =
        Daemon::new(vec![("GET /containers/c/json", Answer::Json(200, inspect)), says(&[(1, "hello\n")]), exits(4)]);
    let ended = cli(&daemon.host(), &["attach", "c"]);
    assert_eq!((ended.out.as_str(), ended.code), ("hello\n", 4));
    let stopped = Daemon::new(vec![("GET /containers/c/json", Answer::Json(200, r#"{"State":{}}"#.to_owned()))]);
    let refused = cli(&stopped.host(), &["attach", "c"]);
    assert_eq!((refused.err.as_str(), refused.code), ("You cannot attach to a stopped container, start it first\n", 1));
}

#[test]
fn a112_stop_goes_on_after_a_failure() {
    let missing = Answer::Json(404, r#"{"message":"No such container: no"}"#.to_owned());
    let daemon = Daemon::new(vec![
        ("POST /containers/no/stop", missing),
        ("POST /containers/", Answer::Json(204, String::new())),
    ]);
    let ended = cli(&daemon.host(), &["stop", "-t", "3", "a", "no", "b"]);
    assert_eq!((ended.out.as_str(), ended.code), ("a\nb\n", 1));
    assert_eq!(ended.err, "Error response from daemon: No such container: no\n");
    assert_eq!(daemon.asked()[0], "POST /containers/a/stop?t=3");
}

#[test]
fn a132_logs_keep_streams_apart() {
    let output = [frame(1, "out\n"), frame(2, "err\n")].concat();
    let daemon = Daemon::new(vec![(
        "GET /containers/c/logs",
        Answer::Bytes("application/vnd.docker.multiplexed-stream", output),
    )]);
    let ended = cli(&daemon.host(), &["logs", "-t", "-n", "2", "c"]);
    assert_eq!((ended.out.as_str(), ended.err.as_str(), ended.code), ("out\n", "err\n", 0));
    assert_eq!(daemon.asked(), ["GET /containers/c/logs?stdout=1&stderr=1&timestamps=1&tail=2"]);
}
