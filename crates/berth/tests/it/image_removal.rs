//! Images that go: `rmi`, `image prune`, and what `system df` says of them.

use crate::host::{Cli, Host};
use crate::images::{commit, grown, short};
use crate::registry;

rows![
    a076_by_id_and_prefix,
    a077_by_digest,
    a078_several,
    a079_flags_anywhere,
    a080_force,
    a081_running_container,
    a082_shared_layers,
    a083_parents,
    a084_children,
    a085_prune_asks,
    a086_prune_all,
    a087_a_name_that_moved,
    a089_system_df,
    a090_shared_and_unique,
    platforms_of_rmi,
];

fn has(host: &Host, name: &str) -> bool {
    host.try_run(&["image", "inspect", name]).ok()
}

fn ids(host: &Host) -> Vec<String> {
    host.run(&["images", "-aq", "--no-trunc"]).lines().map(Into::into).collect()
}

/// The fewest letters, three at least, that no other image begins with.
fn unique_prefix(host: &Host, id: &str) -> String {
    let hex = &id["sha256:".len()..];
    let alone =
        |n: &usize| ids(host).iter().filter(|other| other["sha256:".len()..].starts_with(&hex[..*n])).count() == 1;
    hex[..(3..64).find(alone).unwrap()].to_owned()
}

fn a076_by_id_and_prefix(host: &Host) {
    let (image, name) = (host.image(), host.name("prefix"));
    let id = grown(host, &image, "echo a > /a", &name);
    let gone = host.run(&["rmi", &unique_prefix(host, &id)]);
    let lines: Vec<&str> = gone.lines().collect();
    assert_eq!(lines[..2], [format!("Untagged: {name}:latest"), format!("Deleted: {id}")]);
    assert!(lines.len() == 3 && lines[2].starts_with("Deleted: sha256:"), "{gone}");
    let id = commit(host, &image, &["ENV b=1"], &name);
    assert_eq!(host.run(&["image", "rm", &name]), format!("Untagged: {name}:latest\nDeleted: {id}"));
    let id = commit(host, &image, &["ENV c=1"], "");
    assert_eq!(host.run(&["image", "remove", &id]), format!("Deleted: {id}"));
    // Among seventeen images, two begin with the same letter.
    let many: Vec<String> = (0..17).map(|n| commit(host, &image, &[&format!("ENV n={n}")], "")).collect();
    let first = |id: &String| id.as_bytes()["sha256:".len()];
    let twice = many.iter().find(|id| many.iter().filter(|other| first(other) == first(id)).count() > 1).unwrap();
    let letter = char::from(first(twice)).to_string();
    host.try_run(&["rmi", &letter]).fails_with(1, &format!("No such image: {letter}:latest"));
    host.run(&[&["rmi"][..], &many.iter().map(String::as_str).collect::<Vec<_>>()].concat());
    assert!(many.iter().all(|id| !has(host, id)));
}

fn a077_by_digest(host: &Host) {
    let image = registry::reference("team/app:v1");
    host.run(&["pull", "-q", &image]);
    let digest = host.inspect(&image, "{{index .RepoDigests 0}}");
    assert_eq!(host.run(&["rmi", &digest]), format!("Untagged: {digest}"));
    assert!(has(host, &image) && !has(host, &digest));
    assert_eq!(host.inspect(&image, "{{len .RepoDigests}}"), "0");
    host.run(&["rmi", &image]);
    // By its digest alone it is there, too; and gone with it.
    host.run(&["pull", "-q", &digest]);
    assert_eq!(host.inspect(&digest, "{{.RepoTags}}"), "[]");
    let listed = host.run(&["images", "--format", "{{.Repository}} {{.Tag}}", digest.split('@').next().unwrap()]);
    assert!(listed.ends_with("<none>"), "{listed}");
    let gone = host.run(&["rmi", &digest]);
    assert!(gone.starts_with(&format!("Untagged: {digest}\nDeleted: sha256:")), "{gone}");
}

fn a078_several(host: &Host) {
    let (image, good) = (host.image(), host.name("good"));
    host.run(&["tag", &image, &good]);
    let done = host.try_run(&["rmi", "nosuch", &good]);
    done.fails_with(1, "No such image: nosuch:latest");
    assert_eq!(done.out, format!("Untagged: {good}:latest"));
}

