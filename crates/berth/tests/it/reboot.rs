//! Around a power cut: `cargo xtask power` runs what comes before it in a virtual machine, cuts its power, boots it again
//! and runs what comes after it. Nowhere else can they show anything, so they are ignored there, by name.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use berth_fixtures::Registry;

use crate::host::{Cli, Host, until};
use crate::killed::{Chance, assert_sound, begin, fill};
use crate::restart::Matrix;
use crate::stalling::{FIRST, Stalling, goes_on, partial};

/// On a disk of the machine that keeps what it has been told to keep.
const ROOT: &str = "/var/lib/berth-power";

#[test]
#[ignore = "the first half of what `cargo xtask power` does"]
fn a120_before_the_power_cut() {
    let host = Host::start_at(Cli::Ours, Path::new(ROOT));
    Matrix::make(&host);
    host.run(&["run", "-d", "--rm", "--name", "temporary", &host.image(), "sleep", "3000"]);
    // Nobody ends in an orderly way when the power goes.
    std::mem::forget(host);
}

#[test]
#[ignore = "the second half of what `cargo xtask power` does"]
fn a120_after_the_power_cut() {
    let host = Host::start_at(Cli::Ours, Path::new(ROOT));
    Matrix::after_a_reboot(&host);
    assert!(!host.try_run(&["inspect", "temporary"]).ok(), "a --rm container does not survive a reboot");
}

/// What was done to images until the power went, on another disk: keeping it must not help the daemon to keep its own.
const JOURNAL: &str = "/journal/images";

/// An image that was said to be there or gone; or to which something was being done.
fn note(journal: &mut File, state: &str, image: &str) {
    writeln!(journal, "{state} {image}").and_then(|()| journal.sync_data()).unwrap();
}

#[test]
#[ignore = "images come and go in what `cargo xtask power` does, until the power goes"]
#[expect(clippy::zombie_processes, reason = "nobody is left to wait")]
fn images_until_the_power_cut() {
    let host = Host::start_at(Cli::Ours, Path::new(ROOT));
    let stalling = Stalling::start();
    let _ = begin(&host, &["pull", &stalling.image()]);
    until("what was sent is there", || partial(&host) == FIRST as u64);
    // As the kernel does within half a minute.
    rustix::fs::sync();
    let registry = Registry::start(&host.daemon().root().join("registry"));
    fill(&registry);
    let [one, two] = ["one", "two"].map(|name| format!("{}/{name}:latest", registry.host));
    host.run(&["pull", "-q", &two]);
    let archive = host.daemon().root().join("two.tar").display().to_string();
    host.run(&["save", "-o", &archive, &two]);
    host.run(&["run", "--name", "changed", &two, "sh", "-c", "head -c 3000000 /dev/urandom > /file; rm /first/7"]);
    let acts: [(&[&str], &str, &str); 6] = [
        (&["pull", "-q", &one], "there", &one),
        (&["pull", "-q", &two], "there", &two),
        (&["load", "-q", "-i", &archive], "there", &two),
        (&["commit", "changed", "made:latest"], "there", "made:latest"),
        (&["rmi", "-f", &one], "gone", &one),
        (&["rmi", "-f", "made:latest"], "gone", "made:latest"),
    ];
    let (mut journal, mut chance) = (File::create(JOURNAL).unwrap(), Chance::from_environment());
    loop {
        let (words, then, image) = chance.one_of(&acts);
        note(&mut journal, "changing", image);
        // Who removes what is not there is told so.
        let done = host.try_run(words);
        assert!(done.ok() || done.err.contains("No such image"), "{words:?}: {}", done.err);
        note(&mut journal, then, image);
    }
}

#[test]
#[ignore = "what must be true afterwards, in what `cargo xtask power` does"]
fn images_after_the_power_cut() {
    let host = Host::start_at(Cli::Ours, Path::new(ROOT));
    assert_sound(&host, true, "the power cut");
    let journal = fs::read_to_string(JOURNAL).unwrap();
    println!("{} acts", journal.lines().count() / 2);
    // The last word on each image counts.
    let images: BTreeMap<_, _> =
        journal.lines().filter_map(|line| line.split_once(' ')).map(|(state, image)| (image, state)).collect();
    assert!(!images.is_empty(), "the power went before anything was done: {journal:?}");
    for (image, state) in images {
        let there = host.try_run(&["image", "inspect", image]).ok();
        assert!(state == "changing" || there == (state == "there"), "{image} was said to be {state}");
        if there {
            host.run(&["run", "--rm", image, "cat", "/first/0"]);
        }
    }
    host.run(&["rm", "changed"]);
    for id in host.run(&["images", "-q"]).lines() {
        host.run(&["rmi", "-f", id]);
    }
    assert!(partial(&host) > 0, "what had come of an image is gone");
    goes_on(&host, &Stalling::start());
    assert_sound(&host, true, "the pull");
}
