//! What is ours alone about images: what is in them, how they differ, and images made of them.

use serde_json::Value;

use crate::clients::ask;
use crate::host::{Cli, Host, Wishes};
use crate::images::{commit, grown};

fn json(host: &Host, args: &[&str]) -> Value {
    serde_json::from_str(&host.run(&[&["image"], args, &["--format", "json"]].concat())).unwrap()
}

fn files(difference: &Value) -> Vec<String> {
    let files = difference["Files"].as_array().unwrap();
    files.iter().map(|f| format!("{} {}", f["Kind"].as_str().unwrap(), f["Path"].as_str().unwrap())).collect()
}

#[test]
fn explain_says_what_bytes_are_spent_on() {
    let host = Host::start_as(Cli::Ours, Wishes::default());
    let (image, first, second) = (host.image(), host.name("first"), host.name("second"));
    let fill = "mkdir -p /d/e; head -c 100000 /dev/urandom > /d/a; cp /d/a /d/e/copy; ln /d/a /d/hard; \
                head -c 5000 /dev/urandom > /d/b";
    grown(&host, &image, fill, &first);
    // What is made executable is there a second time; a name of the old file is seen still.
    grown(&host, &first, "rm /d/e/copy; chmod 700 /d/a; head -c 6000 /dev/urandom > /d/b", &second);
    let before = json(&host, &["explain", &image]);
    let found = json(&host, &["explain", &second]);
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{value} is no number"));
    let base = number(&before["TotalSize"]);
    assert_eq!((number(&before["WastedSize"]), number(&before["SeenSize"])), (0, base));
    let layers = found["Layers"].as_array().unwrap();
    let [.., one, two] = &layers[..] else { panic!("{found}") };
    assert_eq!((number(&one["Size"]), number(&one["Wasted"]), number(&two["Size"])), (205_000, 105_000, 106_000));
    assert_eq!(number(&two["Removed"]), 1);
    assert!(one["CreatedBy"].as_str().unwrap().starts_with("sh -c mkdir -p /d/e"), "{one}");
    assert_eq!(number(&found["TotalSize"]), base + 205_000 + 106_000);
    assert_eq!((number(&found["WastedSize"]), number(&found["SeenSize"])), (105_000, base + 206_000));
    let wasted: Vec<String> = found["Wasted"]
        .as_array()
        .unwrap()
        .iter()
        .take(2)
        .map(|file| format!("{} {} {}", file["Path"].as_str().unwrap(), file["Size"], file["How"].as_str().unwrap()))
        .collect();
    assert_eq!(wasted, ["/d/e/copy 100000 deleted", "/d/b 5000 overwritten"]);
    let same = &found["Duplicates"][0];
    assert_eq!((number(&same["Size"]), number(&same["Extra"])), (100_000, 200_000), "{same}");
    let directory = found["Directories"].as_array().unwrap().iter().find(|d| d["Path"] == "/d").unwrap();
    assert_eq!((number(&directory["Size"]), number(&directory["Files"])), (206_000, 3));

    let text = host.run(&["image", "explain", "--top", "1", &second]);
    assert!(text.starts_with("LAYER ") && text.contains("wasted: 105kB"), "{text}");
    assert!(text.contains("/d/e/copy") && text.contains("… and ") && text.contains("deleted by"), "{text}");
    let own = host.run(&["image", "explain", "--format", "{{range .Layers}}{{.Index}},{{end}}", &second]);
    assert_eq!(own, (0..layers.len()).map(|n| format!("{n},")).collect::<String>());
    host.try_run(&["image", "explain", "nosuch"]).fails_with(1, "No such image: nosuch:latest");
    host.try_run(&["image", "explain", "--depth", "-1", &second]).fails_with(1, "depth counts directories");
    host.try_run(&["image", "explain", "--format", "{{.Layer}}", &second]).fails_with(1, "did you mean .Layers?");
    host.run(&["rmi", &second, &first]);
}

