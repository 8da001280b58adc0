//! ps and images: tables, templates, JSON lines, filters.

use super::cli;
use super::daemon::{Answer, Daemon};

const CONTAINERS: &str = r#"[
    {"Id":"f979ddcdc9dd96154b2be0dc0dcf3803811eafc66950c3c31fc40be2770cd7d1","Names":["/c3"],"Image":"bb","ImageID":"sha256:34",
     "Command":"sh","Created":0,"Ports":[{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":18080,"Type":"tcp"},
     {"IP":"::","PrivatePort":80,"PublicPort":18080,"Type":"tcp"},{"PrivatePort":9000,"Type":"tcp"},{"PrivatePort":9001,"Type":"tcp"}],
     "Labels":{"com.x.version":"7"},"State":"created","Status":"Created","SizeRootFs":1982000,"Mounts":[{"Source":"/tmp"}]},
    {"Id":"b01d14ff741f094d81f8704d2103683e5a320881486b7d4615ceafe61b1fc361","Names":["/c1","/c3/alias"],"Image":"bb","ImageID":"sha256:34",
     "Command":"sh -c 'echo out; echo err'","Created":0,"Labels":{},"State":"running","Status":"Up 3 seconds"}]"#;

fn ps(args: &[&str]) -> (String, Vec<String>) {
    let daemon = Daemon::new(vec![("GET /containers/json", Answer::Json(200, CONTAINERS.to_owned()))]);
    let ended = cli(&daemon.host(), args);
    assert_eq!((ended.err.as_str(), ended.code), ("", 0), "{args:?}");
    (ended.out, daemon.asked())
}

#[test]
fn a128_table() {
    let (out, asked) = ps(&["ps"]);
    assert_eq!(asked, ["GET /containers/json"]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("CONTAINER ID   IMAGE     COMMAND                  CREATED"), "{out}");
    assert!(lines[0].ends_with("NAMES"), "{out}");
    assert!(lines[1].contains("0.0.0.0:18080->80/tcp, [::]:18080->80/tcp, 9000-9001/tcp"), "{out}");
    assert!(lines[2].contains("\"sh -c 'echo out; ec…\""), "{out}");
    assert!(lines[2].ends_with("   c1"), "{out}");
}

#[test]
fn a128_flags() {
    assert_eq!(ps(&["ps", "-q"]).0, "f979ddcdc9dd\nb01d14ff741f\n");
    assert_eq!(ps(&["ps", "-aq", "--no-trunc"]).0.lines().next().unwrap().len(), 64);
    assert_eq!(ps(&["ps", "-l"]).1, ["GET /containers/json?limit=1"]);
    assert_eq!(ps(&["ps", "-a", "-n", "2"]).1, ["GET /containers/json?all=1&limit=2"]);
    let (out, asked) = ps(&["ps", "-s"]);
    assert_eq!(asked, ["GET /containers/json?size=1"]);
    assert!(out.lines().nth(1).unwrap().ends_with("0B (virtual 1.98MB)"), "{out}");
    let (_, asked) = ps(&["ps", "-f", "status=exited", "--filter", "label=a=b"]);
    assert!(asked[0].contains("filters=%7B%22label%22"), "{asked:?}");
    let bad = cli("unix:///nope", &["ps", "-n", "x"]);
    assert!(bad.err.starts_with("invalid argument \"x\" for \"-n, --last\" flag: strconv.ParseInt"));
    assert_eq!(bad.code, 125);
}

#[test]
fn a128_templates() {
    assert_eq!(
        ps(&["ps", "--format", "{{.ID}} {{.Label \"com.x.version\"}} {{upper .State}}"]).0,
        "f979ddcdc9dd 7 CREATED\nb01d14ff741f  RUNNING\n"
    );
    let (out, _) = ps(&["ps", "--format", "table {{.Names}}\\t{{.Label \"com.x.version\"}}\\t{{.Mounts}}"]);
    assert_eq!(out, "NAMES     version   MOUNTS\nc3        7         /tmp\nc1                  \n");
    let (out, _) = ps(&["ps", "--format", "json"]);
    let first: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    assert_eq!((first["ID"].as_str(), first["LocalVolumes"].as_str()), (Some("f979ddcdc9dd"), Some("0")));
}

const IMAGES: &str = r#"[
    {"Id":"sha256:347fe1fc1c82a5f435f9069bf84ce8057f6bdd01b4f08adfa676897f392b6a78","RepoTags":["bb:1","h:5000/team/app:v1"],
     "RepoDigests":["h:5000/team/app@sha256:aa","gone@sha256:bb"],"Created":0,"Size":4210000,"Containers":-1,"SharedSize":-1},
    {"Id":"sha256:447fe1fc1c82a5f435f9069bf84ce8057f6bdd01b4f08adfa676897f392b6a78","Created":0,"Size":0}]"#;

fn images(args: &[&str]) -> (String, Vec<String>) {
    let daemon = Daemon::new(vec![("GET /images/json", Answer::Json(200, IMAGES.to_owned()))]);
    let ended = cli(&daemon.host(), args);
    assert_eq!((ended.err.as_str(), ended.code), ("", 0), "{args:?}");
    (ended.out, daemon.asked())
}

#[test]
fn a060_images() {
    let (out, _) = images(&["images", "--format", "table {{.Repository}}\\t{{.Tag}}\\t{{.ID}}\\t{{.Size}}"]);
    assert_eq!(
        out,
        "REPOSITORY        TAG       IMAGE ID       SIZE\n\
         bb                1         347fe1fc1c82   4.21MB\n\
         h:5000/team/app   v1        347fe1fc1c82   4.21MB\n\
         gone              <none>    347fe1fc1c82   4.21MB\n\
         <none>            <none>    447fe1fc1c82   0B\n"
    );
    let (out, _) = images(&["images"]);
    assert!(out.starts_with("REPOSITORY        TAG       IMAGE ID       CREATED"), "{out}");
    assert!(images(&["images", "-q", "--no-trunc"]).0.starts_with("sha256:347fe1"));
    let (out, asked) = images(&["images", "--digests"]);
    assert!(out.lines().nth(2).unwrap().contains("v1        sha256:aa   347fe1fc1c82"), "{out}");
    assert_eq!(asked, ["GET /images/json?digests=1"]);
}

#[test]
fn a065_reference() {
    let (_, asked) = images(&["images", "ft*:1"]);
    assert_eq!(asked, ["GET /images/json?filters=%7B%22reference%22%3A%7B%22ft%2A%3A1%22%3Atrue%7D%7D"]);
}

#[test]
fn a071_a_field_that_does_not_exist() {
    let daemon = Daemon::new(vec![("GET /images/json", Answer::Json(200, IMAGES.to_owned()))]);
    let ended = cli(&daemon.host(), &["images", "--format", "{{.Reposity}}"]);
    assert_eq!(
        ended.err,
        "template parsing error: template: :1:2: executing \"\" at <.Reposity>: can't evaluate field Reposity in type *formatter.imageContext\nhint: did you mean .Repository?\n"
    );
    assert_eq!(ended.code, 1);
}
