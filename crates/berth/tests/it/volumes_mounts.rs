//! Every form of a mount, what it does, and how `inspect` shows it.

use std::fs;
use std::path::Path;

use crate::host::{Host, until};

rows![
    mounts_as_inspect_shows_them,
    subpath_of_a_volume,
    what_an_image_contains,
    tmpfs_volume_is_mounted_while_in_use,
    bound_volume,
    device_that_cannot_be_mounted,
    read_only_reaches_below,
    conflicts_are_docker_s,
    propagation_from_the_host,
    tmpfs_options,
];

fn sh<'a>(args: &[&'a str], image: &'a str, script: &'a str) -> Vec<&'a str> {
    [&["run", "--rm"], args, &[image, "sh", "-c", script]].concat()
}

fn mounts_as_inspect_shows_them(host: &Host) {
    let (image, name, volume) = (host.image(), host.name("box"), host.name("vol"));
    let outside = tempfile::tempdir().unwrap();
    let source = outside.path().to_str().unwrap();
    let (plain, reading) = (format!("{volume}:/v"), format!("{volume}:/r:ro"));
    let (bind, named) = (format!("{source}:/b:ro,rprivate"), format!("type=volume,src={volume},dst=/m"));
    let mount = format!("type=bind,src={source},dst=/c,readonly");
    let args = ["create", "--name", &name, "-v", &plain, "-v", &reading, "-v", &bind, "-v", "/a", "--tmpfs", "/hidden"];
    let more = ["--mount", &named, "--mount", &mount, "--mount", "type=tmpfs,dst=/t", &image];
    host.run(&[&args[..], &more].concat());
    let format = "{{range .Mounts}}{{.Destination}} {{.Type}} {{.Name}} {{.Source}} {{.Driver}} [{{.Mode}}] {{.RW}} {{.Propagation}}\n{{end}}";
    let shown = host.inspect(&name, format);
    let mut lines: Vec<&str> = shown.lines().filter(|line| !line.is_empty()).collect();
    lines.sort_unstable();
    let place = host.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume]);
    assert!(lines[0].starts_with("/a volume ") && lines[0].ends_with(" local [] true "), "{lines:?}");
    assert_eq!(
        lines[1..],
        [
            format!("/b bind  {source}  [ro,rprivate] false rprivate"),
            format!("/c bind  {source}  [] false rprivate"),
            format!("/m volume {volume} {place} local [z] true "),
            format!("/r volume {volume} {place} local [ro] false "),
            "/t tmpfs    [] true ".to_owned(),
            format!("/v volume {volume} {place} local [z] true "),
        ]
    );
    let echoed = host.inspect(&name, "{{json .HostConfig.Binds}} {{json .HostConfig.Mounts}}");
    // Docker's command line gives them in any order.
    assert!([&plain, &reading, &bind].iter().all(|text| echoed.contains(&format!("\"{text}\""))), "{echoed}");
    assert!(echoed.contains(&format!(r#"{{"Type":"volume","Source":"{volume}","Target":"/m"}}"#)), "{echoed}");
    host.run(&["rm", "-v", &name]);
    host.run(&["volume", "rm", &volume]);
}

fn subpath_of_a_volume(host: &Host) {
    let (image, volume) = (host.image(), host.name("vol"));
    let bind = format!("{volume}:/d");
    host.run(&sh(&["-v", &bind], &image, "mkdir -p /d/a/b; echo deep > /d/a/b/f; ln -s a/b /d/inside"));
    for subpath in ["a/b", "inside"] {
        let mount = format!("type=volume,src={volume},dst=/s,volume-subpath={subpath}");
        assert_eq!(host.run(&sh(&["--mount", &mount], &image, "ls /s; cat /s/f")), "f\ndeep");
    }
    let mount = format!("type=volume,src={volume},dst=/s,volume-subpath=a/b,readonly");
    let refused = host.try_run(&sh(&["--mount", &mount], &image, "echo x > /s/f"));
    assert!(refused.code != 0 && refused.err.contains("Read-only"), "{refused:?}");
    let missing = format!("type=volume,src={volume},dst=/s,volume-subpath=nosuch");
    host.try_run(&sh(&["--mount", &missing], &image, "true")).fails_with(125, "nosuch");
    for (fields, text) in [
        (format!("src={volume},volume-subpath=../x"), "subpath must be a relative path within the volume"),
        (format!("src={volume},volume-subpath=/etc"), "subpath must be a relative path within the volume"),
        ("volume-subpath=a".to_owned(), "must not set Subpath when using anonymous volumes"),
    ] {
        let mount = format!("type=volume,dst=/s,{fields}");
        host.try_run(&["create", "--mount", &mount, &image]).fails_with(1, text);
    }
    host.run(&["volume", "rm", &volume]);
}

fn what_an_image_contains(host: &Host) {
    let (image, other) = (host.image(), host.fixture("team/app:v1"));
    let whole = format!("type=image,src={other},dst=/i");
    assert_eq!(host.run(&sh(&["--mount", &whole], &image, "cat /i/version; ls /i/bin/busybox")), "one\n/i/bin/busybox");
    let refused = host.try_run(&sh(&["--mount", &whole], &image, "echo x > /i/version"));
    assert!(refused.code != 0 && refused.err.contains("Read-only"), "{refused:?}");
    let part = format!("type=image,src={other},dst=/i,image-subpath=home");
    assert_eq!(host.run(&sh(&["--mount", &part], &image, "ls /i")), "web");
    let name = host.name("box");
    host.run(&["create", "--name", &name, "--mount", &whole, &image]);
    let shown = host.inspect(&name, "{{range .Mounts}}{{.Type}} {{.Name}} {{.Destination}} {{.RW}}{{end}}");
    assert_eq!(shown, format!("image {other} /i false"));
    // What a container mounts cannot be removed.
    assert_ne!(host.try_run(&["rmi", &other]).code, 0);
    host.run(&["rm", &name]);
    let missing = "type=image,src=nosuch.invalid/x,dst=/i";
    assert_ne!(host.try_run(&["create", "--mount", missing, &image]).code, 0);
    host.run(&["rmi", &other]);
}

/// How often a path is a mount point on the host.
pub(crate) fn mounted(path: &str) -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    table.lines().filter(|line| line.split(' ').nth(4) == Some(path)).count()
}

fn tmpfs_volume_is_mounted_while_in_use(host: &Host) {
    let (image, volume) = (host.image(), host.name("vol"));
    let options = ["-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=5"];
    host.run(&[&["volume", "create"], &options[..], &[&volume]].concat());
    let place = host.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume]);
    assert_eq!(mounted(&place), 0);
    let bind = format!("{volume}:/d");
    let (first, second) = (host.name("c1"), host.name("c2"));
    host.run(&["run", "-d", "--name", &first, "-v", &bind, &image, "sleep", "300"]);
    let line = host.run(&["exec", &first, "grep", " /d ", "/proc/mounts"]);
    assert!(line.starts_with("tmpfs /d tmpfs ") && line.contains("size=1024k,") && line.contains("uid=5"), "{line}");
    host.run(&["run", "-d", "--name", &second, "-v", &bind, &image, "sleep", "300"]);
    host.run(&["exec", &first, "sh", "-c", "echo shared > /d/f"]);
    assert_eq!(host.run(&["exec", &second, "cat", "/d/f"]), "shared");
    assert_eq!(mounted(&place), 1);
    host.run(&["stop", "-t", "0", &first]);
    assert_eq!((mounted(&place), host.run(&["exec", &second, "cat", "/d/f"]).as_str()), (1, "shared"));
    host.run(&["rm", "-f", &second]);
    until("the last user unmounts it", || mounted(&place) == 0);
    host.run(&["start", &first]);
    assert_eq!((mounted(&place), host.run(&["exec", &first, "ls", "/d"]).as_str()), (1, ""));
    host.run(&["rm", "-f", &first]);
    until("it is unmounted again", || mounted(&place) == 0);
    host.run(&["volume", "rm", &volume]);
}

