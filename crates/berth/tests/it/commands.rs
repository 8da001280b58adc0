//! The command line's own manners: mistakes and what is said to them, help at every level, the management commands.

use crate::host::{Cli, Host};

rows![a121_typos, help_everywhere, management_commands, small_print, a135_inspect, platforms, ports];

fn a121_typos(host: &Host) {
    let image = host.image();
    host.try_run(&["run", "--it", &image]).fails_with(125, "unknown flag: --it");
    host.try_run(&["run", "--restart", "-it", "always", &image]).fails_with(125, "invalid restart policy '-it'");
    let program = if host.cli() == Cli::Ours { "berth" } else { "docker" };
    let done = host.try_run(&["rnu", "x"]);
    done.fails_with(1, &format!("{program}: unknown command: {program} rnu"));
    done.fails_with(1, &format!("Run '{program} --help' for more information"));
    if host.cli() == Cli::Ours {
        done.fails_with(1, "Did you mean: run");
    }
    host.try_run(&["--nosuch", "ps"]).fails_with(125, "unknown flag: --nosuch");
    host.try_run(&["container", "foo"]).fails_with(1, &format!("{program}: unknown command: {program} container foo"));
    host.try_run(&["rmi"]).fails_with(1, &format!("'{program} rmi' requires at least 1 argument"));
    host.try_run(&["run", "-e", "=x", &image]).fails_with(125, "invalid environment variable: =x");
}

fn help_everywhere(host: &Host) {
    let program = if host.cli() == Cli::Ours { "berth" } else { "docker" };
    for (args, usage) in [
        (&["--help"][..], "[OPTIONS] COMMAND"),
        (&["help"], "[OPTIONS] COMMAND"),
        (&["help", "run"], "run [OPTIONS] IMAGE [COMMAND] [ARG...]"),
        (&["run", "--help"], "run [OPTIONS] IMAGE [COMMAND] [ARG...]"),
        (&["container", "--help"], "container COMMAND"),
        (&["container"], "container COMMAND"),
        (&["help", "container", "ls"], "container ls [OPTIONS]"),
        (&["container", "ls", "--help"], "container ls [OPTIONS]"),
        (&["context", "create", "--help"], "context create [OPTIONS] CONTEXT"),
        (&["network", "ls", "--help"], "network ls [OPTIONS]"),
        (&["port", "--help"], "port CONTAINER [PRIVATE_PORT[/PROTO]]"),
    ] {
        let done = host.try_run(args);
        assert_eq!(done.code, 0, "{args:?} {}", done.err);
        let said = format!("{}{}", done.out, done.err);
        assert!(said.starts_with(&format!("Usage:  {program} {usage}\n")), "{args:?}: {said}");
    }
    host.try_run(&["help", "nosuch"]).fails_with(1, "unknown help topic: nosuch");
}

