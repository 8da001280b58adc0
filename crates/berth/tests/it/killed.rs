//! `kill -9` of the daemon while images come and go: nothing is lost, nothing is left over, and a pull goes on.
//!
//! `BERTH_KILLS` says how often (20), `BERTH_SEED` which moments; both are printed.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use berth_fixtures::{Entry, Image, Layout, PATH, Registry, layer};
use serde_json::{Value, json};

use crate::host::{Cli, Host, until};
use crate::registry;
use crate::stalling::{FIRST, Stalling, goes_on, partial};

/// Moments by chance, the same for the same seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let seed = number("BERTH_SEED").unwrap_or(now.as_secs() ^ u64::from(now.subsec_nanos()) << 20);
        println!("BERTH_SEED={seed}");
        Self(seed | 1)
    }

    /// Of so many.
    fn below(&mut self, count: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % count
    }

    pub(crate) fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

fn rounds() -> u32 {
    std::env::var("BERTH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Bytes that do not compress, so that layers take their time.
pub(crate) fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut chance = Chance(seed * 2 + 1);
    (0..size / 4).flat_map(|_| u32::try_from(chance.below(1 << 32)).unwrap().to_le_bytes()).collect()
}

/// Images that share layers: `one`, `two` (which stands on `one`'s) and `small`.
pub(crate) fn fill(registry: &Registry) {
    let root = tempfile::tempdir().unwrap();
    let mut layout = Layout::create(root.path());
    let many = |name: &str, seed: u64| {
        let paths: Vec<String> = (0..40).map(|n| format!("{name}/{n}")).collect();
        let files = paths.iter().zip(seed..).map(|(path, seed)| Entry::File(path, 0o644, noise(seed, 60_000)));
        layer(std::iter::once(Entry::Dir(name, 0o755)).chain(files).collect())
    };
    let (base, first, second) = (berth_fixtures::busybox(), many("first", 1), many("second", 1000));
    let config = json!({"Env": [PATH], "Cmd": ["sh"]});
    let one = [base.clone(), first.clone()];
    let two = [base.clone(), first, second];
    let small = [base];
    layout.image("one:latest", &Image::new(&one, config.clone()));
    layout.image("two:latest", &Image::new(&two, config.clone()));
    layout.image("small:latest", &Image::new(&small, config));
    layout.finish();
    for name in ["one:latest", "two:latest", "small:latest"] {
        registry.push(root.path(), name, &[]);
    }
}

/// `system check`, which must find nothing.
pub(crate) fn assert_sound(host: &Host, deep: bool, after: &str) -> Value {
    let quick = format!("--quick={}", !deep);
    let done = host.try_run(&["system", "check", &quick, "--format", "json"]);
    assert!(done.ok(), "after {after}: {}{}", done.out, done.err);
    serde_json::from_str(&done.out).unwrap()
}

pub(crate) fn begin(host: &Host, words: &[&str]) -> Child {
    host.command().args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What a round does to images. A push gets something that its registry has never seen.
struct Acts {
    keeper: String,
    /// Where what is made here is pushed to.
    target: String,
    fixed: Vec<Vec<String>>,
}

impl Acts {
    fn new(host: &Host, [one, two]: [&str; 2], keeper: &str, target: &str) -> Self {
        let archive = |name: &str| host.daemon().root().join(name).display().to_string();
        let (whole, copy) = (archive("two.tar"), archive("copy.tar"));
        host.run(&["pull", "-q", two]);
        host.run(&["save", "-o", &whole, two]);
        let fixed: [&[&str]; 12] = [
            &["load", "-q", "-i", &whole],
            &["load", "-q", "-i", &whole],
            &["pull", one],
            &["pull", two],
            &["pull", two],
            &["rmi", "-f", one],
            &["rmi", "-f", two],
            &["rmi", "-f", "made"],
            &["image", "prune", "-af"],
            &["commit", keeper, "made"],
            &["save", "-o", &copy, two],
            &["run", "--rm", two, "true"],
        ];
        let fixed = fixed.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect();
        Self { keeper: keeper.to_owned(), target: target.to_owned(), fixed }
    }

    /// One in five is a push.
    fn choose(&self, host: &Host, chance: &mut Chance, number: u32) -> Vec<String> {
        if chance.below(5) > 0 {
            return chance.one_of(&self.fixed).clone();
        }
        // A layer of its own: it was never sent, and is to be compressed first.
        let (name, file) = (format!("{}/made-{number}", self.target), host.daemon().root().join("file"));
        fs::write(&file, noise(u64::from(number) + 5000, 1_500_000)).unwrap();
        host.run(&["cp", &file.display().to_string(), &format!("{}:/file", self.keeper)]);
        host.run(&["commit", &self.keeper, &name]);
        vec!["push".to_owned(), name]
    }
}

/// What was said to be done is done, unless the other undid it.
fn assert_done(host: &Host, target: &Registry, chosen: &[Vec<String>], ends: &[bool], told: &str) {
    for (n, words) in chosen.iter().enumerate() {
        let (act, name, other) = (words[0].as_str(), words.last().unwrap(), chosen[1 - n][0].as_str());
        if act == "pull" && ends[n] && matches!(other, "pull" | "push" | "save" | "commit" | "run") {
            assert!(host.try_run(&["image", "inspect", name]).ok(), "{told}: {name} is gone");
        }
        if act != "push" {
            continue;
        }
        let sent = |line: &str| target.requests(line) > 0;
        let manifest = format!("PUT {}/manifests/latest HTTP/1.1\" 201", name.replacen(&target.host, "/v2", 1));
        if ends[n] {
            until(&format!("{told}: {name} is there"), || sent(&manifest));
        }
        // Another push does what is left to be done, and what came of both is whole.
        if host.try_run(&["image", "inspect", name]).ok() {
            host.run(&["push", "-q", name]);
            host.run(&["rmi", "-f", name]);
        }
        if sent(&manifest) {
            host.run(&["pull", "-q", name]);
            host.run(&["rmi", "-f", name]);
        }
    }
}

#[test]
fn at_any_moment_nothing_is_lost_and_nothing_is_left_over() {
    let (registry, target) = (registry::empty("killed"), registry::empty("killed-target"));
    fill(&registry);
    let mut chance = Chance::from_environment();
    let mut host = Host::start(Cli::Ours);
    let [one, two, small] = ["one", "two", "small"].map(|name| format!("{}/{name}", registry.host));
    let keeper = host.name("keeper");
    host.run(&["run", "--name", &keeper, &small, "sh", "-c", "echo changed > /file"]);
    let acts = Acts::new(&host, [&one, &two], &keeper, &target.host);
    for round in 0..rounds() {
        let chosen = [0, 1].map(|n| acts.choose(&host, &mut chance, 2 * round + n));
        let words = chosen.each_ref().map(|words| words.iter().map(String::as_str).collect::<Vec<_>>());
        let mut running = words.each_ref().map(|words| begin(&host, words));
        // Chance is what is tested here: the moment is the seed's.
        std::thread::sleep(Duration::from_millis(chance.below(1200)));
        host.kill_daemon();
        let ends = running.each_mut().map(|child| child.wait().unwrap().success());
        host.restart_daemon();
        let told = format!("round {round}: {chosen:?} {ends:?}");
        assert_sound(&host, round % 10 == 9, &told);
        assert_done(&host, &target, &chosen, &ends, &told);
        assert!(host.try_run(&["image", "inspect", &small]).ok(), "{told}: a container's image is gone");
    }
    let mounted = host.try_run(&["run", "--rm", &two, "sh", "-c", "cat /first/* /second/* | wc -c"]);
    assert_eq!(mounted.out, (2 * 40 * 60_000).to_string(), "{}", mounted.err);
    assert_sound(&host, true, "everything");
    // Besides the keeper: whoever was killed between making a container and starting it has left it.
    until("no container runs", || host.run(&["ps", "-q"]).is_empty());
    host.run(&["container", "prune", "-f"]);
    host.run(&["image", "prune", "-af"]);
    let rest = assert_sound(&host, true, "pruning everything");
    assert_eq!((&rest["Images"], &rest["Layers"], &rest["Blobs"]), (&json!(0), &json!(0), &json!(0)), "{rest}");
}

#[test]
fn a_pull_goes_on_from_the_byte_it_had_when_the_daemon_was_killed() {
    let (registry, mut host) = (Stalling::start(), Host::start(Cli::Ours));
    let mut pull = begin(&host, &["pull", &registry.image()]);
    until("what was sent is there", || partial(&host) == FIRST as u64);
    host.kill_daemon();
    assert!(!pull.wait().unwrap().success());
    host.restart_daemon();
    let waiting = &assert_sound(&host, true, "the kill")["Waiting"];
    assert!(waiting["Bytes"].as_u64().unwrap() >= FIRST as u64, "{waiting}");
    goes_on(&host, &registry);
    assert_sound(&host, true, "the pull");
}

rows![a020_a_pull_goes_on_after_ctrl_c];

fn a020_a_pull_goes_on_after_ctrl_c(host: &Host) {
    let registry = Stalling::start();
    let mut pull = begin(host, &["pull", &registry.image()]);
    until("what was sent is there", || partial(host) == FIRST as u64);
    let process = rustix::process::Pid::from_child(&pull);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert!(!pull.wait().unwrap().success());
    goes_on(host, &registry);
}