fn a079_flags_anywhere(host: &Host) {
    let (image, name) = (host.image(), host.name("flags"));
    let id = commit(host, &image, &["ENV a=1"], &name);
    host.run(&["tag", &id, &format!("other/{name}")]);
    assert_eq!(host.run(&["images", "nope", "-q"]), "");
    host.try_run(&["rmi"]).fails_with(1, "'");
    host.try_run(&["rmi"]).fails_with(1, "rmi' requires at least 1 argument");
    let gone = host.run(&["image", "rm", short(&id), "-f"]);
    assert!(gone.ends_with(&format!("Deleted: {id}")), "{gone}");
    let dangling = commit(host, &image, &["ENV b=1"], "");
    let found = host.run(&["images", "-f", "dangling=true", "-q", "--no-trunc"]);
    assert!(found.contains(&dangling), "{found}");
    host.run(&["rmi", &dangling]);
}

fn a080_force(host: &Host) {
    let (image, name) = (host.image(), host.name("forced"));
    let id = commit(host, &image, &["ENV a=1"], &name);
    let other = format!("other/{name}");
    host.run(&["tag", &id, &other]);
    host.try_run(&["rmi", &id]).fails_with(
        1,
        &format!(
            "conflict: unable to delete {} (must be forced) - image is referenced in multiple repositories",
            short(&id)
        ),
    );
    let gone = host.run(&["rmi", "-f", &id]);
    let lines: Vec<&str> = gone.lines().collect();
    assert_eq!(
        lines,
        [format!("Untagged: {name}:latest"), format!("Untagged: {other}:latest"), format!("Deleted: {id}")]
    );
    // A container that does not run: its name can be forced, and so can its id.
    let id = commit(host, &image, &["ENV b=1"], &name);
    let container = host.name("stopped");
    let made = host.run(&["create", "--name", &container, &name, "true"]);
    host.try_run(&["rmi", &name]).fails_with(
        1,
        &format!(
            "conflict: unable to remove repository reference {name:?} (must force) - container {} is using its referenced image {}",
            &made[..12],
            short(&id)
        ),
    );
    host.try_run(&["rmi", &id]).fails_with(
        1,
        &format!(
            "conflict: unable to delete {} (must be forced) - image is being used by stopped container {}",
            short(&id),
            &made[..12]
        ),
    );
    assert_eq!(host.run(&["rmi", "-f", &name]), format!("Untagged: {name}:latest\nDeleted: {id}"));
    // Its layers are the container's still.
    assert_eq!(host.run(&["start", &container]), container);
    host.run(&["rm", "-f", &container]);
    let done = host.try_run(&["rmi", "-f", "zzz"]);
    assert_eq!((done.code, done.err.contains("No such image: zzz:latest")), (0, true), "{done:?}");
    host.try_run(&["rmi", "BAD"]).fails_with(1, "must be lowercase");
}

fn a081_running_container(host: &Host) {
    let (image, name) = (host.image(), host.name("busy"));
    let id = commit(host, &image, &["ENV a=1"], &name);
    let (container, second) = (host.name("runs"), format!("{name}:second"));
    let made = host.run(&["run", "-d", "--name", &container, &name, "sleep", "300"]);
    let sentence = format!(
        "conflict: unable to delete {} (cannot be forced) - image is being used by running container {}",
        short(&id),
        &made[..12]
    );
    host.try_run(&["rmi", &id]).fails_with(1, &sentence);
    host.try_run(&["rmi", "-f", &id]).fails_with(1, &sentence);
    host.run(&["tag", &id, &second]);
    assert_eq!(host.run(&["rmi", &second]), format!("Untagged: {second}"));
    host.run(&["rm", "-f", &container]);
    assert_eq!(host.run(&["rmi", &id]), format!("Untagged: {name}:latest\nDeleted: {id}"));
}

fn a082_shared_layers(host: &Host) {
    if !host.is_berth() {
        return; // Elsewhere other images may share the layer.
    }
    let [one, two] = ["team/app:v1", "team/app:v2"].map(registry::reference);
    host.run(&["pull", "-q", &one]);
    host.run(&["pull", "-q", &two]);
    let shared = host.inspect(&one, "{{index .RootFS.Layers 0}}");
    assert_eq!(host.inspect(&two, "{{index .RootFS.Layers 0}}"), shared);
    let gone = host.run(&["rmi", &one]);
    assert!(gone.contains("Deleted: ") && !gone.contains(&shared), "{gone}");
    assert_eq!(host.run(&["run", "--rm", &two, "cat", "/version"]), "two");
    let gone = host.run(&["rmi", &two]);
    assert!(gone.ends_with(&format!("Deleted: {shared}")), "{gone}");
    let left = std::fs::read_dir(host.daemon().data_root().join("layers")).unwrap();
    let left = left.filter(|entry| entry.as_ref().unwrap().file_name().len() >= 64).count();
    assert_eq!(left, 0);
}