#[test]
fn diff_says_how_images_differ() {
    let host = Host::start_as(Cli::Ours, Wishes::default());
    let (image, one, two) = (host.image(), host.name("one"), host.name("two"));
    let base =
        "mkdir -p /d/old; echo text > /d/old/file; echo gone > /gone; echo same > /same; echo x > /mode; ln -s a /l";
    grown(&host, &image, base, &one);
    let change =
        "rm -r /d/old; mkdir /d/old; echo more > /d/old/new; rm /gone; chmod 600 /mode; ln -sf b /l; touch /same";
    let container = host.name("c");
    host.run(&["run", "--name", &container, &one, "sh", "-c", change]);
    host.run(&["commit", "-c", "ENV A=b", "-c", "CMD [\"two\"]", &container, &two]);
    host.run(&["rm", &container]);
    let found = json(&host, &["diff", &one, &two]);
    let expected = ["D /d/old/file", "A /d/old/new", "D /gone", "C /l", "C /mode"];
    assert_eq!(files(&found), expected);
    let settings: Vec<&str> = found["Config"].as_array().unwrap().iter().map(|s| s["Name"].as_str().unwrap()).collect();
    assert_eq!(settings, ["Cmd", "Env.A"]);
    assert_eq!(files(&json(&host, &["diff", &two, &two])), [""; 0]);
    let back = files(&json(&host, &["diff", &two, &one]));
    assert!(back.contains(&"A /gone".to_owned()) && back.contains(&"D /d/old/new".to_owned()), "{back:?}");
    let text = host.run(&["image", "diff", &one, &two]);
    assert!(text.starts_with("D /d/old/file") && text.contains("C /mode") && text.contains("(mode)"), "{text}");
    assert!(text.contains("Env.A") && text.contains("(not set) → b"), "{text}");
    assert_eq!(host.run(&["image", "diff", "--format", "{{len .Files}}", &one, &two]), "5");
    host.try_run(&["image", "diff", &one, "nosuch"]).fails_with(1, "No such image: nosuch:latest");
    let wrong = ask(&host, "GET", &format!("/images/{one}/diff"), None);
    assert_eq!(wrong.status, 400, "{}", wrong.body);
    // No layer of its own: only settings differ.
    let labelled = commit(&host, &two, &["LABEL x=y"], "");
    let found = json(&host, &["diff", &two, &labelled]);
    let labels = found["Config"].as_array().unwrap().iter().find(|setting| setting["Name"] == "Labels.x");
    assert!(files(&found).is_empty() && labels.is_some_and(|label| label["After"] == "y"), "{found}");
    host.run(&["rmi", &labelled, &two, &one]);
}

fn layers(host: &Host, image: &str) -> Vec<String> {
    host.inspect(image, "{{range .RootFS.Layers}}{{println .}}{{end}}").trim().lines().map(Into::into).collect()
}

/// Whiteouts, an opaque directory, hard links, a device, modes: what a container sees is the same.
#[test]
fn flatten_keeps_what_is_seen() {
    let mut host = Host::start_as(Cli::Ours, Wishes::default());
    let (image, many, flat) = (host.image(), host.name("many"), host.name("flat"));
    let first = "mkdir -p /d/sub /gone; echo a > /d/a; ln /d/a /d/hard; echo k > /d/k; ln /d/k /d/k2; echo b > /gone/b; echo c > /d/sub/c; mknod /null c 1 3";
    let one = grown(&host, &image, first, "");
    let second = "rm -r /gone /d/sub; mkdir -m 700 /d/sub; echo new > /d/sub/new; ln -s a /d/link; chown 5:6 /d/link; chmod 4755 /d/a";
    grown(&host, &one, second, &many);
    let id = host.run(&["image", "flatten", "-t", &flat, &many]);
    assert_eq!(host.inspect(&flat, "{{.Id}}"), id);
    assert_eq!(layers(&host, &flat).len(), 1);
    let found = json(&host, &["diff", &many, &flat]);
    assert!(files(&found).is_empty() && found["Config"].as_array().unwrap().is_empty(), "{found}");
    assert_eq!(json(&host, &["explain", &flat])["WastedSize"], 0);
    let seen = "ls /gone 2>&1; cat /d/sub/new; ls /d/sub; cat /d/hard; stat -c %h,%a,%u /d/k /d/sub; echo x > /null; stat -c %t,%T /null";
    let [was, is] = [&many, &flat].map(|image| host.run(&["run", "--rm", image, "sh", "-c", seen]));
    assert_eq!(was, is);
    let steps = host.run(&["history", "--no-trunc", "--format", "{{.Size}} {{.CreatedBy}}", &flat]);
    assert!(steps.lines().next().unwrap().contains("berth image flatten sha256:"), "{steps}");
    assert!(steps.lines().skip(1).all(|line| line.starts_with("0B ")), "{steps}");
    // The same contents are the same layer, and it needs nothing of the old image.
    let again = host.run(&["image", "flatten", &flat]);
    assert_eq!(layers(&host, &again), layers(&host, &flat));
    host.run(&["rmi", &again]);
    host.run(&["rmi", &many]);
    host.kill_daemon_and_restart();
    assert_eq!(host.run(&["run", "--rm", &flat, "cat", "/d/sub/new"]), "new");
    host.try_run(&["image", "flatten", "nosuch"]).fails_with(1, "No such image: nosuch:latest");
    host.try_run(&["image", "flatten", "-t", "BAD", &flat]).fails_with(1, "must be lowercase");
    host.run(&["rmi", &flat]);
}

