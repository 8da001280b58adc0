//! Debian's `docker-compose` (1.29, Python) against our daemon.

use std::process::Command;

use crate::host::{Cli, Done, Host, until};

#[test]
fn compose_up_ps_down() {
    let host = Host::start(Cli::Ours);
    let (image, directory) = (host.image(), tempfile::tempdir().unwrap());
    let project = host.name("compose");
    let file = format!(
        r#"
version: "2.4"
services:
  web:
    image: {image}
    command: sh -c "echo hello > /data/file; exec sleep 300"
    network_mode: none
    restart: always
    stop_grace_period: 1s
    volumes: ["data:/data"]
    healthcheck: {{test: "test -e /data/file", interval: 1s, retries: 3}}
  other:
    image: {image}
    command: sleep 300
    network_mode: host
    stop_grace_period: 1s
    volumes: ["data:/data:ro"]
    depends_on:
      web: {{condition: service_healthy}}
volumes:
  data: {{}}
"#
    );
    std::fs::write(directory.path().join("docker-compose.yml"), file).unwrap();
    let compose = |args: &[&str]| {
        let mut command = Command::new("docker-compose");
        command.args(["-p", &project]).args(args).current_dir(directory.path()).env("DOCKER_HOST", host.address());
        Done::from(command.output().unwrap())
    };
    let up = compose(&["up", "-d"]);
    assert!(up.ok(), "{}{}", up.out, up.err);
    let web = format!("{project}_web_1");
    let other = format!("{project}_other_1");
    until("the service is healthy", || host.inspect(&web, "{{.State.Health.Status}}") == "healthy");
    assert_eq!(host.inspect(&web, "{{.HostConfig.RestartPolicy.Name}}"), "always");
    assert_eq!(host.run(&["exec", &other, "cat", "/data/file"]), "hello");
    let listed = compose(&["ps"]);
    assert!(listed.out.contains(&web) && listed.out.contains("Up (healthy)"), "{}", listed.out);
    let again = compose(&["up", "-d"]);
    assert!(again.ok() && again.err.contains("up-to-date"), "{}", again.err);
    assert_eq!(compose(&["exec", "-T", "web", "cat", "/data/file"]).out, "hello");
    let down = compose(&["down", "-v"]);
    assert!(down.ok(), "{}", down.err);
    assert_eq!(host.run(&["ps", "-aq", "--filter", &format!("name={project}")]), "");
    assert!(!host.run(&["volume", "ls", "-q"]).contains(&project));
}
