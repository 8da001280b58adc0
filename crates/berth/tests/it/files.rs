//! cp, diff, export: a container's files from outside.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Stdio;

use crate::host::{Cli, Host, until};

rows![
    a137_diff_shows_what_changed,
    a137_replaced_directories_and_mounts,
    cp_in_follows_docker_s_path_rules,
    cp_out_follows_docker_s_path_rules,
    cp_streams,
    cp_refuses_with_docker_s_words,
    cp_in_every_state,
    cp_owners,
    cp_reads_only_what_is_inside,
    export_is_the_root_without_mounts,
];

fn sleeping(host: &Host, more: &[&str]) -> String {
    let (image, name) = (host.image(), host.name("files"));
    let args = [&["run", "-d", "--name", &name], more, &[&image, "sleep", "300"]].concat();
    host.run(&args);
    name
}

fn shell(host: &Host, name: &str, script: &str) -> String {
    host.run(&["exec", "-u", "0", name, "sh", "-c", script])
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

fn a137_diff_shows_what_changed(host: &Host) {
    let name = sleeping(host, &[]);
    assert_eq!(host.run(&["diff", &name]), "");
    shell(host, &name, "echo x > /new; rm /etc/group; mkdir -p /deep/er");
    let expected = ["A /deep", "A /deep/er", "A /new", "C /etc", "D /etc/group"];
    assert_eq!(sorted(&host.run(&["container", "diff", &name])), expected);
    let other = sleeping(host, &[]);
    assert_eq!(host.run(&["diff", &other]), "");
    host.run(&["rm", "-f", &name, &other]);
    host.try_run(&["diff", "nosuch"]).fails_with(1, "No such container: nosuch");
}

fn a137_replaced_directories_and_mounts(host: &Host) {
    let outside = tempfile::tempdir().unwrap();
    let bind = format!("{}:/mnt/deep", outside.path().display());
    let name = sleeping(host, &["-v", &bind, "--tmpfs", "/scratch"]);
    shell(host, &name, "cp -r /etc /etc2; rm -r /etc2; echo y > /mnt/deep/y; mv /etc/passwd /etc/p; chmod 700 /bin");
    let diff = host.run(&["diff", &name]);
    let lines = sorted(&diff);
    for line in ["C /etc", "A /etc/p", "D /etc/passwd", "C /bin"] {
        assert!(lines.contains(&line), "{line} is not in {lines:?}");
    }
    assert!(!diff.contains("etc2") && !diff.contains("/mnt/deep/y"), "{diff}");
    if host.is_berth() {
        assert!(!diff.contains("/mnt") && !diff.contains("/scratch"), "mount points are shown: {diff}");
    }
    host.run(&["rm", "-f", &name]);
}

/// A directory with `f` and `d/x`, and a link to `f`.
fn sources() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("f"), "hi\n").unwrap();
    fs::create_dir(directory.path().join("d")).unwrap();
    fs::write(directory.path().join("d/x"), "in\n").unwrap();
    symlink("f", directory.path().join("l")).unwrap();
    directory
}

fn path(directory: &Path, name: &str) -> String {
    format!("{}/{name}", directory.display())
}

