//! Volumes: what outlives a container, who needs it, and when it goes.

use std::fs;

use crate::host::{Cli, Host, until};

rows![
    a103_anonymous_volumes_go_with_rm,
    a138_content_lies_on_the_host,
    a139_one_volume_in_several_containers,
    copy_up_from_the_image,
    declared_paths_become_volumes,
    verbs_and_their_texts,
    in_use_is_a_conflict,
    lists_and_their_filters,
    prune_takes_what_nobody_named,
    events_of_a_volume,
];

fn volumes(host: &Host) -> String {
    host.run(&["volume", "ls", "-q"])
}

fn a103_anonymous_volumes_go_with_rm(host: &Host) {
    let (image, named, kept) = (host.image(), host.name("named"), host.name("kept"));
    let before = volumes(host);
    host.run(&["run", "--rm", "-v", "/d", "--mount", "type=volume,dst=/e", &image, "touch", "/d/x", "/e/x"]);
    assert_eq!(volumes(host), before);
    host.run(&["run", "--rm", "-v", &format!("{named}:/d"), &image, "touch", "/d/x"]);
    assert_eq!(host.run(&["volume", "ls", "-q", "-f", &format!("name={named}")]), named);
    // Without `-v` the anonymous one stays, with it it goes; one that another container shares stays until the last.
    let name = |what: &str| host.inspect(what, "{{range .Mounts}}{{.Name}}{{end}}");
    host.run(&["create", "--name", &kept, "-v", "/d", &image]);
    let left = name(&kept);
    host.run(&["rm", &kept]);
    assert_eq!(host.run(&["volume", "ls", "-q", "-f", "dangling=true", "-f", &format!("name={left}")]), left);
    host.run(&["volume", "rm", &left]);
    let (first, second) = (host.name("first"), host.name("second"));
    host.run(&["create", "--name", &first, "-v", "/d", &image]);
    host.run(&["create", "--name", &second, "--volumes-from", &first, &image]);
    let shared = name(&first);
    assert_eq!(shared, name(&second));
    host.run(&["rm", "-v", &first]);
    assert_eq!(host.run(&["volume", "inspect", "-f", "{{.Name}}", &shared]), shared);
    host.run(&["rm", "-v", &second]);
    host.try_run(&["volume", "inspect", &shared]).fails_with(1, "no such volume");
    host.run(&["volume", "rm", &named]);
}

fn a138_content_lies_on_the_host(host: &Host) {
    let (image, volume) = (host.image(), host.name("vol"));
    host.run(&["run", "--rm", "-v", &format!("{volume}:/d"), &image, "sh", "-c", "echo x > /d/f"]);
    let place = host.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", &volume]);
    assert_eq!(fs::read_to_string(format!("{place}/f")).unwrap(), "x\n");
    host.run(&["volume", "rm", &volume]);
    assert!(!fs::exists(&place).unwrap());
}

fn a139_one_volume_in_several_containers(host: &Host) {
    let (image, volume, first, second) = (host.image(), host.name("vol"), host.name("c1"), host.name("c2"));
    let bind = format!("{volume}:/d");
    host.run(&["run", "-d", "--name", &first, "-v", &bind, "-v", "/anon", &image, "sleep", "300"]);
    host.run(&["run", "-d", "--name", &second, "-v", &bind, &image, "sleep", "300"]);
    host.run(&["exec", &first, "sh", "-c", "echo seen > /d/f; echo too > /anon/f"]);
    assert_eq!(host.run(&["exec", &second, "cat", "/d/f"]), "seen");
    let from = |mode: &str, script: &str| {
        host.try_run(&["run", "--rm", "--volumes-from", &format!("{first}{mode}"), &image, "sh", "-c", script])
    };
    assert_eq!(from("", "cat /d/f /anon/f; echo back > /d/g").out, "seen\ntoo");
    assert_eq!(host.run(&["exec", &first, "cat", "/d/g"]), "back");
    let refused = from(":ro", "cat /d/g; echo x > /d/f");
    assert!(refused.code != 0 && refused.out == "back" && refused.err.contains("Read-only"), "{refused:?}");
    host.run(&["rm", "-f", "-v", &first, &second]);
    host.run(&["volume", "rm", &volume]);
}

fn copy_up_from_the_image(host: &Host) {
    let (image, volume) = (host.fixture("volumes"), host.name("vol"));
    let look = "stat -c '%a %n' /data /data/file /data/sub; readlink /data/sub/link; cat /data/file";
    let expected = "750 /data\n640 /data/file\n2775 /data/sub\n../file\nfrom the image";
    let bind = format!("{volume}:/data");
    let run = |args: &[&str], script: &str| host.run(&[&["run", "--rm"], args, &[&image, "sh", "-c", script]].concat());
    assert_eq!(run(&["-v", &bind], look), expected);
    // What is in it already stays.
    assert_eq!(run(&["-v", &bind], "rm /data/file; ls /data"), "sub");
    assert_eq!(run(&["-v", &bind], "ls /data"), "sub");
    host.run(&["volume", "rm", &volume]);
    // Empty, but asked to stay so; then filled all the same, being empty, through a link of the image's.
    assert_eq!(run(&["-v", &format!("{bind}:nocopy")], "ls -a /data"), ".\n..");
    let nocopy = format!("type=volume,src={volume},dst=/data,volume-nocopy");
    assert_eq!(run(&["--mount", &nocopy], "ls -a /data"), ".\n..");
    assert_eq!(run(&["-v", &format!("{volume}:/way")], "ls /way /data"), "/data:\nfile\nsub\n\n/way:\nfile\nsub");
    host.run(&["volume", "rm", &volume]);
}

