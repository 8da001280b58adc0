//! Registries reached through a proxy, and those that are reached without.

use std::fs;

use crate::certificates::Certificates;
use crate::forward_proxy::ForwardProxy;
use crate::host::{Cli, Host, Wishes};
use crate::registry;

rows_of_own_daemons![
    a020_pull_and_push_through_a_proxy,
    a008_proxies_in_the_file,
    a020_a_proxy_that_lets_nobody_through,
];

fn flags(more: &[&str]) -> Vec<String> {
    let insecure = ["--insecure-registry=plain.test", "--insecure-registry=secure.test"];
    insecure.iter().chain(more).map(|flag| (*flag).to_owned()).collect()
}

/// What the host knows of proxies.
fn shown(host: &Host) -> String {
    host.run(&["info", "-f", "{{.HTTPProxy}} {{.HTTPSProxy}} {{.NoProxy}}"])
}

fn a020_pull_and_push_through_a_proxy(cli: Cli) {
    let (certificates, plain) = (Certificates::new(), registry::empty(&format!("proxied-{cli:?}")));
    let (certificate, key) = (certificates.path("server-cert.pem"), certificates.path("server-key.pem"));
    let secure = registry::encrypted(&format!("proxied-tls-{cli:?}"), &certificate, &key);
    let hosts = vec![("plain.test", plain.host.clone()), ("secure.test", secure.host.clone())];
    // me:s3cret
    let proxy = ForwardProxy::start(hosts, Some("Basic bWU6czNjcmV0"));
    let address = format!("http://me:s3cret@{}", proxy.host);
    let environment = vec![("HTTP_PROXY", address.clone()), ("https_proxy", address)];
    let host = Host::start_as(cli, Wishes { flags: flags(&[]), environment, ..Wishes::default() });
    let masked = format!("http://xxxxx:xxxxx@{}", proxy.host);
    assert_eq!(shown(&host), format!("{masked} {masked} "));
    // A registry of this host is reached without.
    let image = host.image();
    assert_eq!(proxy.seen(), Vec::<String>::new());
    let names = ["plain.test/app:1", "secure.test/app:1"];
    for name in names {
        host.run(&["tag", &image, name]);
        host.run(&["push", name]);
    }
    host.run(&["rmi", "-f", &image, names[0], names[1]]);
    for name in names {
        host.run(&["pull", name]);
        assert_eq!(host.run(&["run", "--rm", name, "echo", "ran"]), "ran");
        host.run(&["rmi", "-f", name]);
    }
    let seen = proxy.seen();
    let saw = |what: &str| seen.iter().any(|line| line.starts_with(what));
    for what in ["PUT http://plain.test/v2/app/manifests/1", "GET http://plain.test/v2/app/blobs/"] {
        assert!(saw(what), "{what}: {seen:?}");
    }
    assert!(saw("CONNECT secure.test:443"), "{seen:?}");
    // What is said within TLS is nobody's business.
    assert!(!seen.iter().any(|line| line.contains("http://secure.test")), "{seen:?}");
}

fn a008_proxies_in_the_file(cli: Cli) {
    let proxy = ForwardProxy::start(vec![("plain.test", registry::shared().host.clone())], None);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("daemon.json");
    let text = r#"{"proxies":{"http-proxy":"http://PROXY","https-proxy":"PROXY","no-proxy":"x.test,10.0.0.0/8"}}"#;
    fs::write(&file, text.replace("PROXY", &proxy.host)).unwrap();
    // The file counts, and not the environment.
    let environment = ["HTTP_PROXY", "HTTPS_PROXY"].map(|name| (name, "http://127.0.0.1:1".to_owned())).into();
    let config = format!("--config-file={}", file.display());
    let flags = flags(&[&config, "--max-download-attempts=1"]);
    let host = Host::start_as(cli, Wishes { flags, environment, ..Wishes::default() });
    assert_eq!(shown(&host), format!("http://{} {} x.test,10.0.0.0/8", proxy.host, proxy.host));
    host.run(&["pull", "plain.test/busybox"]);
    assert!(proxy.seen().iter().any(|line| line == "GET http://plain.test/v2/busybox/manifests/latest"));
    // The bridge has an address of this host, at which nobody listens.
    host.run(&["run", "-d", "plain.test/busybox", "sleep", "300"]);
    let gateway = host.run(&["network", "inspect", "-f", "{{(index .IPAM.Config 0).Gateway}}", "bridge"]);
    let before = proxy.seen().len();
    let refused = host.try_run(&["pull", &format!("{gateway}:1/busybox")]);
    refused.fails_with(1, &format!("dial tcp {gateway}:1: connect: connection refused"));
    assert_eq!(proxy.seen().len(), before);
}

fn a020_a_proxy_that_lets_nobody_through(cli: Cli) {
    let proxy = ForwardProxy::start(Vec::new(), Some("Basic bWU6czNjcmV0"));
    let environment = vec![
        ("HTTP_PROXY", "http://127.0.0.1:1".to_owned()),
        ("HTTPS_PROXY", format!("http://me:wrong@{}", proxy.host)),
        ("NO_PROXY", String::new()),
    ];
    let wishes = Wishes { flags: flags(&["--max-download-attempts=1"]), environment, ..Wishes::default() };
    let host = Host::start_as(cli, wishes);
    let unknown = host.try_run(&["pull", "other.test/app"]);
    unknown.fails_with(1, &format!("Proxy Authentication Required: {} wants a name and a password", proxy.host));
    assert_eq!(proxy.seen(), ["CONNECT other.test:443"]);
    let dead = host.try_run(&["import", "http://other.test/app.tar"]);
    dead.fails_with(1, "proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused");
    for said in [unknown.err, dead.err] {
        assert!(!said.contains("wrong") && said.trim_end().lines().count() == 1, "{said}");
    }
}
