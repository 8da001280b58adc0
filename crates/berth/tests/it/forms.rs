//! One image by several manifests, and several images by one name: what each is called, and what goes back to a registry.

use std::process::Command;

use berth_fixtures::host_architecture;

use crate::host::{BERTH, Cli, Done, Host, Wishes};
use crate::registry;

rows_of_own_daemons![own: a024_one_image_by_two_manifests, a027_a_list_s_digest_stays_with_the_first_platform];

fn own(cli: Cli, check: fn(&mut Host)) {
    check(&mut Host::start_as(cli, Wishes::default()));
}

/// What a name stands for at its registry.
fn at_registry(name: &str) -> String {
    let source = format!("docker://{name}");
    let done = Command::new("skopeo").args(["inspect", "--tls-verify=false", "-f", "{{.Digest}}", &source]).output();
    let done = Done::from(done.unwrap());
    assert!(done.ok(), "{name}: {}", done.err);
    done.out
}

fn assert_sound(host: &Host) {
    let done = Command::new(BERTH).args(["-H", host.address(), "system", "check"]).output().unwrap();
    let done = Done::from(done);
    assert!(done.ok(), "{}{}", done.out, done.err);
}

/// A daemon that starts removes what nobody needs.
fn restart(host: &mut Host) {
    host.stop_daemon();
    host.restart_daemon();
}

/// The same layers, compressed in two ways: one configuration, hence one image. Each name goes back as it came.
fn a024_one_image_by_two_manifests(host: &mut Host) {
    let (gzip, zstd) = (registry::reference("team/app:v1"), registry::reference("zstd:1"));
    let names = [&gzip, &zstd];
    names.iter().for_each(|name| drop(host.run(&["pull", "-q", name])));
    let id = host.inspect(&gzip, "{{.Id}}");
    assert_eq!(host.inspect(&zstd, "{{.Id}}"), id);
    let digests = names.map(|name| at_registry(name));
    assert_ne!(digests[0], digests[1]);
    let known = names.map(|name| name.rsplit_once(':').unwrap().0.to_owned());
    let known = [0, 1].map(|n| format!("{}@{}", known[n], digests[n]));
    restart(host);
    let shown = host.inspect(&id, "{{json .RepoDigests}}");
    for name in &known {
        assert!(shown.contains(name.as_str()), "{name}: {shown}");
        assert_eq!(host.inspect(name, "{{.Id}}"), id, "{name}");
    }
    assert_sound(host);
    let target = registry::empty(&host.name("forms"));
    for (n, name) in names.into_iter().enumerate() {
        let again = host.run(&["pull", name]);
        assert!(again.contains("Image is up to date"), "{again}");
        let copy = format!("{}/copy:{n}", target.host);
        host.run(&["tag", name, &copy]);
        let pushed = host.run(&["push", &copy]);
        assert!(pushed.contains(&digests[n]), "{pushed}");
        assert_eq!(at_registry(&copy), digests[n]);
        host.run(&["rmi", &copy]);
    }
    // A manifest goes with the last name that speaks of it.
    host.run(&["rmi", &zstd]);
    host.try_run(&["image", "inspect", &known[1]]).fails_with(1, "No such image");
    restart(host);
    assert_sound(host);
    let copy = format!("{}/last:1", target.host);
    host.run(&["tag", &gzip, &copy]);
    host.run(&["push", &copy]);
    assert_eq!(at_registry(&copy), digests[0]);
    host.run(&["rmi", &copy, &gzip]);
    assert_eq!(host.run(&["images", "-aq"]), "");
    assert_sound(host);
}

/// The tag goes to the platform that was pulled last. The list's digest does not move by itself; the other image is
/// known by its own manifest's.
fn a027_a_list_s_digest_stays_with_the_first_platform(host: &mut Host) {
    let list = registry::reference("list");
    let other = if host_architecture() == "amd64" { "linux/arm64" } else { "linux/amd64" };
    let (name, digest) = (list.as_str(), at_registry(&list));
    let by_digest = format!("{name}@{digest}");
    host.run(&["pull", "-q", name]);
    let ours = host.inspect(name, "{{.Id}}");
    host.run(&["pull", "-q", "--platform", other, name]);
    let theirs = host.inspect(name, "{{.Id}}");
    assert_ne!(ours, theirs);
    restart(host);
    assert_eq!(host.inspect(&by_digest, "{{.Id}}"), ours);
    assert_eq!(host.inspect(&ours, "{{json .RepoDigests}}"), format!("[\"{by_digest}\"]"));
    let own: Vec<String> = serde_json::from_str(&host.inspect(&theirs, "{{json .RepoDigests}}")).unwrap();
    assert!(own.len() == 1 && own[0] != by_digest, "{own:?}");
    assert_eq!(host.inspect(&own[0], "{{.Id}}"), theirs);
    let again = host.run(&["pull", "--platform", other, name]);
    assert!(again.contains("Image is up to date"), "{again}");
    // Both platforms are here, so that the list goes out as it came.
    let target = registry::empty(&host.name("platforms"));
    let copy = format!("{}/copy:1", target.host);
    host.run(&["tag", name, &copy]);
    host.run(&["push", &copy]);
    let raw = |name: &str| {
        let source = format!("docker://{name}");
        Command::new("skopeo").args(["inspect", "--tls-verify=false", "--raw", &source]).output().unwrap().stdout
    };
    assert_eq!(raw(&copy), raw(name));
    // Asked for by that digest, it goes where it is wanted.
    host.run(&["pull", "-q", "--platform", other, &by_digest]);
    assert_eq!(host.inspect(&by_digest, "{{.Id}}"), theirs);
    assert_sound(host);
}
