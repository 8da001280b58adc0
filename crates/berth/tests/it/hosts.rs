//! Which registry a name means, and how it is asked: seen by a registry that stands in for all of them.

use std::path::Path;

use berth_fixtures::{Image, Layout, PATH};
use serde_json::json;
use tempfile::TempDir;

use crate::host::{Cli, Host, Wishes};
use crate::mock_registry::MockRegistry;

rows_of_own_daemons![a022_first_element_is_the_host, a031_docker_hub_by_default];

fn layout(root: &Path, name: &str) {
    let mut layout = Layout::create(root);
    layout.image(name, &Image::new(&[berth_fixtures::busybox()], json!({"Env": [PATH], "Cmd": ["sh"]})));
    layout.finish();
}

/// Variables by which every request that is not for this host goes to the registry.
fn through(registry: &MockRegistry) -> Vec<(&'static str, String)> {
    let url = format!("http://{}", registry.host);
    vec![("HTTP_PROXY", url.clone()), ("HTTPS_PROXY", url)]
}

fn a022_first_element_is_the_host(cli: Cli) {
    let directory = TempDir::new().unwrap();
    layout(directory.path(), "demp/tu-demp:v2");
    let proxy = MockRegistry::open(directory.path());
    let flags = vec!["--insecure-registry".to_owned(), "gcr.io".to_owned()];
    let host = Host::start_as(cli, Wishes { flags, environment: through(&proxy), ..Wishes::default() });
    let out = host.run(&["pull", "gcr.io/demp/tu-demp:v2"]);
    assert!(out.contains("v2: Pulling from demp/tu-demp\n"), "{out}");
    assert!(out.ends_with("gcr.io/demp/tu-demp:v2"), "{out}");
    let lines: Vec<String> = proxy.seen().into_iter().map(|request| request.line).collect();
    // TLS comes first, also where it may be had without.
    assert_eq!(lines[0], "CONNECT gcr.io:443", "{lines:?}");
    let manifest = "http://gcr.io/v2/demp/tu-demp/manifests/v2";
    assert!(lines.iter().any(|line| line.split_once(' ') == Some(("GET", manifest))), "{lines:?}");
    let elsewhere = |line: &&String| !line.contains(" http://gcr.io/v2/") && *line != "CONNECT gcr.io:443";
    assert_eq!(lines.iter().find(elsewhere), None, "{lines:?}");
    assert_eq!(host.run(&["run", "--rm", "gcr.io/demp/tu-demp:v2", "echo", "ran"]), "ran");
}

fn a031_docker_hub_by_default(cli: Cli) {
    let directory = TempDir::new().unwrap();
    layout(directory.path(), "library/busybox:latest");
    let mirror = MockRegistry::with_tokens(directory.path(), "let-me-in");
    let flags = vec!["--registry-mirror".to_owned(), format!("http://{}", mirror.host)];
    // Were the Hub itself asked, that would be seen as well.
    let host = Host::start_as(cli, Wishes { flags, environment: through(&mirror), ..Wishes::default() });
    let out = host.run(&["pull", "busybox"]);
    assert!(out.contains("latest: Pulling from library/busybox\n"), "{out}");
    assert!(out.ends_with("docker.io/library/busybox:latest"), "{out}");
    let seen = mirror.seen();
    let manifest = |line: &str| line.ends_with(" /v2/library/busybox/manifests/latest");
    assert!(manifest(&seen[0].line) && seen[0].authorization.is_none(), "{seen:?}");
    let token = &seen[1].line;
    let decoded = token.replace("%3A", ":").replace("%2F", "/");
    assert_eq!(decoded, "GET /token?service=mock&scope=repository:library/busybox:pull");
    assert!(manifest(&seen[2].line), "{seen:?}");
    for request in &seen[2..] {
        assert!(request.line.contains(" /v2/library/busybox/"), "{seen:?}");
        assert_eq!(request.authorization.as_deref(), Some("Bearer let-me-in"), "{seen:?}");
    }
    assert_eq!(host.run(&["run", "--rm", "busybox", "echo", "ran"]), "ran");
}
