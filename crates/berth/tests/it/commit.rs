//! commit: an image made of a container.

use crate::host::{Host, Wishes, until};

rows![
    a195_commit_says_who_and_why,
    a195_changes,
    a195_pauses_unless_told_not_to,
    a195_wrong_changes_change_nothing,
    a196_only_the_difference_is_added,
    committed_image_is_an_image,
];

fn changed(host: &Host, script: &str) -> String {
    let (image, name) = (host.image(), host.name("commit"));
    host.run(&["run", "--name", &name, &image, "sh", "-c", script]);
    name
}

fn a195_commit_says_who_and_why(host: &Host) {
    let (name, tag) = (changed(host, "echo hi > /new"), format!("{}:t", host.name("repo")));
    let id = host.run(&["commit", "-m=m", "--author=a", &name, &tag]);
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    assert_eq!(host.inspect(&tag, "{{.Author}},{{.Id}}"), format!("a,{id}"));
    assert_eq!(host.run(&["run", "--rm", &tag, "cat", "/new"]), "hi");
    let dangling = host.run(&["container", "commit", &name]);
    assert_eq!(host.inspect(&dangling, "{{.RepoTags}}"), "[]");
    host.try_run(&["commit", "nosuch"]).fails_with(1, "No such container: nosuch");
    host.try_run(&["commit", &name, "BAD"]).fails_with(1, "must be lowercase");
    host.run(&["rm", &name]);
    host.run(&["rmi", &tag, &dangling]);
}

fn a195_changes(host: &Host) {
    let (name, tag) = (changed(host, "true"), host.name("changes"));
    let changes = [
        "CMD [\"a\", \"b\"]",
        "ENV A=b C=\"d e\"",
        "EXPOSE 80 90/udp",
        "LABEL x=y",
        "USER 77",
        "VOLUME /v",
        "WORKDIR /w",
        "ONBUILD RUN x",
    ];
    let mut args = vec!["commit"];
    for change in &changes {
        args.extend(["-c", change]);
    }
    host.run(&[&args[..], &[&name, &tag]].concat());
    assert_eq!(host.inspect(&tag, "{{json .Config.Cmd}}{{.Config.User}}{{.Config.WorkingDir}}"), "[\"a\",\"b\"]77/w");
    assert_eq!(host.inspect(&tag, "{{json .Config.ExposedPorts}}"), "{\"80/tcp\":{},\"90/udp\":{}}");
    assert_eq!(host.inspect(&tag, "{{index .Config.Labels \"x\"}}{{json .Config.OnBuild}}"), "y[\"RUN x\"]");
    let env = host.inspect(&tag, "{{json .Config.Env}}");
    assert!(env.contains("\"A=b\"") && env.contains("\"C=d e\"") && env.contains("PATH="), "{env}");
    host.run(&["commit", "-c", "ENTRYPOINT [\"echo\", \"hi\"]", "-c", "CMD [\"you\"]", &name, &tag]);
    assert_eq!(host.run(&["run", "--rm", &tag]), "hi you");
    host.run(&["rm", &name]);
    host.run(&["rmi", &tag]);
}

fn a195_pauses_unless_told_not_to(host: &Host) {
    let (image, name) = (host.image(), host.name("run"));
    host.run(&["run", "-d", "--name", &name, &image, "sleep", "300"]);
    let events = |expected: &[&str], commit: &[&str]| {
        let since = host.run(&["info", "-f", "{{.SystemTime}}"]);
        let id = host.run(&[&["commit", "-m", "why"], commit, &[&name]].concat());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let (until_then, filter) = ((now + 1).to_string(), format!("container={name}"));
        let args = ["events", "--since", &since, "--until", &until_then, "--filter", &filter];
        let happened = || {
            let text = host.run(&[&args[..], &["--format", "{{.Action}} {{.Actor.Attributes.comment}}"]].concat());
            text.lines().map(|line| line.replace(" <no value>", "").trim().to_owned()).collect::<Vec<_>>()
        };
        until("the events come", || happened().len() >= expected.len());
        assert_eq!(happened(), expected);
        assert_eq!(host.inspect(&name, "{{.State.Status}}"), "running");
        host.run(&["rmi", &id]);
    };
    events(&["pause", "commit why", "unpause"], &[]);
    events(&["commit why"], &["--pause=false"]);
    host.run(&["rm", "-f", &name]);
}

