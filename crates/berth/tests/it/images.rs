//! Images that are here: the list and its filters, names, inspect, history.

use std::collections::BTreeSet;

use crate::host::{Cli, Host, Wishes};
use crate::registry;

rows![
    a052_many_tags_one_image,
    a060_the_table,
    a060_the_tree,
    a061_intermediate_images,
    a062_a063_ids,
    a064_digests,
    a065_by_name,
    a066_dangling,
    a067_before_and_since,
    a068_labels,
    a069_references,
    a070_until,
    a071_a072_formats,
    a073_inspect,
    a074_layers,
    a075_history,
    a088_tag,
];

/// An image of a container that was never started: no layer of its own. The id.
pub(crate) fn commit(host: &Host, base: &str, changes: &[&str], name: &str) -> String {
    let container = host.name("made");
    host.run(&["create", "--name", &container, base, "true"]);
    let mut args = vec!["commit"];
    changes.iter().for_each(|change| args.extend(["-c", change]));
    args.push(&container);
    if !name.is_empty() {
        args.push(name);
    }
    let id = host.run(&args);
    host.run(&["rm", &container]);
    id
}

/// An image with a layer of its own, made by a script.
pub(crate) fn grown(host: &Host, base: &str, script: &str, name: &str) -> String {
    let container = host.name("grown");
    host.run(&["run", "--name", &container, base, "sh", "-c", script]);
    let id = host.run(&["commit", &container, name]);
    host.run(&["rm", &container]);
    id
}

pub(crate) fn short(id: &str) -> &str {
    &id.trim_start_matches("sha256:")[..12]
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

fn a052_many_tags_one_image(host: &Host) {
    let (image, repo) = (host.image(), host.name("tags"));
    for tag in ["1", "2", "3"] {
        host.run(&["tag", &image, &format!("{repo}:{tag}")]);
    }
    let ids = host.run(&["images", "-q", &repo]);
    assert_eq!(ids.lines().count(), 3);
    assert_eq!(ids.lines().collect::<BTreeSet<_>>().len(), 1);
    for tag in ["1", "2", "3"] {
        assert_eq!(host.run(&["rmi", &format!("{repo}:{tag}")]), format!("Untagged: {repo}:{tag}"));
    }
}

fn a060_the_table(host: &Host) {
    let image = host.image();
    for command in [&["images"][..], &["image", "ls"], &["image", "list"]] {
        let table = host.run(command);
        let heading: Vec<&str> = table.lines().next().unwrap().split("  ").filter(|cell| !cell.is_empty()).collect();
        assert_eq!(
            heading.iter().map(|cell| cell.trim()).collect::<Vec<_>>(),
            ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]
        );
        assert!(table.lines().any(|line| line.starts_with(&image)), "{table}");
    }
    host.try_run(&["images", "a", "b"]).fails_with(1, "requires at most 1 argument");
}

fn a060_the_tree(host: &Host) {
    if !host.is_berth() {
        return; // Newer than the engine that tests are compared with.
    }
    let (image, name) = (host.image(), host.name("tree"));
    host.run(&["tag", &image, &name]);
    let tree = host.run(&["images", "--tree", &name]);
    for word in ["IMAGE", "ID", "DISK USAGE", "CONTENT SIZE", "EXTRA", "└─ linux/"] {
        assert!(tree.contains(word), "{word} is not in {tree}");
    }
    assert!(tree.lines().any(|line| line.starts_with(&format!("{name}:latest"))), "{tree}");
    assert!(!host.try_run(&["images", "--tree", "-q"]).ok());
    host.run(&["rmi", &name]);
}

