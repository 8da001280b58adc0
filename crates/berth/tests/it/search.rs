//! `search`, with an index of our own: there is no other registry to ask.

use serde_json::{Value, json};

use crate::host::{Cli, Host};
use crate::mock_web::{Asked, MockWeb, Reply, json as answer, status};

rows![
    a037_search,
    a038_limit,
    a039_official,
    a040_automated,
    a041_stars,
    a042_stars_flag,
    a043_automated_flag,
    a044_no_trunc,
    search_formats,
    search_failures,
    search_with_credentials,
];

/// Knows as many images as asked for: every other one official, each with a thousand stars more than the last.
fn index(_host: &str, asked: &Asked) -> Reply {
    match asked.path.as_str() {
        "/v1/_ping" => answer(&json!({"standalone": true})),
        "/v1/search" => match asked.query["q"].as_str() {
            "broken" => ("200 OK", Vec::new(), "{nojson".to_owned()),
            "refused" => status("500 Internal Server Error"),
            term => {
                let count: usize = asked.query["n"].parse().unwrap();
                let results: Vec<Value> = (0..count).map(|i| result(term, i)).collect();
                answer(&json!({"num_results": count, "query": term, "results": results}))
            }
        },
        _ => status("404 Not Found"),
    }
}

fn result(term: &str, i: usize) -> Value {
    json!({
        "name": format!("{term}{i}"), "description": format!("{}\nend", format!("number {i} ").repeat(8)),
        "star_count": i * 1000, "is_official": i.is_multiple_of(2), "is_automated": i.is_multiple_of(3), "is_trusted": false,
    })
}

fn rows_of(host: &Host, index: &MockWeb, args: &[&str]) -> Vec<String> {
    let term = format!("{}/mysql", index.host);
    host.run(&[&["search"], args, &[&term]].concat()).lines().map(str::to_owned).collect()
}

fn a037_search(host: &Host) {
    let index = MockWeb::start(index);
    let lines = rows_of(host, &index, &[]);
    assert_eq!(lines[0], "NAME      DESCRIPTION                                     STARS     OFFICIAL");
    assert_eq!(lines[1], "mysql0    number 0 number 0 number 0 number 0 number 0…   0         [OK]");
    assert_eq!(lines[2], "mysql1    number 1 number 1 number 1 number 1 number 1…   1000      ");
    assert_eq!(lines.len(), 26);
    let asked = index.asked("/v1/search").pop().unwrap();
    assert_eq!((asked.query["q"].as_str(), asked.query["n"].as_str()), ("mysql", "25"));
}

fn a038_limit(host: &Host) {
    let index = MockWeb::start(index);
    assert_eq!(rows_of(host, &index, &["--limit", "30"]).len(), 31);
    assert_eq!(rows_of(host, &index, &["--limit", "1"]).len(), 2);
    let term = format!("{}/x", index.host);
    host.try_run(&["search", "--limit", "101", &term])
        .fails_with(1, "Error response from daemon: Limit 101 is outside the range of [1, 100]");
}

fn a039_official(host: &Host) {
    let index = MockWeb::start(index);
    let lines = rows_of(host, &index, &["-f", "is-official=true"]);
    assert_eq!(lines.len(), 14);
    assert!(lines[1..].iter().all(|line| line.ends_with("[OK]")), "{lines:?}");
    let others = rows_of(host, &index, &["--filter", "is-official=false"]);
    assert!(others.len() == 13 && others[1..].iter().all(|line| !line.contains("[OK]")), "{others:?}");
}

fn a040_automated(host: &Host) {
    let index = MockWeb::start(index);
    let term = format!("{}/x", index.host);
    let done = host.try_run(&["search", "--filter", "is-automated=true", &term]);
    assert_eq!((done.code, done.out.lines().count()), (0, 1));
    assert!(done.err.contains("WARNING: the \"is-automated\" filter is deprecated"), "{}", done.err);
    assert_eq!(host.run(&["search", "--filter", "is-automated=false", &term]).lines().count(), 26);
}

fn a041_stars(host: &Host) {
    let index = MockWeb::start(index);
    let lines = rows_of(host, &index, &["--filter=STARS=5000", "--format", "{{.StarCount}}"]);
    assert_eq!(lines.len(), 20);
    assert!(lines.iter().all(|stars| stars.parse::<u32>().unwrap() >= 5000), "{lines:?}");
}