fn a195_wrong_changes_change_nothing(host: &Host) {
    let name = changed(host, "true");
    let before = host.run(&["images", "-aq"]);
    for (change, sentence) in [
        ("RUN x", "run is not a valid change command"),
        ("FROM x", "from is not a valid change command"),
        ("ENV", "ENV requires at least one argument"),
        ("ENV a", "ENV must have two arguments"),
        ("EXPOSE x", "Invalid containerPort: x"),
        ("HEALTHCHECK x", "Unknown type \"X\" in HEALTHCHECK (try CMD)"),
        ("ONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger"),
    ] {
        host.try_run(&["commit", "-c", change, &name]).fails_with(1, sentence);
    }
    assert_eq!(host.run(&["images", "-aq"]), before);
    host.run(&["rm", &name]);
}

fn a196_only_the_difference_is_added(host: &Host) {
    let (name, tag) = (changed(host, "rm /etc/group; echo 12345 > /new; rm -r /tmp; mkdir /tmp"), host.name("diff"));
    let layers = |image: &str| host.inspect(image, "{{len .RootFS.Layers}}").parse::<u32>().unwrap();
    let image = host.image();
    host.run(&["commit", &name, &tag]);
    assert_eq!(layers(&tag), layers(&image) + 1);
    let size = |image: &str| host.inspect(image, "{{.Size}}").parse::<i64>().unwrap();
    assert_eq!(size(&tag) - size(&image), 6);
    let seen = host.run(&["run", "--rm", &tag, "sh", "-c", "ls /etc/group 2>&1; cat /new; ls -a /tmp | wc -l"]);
    assert_eq!(seen.lines().skip(1).collect::<Vec<_>>(), ["12345", "2"]);
    host.run(&["rm", &name]);
    host.run(&["rmi", &tag]);
}

/// It runs when its container is gone and after the daemon was killed, and can be committed once more.
fn committed_image_is_an_image(host: &Host) {
    let (name, tag) = (changed(host, "echo one > /one"), host.name("twice"));
    host.run(&["commit", &name, &tag]);
    host.run(&["rm", &name]);
    let second = host.name("second");
    host.run(&["run", "--name", &second, &tag, "sh", "-c", "echo two > /two; ln /two /three"]);
    assert_eq!(sorted(&host.run(&["diff", &second])), ["A /three", "A /two"]);
    host.run(&["commit", &second, &tag]);
    host.run(&["rm", &second]);
    assert_eq!(host.run(&["run", "--rm", &tag, "cat", "/one", "/two", "/three"]), "one\ntwo\ntwo");
    host.run(&["rmi", &tag]);
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// A commit that was cut off leaves nothing; one that was acknowledged is there.
#[test]
fn a_killed_commit_is_whole_or_nothing() {
    let mut host = Host::start_as(crate::host::Cli::Ours, Wishes::default());
    let name = changed(&host, "dd if=/dev/zero of=/big bs=1M count=64 2>/dev/null");
    let said = host.run(&["commit", &name, "acknowledged"]);
    let mut cut = host.command().args(["commit", &name, "cut"]).spawn().unwrap();
    host.kill_daemon_and_restart();
    cut.wait().unwrap();
    assert_eq!(host.inspect("acknowledged", "{{.Id}}"), said);
    let done = host.try_run(&["run", "--rm", "cut", "true"]);
    assert!(done.ok() || !host.try_run(&["image", "inspect", "cut"]).ok(), "{done:?}");
    assert_eq!(host.run(&["run", "--rm", "acknowledged", "sh", "-c", "wc -c < /big"]), "67108864");
    let incoming = host.daemon().data_root().join("layers/incoming");
    assert_eq!(std::fs::read_dir(incoming).unwrap().count(), 0);
    host.run(&["rm", &name]);
}