fn a083_parents(host: &Host) {
    let (image, name) = (host.image(), host.name("child"));
    let family = |host: &Host| {
        let first = grown(host, &image, "echo 1 > /1", "");
        let second = grown(host, &first, "echo 2 > /2", "");
        let child = grown(host, &second, "echo 3 > /3", &name);
        [first, second, child]
    };
    let [first, second, child] = family(host);
    let gone = host.run(&["rmi", "--no-prune", &name]);
    assert!(gone.contains(&child) && !gone.contains(&second), "{gone}");
    assert!(has(host, &first) && has(host, &second));
    // What is left is dangling now, and goes with the one it was made of.
    assert!(host.run(&["images", "-q", "--no-trunc", "-f", "dangling=true"]).contains(&second));
    let gone = host.run(&["rmi", &second]);
    assert!(gone.contains(&second) && gone.contains(&first), "{gone}");
    assert!(has(host, &image), "it has a name");
    let [first, second, child] = family(host);
    let gone = host.run(&["rmi", &name]);
    assert!([&first, &second, &child].iter().all(|id| gone.contains(&format!("Deleted: {id}"))), "{gone}");
    // A parent that a container stands on stays.
    let [first, second, child] = family(host);
    let container = host.name("holder");
    host.run(&["create", "--name", &container, &first, "true"]);
    let gone = host.run(&["rmi", &name]);
    assert!(gone.contains(&child) && gone.contains(&second) && !gone.contains(&first), "{gone}");
    host.run(&["rm", &container]);
    host.run(&["rmi", &first]);
    host.try_run(&["rmi", "-no-prune", &image]).fails_with(125, "n");
    assert!(has(host, &image));
}

fn a084_children(host: &Host) {
    let (image, parent, child) = (host.image(), host.name("parent"), host.name("child"));
    let id = commit(host, &image, &["ENV a=1"], &parent);
    commit(host, &id, &["ENV a=2"], &child);
    let sentence =
        format!("conflict: unable to delete {} (cannot be forced) - image has dependent child images", short(&id));
    host.try_run(&["rmi", &id]).fails_with(1, &sentence);
    host.try_run(&["rmi", "-f", &id]).fails_with(1, &sentence);
    // Its name can go.
    assert_eq!(host.run(&["rmi", &parent]), format!("Untagged: {parent}:latest"));
    assert!(host.run(&["rmi", &child]).contains(&format!("Deleted: {id}")));
}

fn a085_prune_asks(host: &Host) {
    let image = host.image();
    let dangling = commit(host, &image, &["ENV a=1"], "");
    let done = host.run_with_input(&["image", "prune"], b"n\n");
    assert!(
        done.out
            .starts_with("WARNING! This will remove all dangling images.\nAre you sure you want to continue? [y/N]"),
        "{done:?}"
    );
    assert!(has(host, &dangling));
    if host.cli() == Cli::Ours && host.is_berth() {
        let would = host.run(&["image", "prune", "--dry-run"]);
        assert!(would.contains(&format!("deleted: {dangling}")), "{would}");
        assert!(has(host, &dangling));
    }
    let done = host.run(&["image", "prune", "-f"]);
    assert!(done.contains("Deleted Images:\n") && done.contains(&format!("deleted: {dangling}")), "{done}");
    assert!(done.lines().last().unwrap().starts_with("Total reclaimed space: "), "{done}");
    assert!(!has(host, &dangling) && has(host, &image));
}

fn a086_prune_all(host: &Host) {
    let (image, name) = (host.image(), host.name("used"));
    let label = format!("mark.{name}=1");
    let filter = format!("label={label}");
    let id = grown(host, &image, "head -c 3000000 /dev/zero > /big", &name);
    let labelled = commit(host, &id, &[&format!("LABEL {label}")], &format!("{name}:labelled"));
    let container = host.name("stopped");
    host.run(&["create", "--name", &container, &labelled, "true"]);
    let prune = |filter: &str| host.run(&["image", "prune", "-af", "--filter", filter]);
    prune(&filter);
    assert!(has(host, &labelled), "a container stands on it");
    if host.is_berth() {
        // All its names stay, not only the last one.
        let second = format!("{name}:second");
        host.run(&["tag", &labelled, &second]);
        prune(&filter);
        assert!(has(host, &second));
        host.run(&["rmi", &second]);
    }
    host.run(&["rm", &container]);
    prune(&format!("{filter}5"));
    prune("until=2001-01-01T00:00:00Z");
    assert!(has(host, &labelled) && has(host, &name));
    let done = prune(&filter);
    assert!(done.contains(&format!("untagged: {name}:labelled\ndeleted: {labelled}")), "{done}");
    assert!(has(host, &name), "it has a name, and no such label");
    if host.is_berth() {
        host.try_run(&["image", "prune", "-f", "--filter", "dangling=maybe"])
            .fails_with(1, "nvalid filter 'dangling=[maybe");
        let done = host.run(&["image", "prune", "-af"]);
        assert!(done.contains(&format!("deleted: {id}")) && !has(host, &image), "{done}");
        assert!(done.contains("Total reclaimed space: ") && !done.ends_with(": 0B"), "{done}");
    } else {
        host.run(&["rmi", &name]);
    }
}