fn management_commands(host: &Host) {
    let (image, name) = (host.image(), host.name("tree"));
    let id = host.run(&["container", "create", "--name", &name, &image, "sleep", "60"]);
    let only = format!("name={name}");
    for list in ["ls", "ps", "list"] {
        assert_eq!(host.run(&["container", list, "-aq", "--no-trunc", "--filter", &only]), id);
    }
    host.run(&["container", "start", &name]);
    assert_eq!(host.run(&["container", "exec", &name, "echo", "x"]), "x");
    assert_eq!(host.run(&["container", "inspect", "-f", "{{.Id}}", &name]), id);
    assert_eq!(host.run(&["container", "port", &name]), "");
    host.try_run(&["port", &name, "80"]).fails_with(1, &format!("No public port '80' published for {name}"));
    host.run(&["container", "stop", "-t", "0", &name]);
    assert_eq!(host.run(&["container", "rm", &name]), name);
    for list in [&["image", "ls"][..], &["image", "list"], &["images"]] {
        assert!(host.run(&[list, &["-q", "--no-trunc"]].concat()).contains("sha256:"));
    }
    assert!(host.run(&["image", "inspect", "-f", "{{.Id}}", &image]).starts_with("sha256:"));
    assert_eq!(host.run(&["system", "info", "-f", "{{.ID}}"]), host.run(&["info", "-f", "{{.ID}}"]));
    let drivers = host.run(&["info", "-f", "{{json .Plugins.Volume}} {{json .Plugins.Log}}"]);
    assert_eq!(drivers, r#"["local"] ["journald","json-file","local","syslog"]"#);
    let networks = host.run(&["network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}"]);
    assert!(networks.contains("bridge bridge local") && networks.contains("none null local"), "{networks}");
    assert!(host.run(&["network", "ls"]).starts_with("NETWORK ID     NAME      DRIVER    SCOPE"));
    assert_eq!(host.run(&["network", "inspect", "-f", "{{.Driver}}", "host"]), "host");
    let id = host.run(&["network", "ls", "-q", "--no-trunc", "--filter", "name=none"]);
    assert_eq!(host.run(&["network", "inspect", "-f", "{{.Id}}", "none"]), id);
    host.try_run(&["network", "rm", "host"]).fails_with(1, "host is a pre-defined network and cannot be removed");
    host.try_run(&["network", "inspect", "nosuch"]).fails_with(1, "network nosuch not found");
}

fn small_print(host: &Host) {
    let image = host.image();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (cid, labels, variables) = (path("cid"), path("labels"), path("env"));
    std::fs::write(&labels, "# no label\na=1\nbare\n").unwrap();
    std::fs::write(&variables, "FROM=file\n").unwrap();
    let flags = ["create", "--cidfile", &cid, "--label-file", &labels, "-l", "b=2", "--env-file", &variables];
    let more = ["--domainname", "example.org", "-h", "box", "--annotation", "x.y=z", "--expose", "8000-8001/udp"];
    let id = host.run(&[&flags[..], &more, &["-a", "stdout", "--pull", "missing", "-q", &image, "true"]].concat());
    assert_eq!(std::fs::read_to_string(&cid).unwrap(), id);
    let shown = |template: &str| host.run(&["container", "inspect", "-f", template, &id]);
    assert_eq!(shown("{{json .Config.Labels}}"), r#"{"a":"1","b":"2"}"#);
    assert_eq!(shown("{{.Config.Domainname}} {{.Config.Hostname}}"), "example.org box");
    assert_eq!(shown("{{json .Config.ExposedPorts}}"), r#"{"8000/udp":{},"8001/udp":{}}"#);
    assert_eq!(shown("{{json .HostConfig.Annotations}}"), r#"{"x.y":"z"}"#);
    assert_eq!(shown("{{.HostConfig.ContainerIDFile}}"), cid);
    assert_eq!(shown("{{.Config.AttachStdout}} {{.Config.AttachStderr}}"), "true false");
    host.try_run(&["create", "--cidfile", &cid, &image]).fails_with(1, "container ID file found");
    host.run(&["rm", &id]);
    host.try_run(&["run", "--pull", "sometimes", &image]).fails_with(125, "invalid pull option: 'sometimes'");
    host.try_run(&["run", "--pull", "never", "nosuch.invalid/x"])
        .fails_with(125, "No such image: nosuch.invalid/x:latest");
    host.try_run(&["run", "--platform", "linux/nosuch/x/y", &image]).fails_with(125, "platform");
    host.try_run(&["run", "-a", "stdwrong", &image]).fails_with(125, "valid streams are STDIN, STDOUT and STDERR");
    host.try_run(&["run", "-d", "-a", "stdout", &image]).fails_with(1, "--attach and --detach");
    let detach_keys = host.try_run(&["exec", "--detach-keys", "ctrl-?", "nosuch", "x"]);
    detach_keys.fails_with(1, "No such container: nosuch");
}

fn a135_inspect(host: &Host) {
    let done = host.try_run(&["inspect", "nosuch"]);
    assert_eq!((done.code, done.out.as_str()), (1, "[]"));
    done.fails_with(1, "Error: No such object: nosuch");
    let (image, name) = (host.image(), host.name("inspect"));
    host.run(&["create", "--name", &name, &image]);
    host.try_run(&["inspect", "-f", "{{.Foo}}", &name]).fails_with(1, "template parsing error: template: ");
    host.try_run(&["inspect", "-f", "{{.Foo}}", &name])
        .fails_with(1, "executing \"\" at <.Foo>: map has no entry for key \"Foo\"");
    let bad = host.try_run(&["inspect", "-f", "{{.Foo", &name]);
    bad.fails_with(64, "template parsing error: template: :1: unclosed action");
    // Containers come before images, images before networks.
    assert_eq!(host.inspect(&name, "{{.State.Status}}"), "created");
    assert_eq!(host.run(&["inspect", "-f", "{{.Driver}}", "bridge"]), "bridge");
    host.try_run(&["inspect", "--type", "image", &name]).fails_with(1, &format!("No such image: {name}"));
    host.try_run(&["inspect", "--type", "foo", &name]).fails_with(1, "unknown type: \"foo\"");
    let two = host.try_run(&["inspect", "-f", "{{.Name}}", &name, "nosuch"]);
    assert_eq!((two.code, two.out), (1, format!("/{name}")));
    assert!(two.err.contains("Error: No such object: nosuch"), "{}", two.err);
    host.run(&["rm", &name]);
}

fn platforms(host: &Host) {
    let image = host.image();
    let own = host.run(&["image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", &image]);
    assert!(host.try_run(&["image", "inspect", "--platform", &own, "-f", "{{.Id}}", &image]).ok());
    let done = host.try_run(&["image", "inspect", "--platform", "linux/s390x", &image]);
    assert_eq!((done.code, done.out.as_str()), (1, "[]"));
    assert!(done.err.contains("platform"), "{}", done.err);
    let done = host.try_run(&["rmi", "--platform", "linux/s390x", &image]);
    assert!(!done.ok() && done.err.contains("platform"), "{done:?}");
    assert!(host.try_run(&["image", "inspect", &image]).ok());
    if host.cli() == Cli::Ours {
        host.try_run(&["pull", "--disable-content-trust=false", &image]).fails_with(1, "that needs a Notary server");
    }
}

fn ports(host: &Host) {
    host.try_run(&["port", "nosuch"]).fails_with(1, "No such container: nosuch");
    let program = if host.cli() == Cli::Ours { "berth" } else { "docker" };
    host.try_run(&["port"]).fails_with(1, &format!("'{program} port' requires at least 1 and at most 2 arguments"));
}