fn cp_in_follows_docker_s_path_rules(host: &Host) {
    let (name, here) = (sleeping(host, &[]), sources());
    let from = |file: &str| path(here.path(), file);
    let cp = |from: &str, to: &str| host.try_run(&["cp", from, &format!("{name}:{to}")]);
    for (file, to, made) in [
        ("f", "/tmp/", "/tmp/f"),
        ("f", "/tmp/named", "/tmp/named"),
        ("d", "/tmp/newd", "/tmp/newd/x"),
        ("d", "/tmp/newd", "/tmp/newd/d/x"),
        ("d/.", "/tmp/contents", "/tmp/contents/x"),
        ("d/.", "/tmp/newd/d/.", "/tmp/newd/d/x"),
        ("d/", "/opt/", "/opt/x"),
        ("f", "tmp/relative", "/tmp/relative"),
    ] {
        let done = cp(&from(file), to);
        assert!(done.ok(), "{file} to {to}: {done:?}");
        shell(host, &name, &format!("test -f {made}"));
    }
    cp(&from("f"), "/nosuch/").fails_with(1, "no such directory");
    cp(&from("f"), "/nosuch/x").fails_with(1, &format!("Could not find the file /nosuch in container {name}"));
    cp(&from("d"), "/tmp/f").fails_with(1, "cannot copy directory");
    cp(&from("nosuch"), "/tmp").fails_with(1, &format!("lstat {}: no such file or directory", from("nosuch")));
    assert!(cp(&from("l"), "/tmp/link").ok());
    assert_eq!(shell(host, &name, "readlink /tmp/link"), "f");
    assert!(host.try_run(&["cp", "-L", &from("l"), &format!("{name}:/tmp/followed")]).ok());
    assert_eq!(shell(host, &name, "test ! -L /tmp/followed && cat /tmp/followed"), "hi");
    // A link in the container is followed, a broken one too.
    shell(host, &name, "ln -s /tmp/newd /tmp/to-dir; ln -s /tmp/nowhere /tmp/broken");
    assert!(cp(&from("f"), "/tmp/to-dir").ok() && cp(&from("f"), "/tmp/broken").ok());
    assert_eq!(shell(host, &name, "cat /tmp/newd/f /tmp/nowhere"), "hi\nhi");
    host.run(&["rm", "-f", &name]);
}

fn cp_out_follows_docker_s_path_rules(host: &Host) {
    let (name, here) = (sleeping(host, &[]), tempfile::tempdir().unwrap());
    shell(host, &name, "mkdir -p /w/d/e; echo hi > /w/f; echo in > /w/d/x; ln -s d /w/l; chmod 640 /w/f");
    let to = |file: &str| path(here.path(), file);
    let cp = |from: &str, file: &str| host.try_run(&["cp", &format!("{name}:{from}"), &to(file)]);
    for (from, file, made) in [
        ("/w/f", "got", "got"),
        ("/w/d", "dir", "dir/x"),
        ("/w/d", "dir", "dir/d/x"),
        ("/w/d/.", "contents", "contents/x"),
        ("/w/l/", "through", "through/x"),
        ("w/f", ".", "f"),
    ] {
        let done = cp(from, file);
        assert!(done.ok(), "{from} to {file}: {done:?}");
        assert!(here.path().join(made).is_file(), "{from} to {file}");
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(to("got")).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o640);
    assert!(cp("/w/l", "link").ok());
    assert_eq!(fs::read_link(to("link")).unwrap(), Path::new("d"));
    assert!(host.try_run(&["cp", "-L", &format!("{name}:/w/l"), &to("followed")]).ok());
    assert!(here.path().join("followed/x").is_file());
    cp("/nosuch", "x").fails_with(1, &format!("Could not find the file /nosuch in container {name}"));
    cp("/w/f", "nodir/x").fails_with(1, &format!("invalid output path: directory \"{}\" does not exist", to("nodir")));
    cp("/w/f", "nodir/").fails_with(1, "no such directory");
    cp("/w/d", "got").fails_with(1, "cannot copy directory");
    cp("/w/f", "got/").fails_with(1, &format!("stat {}: not a directory", to("got/")));
    host.run(&["rm", "-f", &name]);
}