fn a061_intermediate_images(host: &Host) {
    let (image, name) = (host.image(), host.name("top"));
    let first = commit(host, &image, &["ENV a=1"], "");
    let second = commit(host, &first, &["ENV a=2"], "");
    let top = commit(host, &second, &["ENV a=3"], &name);
    let list = |args: &[&str]| host.run(&[&["images", "-q", "--no-trunc"], args].concat());
    let (shown, all) = (list(&[]), list(&["-a"]));
    assert!(shown.contains(&top) && !shown.contains(&first) && !shown.contains(&second), "{shown}");
    assert!([&first, &second, &top].iter().all(|id| all.contains(*id)), "{all}");
    let table = host.run(&["images", "-a", "--format", "{{.Repository}} {{.Tag}} {{.ID}}"]);
    assert!(table.contains(&format!("<none> <none> {}", short(&first))), "{table}");
    assert_eq!(host.inspect(&top, "{{.Parent}}"), second);
    // Without names they are bases of something, not dangling.
    assert!(!list(&["-f", "dangling=true"]).contains(&second));
    let gone = host.run(&["rmi", &name]);
    assert_eq!(
        lines(&gone),
        [
            format!("Untagged: {name}:latest"),
            format!("Deleted: {top}"),
            format!("Deleted: {second}"),
            format!("Deleted: {first}")
        ]
    );
}

fn a062_a063_ids(host: &Host) {
    host.image();
    let hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let ids = host.run(&["images", "-q"]);
    assert!(!ids.is_empty() && ids.lines().all(|id| id.len() == 12 && hex(id)), "{ids}");
    let ids = host.run(&["images", "-q", "--no-trunc"]);
    let whole = |id: &str| id.strip_prefix("sha256:").is_some_and(|id| id.len() == 64 && hex(id));
    assert!(!ids.is_empty() && ids.lines().all(whole), "{ids}");
    assert!(host.run(&["images", "--no-trunc"]).contains("sha256:"));
}

fn a064_digests(host: &Host) {
    let (image, local) = (host.image(), host.name("local"));
    host.run(&["tag", &image, &local]);
    let table = host.run(&["images", "--digests"]);
    assert!(table.lines().next().unwrap().contains("DIGEST"), "{table}");
    let digest_of = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(2).unwrap().to_owned()
    };
    let digests = host.inspect(&image, "{{json .RepoDigests}}");
    assert!(digests.contains(&format!("\"{image}@{}\"", digest_of(&image))), "{digests}");
    assert_eq!(digest_of(&local), "<none>");
    host.run(&["rmi", &local]);
}

fn a065_by_name(host: &Host) {
    let (image, repo) = (host.image(), host.name("ft"));
    for tag in ["1", "2"] {
        host.run(&["tag", &image, &format!("{repo}:{tag}")]);
    }
    let count = |name: &str| host.run(&["images", "-q", name]).lines().count();
    assert_eq!(count(&format!("{repo}:1")), 1);
    assert_eq!(count(&repo), 2);
    assert_eq!(count(&format!("{}*:1", &repo[..repo.len() - 1])), 1);
    let done = host.run(&["images", "no-such-image"]);
    assert!(done.starts_with("REPOSITORY") && done.lines().count() == 1, "{done}");
    host.run(&["rmi", &format!("{repo}:1"), &format!("{repo}:2")]);
}

fn a066_dangling(host: &Host) {
    let (image, name) = (host.image(), host.name("named"));
    let dangling = commit(host, &image, &["ENV d=1"], "");
    host.run(&["tag", &image, &name]);
    let list = |filter: &str| host.run(&["images", "--no-trunc", "--format", "{{.Repository}} {{.ID}}", "-f", filter]);
    let shown = list("dangling=true");
    assert!(shown.contains(&format!("<none> {dangling}")) && !shown.contains(&name), "{shown}");
    let named = list("dangling=false");
    assert!(named.contains(&name) && !named.contains(&dangling), "{named}");
    host.try_run(&["images", "-f", "dangling=maybe"]).fails_with(1, "nvalid filter 'dangling=[maybe]'");
    host.try_run(&["images", "-f", "foo=bar"]).fails_with(1, "nvalid filter 'foo'");
    host.run(&["rmi", &dangling, &name]);
}