fn bound_volume(host: &Host) {
    let (image, volume) = (host.image(), host.name("vol"));
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("f"), "outside\n").unwrap();
    let device = format!("device={}", outside.path().display());
    host.run(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", &device, &volume]);
    let place = host.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume]);
    assert_eq!(host.run(&sh(&["-v", &format!("{volume}:/d")], &image, "cat /d/f; echo new > /d/g")), "outside");
    until("it is unmounted", || mounted(&place) == 0);
    assert_eq!(fs::read_to_string(outside.path().join("g")).unwrap(), "new\n");
    host.run(&["volume", "rm", &volume]);
    assert!(outside.path().join("f").exists(), "what is bound is not the volume's to delete");
}

fn device_that_cannot_be_mounted(host: &Host) {
    let (image, missing, bad) = (host.image(), host.name("missing"), host.name("bad"));
    host.run(&["volume", "create", "-o", "type=none", "-o", "o=bind", "-o", "device=/nosuch/dir", &missing]);
    host.run(&["volume", "create", "-o", "type=tmpfs", "-o", "o=nonsense", "-o", "device=tmpfs", &bad]);
    for (volume, why) in [(&missing, "no such file or directory"), (&bad, "data: nonsense: invalid argument")] {
        let done = host.try_run(&["run", "--rm", "-v", &format!("{volume}:/d"), &image, "true"]);
        // Docker's command line takes "no such file" in any sentence for a program that is not there.
        assert!(matches!(done.code, 125 | 127), "{done:?}");
        for text in ["error while mounting volume '", "failed to mount local volume", why] {
            assert!(done.err.contains(text), "{done:?}");
        }
    }
    assert_eq!(host.run(&["ps", "-aq", "-f", &format!("volume={bad}")]), "");
    host.run(&["volume", "rm", &missing, &bad]);
}

