//! save, load, import: images as archives.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::host::{Cli, Host, until};
use crate::terminal::Terminal;

rows![
    a197_save_writes_what_every_reader_knows,
    a197_save_says_what_is_missing,
    a197_save_refuses_a_terminal,
    a198_load_reads_what_was_saved,
    a198_load_in_every_compression,
    a198_load_refuses_what_is_none,
    a198_a_name_moves_to_what_is_loaded,
    archives_are_told_as_events,
    import_makes_an_image,
    import_from_a_url,
    import_refuses_what_is_none,
];

/// A directory for one test's archives.
pub(crate) fn directory() -> TempDir {
    TempDir::with_prefix("berth-archives-").unwrap()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn listing(archive: &Path) -> Vec<String> {
    let output = Command::new("tar").args(["-tf", text(archive)]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The image under a name of this test's own, and its id.
fn named(host: &Host, fixture: &str) -> (String, String) {
    let (image, name) = (host.fixture(fixture), format!("{}:1", host.name("saved")));
    host.run(&["tag", &image, &name]);
    (name.clone(), host.inspect(&name, "{{.Id}}"))
}

fn saved(host: &Host, directory: &Path, name: &str) -> PathBuf {
    let path = directory.join("saved.tar");
    host.run(&["save", "-o", text(&path), name]);
    path
}

/// What a container of the image finds in the fixture's file.
fn version(host: &Host, image: &str) -> String {
    host.run(&["run", "--rm", image, "cat", "/version"])
}

fn a197_save_writes_what_every_reader_knows(host: &Host) {
    let (directory, (name, id)) = (directory(), named(host, "team/app:v1"));
    let path = saved(host, directory.path(), &name);
    let names = listing(&path);
    let config = format!("{}.json", id.trim_start_matches("sha256:"));
    for wanted in ["manifest.json", "repositories", "oci-layout", "index.json", &config] {
        assert!(names.iter().any(|name| name == wanted), "{wanted}: {names:?}");
    }
    assert_eq!(names.iter().filter(|name| name.ends_with("/layer.tar")).count(), 2, "{names:?}");
    let again = host.command().args(["image", "save", &name]).output().unwrap();
    assert!(again.status.success());
    assert_eq!(again.stdout, fs::read(&path).unwrap(), "the same image is the same archive");
    // Several images share what they have in common; an id has no name.
    let second = named(host, "team/app:v2");
    let both = directory.path().join("both.tar");
    host.run(&["save", "--output", text(&both), &name, &second.0, &id]);
    let names = listing(&both);
    let layers: Vec<&String> =
        names.iter().filter(|name| name.starts_with("blobs/sha256/") && name.len() > 14).collect();
    assert_eq!(layers.len(), 2 + 2 + 3, "{layers:?}");
    let nameless = directory.path().join("id.tar");
    host.run(&["save", "-o", text(&nameless), &id]);
    assert!(!listing(&nameless).contains(&"repositories".to_owned()));
    host.run(&["rmi", &name, &second.0]);
}

fn a197_save_says_what_is_missing(host: &Host) {
    let (directory, (name, _)) = (directory(), named(host, "busybox"));
    let path = directory.path().join("f");
    for missing in ["nosuch:t", "0123456789ab", &"0".repeat(64)] {
        host.try_run(&["save", "-o", text(&path), &name, missing]).fails_with(1, "reference does not exist");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is left of it");
    }
    host.try_run(&["save", "-o", "/nosuch/f", &name]).fails_with(1, "failed to save image: invalid output path");
    host.try_run(&["save", "-o", text(directory.path()), &name]).fails_with(1, "failed to save image");
    host.try_run(&["save"]).fails_with(1, "requires at least 1 argument");
    let other = if berth_fixtures::host_architecture() == "amd64" { "linux/arm64" } else { "linux/amd64" };
    host.try_run(&["save", "-o", text(&path), "--platform", other, &name]).fails_with(1, "platform");
    let own = format!("linux/{}", berth_fixtures::host_architecture());
    host.run(&["save", "-o", text(&path), "--platform", &own, &name]);
    host.run(&["rmi", &name]);
}

fn a197_save_refuses_a_terminal(host: &Host) {
    let image = host.image();
    let mut command = host.command();
    command.args(["save", &image]);
    let terminal = Terminal::start(&command);
    terminal.shows("cowardly refusing to save to a terminal");
    assert_eq!(terminal.ends(), 1);
}

fn a198_load_reads_what_was_saved(host: &Host) {
    let (directory, (name, id)) = (directory(), named(host, "team/app:v1"));
    let path = saved(host, directory.path(), &name);
    let by_id = directory.path().join("id.tar");
    host.run(&["save", "-o", text(&by_id), &id]);
    let layers = host.inspect(&name, "{{.RootFS.Layers}}");
    let forget = || {
        host.run(&["rmi", "-f", &id]);
    };
    forget();
    assert_eq!(host.run(&["load", "-i", text(&path)]), format!("Loaded image: {name}"));
    assert_eq!(host.inspect(&name, "{{.Id}}"), id);
    assert_eq!(host.inspect(&name, "{{.RootFS.Layers}}"), layers);
    assert_eq!(version(host, &name), "one");
    forget();
    let done = host.run_with_input(&["image", "load", "-q"], &fs::read(&path).unwrap());
    assert_eq!((done.out.as_str(), done.code), (&*format!("Loaded image: {name}"), 0), "{}", done.err);
    assert_eq!(version(host, &name), "one");
    // Once more is nothing new.
    assert_eq!(host.run(&["load", "--input", text(&path)]), format!("Loaded image: {name}"));
    forget();
    assert_eq!(host.run(&["load", "-i", text(&by_id)]), format!("Loaded image ID: {id}"));
    assert_eq!(host.inspect(&id, "{{.RepoTags}}"), "[]");
    let own = format!("linux/{}", berth_fixtures::host_architecture());
    assert_eq!(host.run(&["load", "--platform", &own, "-i", text(&path)]), format!("Loaded image: {name}"));
    let other = if own == "linux/amd64" { "linux/arm64" } else { "linux/amd64" };
    host.try_run(&["load", "--platform", other, "-i", text(&path)]).fails_with(1, "platform");
    forget();
}

fn compressed(program: &str, path: &Path) -> Vec<u8> {
    let output = Command::new(program).args(["-c", text(path)]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn a198_load_in_every_compression(host: &Host) {
    let (directory, (name, id)) = (directory(), named(host, "team/app:v1"));
    let path = saved(host, directory.path(), &name);
    for program in ["gzip", "bzip2", "xz", "zstd"] {
        host.run(&["rmi", "-f", &id]);
        let done = host.run_with_input(&["load"], &compressed(program, &path));
        assert_eq!((done.out.as_str(), done.code), (&*format!("Loaded image: {name}"), 0), "{program}: {}", done.err);
        assert_eq!(version(host, &name), "one", "{program}");
    }
    host.run(&["rmi", "-f", &id]);
}

fn a198_load_refuses_what_is_none(host: &Host) {
    let (directory, (name, id)) = (directory(), named(host, "team/app:v1"));
    let path = saved(host, directory.path(), &name);
    let whole = fs::read(&path).unwrap();
    host.run(&["rmi", "-f", &id]);
    let before = host.run(&["images", "-aq"]);
    let refused = |input: &[u8], sentence: &str| {
        host.run_with_input(&["load"], input).fails_with(1, sentence);
        assert_eq!(host.run(&["images", "-aq"]), before);
    };
    refused(b"junk\n", "neither a tar archive nor a compressed one");
    refused(b"", "it is empty");
    refused(&whole[..whole.len() / 2], "cut off");
    refused(&compressed("xz", &path)[..20_000], "invalid archive");
    refused(&vec![b'x'; 8 << 20], "neither a tar archive nor a compressed one");
    let mut spoilt = whole.clone();
    // In the middle of the largest layer.
    let middle = spoilt.len() / 2;
    spoilt[middle] ^= 0xff;
    refused(&spoilt, "its digest is");
    let own = directory.path().join("root.tar");
    berth_fixtures::command("tar", &["-C", "/etc", "-cf", text(&own), "hostname"]);
    refused(&fs::read(&own).unwrap(), "neither manifest.json nor index.json");
    host.try_run(&["load", "-i", "/nosuch"]).fails_with(1, "open /nosuch: no such file or directory");
    host.try_run(&["load", "x"]).fails_with(1, "accepts no arguments");
    assert_eq!(host.run(&["load", "-i", text(&path)]), format!("Loaded image: {name}"));
    host.run(&["rmi", "-f", &id]);
}

fn a198_a_name_moves_to_what_is_loaded(host: &Host) {
    let (directory, (name, id)) = (directory(), named(host, "team/app:v1"));
    let path = saved(host, directory.path(), &name);
    let (second, other) = named(host, "team/app:v2");
    host.run(&["tag", &second, &name]);
    let told = host.run(&["load", "-i", text(&path)]);
    let renamed = format!("The image {name} already exists, renaming the old one with ID {other} to empty string");
    assert_eq!(told, format!("{renamed}\nLoaded image: {name}"));
    assert_eq!(host.inspect(&name, "{{.Id}}"), id);
    assert_eq!(host.inspect(&second, "{{.Id}}"), other);
    host.run(&["rmi", &name, &second]);
}

fn archives_are_told_as_events(host: &Host) {
    let (directory, (name, id)) = (directory(), named(host, "busybox"));
    let since = host.run(&["info", "-f", "{{.SystemTime}}"]);
    let path = saved(host, directory.path(), &name);
    host.run(&["load", "-i", text(&path)]);
    let imported = host.run(&["import", text(&path)]);
    let filters = ["--filter", "type=image", "--format", "{{.Action}} {{.Actor.ID}}"];
    let happened = || {
        let now = host.run(&["info", "-f", "{{.SystemTime}}"]);
        host.run(&[&["events", "--since", &since, "--until", &now], &filters[..]].concat())
    };
    for event in [format!("save {id}"), format!("load {id}"), format!("import {imported}")] {
        until("the event comes", || happened().contains(&event));
    }
    host.run(&["rmi", &name, &imported]);
}

/// A root file system as an archive.
fn root_file_system(host: &Host, directory: &Path) -> PathBuf {
    let (container, path) = (host.name("exported"), directory.join("root.tar"));
    host.run(&["create", "--name", &container, &host.fixture("team/app:v1"), "true"]);
    host.run(&["export", "-o", text(&path), &container]);
    host.run(&["rm", &container]);
    path
}

fn import_makes_an_image(host: &Host) {
    let directory = directory();
    let path = root_file_system(host, directory.path());
    let name = format!("{}:1", host.name("imported"));
    let changes = ["CMD [\"cat\", \"/version\"]", "ENV A=b", "EXPOSE 80", "LABEL x=y"];
    let mut args = vec!["import", "-m", "from a test"];
    changes.iter().for_each(|change| args.extend(["-c", change]));
    let id = host.run(&[&args[..], &[text(&path), &name]].concat());
    assert!(id.starts_with("sha256:") && id.len() == 71, "{id}");
    assert_eq!(host.inspect(&name, "{{.Id}} {{.Comment}} {{.Os}}"), format!("{id} from a test linux"));
    assert_eq!(
        host.inspect(&name, "{{json .Config.Env}} {{.Config.Labels.x}} {{len .RootFS.Layers}}"),
        "[\"A=b\"] y 1"
    );
    assert_eq!(host.run(&["run", "--rm", &name]), "one");
    assert_eq!(host.run(&["history", "--format", "{{.Comment}}", &name]), "from a test");
    for program in ["gzip", "bzip2", "xz", "zstd"] {
        let done = host.run_with_input(&["image", "import", "-", &name], &compressed(program, &path));
        assert!(done.ok() && done.out.starts_with("sha256:"), "{program}: {}", done.err);
        assert_eq!(host.inspect(&name, "{{.Comment}}"), "Imported from -");
        assert_eq!(host.run(&["run", "--rm", &name, "cat", "/version"]), "one", "{program}");
    }
    let foreign = host.run(&["import", "--platform", "linux/s390x", text(&path)]);
    assert_eq!(host.inspect(&foreign, "{{.Architecture}} {{.RepoTags}}"), "s390x []");
    // What was imported is saved and loaded as anything else.
    let (saved, id) = (saved(host, directory.path(), &name), host.inspect(&name, "{{.Id}}"));
    host.run(&["rmi", "-f", &id]);
    assert_eq!(host.run(&["load", "-i", text(&saved)]), format!("Loaded image: {name}"));
    assert_eq!(host.inspect(&name, "{{.Id}}"), id);
    host.run(&["rmi", "-f", &name, &foreign]);
}

/// Answers every request with a file; `/moved` leads to it.
fn serve(path: &Path) -> String {
    let (listener, bytes) = (TcpListener::bind("127.0.0.1:0").unwrap(), fs::read(path).unwrap());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (mut stream, mut head) = (stream, Vec::new());
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let answer = match String::from_utf8_lossy(&head).split(' ').nth(1) {
                Some("/moved") => "HTTP/1.1 302 Found\r\nLocation: /root.tar\r\nContent-Length: 0\r\n\r\n".to_owned(),
                Some("/root.tar") => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len()),
                Some("/short") => format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len() + 1),
                _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
            };
            // Each connection is for one request; whoever is not told keeps it for the next.
            let answer = answer.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            drop(stream.write_all(answer.as_bytes()));
            if answer.contains("200 OK") {
                drop(stream.write_all(&bytes));
            }
        }
    });
    format!("http://{address}")
}