fn a067_before_and_since(host: &Host) {
    let image = host.image();
    let names = ["a", "b", "c"].map(|name| host.name(name));
    for (n, name) in names.iter().enumerate() {
        commit(host, &image, &[&format!("ENV n={n}")], name);
    }
    let list = |filter: &str| {
        let shown = host.run(&["images", "--format", "{{.Repository}}", "-f", filter]);
        let mut shown: Vec<String> =
            shown.lines().filter(|name| names.iter().any(|n| n == name)).map(Into::into).collect();
        shown.sort();
        shown
    };
    assert_eq!(list(&format!("since={}", names[0])), names[1..]);
    assert_eq!(list(&format!("before={}", names[2])), names[..2]);
    host.try_run(&["images", "-f", "since=nope"]).fails_with(1, "No such image: nope:latest");
    host.try_run(&["images", "-f", "before=nope"]).fails_with(1, "No such image: nope:latest");
    names.iter().for_each(|name| drop(host.run(&["rmi", name])));
}

fn a068_labels(host: &Host) {
    let (image, name) = (host.image(), host.name("label"));
    let label = format!("com.example.{name}");
    let id = commit(host, &image, &[&format!("LABEL {label}=0.1")], &name);
    let list = |filter: &str| host.run(&["images", "-q", "--no-trunc", "-f", filter]);
    assert_eq!(list(&format!("label={label}=0.1")), id);
    assert_eq!(list(&format!("label={label}")), id);
    assert_eq!(list(&format!("label={label}=0.2")), "");
    host.run(&["rmi", &name]);
}

fn a069_references(host: &Host) {
    let (image, repo) = (host.image(), host.name("ref"));
    let names = [format!("{repo}:latest"), format!("{repo}:x"), format!("127.0.0.1:5999/team/{repo}:latest")];
    names.iter().for_each(|name| drop(host.run(&["tag", &image, name])));
    let list = |pattern: &str| {
        let filter = format!("reference={pattern}");
        let shown = host.run(&["images", "--format", "{{.Repository}}:{{.Tag}}", "-f", &filter]);
        let mut shown: Vec<String> = shown.lines().filter(|name| name.contains(&repo)).map(Into::into).collect();
        shown.sort();
        shown
    };
    assert_eq!(list("*:latest"), [names[0].clone()]);
    assert_eq!(list("*/*/*"), [names[2].clone()]);
    assert_eq!(list(&format!("{repo}:[a-z]")), [names[1].clone()]);
    assert_eq!(list(&format!("{repo}:[^w-z]*")), [names[0].clone()]);
    assert_eq!(list(&format!("*/team/{repo}")), [names[2].clone()]);
    assert_eq!(list(&format!("{}?", &repo[..repo.len() - 1])), [names[0].clone(), names[1].clone()]);
    host.try_run(&["images", "-f", "reference=[a"]).fails_with(1, "syntax error in pattern");
    names.iter().for_each(|name| drop(host.run(&["rmi", name])));
}

fn a070_until(host: &Host) {
    if !host.is_berth() {
        return; // Newer than the engine that tests are compared with.
    }
    let (old, name) = (host.image(), host.name("young"));
    commit(host, &old, &["ENV a=1"], &name);
    let list = host.run(&["images", "--format", "{{.Repository}}", "-f", "until=1h"]);
    assert!(!list.contains(&name), "{list}");
    assert!(host.run(&["images", "--format", "{{.Repository}}", "-f", "until=2100-01-01"]).contains(&name));
    host.run(&["rmi", &name]);
}

fn a071_a072_formats(host: &Host) {
    let (image, name) = (host.image(), host.name("format"));
    host.run(&["tag", &image, &name]);
    let list = |format: &str| host.run(&["images", "--format", format, &name]);
    let id = host.run(&["images", "-q", &name]);
    assert_eq!(list("{{.ID}}: {{.Repository}}"), format!("{id}: {name}"));
    assert_eq!(list("{{.Tag}} {{.Digest}}"), "latest <none>");
    let size = list("{{.Size}}");
    assert!(size.ends_with("MB"), "{size}");
    for field in ["CreatedSince", "CreatedAt", "VirtualSize", "SharedSize", "UniqueSize", "Containers"] {
        assert!(!list(&format!("{{{{.{field}}}}}")).is_empty(), "{field}");
    }
    let done = host.try_run(&["images", "--format", "{{.Reposity}}"]);
    done.fails_with(1, "can't evaluate field Reposity");
    if host.cli() == Cli::Ours {
        done.fails_with(1, "did you mean .Repository?");
    }
    let table = list("table {{.ID}}\t{{.Repository}}\t{{.Tag}}");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["IMAGE", "ID", "REPOSITORY", "TAG"]);
    assert_eq!(rows[1], [id.as_str(), &name, "latest"]);
    let json: serde_json::Value = serde_json::from_str(&list("json")).unwrap();
    assert_eq!((&json["Repository"], &json["ID"]), (&name.clone().into(), &id.clone().into()));
    // Only the ids, whatever the columns; but a table of one's own stays.
    assert_eq!(host.run(&["images", "-q", "--format", "table", &name]), id);
    assert!(host.run(&["images", "-q", "--format", "table {{.Tag}}", &name]).starts_with("TAG"));
    host.run(&["rmi", &name]);
}