fn read_only_reaches_below(host: &Host) {
    let image = host.image();
    let outside = tempfile::tempdir().unwrap();
    let below = outside.path().join("below");
    fs::create_dir(&below).unwrap();
    let _tmpfs = Tmpfs::at(&below);
    let source = outside.path().to_str().unwrap();
    let run = |mount: &str| {
        let mount = format!("type=bind,src={source},dst=/b,{mount}");
        host.try_run(&sh(&["--mount", &mount], &image, "touch /b/x 2>&1; touch /b/below/x 2>&1; ls -A /b/below"))
    };
    // Docker 20.10, the reference on this host, does not know these options.
    if !host.is_berth() {
        return;
    }
    let refused = |path: &str| format!("touch: {path}: Read-only file system");
    assert_eq!(run("readonly").out, format!("{}\n{}", refused("/b/x"), refused("/b/below/x")));
    assert_eq!(run("readonly,bind-recursive=writable").out, format!("{}\nx", refused("/b/x")));
    let forced = "readonly,bind-recursive=readonly,bind-propagation=rprivate";
    assert_eq!(run(forced).out, format!("{}\n{}\nx", refused("/b/x"), refused("/b/below/x")));
    let alone = run("readonly,bind-recursive=disabled").out;
    assert_eq!(alone, format!("{}\n{}", refused("/b/x"), refused("/b/below/x")), "what is below is not there");
    for mount in ["bind-recursive=writable", "bind-recursive=readonly", "readonly,bind-recursive=readonly"] {
        let done = run(mount);
        assert!(done.code == 125 && done.err.contains("to be specified in conjunction"), "{done:?}");
    }
}

/// A tmpfs on the host for as long as a test needs it.
struct Tmpfs(std::path::PathBuf);

impl Tmpfs {
    fn at(path: &Path) -> Self {
        rustix::mount::mount("tmpfs", path, "tmpfs", rustix::mount::MountFlags::empty(), None).unwrap();
        Self(path.to_owned())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH).unwrap();
    }
}