fn cp_streams(host: &Host) {
    let name = sleeping(host, &[]);
    shell(host, &name, "mkdir -p /w/d; echo hi > /w/d/f");
    let archive = |from: &str| host.command().args(["cp", &format!("{name}:{from}"), "-"]).output().unwrap().stdout;
    let names = |archive: &[u8]| {
        let mut tar = tar::Archive::new(archive);
        let names = tar.entries().unwrap().map(|e| String::from_utf8_lossy(&e.unwrap().path_bytes()).into_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&archive("/w/d")), ["d/", "d/f"]);
    assert_eq!(names(&archive("/w/d/.")), ["./", "./f"]);
    let whole = archive("/w/d");
    let to = |path: &str| format!("{name}:{path}");
    assert_eq!(host.run_with_input(&["cp", "-", &to("/tmp")], &whole).code, 0);
    assert_eq!(shell(host, &name, "cat /tmp/d/f"), "hi");
    let refused = host.run_with_input(&["cp", "-", &to("/w/d/f")], &whole);
    refused.fails_with(1, &format!("destination \"{name}:/w/d/f\" must be a directory"));
    assert_eq!(host.run_with_input(&["cp", "-", &to("/tmp")], b"this is no archive").code, 1);
    assert_eq!(host.run_with_input(&["cp", "-", &to("/tmp")], &whole[..700]).code, 1);
    host.run(&["rm", "-f", &name]);
}

fn cp_refuses_with_docker_s_words(host: &Host) {
    let here = sources();
    let volume = format!("{}:/ro:ro", here.path().display());
    let (name, file) = (sleeping(host, &["-v", &volume]), path(here.path(), "f"));
    let readonly = sleeping(host, &["--read-only"]);
    let to = |name: &str, path: &str| format!("{name}:{path}");
    host.try_run(&["cp", "a", "b"]).fails_with(1, "must specify at least one container source");
    host.try_run(&["cp", "c:/a", "d:/b"]).fails_with(1, "copying between containers is not supported");
    host.try_run(&["cp", &file, "nosuch:/tmp"]).fails_with(1, "No such container: nosuch");
    host.try_run(&["cp", &file, &to(&name, "/ro/x")]).fails_with(1, "mounted volume is marked read-only");
    for _ in ["running", "stopped"] {
        let refused = host.try_run(&["cp", &file, &to(&readonly, "/x")]);
        refused.fails_with(1, "container rootfs is marked read-only");
        host.run(&["stop", "-t", "0", &readonly]);
    }
    shell(host, &name, "mkdir /tmp/f; touch /tmp/d");
    host.try_run(&["cp", &file, &to(&name, "/tmp")])
        .fails_with(1, "cannot overwrite directory \"/tmp/f\" with non-directory");
    let refused = host.try_run(&["cp", &path(here.path(), "d"), &to(&name, "/tmp")]);
    refused.fails_with(1, "cannot overwrite non-directory \"/tmp/d\" with directory");
    host.run(&["rm", "-f", &name, &readonly]);
}

/// Created, running, paused, exited; into the root file system and into what is mounted there.
fn cp_in_every_state(host: &Host) {
    let (image, name, here, data) = (host.image(), host.name("states"), sources(), tempfile::tempdir().unwrap());
    let (bind, file) = (format!("{}:/data", data.path().display()), path(here.path(), "f"));
    host.run(&["create", "--name", &name, "-v", &bind, &image, "sleep", "300"]);
    let both_ways = |state: &str| {
        for directory in ["/tmp", "/data"] {
            let place = format!("{name}:{directory}/{state}");
            host.run(&["cp", &file, &place]);
            let back = path(here.path(), "back");
            host.run(&["cp", &place, &back]);
            assert_eq!(fs::read_to_string(&back).unwrap(), "hi\n", "{state} {directory}");
        }
        assert_eq!(fs::read_to_string(data.path().join(state)).unwrap(), "hi\n");
    };
    both_ways("created");
    host.run(&["start", &name]);
    both_ways("running");
    assert_eq!(shell(host, &name, "cat /tmp/created /tmp/running"), "hi\nhi");
    host.run(&["pause", &name]);
    both_ways("paused");
    host.run(&["unpause", &name]);
    host.run(&["stop", "-t", "0", &name]);
    both_ways("exited");
    host.run(&["start", &name]);
    assert_eq!(shell(host, &name, "cat /tmp/paused /tmp/exited /data/exited"), "hi\nhi\nhi");
    host.run(&["rm", "-f", &name]);
}

