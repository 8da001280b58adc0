//! `ps` with everything it can be asked, and `container prune`.

use crate::host::{Host, until};

rows![a128_ps_flags, a128_ps_filters, a128_bad_filters, container_prune, container_prune_asks_first, rename_rules,];

/// Creates one with these options and gives its name.
fn create(host: &Host, what: &str, options: &[&str]) -> String {
    let (image, name) = (host.image(), host.name(what));
    let mine = format!("suite={}", host.prefix());
    host.run(&[&["create", "--name", &name, "--label", &mine], options, &[image.as_str(), "sleep", "300"]].concat());
    name
}

/// What `ps` with these arguments names of this test's, in its order.
fn names(host: &Host, args: &[&str]) -> Vec<String> {
    let mine = format!("label=suite={}", host.prefix());
    let out = host.run(&[&["ps", "--format", "{{.Names}}", "--filter", &mine], args].concat());
    out.lines().map(str::to_owned).collect()
}

fn a128_ps_flags(host: &Host) {
    let (first, second, third) = (create(host, "first", &[]), create(host, "second", &[]), create(host, "third", &[]));
    host.run(&["start", &second]);
    assert_eq!(names(host, &[]), [second.as_str()]);
    assert_eq!(names(host, &["-a"]), [third.as_str(), &second, &first]);
    assert_eq!(names(host, &["-l"]), [third.as_str()]);
    assert_eq!(names(host, &["-n", "2"]), [third.as_str(), &second]);
    let id = host.inspect(&second, "{{.Id}}");
    let mine = format!("label=suite={}", host.prefix());
    assert_eq!(host.run(&["ps", "-q", "--filter", &mine]), id[..12]);
    assert_eq!(host.run(&["ps", "-q", "--no-trunc", "--filter", &mine]), id);
    assert_eq!(host.run(&["ps", "-aq", "--filter", &mine]).lines().count(), 3);
    assert_eq!(host.run(&["ps", "-lq"]).lines().count(), 1);
    assert_eq!(host.run(&["container", "ls", "-aq"]), host.run(&["ps", "-aq"]));
    assert_eq!(host.run(&["ps", "-a", "--filter", &format!("name={first}"), "--format", "{{.Status}}"]), "Created");
    host.run(&["pause", &second]);
    let status = host.run(&["ps", "--format", "{{.Status}}", "--filter", &mine]);
    assert!(status.starts_with("Up ") && status.ends_with(" (Paused)"), "{status}");
    host.run(&["unpause", &second]);
    host.try_run(&["ps", "-n", "x"])
        .fails_with(125, "invalid argument \"x\" for \"-n, --last\" flag: strconv.ParseInt");

    host.run(&["exec", &second, "sh", "-c", "head -c 100000 /dev/zero > /big"]);
    let table = host.run(&["ps", "-s", "--filter", &mine]);
    assert!(table.lines().next().unwrap().trim_end().ends_with("SIZE"), "{table}");
    let size = host.run(&["ps", "-s", "--format", "{{.Size}}", "--filter", &mine]);
    assert!(size.starts_with("100kB (virtual "), "{size}");
    let json = host.run(&["ps", "--no-trunc", "--format", "json", "--filter", &mine]);
    assert!(json.contains(&format!("\"ID\":\"{id}\"")) && json.contains("\"State\":\"running\""), "{json}");
}

fn a128_ps_filters(host: &Host) {
    let plain = create(host, "plain", &["--label", "tier=back"]);
    let rich = create(
        host,
        "rich",
        &[
            "--label",
            "tier=front",
            "--label",
            "on",
            "--network",
            "none",
            "--expose",
            "80",
            "--expose",
            "8000-8010/udp",
            "-v",
            "/tmp:/mnt/tmp",
        ],
    );
    let last = create(host, "last", &[]);
    let which = |filters: &[&str]| {
        let mut args = vec!["-a"];
        filters.iter().for_each(|filter| args.extend(["--filter", filter]));
        names(host, &args)
    };
    let one = [rich.as_str()];
    assert_eq!(which(&["label=tier=front"]), one);
    assert_eq!(which(&["label=tier", "label=on"]), one);
    assert_eq!(which(&["label=tier"]), [rich.as_str(), &plain]);
    assert_eq!(which(&["network=none"]), one);
    assert_eq!(which(&["expose=80"]), one);
    assert_eq!(which(&["expose=8005/udp"]), one);
    assert_eq!(which(&["expose=8005"]), Vec::<String>::new());
    assert_eq!(which(&["expose=70-90/tcp"]), one);
    assert_eq!(which(&["volume=/mnt/tmp"]), one);
    assert_eq!(which(&["volume=/tmp"]), one);
    assert_eq!(which(&["publish=80"]), Vec::<String>::new());
    assert_eq!(which(&[&format!("before={rich}")]), [plain.as_str()]);
    assert_eq!(which(&[&format!("since={rich}")]), [last.as_str()]);
    assert_eq!(which(&[&format!("name=^/?{rich}$")]), one);
    assert_eq!(which(&[&format!("name={rich}"), &format!("name={last}")]), [last.as_str(), &rich]);
    let id = host.inspect(&rich, "{{.Id}}");
    assert_eq!(which(&[&format!("id={}", &id[..10])]), one);
    let image = host.image();
    assert_eq!(which(&[&format!("ancestor={image}")]), [last.as_str(), &rich, &plain]);
    assert_eq!(which(&["ancestor=nosuch"]), Vec::<String>::new());
    assert_eq!(which(&["health=none"]).len(), 3);
    assert_eq!(which(&["is-task=false"]).len(), 3);
    assert_eq!(which(&["is-task=true"]), Vec::<String>::new());

    host.run(&["start", &rich]);
    host.run(&["kill", &rich]);
    assert_eq!(which(&["status=exited"]), one);
    assert_eq!(which(&["status=created", "status=exited"]).len(), 3);
    assert_eq!(which(&["exited=137"]), one);
    assert_eq!(which(&["exited=0"]), Vec::<String>::new());
    // A status asked for needs no -a.
    assert_eq!(names(host, &["--filter", "status=exited"]), one);
}