fn conflicts_are_docker_s(host: &Host) {
    let (image, volume) = (host.image(), host.name("vol"));
    let bind = format!("{volume}:/d");
    let mount = format!("type=volume,src={volume},dst=/d/");
    for (args, text) in [
        (vec!["-v", &bind, "--mount", &mount], "Duplicate mount point: /d"),
        (vec!["-v", &bind, "--tmpfs", "/d"], "Duplicate mount point: /d"),
        (vec!["-v", "/etc/passwd"], "cannot mount volume over existing file, file exists"),
        (vec!["-v", &format!("{volume}:/d:xx")], "invalid mode: xx"),
        (vec!["--volumes-from", "nosuch"], "No such container: nosuch"),
        (vec!["--volume-driver", "nosuch", "-v", &bind], "plugin \"nosuch\" not found"),
        (vec!["--mount", "type=image,src=nosuch,dst=/d"], "nosuch"),
        (vec!["-v", "_a:/d"], "includes invalid characters for a local volume name"),
    ] {
        let done = host.try_run(&[&["create"], &args[..], &[&image, "true"]].concat());
        assert!(done.code != 0 && done.err.contains(text), "{args:?}: {done:?}");
        // It is not the image that is missing.
        assert!(!host.is_berth() || !done.err.contains("Unable to find image"), "{args:?}: {done:?}");
    }
    // A named volume that was made on the way to a refusal is not there.
    let first = ["-v", &bind, "-v", "/etc/passwd"];
    host.try_run(&[&["create"], &first[..], &[&image, "true"]].concat()).fails_with(1, "over existing file");
    if host.is_berth() {
        assert_eq!(host.run(&["volume", "ls", "-q", "-f", &format!("name={volume}")]), "");
    }
    assert_eq!(host.run(&["run", "--rm", "--volume-driver", "local", "-v", &bind, &image, "ls", "/d"]), "");
    host.run(&["volume", "rm", &volume]);
}

/// What is mounted on the host below a shared bind shows in the container, and not below a private one.
fn propagation_from_the_host(host: &Host) {
    let image = host.image();
    let outside = tempfile::tempdir().unwrap();
    let top = outside.path().join("top");
    fs::create_dir(&top).unwrap();
    let _top = Tmpfs::at(&top);
    // What the host does not share cannot be shared.
    rustix::mount::mount_change(&top, rustix::mount::MountPropagationFlags::PRIVATE).unwrap();
    for (mode, kind) in [("rshared", "shared"), ("rslave", "shared or slave")] {
        let (bind, path) = (format!("{}:/b:{mode}", top.display()), top.display());
        let refused = format!("path {path} is mounted on {path} but it is not a {kind} mount");
        host.try_run(&["run", "--rm", "-v", &bind, &image, "true"]).fails_with(125, &refused);
    }
    rustix::mount::mount_change(&top, rustix::mount::MountPropagationFlags::SHARED).unwrap();
    fs::create_dir(top.join("below")).unwrap();
    let names: Vec<String> = ["rslave", "rprivate"]
        .map(|mode| {
            let name = host.name(mode);
            let bind = format!("{}:/b:{mode}", top.display());
            host.run(&["run", "-d", "--name", &name, "-v", &bind, &image, "sleep", "300"]);
            name
        })
        .to_vec();
    let below = Tmpfs::at(&top.join("below"));
    fs::write(top.join("below/f"), "x").unwrap();
    let seen: Vec<String> = names.iter().map(|name| host.run(&["exec", name, "ls", "/b/below"])).collect();
    host.run(&["rm", "-f", &names[0], &names[1]]);
    drop(below);
    assert_eq!(seen, ["f", ""]);
}

fn tmpfs_options(host: &Host) {
    let image = host.image();
    let line = host.run(&["run", "--rm", "--tmpfs", "/t:size=1m,exec", &image, "grep", " /t ", "/proc/mounts"]);
    assert!(line.contains("size=1024k") && !line.contains("noexec") && line.contains("nosuid"), "{line}");
    let mount = "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=700";
    let line = host.run(&["run", "--rm", "--mount", mount, &image, "grep", " /t ", "/proc/mounts"]);
    assert!(line.contains("size=2048k") && line.contains("mode=700") && line.contains("noexec"), "{line}");
}