fn cp_owners(host: &Host) {
    let (image, name, here) = (host.image(), host.name("owner"), sources());
    let file = path(here.path(), "f");
    std::os::unix::fs::chown(&file, Some(1234), Some(1235)).unwrap();
    host.run(&["run", "-d", "--name", &name, "--user", "77:78", &image, "sleep", "300"]);
    host.run(&["cp", &file, &format!("{name}:/tmp/kept")]);
    assert_eq!(shell(host, &name, "stat -c %u:%g /tmp/kept"), "1234:1235");
    if host.is_berth() {
        // Docker looks the user up on the host, and finds none.
        host.run(&["cp", "-a", &file, &format!("{name}:/tmp/given")]);
        assert_eq!(shell(host, &name, "stat -c %u:%g /tmp/given"), "77:78");
    }
    host.run(&["rm", "-f", &name]);
}

/// A container that swaps a directory for a link to the host's root while files are copied in and out.
fn cp_reads_only_what_is_inside(host: &Host) {
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().display().to_string();
    fs::write(outside.path().join("s"), "host").unwrap();
    let name = sleeping(host, &[]);
    let swap = format!(
        "mkdir -p /r{secret} /w; echo inside > /r{secret}/s; touch /go; \
         while [ -e /go ]; do ln -sfn {secret} /w/at; ln -sfn /r{secret} /w/at; rm -rf /w/at; mkdir /w/at; rm -rf /w/at; done"
    );
    host.run(&["exec", "-d", &name, "sh", "-c", &swap]);
    until("it swaps", || host.try_run(&["exec", &name, "test", "-e", "/go"]).ok());
    let (file, got) = (path(outside.path(), "s"), tempfile::tempdir().unwrap());
    let rounds = if host.cli() == Cli::Ours { 30 } else { 10 };
    for _ in 0..rounds {
        let back = path(got.path(), "s");
        if host.try_run(&["cp", &format!("{name}:/w/at/s"), &back]).ok() {
            assert_ne!(fs::read_to_string(&back).unwrap(), "host", "the host's file was copied");
        }
        host.try_run(&["cp", &file, &format!("{name}:/w/at/written")]);
    }
    assert!(!outside.path().join("written").exists(), "something was written outside");
    shell(host, &name, "rm /go");
    host.run(&["rm", "-f", &name]);
}

fn export_is_the_root_without_mounts(host: &Host) {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("inside-the-mount"), "").unwrap();
    let bind = format!("{}:/mnt/v", outside.path().display());
    let name = sleeping(host, &["-v", &bind]);
    shell(host, &name, "echo hi > /new");
    let file = path(outside.path(), "out.tar");
    for state in ["running", "stopped"] {
        host.run(&["export", "-o", &file, &name]);
        let bytes = fs::read(&file).unwrap();
        let mut tar = tar::Archive::new(&bytes[..]);
        let names: Vec<String> =
            tar.entries().unwrap().map(|e| String::from_utf8_lossy(&e.unwrap().path_bytes()).into_owned()).collect();
        for wanted in ["new", "mnt/v/", "proc/", "bin/busybox", ".dockerenv", "etc/hosts"] {
            assert!(names.iter().any(|name| name == wanted), "{state}: {wanted} is not in {names:?}");
        }
        let mounted = |name: &String| name.contains("inside-the-mount") || name.starts_with("proc/1");
        assert!(!names.iter().any(mounted), "{state}: {names:?}");
        host.run(&["stop", "-t", "0", &name]);
    }
    // Whoever reads it may have had enough (`export … | head`): that is nothing to be told of.
    let mut command = host.command();
    let mut export = command.args(["export", &name]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(export.stdout.take());
    let done = export.wait_with_output().unwrap();
    assert!(!done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
    host.try_run(&["export", "-o", &file, "nosuch"]).fails_with(1, "No such container: nosuch");
    assert!(fs::metadata(&file).unwrap().len() > 1000, "a failed export took the earlier one away");
    host.run(&["rm", "-f", &name]);
}