fn a042_stars_flag(host: &Host) {
    let index = MockWeb::start(index);
    let term = format!("{}/x", index.host);
    let done = host.try_run(&["search", "-s", "24000", &term]);
    match host.cli() {
        Cli::Ours => {
            assert_eq!((done.code, done.out.lines().count()), (0, 2), "{}", done.err);
            assert!(done.err.contains("WARNING: --stars is deprecated: use --filter stars=24000"), "{}", done.err);
        }
        Cli::Docker => done.fails_with(125, "unknown shorthand flag: 's' in -s"),
    }
}

fn a043_automated_flag(host: &Host) {
    let index = MockWeb::start(index);
    let done = host.try_run(&["search", "--automated", &format!("{}/x", index.host)]);
    match host.cli() {
        Cli::Ours => {
            assert_eq!((done.code, done.out.lines().count()), (0, 1), "{}", done.err);
            assert!(done.err.contains("WARNING: --automated is deprecated"), "{}", done.err);
        }
        Cli::Docker => done.fails_with(125, "unknown flag: --automated"),
    }
}

fn a044_no_trunc(host: &Host) {
    let index = MockWeb::start(index);
    let lines = rows_of(host, &index, &["--no-trunc", "--limit", "2"]);
    assert!(lines[1].contains("number 0 number 0 number 0 number 0 number 0 number 0 number 0 number 0  end   0"));
    assert!(lines.iter().all(|line| !line.contains('…')), "{lines:?}");
}

fn search_formats(host: &Host) {
    let index = MockWeb::start(index);
    let shown = |format: &str| rows_of(host, &index, &["--limit", "2", "--format", format]).join("\n");
    let json = r#"{"Description":"number 0 number 0 number 0 number 0 number 0…","IsOfficial":"true","Name":"mysql0","StarCount":"0"}"#;
    assert_eq!(shown("json").lines().next().unwrap(), json);
    assert_eq!(shown("table {{.Name}}\t{{.StarCount}}"), "NAME      STARS\nmysql0    0\nmysql1    1000");
    assert_eq!(shown("{{.Name}} {{.IsOfficial}}"), "mysql0 [OK]\nmysql1 ");
    let term = format!("{}/x", index.host);
    let text = "template parsing error: template: :1:2: executing \"\" at <.Nam>: can't evaluate field Nam in type *registry.searchContext";
    host.try_run(&["search", "--format", "{{.Nam}}", &term]).fails_with(1, text);
}

fn search_failures(host: &Host) {
    let index = MockWeb::start(index);
    let search = |args: &[&str], term: &str| {
        let term = format!("{}/{term}", index.host);
        host.try_run(&[&["search"], args, &[&term]].concat())
    };
    search(&[], "broken").fails_with(1, "error decoding registry search results: ");
    search(&[], "refused").fails_with(1, "500");
    search(&["-f", "foo=x"], "x").fails_with(1, "invalid filter 'foo'");
    search(&["-f", "stars=x"], "x").fails_with(1, "invalid filter 'stars=x'");
    search(&["-f", "is-official=bla"], "x").fails_with(1, "invalid filter 'is-official=[bla]'");
    search(&["-f", "foo"], "x").fails_with(125, "bad format of filter (expected name=value)");
    host.try_run(&["search", "127.0.0.1:1/x"]).fails_with(1, "connect: connection refused");
    host.try_run(&["search"]).fails_with(1, "requires 1 argument");
}

/// An index that wants to know who asks.
fn search_with_credentials(host: &Host) {
    let index = MockWeb::start(|host, asked| match asked.path.as_str() {
        "/v2/" => answer(&json!({})),
        "/v1/_ping" => answer(&json!({"standalone": false})),
        "/v1/search" if asked.authorization() == "Basic YTpi" => {
            answer(&json!({"results": [{"name": host, "star_count": 1}]}))
        }
        _ => ("401 Unauthorized", vec!["WWW-Authenticate: Basic realm=\"index\"".to_owned()], String::new()),
    });
    let config = tempfile::TempDir::new().unwrap();
    let run = |args: &[&str]| {
        crate::host::Done::from(host.command().env("DOCKER_CONFIG", config.path()).args(args).output().unwrap())
    };
    let term = format!("{}/x", index.host);
    assert!(!run(&["search", &term]).ok());
    assert_eq!(run(&["login", "-u", "a", "-p", "b", &index.host]).out, "Login Succeeded");
    assert_eq!(run(&["search", "--format", "{{.Name}}", &term]).out, index.host);
}