#[test]
fn rebase_takes_its_own_layers_along() {
    let mut host = Host::start_as(Cli::Ours, Wishes::default());
    let (image, base, app, result) = (host.image(), host.name("base"), host.name("app"), host.name("rebased"));
    let [old, new] = [format!("{base}:1"), format!("{base}:2")];
    let base_of = |version: &str, name: &str, script: &str| {
        let made = grown(&host, &image, &format!("mkdir -p /etc/app /lib; echo {version} > /version; {script}"), "");
        commit(&host, &made, &[&format!("ENV VERSION={version}"), &format!("LABEL base={version}")], name)
    };
    base_of("1", &old, "echo old > /lib/file; echo one > /etc/app/conf; echo x > /etc/app/extra");
    base_of("2", &new, "echo new > /lib/file; echo two > /etc/app/conf; echo more > /lib/more");
    let step = grown(&host, &old, "echo app > /app; ln /app /app2; echo mine > /etc/app/conf; rm /etc/app/extra", "");
    let container = host.name("c");
    host.run(&[
        "run",
        "--name",
        &container,
        &step,
        "sh",
        "-c",
        "rm -r /etc/app; mkdir /etc/app; echo last > /etc/app/last",
    ]);
    host.run(&["commit", "-c", "CMD [\"cat\", \"/app\"]", "-c", "ENV OWN=1", &container, &app]);
    host.run(&["rm", &container]);

    let done = host.try_run(&["image", "rebase", &app, "--onto", &new, "-t", &result]);
    assert!(done.ok(), "{done:?}");
    assert!(done.err.contains(&format!("taken for its base so far: {old}; 2 layers of its own")), "{}", done.err);
    assert!(
        done.err.contains("what the new base has otherwise than the old one: /etc/app/conf, /etc/app/extra"),
        "{}",
        done.err
    );
    assert_eq!(host.inspect(&result, "{{.Id}}"), done.out);
    let (base_layers, own) = (layers(&host, &new), layers(&host, &app));
    let own = &own[layers(&host, &old).len()..];
    assert_eq!(layers(&host, &result), [&base_layers[..], own].concat());
    assert_eq!(host.run(&["run", "--rm", &result]), "app");
    let seen = host.run(&[
        "run",
        "--rm",
        &result,
        "sh",
        "-c",
        "cat /version /lib/file /lib/more /etc/app/*; ls /etc/app; stat -c %h /app",
    ]);
    assert_eq!(seen, "2\nnew\nmore\nlast\nlast\n2");
    let environment = host.inspect(&result, "{{json .Config.Env}} {{json .Config.Labels}}");
    assert!(
        environment.contains("VERSION=2") && environment.contains("OWN=1") && environment.contains("\"base\":\"2\""),
        "{environment}"
    );
    // It needs neither its old base nor the image it was made of.
    host.run(&["rmi", &app, &old]);
    host.kill_daemon_and_restart();
    assert_eq!(host.run(&["run", "--rm", &result, "cat", "/etc/app/last"]), "last");
    // There and back is where it was.
    let explicit = host.try_run(&["image", "rebase", "--from", &new, "--onto", &image, &result]);
    assert!(explicit.ok() && !explicit.err.contains("taken for"), "{explicit:?}");
    assert_eq!(layers(&host, &explicit.out).len(), 1 + own.len());
    host.run(&["rmi", &explicit.out]);
    host.run(&["rmi", &result, &new]);
}

#[test]
fn rebase_says_what_it_needs_to_know() {
    let host = Host::start_as(Cli::Ours, Wishes::default());
    let (image, other) = (host.image(), host.name("other"));
    let alone = host.run(&["image", "flatten", "-t", &other, &image]);
    host.try_run(&["image", "rebase", &image]).fails_with(1, "--onto says which image the new base is");
    host.try_run(&["image", "rebase", &other, "--onto", &image])
        .fails_with(1, &format!("it is not known what {other}:latest stands on"));
    host.try_run(&["image", "rebase", &other, "--onto", &image, "--from", &image])
        .fails_with(1, &format!("{other}:latest does not stand on {image}"));
    host.try_run(&["image", "rebase", &other, "--onto", "nosuch"]).fails_with(1, "No such image: nosuch:latest");
    host.run(&["rmi", &alone]);
}