fn a073_inspect(host: &Host) {
    let (image, name) = (host.image(), host.name("inspected"));
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    assert_eq!(host.inspect(&image, "{{.Os}}/{{.Architecture}}"), format!("linux/{architecture}"));
    host.run(&["tag", &image, &name]);
    let shown: serde_json::Value = serde_json::from_str(&host.run(&["image", "inspect", &name])).unwrap();
    let shown = &shown[0];
    for field in [
        "Id",
        "RepoTags",
        "RepoDigests",
        "Created",
        "Config",
        "Architecture",
        "Os",
        "Size",
        "GraphDriver",
        "RootFS",
        "Metadata",
    ] {
        assert!(!shown[field].is_null(), "{field} is missing: {shown}");
    }
    assert!(shown["RepoTags"].as_array().unwrap().contains(&format!("{name}:latest").into()));
    assert!(shown["Metadata"]["LastTagTime"].as_str().unwrap().starts_with("20"));
    let id = shown["Id"].as_str().unwrap();
    for way in [id, &id[7..], &id[7..19], &id[..20]] {
        assert_eq!(host.inspect(way, "{{.Id}}"), id);
    }
    let container = host.name("c");
    host.run(&["create", "--name", &container, &image]);
    let child = host.run(&["commit", "-a", "Ada", "-m", "why", &container]);
    host.run(&["rm", &container]);
    assert_eq!(host.inspect(&child, "{{.Parent}} {{.Comment}} {{.Author}}"), format!("{id} why Ada"));
    let done = host.try_run(&["image", "inspect", "nosuch"]);
    done.fails_with(1, "No such image: nosuch");
    assert_eq!(done.out, "[]");
    host.run(&["rmi", &child, &name]);
}

fn a074_layers(host: &Host) {
    let (image, name) = (host.image(), host.name("layers"));
    grown(host, &image, "echo hi > /hi", &name);
    let layers = |image: &str| host.inspect(image, "{{range .RootFS.Layers}}{{println .}}{{end}}");
    let (below, all) = (layers(&image), layers(&name));
    assert!(all.trim().lines().all(|id| id.starts_with("sha256:") && id.len() == 71), "{all}");
    assert!(all.starts_with(below.trim()) && all.trim().lines().count() == below.trim().lines().count() + 1, "{all}");
    host.run(&["rmi", &name]);
}

