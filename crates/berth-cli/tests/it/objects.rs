//! inspect, pull, rmi, events, version, info.

use super::cli;
use super::daemon::{Answer, Daemon};

fn missing(what: &str) -> Answer {
    Answer::Json(404, format!(r#"{{"message":"No such {what}: nosuch"}}"#))
}

#[test]
fn a135_unknown() {
    let daemon = Daemon::new(vec![("GET /", missing("thing"))]);
    let ended = cli(&daemon.host(), &["inspect", "nosuch"]);
    assert_eq!((ended.out.as_str(), ended.err.as_str(), ended.code), ("[]\n", "Error: No such object: nosuch\n", 1));
    let kinds =
        ["containers/nosuch/json", "images/nosuch/json", "networks/nosuch", "volumes/nosuch", "plugins/nosuch/json"];
    assert_eq!(daemon.asked(), kinds.map(|kind| format!("GET /{kind}")));
    let image = cli(&daemon.host(), &["image", "inspect", "nosuch"]);
    assert_eq!(image.err, "Error response from daemon: No such thing: nosuch\n");
}

#[test]
fn a135_templates() {
    let json = r#"{"Id":"abc","State":{"Running":true},"Config":{"Labels":null},"HostConfig":{"Binds":null}}"#;
    let daemon = Daemon::new(vec![("GET /containers/c/json", Answer::Json(200, json.to_owned()))]);
    let inspect = |template: &str| cli(&daemon.host(), &["inspect", "-f", template, "c"]);
    assert_eq!(inspect("{{.Id}} {{.State.Running}}").out, "abc true\n");
    assert_eq!(
        inspect("{{.Config.Labels}} {{.HostConfig.Binds}} {{json .HostConfig}}").out,
        "map[] [] {\"Binds\":null}\n"
    );
    assert_eq!(inspect("{{if .State.Health}}{{.State.Health.Status}}{{end}}.").out, ".\n");
    let bad = inspect("{{.Foo}}");
    assert_eq!(
        bad.err,
        "template parsing error: template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\"\n"
    );
    assert_eq!(bad.code, 1);
    assert_eq!(inspect("{{.Foo").code, 64);
}

#[test]
fn some_are_found() {
    let daemon = Daemon::new(vec![
        ("GET /containers/c/json", Answer::Json(200, r#"{"Id":"abc"}"#.to_owned())),
        ("GET /", missing("thing")),
    ]);
    let ended = cli(&daemon.host(), &["container", "inspect", "c", "nosuch"]);
    assert_eq!(ended.out, "[\n    {\n        \"Id\": \"abc\"\n    }\n]\n");
    assert_eq!((ended.err.as_str(), ended.code), ("Error response from daemon: No such thing: nosuch\n", 1));
    let kind = cli(&daemon.host(), &["inspect", "--type", "foo", "c"]);
    assert!(kind.err.starts_with("unknown type: \"foo\": must be one of "));
}

#[test]
fn a020_pull_without_a_terminal() {
    let stream = "{\"status\":\"Pulling from team/app\",\"id\":\"latest\"}\n\
        {\"status\":\"Downloading\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"abc\"}\n\
        {\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"abc\"}\n\
        {\"status\":\"Digest: sha256:00\"}\n{\"status\":\"Status: Downloaded newer image for h:1/team/app:latest\"}\n";
    let daemon = Daemon::new(vec![("POST /images/create", Answer::Bytes("application/json", stream.into()))]);
    let ended = cli(&daemon.host(), &["pull", "h:1/team/app"]);
    assert_eq!(
        ended.out,
        "Using default tag: latest\nlatest: Pulling from team/app\nabc: Pull complete\nDigest: sha256:00\n\
         Status: Downloaded newer image for h:1/team/app:latest\nh:1/team/app:latest\n"
    );
    assert_eq!(daemon.asked(), ["POST /images/create?fromImage=h%3A1%2Fteam%2Fapp&tag=latest"]);
    assert_eq!(cli(&daemon.host(), &["pull", "-q", "h:1/team/app:v2"]).out, "h:1/team/app:v2\n");
    let upper = cli(&daemon.host(), &["pull", "UPPER"]);
    assert_eq!(upper.err, "invalid reference format: repository name (library/UPPER) must be lowercase\n");
    assert_eq!(upper.code, 1);
}

#[test]
fn a078_rmi_goes_on() {
    let daemon = Daemon::new(vec![
        ("DELETE /images/good", Answer::Json(200, r#"[{"Untagged":"good:latest"},{"Deleted":"sha256:1"}]"#.to_owned())),
        ("DELETE /images/", missing("image")),
    ]);
    let ended = cli(&daemon.host(), &["rmi", "nosuch", "good", "-f"]);
    assert_eq!(ended.out, "Untagged: good:latest\nDeleted: sha256:1\n");
    assert_eq!(ended.code, 0);
    assert_eq!(cli(&daemon.host(), &["rmi", "nosuch", "good"]).code, 1);
}

#[test]
fn events() {
    let line = r#"{"Type":"container","Action":"start","Actor":{"ID":"abc","Attributes":{"name":"c","image":"bb"}},"scope":"local","time":1795230623,"timeNano":1795230623382993651}"#;
    let daemon = Daemon::new(vec![("GET /events", Answer::Bytes("application/json", format!("{line}\n").into()))]);
    let ended = cli(&daemon.host(), &["events", "--since", "5", "--until", "9"]);
    assert_eq!(ended.out, "2026-11-21T03:10:23.382993651Z container start abc (image=bb, name=c)\n");
    assert_eq!(daemon.asked(), ["GET /events?since=5&until=9"]);
    assert_eq!(
        cli(&daemon.host(), &["events", "--format", "json"]).out,
        format!("{}\n", line.replace(r#""name":"c","image":"bb""#, r#""image":"bb","name":"c""#))
    );
    assert_eq!(cli(&daemon.host(), &["events", "--format", "{{.ID}} {{.Time}}"]).out, "abc 1795230623\n");
}

#[test]
fn version_and_info() {
    let version = r#"{"Version":"1","ApiVersion":"1.51","Components":[{"Name":"Engine","Version":"1","Details":{"ApiVersion":"1.51","Os":"linux","Arch":"amd64"}}]}"#;
    let daemon = Daemon::new(vec![
        ("GET /version", Answer::Json(200, version.to_owned())),
        ("GET /info", Answer::Json(200, r#"{"ID":"x","ContainersRunning":3,"MemTotal":25276514304}"#.to_owned())),
    ]);
    let ended = cli(&daemon.host(), &["version"]);
    assert!(ended.out.contains("\nServer:\n Engine:\n  Version:          1\n"), "{}", ended.out);
    assert_eq!(cli(&daemon.host(), &["version", "-f", "{{.Server.Version}}"]).out, "1\n");
    assert_eq!(cli(&daemon.host(), &["info", "-f", "{{.ID}} {{.ContainersRunning}}"]).out, "x 3\n");
    assert!(cli(&daemon.host(), &["system", "info"]).out.contains("\n Total Memory: 23.54GiB\n"));
}