fn import_from_a_url(host: &Host) {
    let directory = directory();
    let server = serve(&root_file_system(host, directory.path()));
    let name = host.name("imported");
    for path in ["root.tar", "moved"] {
        let url = format!("{server}/{path}");
        let told = host.run(&["import", &url, &name]);
        assert!(told.contains(&format!("Downloading from {url}")), "{told}");
        assert_eq!(host.inspect(&name, "{{.Comment}}"), format!("Imported from {url}"));
        assert_eq!(host.run(&["run", "--rm", &name, "cat", "/version"]), "one");
        host.run(&["rmi", &name]);
    }
    let missing = format!("{server}/nosuch");
    host.try_run(&["import", &missing, &name]).fails_with(1, &format!("failed to GET {missing} with status 404"));
    let done = host.try_run(&["import", &format!("{server}/short"), &name]);
    assert!(!done.ok(), "{}", done.out);
    assert!(!host.try_run(&["image", "inspect", &name]).ok());
}

fn import_refuses_what_is_none(host: &Host) {
    let before = host.run(&["images", "-aq"]);
    host.run_with_input(&["import", "-"], b"junk\n").fails_with(1, "it is no layer");
    host.run_with_input(&["import", "-"], &[b'x'; 100_000]).fails_with(1, "it is no layer");
    host.try_run(&["import", "/nosuch.tar"]).fails_with(1, "open /nosuch.tar: no such file or directory");
    host.run_with_input(&["import", "-", "BAD"], b"").fails_with(1, "must be lowercase");
    let digest = format!("x@sha256:{}", "0".repeat(64));
    host.run_with_input(&["import", "-", &digest], b"").fails_with(1, "cannot import digest reference");
    host.run_with_input(&["import", "-c", "RUN x", "-"], b"").fails_with(1, "run is not a valid change command");
    host.run_with_input(&["import", "--platform", "windows/amd64", "-"], b"").fails_with(1, "windows");
    let few =
        if host.cli() == Cli::Ours { "requires at least 1 and at most 2 arguments" } else { "requires at least 1" };
    host.try_run(&["import"]).fails_with(1, few);
    assert_eq!(host.run(&["images", "-aq"]), before);
}
