//! Many at once: nothing fails, nothing is left. `cargo xtask soak` does the same with two hundred.

use std::sync::Mutex;
use std::thread;

use crate::host::{Cli, Host, until};

/// Clients at once.
const CLIENTS: usize = 16;

/// Containers; `BERTH_SCALE` says another number.
fn how_many() -> usize {
    std::env::var("BERTH_SCALE").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

/// Does something to each name, by so many clients at once.
fn by_many(names: &[String], action: impl Fn(&str) + Sync) {
    let queue = Mutex::new(names.iter());
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while let Some(name) = { queue.lock().unwrap().next() } {
                    action(name);
                }
            });
        }
    });
}

#[test]
fn many_clients_at_once() {
    let host = Host::start(Cli::Ours);
    let image = host.image();
    let names: Vec<String> = (0..how_many()).map(|_| host.name("many")).collect();
    by_many(&names, |name| drop(host.run(&["run", "-d", "--name", name, &image, "sleep", "3000"])));
    assert_eq!(host.run(&["ps", "-q"]).lines().count(), names.len());
    let addresses: std::collections::BTreeSet<String> =
        names.iter().map(|name| host.inspect(name, "{{.NetworkSettings.IPAddress}}")).collect();
    assert_eq!(addresses.len(), names.len(), "each has an address of its own");
    by_many(&names, |name| drop(host.run(&["stop", "-t", "0", name])));
    assert_eq!(host.run(&["ps", "-q"]), "");
    assert_eq!(host.run(&["ps", "-aq"]).lines().count(), names.len());
    by_many(&names, |name| drop(host.run(&["rm", name])));
    assert_eq!(host.run(&["ps", "-aq"]), "");
    let data = host.daemon().data_root();
    let entries = |name: &str| std::fs::read_dir(data.join(name)).unwrap().count();
    until("their files are gone", || entries("containers") == 0 && entries("trash") == 0);
}

/// Two that want the same: one gets it, the other is told, nothing breaks.
#[test]
fn many_clients_of_one_container() {
    let host = Host::start(Cli::Ours);
    let (image, name) = (host.image(), host.name("one"));
    let made = Mutex::new(0);
    let same: Vec<String> = (0..CLIENTS).map(|_| name.clone()).collect();
    by_many(&same, |name| {
        let done = host.try_run(&["create", "--name", name, &image, "sleep", "3000"]);
        match done.ok() {
            true => *made.lock().unwrap() += 1,
            false => done.fails_with(1, "is already in use by container"),
        }
    });
    assert_eq!(*made.lock().unwrap(), 1);
    by_many(&same, |name| drop(host.run(&["start", name])));
    by_many(&same, |name| drop(host.run(&["restart", "-t", "0", name])));
    by_many(&same, |name| drop(host.run(&["stop", "-t", "0", name])));
    by_many(&same, |name| {
        host.try_run(&["rm", "-f", name]);
    });
    assert_eq!(host.run(&["ps", "-aq"]), "");
}