fn a128_bad_filters(host: &Host) {
    for (filter, text) in [
        ("nosuch=1", "invalid filter 'nosuch'"),
        ("status=asleep", "invalid filter 'status=asleep'"),
        ("health=fine", "invalid filter 'health=fine'"),
        ("exited=x", "x"),
        ("before=nosuch", "No such container: nosuch"),
        ("publish=80:80", "filter for 'publish' should not contain ':'"),
        ("expose=99999", "99999"),
    ] {
        let done = host.try_run(&["ps", "-a", "--filter", filter]);
        // Older engines begin with a capital letter.
        let said = done.err.to_lowercase();
        assert!(done.code == 1 && said.contains(&text.to_lowercase()), "{filter}: {}", done.err);
    }
    let done = host.try_run(&["ps", "--filter", "label"]);
    assert!(!done.ok() && done.err.contains("expected name=value"), "{}", done.err);
}

fn container_prune(host: &Host) {
    let kept = create(host, "kept", &["--label", "keep=yes"]);
    let labelled = create(host, "labelled", &["--label", "stage=build"]);
    let written = create(host, "written", &[]);
    let running = create(host, "running", &[]);
    host.run(&["start", &written, &running]);
    host.run(&["exec", &written, "sh", "-c", "head -c 3000000 /dev/zero > /big"]);
    host.run(&["kill", &written]);
    let id = |name: &str| host.inspect(name, "{{.Id}}");
    let (labelled_id, written_id) = (id(&labelled), id(&written));

    let none = host.run(&["container", "prune", "-f", "--filter", "until=1h"]);
    assert_eq!(none, "Total reclaimed space: 0B");
    let out = host.run(&["container", "prune", "-f", "--filter", "label=stage=build"]);
    assert!(out.starts_with(&format!("Deleted Containers:\n{labelled_id}\n\nTotal reclaimed space: ")), "{out}");
    let out = host.run(&["container", "prune", "-f", "--filter", "label!=keep", "--filter", "until=0s"]);
    assert!(out.contains(&written_id), "{out}");
    let size = out.rsplit(' ').next().unwrap();
    assert!(size.starts_with("3") && size.ends_with("MB"), "{out}");
    let mut left = names(host, &["-a"]);
    left.sort();
    let mut expected = [running.clone(), kept.clone()];
    expected.sort();
    assert_eq!(left, expected);
    host.try_run(&["container", "prune", "-f", "--filter", "name=x"]).fails_with(1, "nvalid filter 'name'");
    host.try_run(&["container", "prune", "-f", "--filter", "until=soon"]).fails_with(1, "soon");
}

fn container_prune_asks_first(host: &Host) {
    let name = create(host, "spared", &[]);
    for answer in [&b"n\n"[..], b"\n", b""] {
        let done = host.run_with_input(&["container", "prune"], answer);
        assert!(done.out.starts_with("WARNING! This will remove all stopped containers."), "{}", done.out);
        assert!(done.ok() && !done.out.contains("Total"), "{}{}", done.out, done.err);
        assert_eq!(host.inspect(&name, "{{.State.Status}}"), "created");
    }
    let done = host.run_with_input(&["container", "prune"], b"y\n");
    assert!(done.ok() && done.out.contains("Total reclaimed space:"), "{}{}", done.out, done.err);
    until("it is gone", || !host.try_run(&["inspect", &name]).ok());
}

fn rename_rules(host: &Host) {
    let (one, two) = (create(host, "one", &[]), create(host, "two", &[]));
    let id = host.inspect(&one, "{{.Id}}");
    let rename = |from: &str, to: &str| host.try_run(&["rename", from, to]);
    rename(&one, &two).fails_with(1, "is already in use by container");
    rename(&one, &two).fails_with(1, &format!("Error: failed to rename container named {one}"));
    rename(&one, "").fails_with(1, "Error: Neither old nor new names may be empty");
    rename(&one, &one).fails_with(1, "Renaming a container with the same name as its current name");
    rename(&one, "bad name").fails_with(1, "Invalid container name");
    rename("nosuch", "x").fails_with(1, "No such container: nosuch");
    let new = host.name("new");
    assert!(rename(&one, &new).ok());
    assert_eq!(host.inspect(&new, "{{.Id}} {{.Name}}"), format!("{id} /{new}"));
    assert!(rename(&two, &one).ok(), "a name that was given up is free");
}