fn a087_a_name_that_moved(host: &Host) {
    let (image, name) = (host.image(), host.name("moves"));
    let old = commit(host, &image, &["ENV a=1"], &name);
    let new = commit(host, &image, &["ENV a=2"], &name);
    let dangling =
        host.run(&["images", "-f", "dangling=true", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"]);
    assert!(dangling.lines().any(|line| line == format!("<none>:<none> {old}")), "{dangling}");
    assert!(!dangling.contains(&new), "{dangling}");
    host.run(&["rmi", &old, &name]);
}

fn a089_system_df(host: &Host) {
    let (image, name) = (host.image(), host.name("df"));
    host.run(&["tag", &image, &name]);
    assert_eq!(
        host.run(&["system", "df", "--format", "{{.Type}}"]).lines().collect::<Vec<_>>(),
        ["Images", "Containers", "Local Volumes", "Build Cache"]
    );
    let container = host.name("c");
    host.run(&["create", "--name", &container, &image]);
    let verbose = host.run(&["system", "df", "-v"]);
    let heading = verbose.lines().nth(2).unwrap();
    for column in ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"] {
        assert!(heading.contains(column), "{verbose}");
    }
    if host.is_berth() {
        let line = verbose.lines().find(|line| line.starts_with(&image)).unwrap();
        assert!(line.trim_end().ends_with('1'), "{verbose}");
        let total =
            host.run(&["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}} {{.Size}} {{.Reclaimable}}"]);
        assert!(total.starts_with("Images 1 1 ") && total.lines().next().unwrap().ends_with(" 0B (0%)"), "{total}");
        // What others were made of, and has no name, is not counted twice.
        let base = commit(host, &image, &["ENV a=1"], "");
        commit(host, &base, &["ENV a=2"], &name);
        assert_eq!(host.run(&["system", "df", "--format", "{{.TotalCount}}"]).lines().next(), Some("2"));
    }
    host.run(&["rm", &container]);
    host.run(&["rmi", &name]);
}

fn a090_shared_and_unique(host: &Host) {
    let image = host.image();
    let [small, large] = ["small", "large"].map(|name| host.name(name));
    grown(host, &image, "head -c 1000000 /dev/zero > /file", &small);
    grown(host, &image, "head -c 2000000 /dev/zero > /file", &large);
    let usage: serde_json::Value =
        serde_json::from_str(&host.run(&["system", "df", "-v", "--format", "json"])).unwrap();
    let images = usage["Images"].as_array().unwrap();
    let of = |name: &str| {
        let is =
            |image: &&serde_json::Value| image["Repository"] == name || image["RepoTags"].to_string().contains(name);
        images.iter().find(is).unwrap_or_else(|| panic!("{name} is not in {usage}"))
    };
    let size = |name: &str, field: &str| of(name)[field].as_str().map(str::to_owned);
    if let (Some(shared), Some(unique)) = (size(&small, "SharedSize"), size(&small, "UniqueSize")) {
        assert_eq!((Some(shared), unique.as_str()), (size(&large, "SharedSize"), "1MB"));
        assert_eq!(size(&large, "UniqueSize").unwrap(), "2MB");
    } else {
        // Docker's own command line gives the numbers as they came.
        let number = |name: &str, field: &str| of(name)[field].as_i64().unwrap();
        assert_eq!(number(&small, "SharedSize"), number(&large, "SharedSize"));
        assert_eq!(number(&small, "Size") - number(&small, "SharedSize"), 1_000_000);
        assert_eq!(number(&large, "Size") - number(&large, "SharedSize"), 2_000_000);
    }
    host.run(&["rmi", &small, &large]);
}

fn platforms_of_rmi(host: &Host) {
    if !host.is_berth() {
        return; // The engine that tests are compared with is older than this.
    }
    let (image, name) = (host.image(), host.name("platform"));
    let id = commit(host, &image, &["ENV a=1"], &name);
    host.try_run(&["rmi", "--platform", "linux/s390x", &name])
        .fails_with(1, "was found but does not provide the specified platform (linux/s390x)");
    let own = host.inspect(&name, "{{.Os}}/{{.Architecture}}");
    assert_eq!(host.run(&["rmi", "--platform", &own, &name]), format!("Untagged: {name}:latest\nDeleted: {id}"));
}