fn declared_paths_become_volumes(host: &Host) {
    let (image, name) = (host.fixture("volumes"), host.name("declared"));
    host.run(&["run", "--name", &name, "-v", "/more", &image, "sh", "-c", "echo new >> /data/file"]);
    let shown =
        host.inspect(&name, "{{range .Mounts}}{{.Type}} {{.Destination}} {{.Driver}} {{.RW}} {{.Mode}};{{end}}");
    let mut shown: Vec<&str> = shown.split(';').filter(|line| !line.is_empty()).collect();
    shown.sort_unstable();
    assert_eq!(shown, ["volume /data local true ", "volume /more local true "]);
    let declared = host.inspect(&name, "{{json .Config.Volumes}}");
    assert_eq!(declared, r#"{"/data":{},"/more":{}}"#);
    // It is the container's own: the next has another, and a start of the same has the same.
    host.run(&["start", "-a", &name]);
    let place = host.inspect(&name, "{{range .Mounts}}{{if eq .Destination \"/data\"}}{{.Source}}{{end}}{{end}}");
    assert_eq!(fs::read_to_string(format!("{place}/file")).unwrap(), "from the image\nnew\nnew\n");
    assert_eq!(host.run(&["run", "--rm", &image, "cat", "/data/file"]), "from the image");
    host.run(&["rm", "-v", &name]);
    assert!(!fs::exists(&place).unwrap());
}

fn verbs_and_their_texts(host: &Host) {
    let volume = host.name("vol");
    assert_eq!(host.run(&["volume", "create", "--label", "a=b", &volume]), volume);
    assert_eq!(host.run(&["volume", "create", &volume]), volume, "again is no error");
    let inspect = |format: &str| host.run(&["volume", "inspect", "-f", format, &volume]);
    assert_eq!(inspect("{{.Name}} {{.Driver}} {{.Scope}} {{.Labels.a}}"), format!("{volume} local local b"));
    assert_eq!(inspect("{{json .Options}}"), "null");
    assert!(host.inspect(&volume, "{{.CreatedAt}}").starts_with("20"), "inspect finds volumes too");
    let fails = |args: &[&str], text: &str| host.try_run(&[&["volume"], args].concat()).fails_with(1, text);
    fails(&["create", "a"], "create a: volume name is too short, names should be at least two alphanumeric characters");
    for bad in ["a/b", "..", "/abs", "-a b"] {
        let words =
            "includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed";
        fails(&["create", "--", bad], &format!("create {bad}: {bad:?} {words}"));
    }
    fails(&["create", "-d", "nosuch", &host.name("x")], "plugin \"nosuch\" not found");
    fails(&["create", "-o", "foo=bar", "xx"], "create xx: invalid option: \"foo\"");
    fails(&["create", "-o", "type=tmpfs", "xx"], "create xx: missing required option: \"device\"");
    fails(&["rm", "nosuch"], "get nosuch: no such volume");
    fails(&["inspect", "nosuch"], "get nosuch: no such volume");
    host.run(&["volume", "rm", "-f", "nosuch"]);
    let random = host.run(&["volume", "create"]);
    assert_eq!(random.len(), 64);
    assert_eq!(host.run(&["volume", "rm", &volume, &random]), format!("{volume}\n{random}"));
}

fn in_use_is_a_conflict(host: &Host) {
    let (image, volume, name) = (host.image(), host.name("vol"), host.name("box"));
    host.run(&["create", "--name", &name, "-v", &format!("{volume}:/d"), &image]);
    let id = host.inspect(&name, "{{.Id}}");
    for args in [&["volume", "rm", &volume][..], &["volume", "rm", "-f", &volume]] {
        host.try_run(args).fails_with(1, &format!("remove {volume}: volume is in use - [{id}]"));
    }
    assert_eq!(host.run(&["ps", "-aq", "--no-trunc", "-f", &format!("volume={volume}")]), id);
    assert_eq!(host.run(&["ps", "-aq", "--no-trunc", "-f", "volume=/d", "-f", &format!("name={name}")]), id);
    let row = ["ps", "-a", "-f", &format!("name={name}"), "--no-trunc", "--format", "{{.Mounts}} {{.LocalVolumes}}"];
    assert_eq!(host.run(&row), format!("{volume} 1"));
    host.run(&["rm", "-v", &name]);
    assert_eq!(host.run(&["volume", "rm", &volume]), volume);
}

fn lists_and_their_filters(host: &Host) {
    let (image, one, two, name) = (host.image(), host.name("one"), host.name("two"), host.name("box"));
    host.run(&["volume", "create", "--label", "x=1", &one]);
    host.run(&["volume", "create", &two]);
    host.run(&["create", "--name", &name, "-v", &format!("{two}:/d"), &image]);
    let ls = |filters: &[&str]| {
        let all = filters.iter().flat_map(|filter| ["-f", filter]).collect::<Vec<_>>();
        host.run(&[&["volume", "ls", "--format", "{{.Driver}} {{.Name}}"], &all[..]].concat())
    };
    let (first, second) = (format!("local {one}"), format!("local {two}"));
    let named = |text: &str| ls(&[text]).lines().filter(|line| **line == first || **line == second).count();
    assert_eq!((named("driver=local"), named("driver=nosuch")), (2, 0));
    assert_eq!(ls(&["label=x=1", &format!("name={one}")]), first);
    assert_eq!((named("dangling=true"), named("dangling=false")), (1, 1));
    assert!(ls(&["dangling=false"]).contains(&second));
    let table = host.run(&["volume", "ls", "-f", &format!("name={two}")]);
    assert_eq!(table, format!("DRIVER    VOLUME NAME\nlocal     {two}"));
    host.try_run(&["volume", "ls", "-f", "foo=bar"]).fails_with(1, "nvalid filter 'foo'");
    host.try_run(&["volume", "ls", "-f", "dangling=xx"]).fails_with(1, "nvalid filter 'dangling=[xx]'");
    host.run(&["rm", &name]);
    host.run(&["volume", "rm", &one, &two]);
}

fn prune_takes_what_nobody_named(host: &Host) {
    let (image, named, used) = (host.image(), host.name("named"), host.name("used"));
    host.run(&["volume", "create", "--label", "keep=1", &named]);
    host.run(&["create", "--name", &used, "-v", "/d", &image]);
    let own = host.inspect(&used, "{{range .Mounts}}{{.Name}}{{end}}");
    let loose = host.run(&["volume", "create"]);
    let place = host.run(&["volume", "inspect", "-f", "{{.Mountpoint}}", &loose]);
    fs::write(format!("{place}/f"), [0; 1000]).unwrap();
    let asked = host.run_with_input(&["volume", "prune"], b"n\n");
    assert_eq!((asked.code, asked.err.as_str()), (0, ""));
    assert!(
        asked.out.contains("WARNING! This will remove anonymous local volumes not used by at least one container.")
    );
    if host.cli() == Cli::Ours {
        let dry = host.run(&["volume", "prune", "--dry-run"]);
        assert_eq!(dry, format!("Would delete volumes:\n{loose}\n\nTotal space that would be reclaimed: 1kB"));
    }
    assert!(volumes(host).contains(&loose));
    let pruned = host.run(&["volume", "prune", "-f"]);
    assert_eq!(pruned, format!("Deleted Volumes:\n{loose}\n\nTotal reclaimed space: 1kB"));
    assert!(volumes(host).contains(&named) && volumes(host).contains(&own));
    host.run(&["volume", "prune", "-af", "--filter", "label!=keep"]);
    assert!(volumes(host).contains(&named));
    let pruned = host.run(&["volume", "prune", "-af", "--filter", "label=keep=1"]);
    assert_eq!(pruned, format!("Deleted Volumes:\n{named}\n\nTotal reclaimed space: 0B"));
    assert!(volumes(host).contains(&own), "a stopped container needs it");
    host.run(&["rm", "-v", &used]);
}

fn events_of_a_volume(host: &Host) {
    let (image, volume, name) = (host.image(), host.name("vol"), host.name("box"));
    host.run(&["run", "--name", &name, "-v", &format!("{volume}:/d:ro"), &image, "true"]);
    let id = host.inspect(&name, "{{.Id}}");
    host.run(&["rm", &name]);
    host.run(&["volume", "rm", &volume]);
    let filter = format!("volume={volume}");
    let format = "{{.Action}} {{json .Actor.Attributes}}";
    let args = ["events", "--since", "10m", "--until", "1s", "--filter", &filter, "--format", format];
    let mut all = String::new();
    until("the volume is said to be gone", || {
        all = host.run(&args);
        all.contains("destroy") && all.contains("unmount")
    });
    let lines: Vec<&str> = all.lines().collect();
    let mounted = format!(
        r#"mount {{"container":"{id}","destination":"/d","driver":"local","propagation":"","read/write":"false"}}"#
    );
    let unmounted = format!(r#"unmount {{"container":"{id}","driver":"local"}}"#);
    assert_eq!(
        lines,
        [r#"create {"driver":"local"}"#, mounted.as_str(), unmounted.as_str(), r#"destroy {"driver":"local"}"#]
    );
}