fn a075_history(host: &Host) {
    let (image, name) = (host.image(), host.name("story"));
    let first = commit(host, &image, &["LABEL l=1"], "");
    let container = host.name("c");
    let script = "head -c 5000000 /dev/zero > /five; : a line so long that no table has room enough for it";
    host.run(&["run", "--name", &container, &first, "sh", "-c", script]);
    let top = host.run(&["commit", "-m", "five MB", &container, &name]);
    host.run(&["rm", &container]);
    let table = host.run(&["history", &name]);
    let heading: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(heading, ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]);
    let rows = |args: &[&str]| -> Vec<String> {
        host.run(&[&["history"], args, &[&name]].concat()).lines().map(Into::into).collect()
    };
    let all = rows(&["--format", "{{.ID}}|{{.Size}}|{{.Comment}}|{{.CreatedBy}}", "--no-trunc"]);
    assert_eq!(all[0], format!("{top}|5MB|five MB|sh -c {script}"));
    assert_eq!(all[1], format!("{first}|0B||true"));
    assert!(all[2].starts_with(&host.inspect(&image, "{{.Id}}")), "{all:?}");
    assert_eq!(rows(&["-q", "--no-trunc"])[..2], [top.clone(), first.clone()]);
    assert_eq!(rows(&["-q"])[..2], [short(&top), short(&first)]);
    // Of what a registry gave, only the last step has an id.
    assert!(rows(&["-q"])[3..].iter().all(|id| id == "<missing>"), "{all:?}");
    let exact = rows(&["-H=false", "--format", "{{.Size}} {{.CreatedSince}} {{.CreatedAt}}"]);
    let words: Vec<&str> = exact[0].split(' ').collect();
    assert!(words[0] == "5000000" && words[1] == words[2] && words[1].contains('T'), "{exact:?}");
    assert!(rows(&["-H=false"])[0].contains("CREATED AT"));
    assert_eq!(rows(&["--format", "{{.CreatedBy}}"])[0].chars().count(), 45);
    assert!(rows(&["--format", "json"]).iter().all(|line| line.starts_with("{\"Comment\":")));
    host.try_run(&["history", "nosuch"]).fails_with(1, "No such image: nosuch:latest");
    if host.is_berth() {
        assert_eq!(rows(&["--platform", &host.inspect(&image, "{{.Os}}/{{.Architecture}}"), "-q"]).len(), all.len());
        host.try_run(&["history", "--platform", "linux/s390x", &name])
            .fails_with(1, "does not provide the specified platform");
    }
    host.run(&["rmi", &name]);
}

fn a088_tag(host: &Host) {
    let (image, repo) = (host.image(), host.name("tagged"));
    let id = host.run(&["images", "-q", &image]);
    let name = format!("{repo}:t");
    assert_eq!(host.run(&["tag", &id, &name]), "");
    assert_eq!(host.run(&["images", "-q", &name]), id);
    assert_eq!(host.run(&["image", "tag", &name, &repo]), "");
    assert_eq!(host.run(&["images", "-q", &format!("{repo}:latest")]), id);
    // A name that was another image's moves.
    let other = commit(host, &image, &["ENV moved=1"], "");
    host.run(&["tag", &other, &name]);
    assert_eq!(host.inspect(&name, "{{.Id}}"), other);
    host.try_run(&["tag", "nosuch", "a:b"]).fails_with(1, "No such image: nosuch:latest");
    for (target, sentence) in [
        ("BAD", "Error parsing reference: \"BAD\" is not a valid repository/tag: invalid reference format"),
        ("x:b d", "Error parsing reference: \"x:b d\" is not a valid repository/tag: invalid reference format"),
        ("", "Error parsing reference: \"\" is not a valid repository/tag: invalid reference format"),
        (&format!("x@sha256:{}", "0".repeat(64)), "refusing to create a tag with a digest reference"),
        ("sha256", "refusing to create an ambiguous tag using digest algorithm as name"),
        (&"0".repeat(64), "cannot specify 64-byte hexadecimal strings"),
    ] {
        host.try_run(&["tag", &image, target]).fails_with(1, sentence);
    }
    host.try_run(&["tag", &image]).fails_with(1, "requires 2 arguments");
    host.run(&["rmi", &name, &repo]);
}

/// The images of the registry have no parents, and stay named by what they came from.
#[test]
fn names_survive_the_daemon() {
    let mut host = Host::start_as(Cli::Ours, Wishes::default());
    let (image, name) = (host.image(), host.name("kept"));
    host.run(&["tag", &image, &name]);
    let first = commit(&host, &name, &["ENV a=1"], "");
    host.kill_daemon_and_restart();
    assert_eq!(host.inspect(&name, "{{.Id}}"), host.inspect(&registry::reference("busybox"), "{{.Id}}"));
    assert_eq!(host.inspect(&first, "{{.Parent}}"), host.inspect(&image, "{{.Id}}"));
    host.run(&["rmi", &first, &name]);
}
