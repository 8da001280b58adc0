//! `kill -9` of the daemon while images come and go: nothing is lost, nothing is left over, and a pull goes on.
//!
//! `BERTH_KILLS` says how often (20), `BERTH_SEED` which moments; both are printed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_fixtures::{Entry, Image, Layout, PATH, Registry, layer};
use serde_json::{Value, json};

use crate::host::{Cli, Host, until};
use crate::registry;

/// Moments by chance, the same for the same seed.
struct Chance(u64);

impl Chance {
    fn from_environment() -> Self {
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

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
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
fn filled() -> Registry {
    let registry = registry::empty("killed");
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
    registry
}

/// `system check`, which must find nothing.
fn assert_sound(host: &Host, deep: bool, after: &str) -> Value {
    let quick = format!("--quick={}", !deep);
    let done = host.try_run(&["system", "check", &quick, "--format", "json"]);
    assert!(done.ok(), "after {after}: {}{}", done.out, done.err);
    serde_json::from_str(&done.out).unwrap()
}

fn begin(host: &Host, words: &[&str]) -> Child {
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
    let (mut chance, registry, target) = (Chance::from_environment(), filled(), registry::empty("killed-target"));
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

/// A registry that stops in the middle of its image's large layer, until it is told to go on.
struct Stalling {
    host: String,
    well: Arc<AtomicBool>,
    /// From which byte on the large layer was asked for.
    asked: Arc<Mutex<Vec<u64>>>,
}

/// So much of the large layer is sent at first.
const FIRST: usize = 700_000;

impl Stalling {
    fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let mut layout = Layout::create(root.path());
        let large = layer(vec![Entry::File("large", 0o644, noise(3, 2_000_000))]);
        let layers = [berth_fixtures::busybox(), large];
        layout.image("app:latest", &Image::new(&layers, json!({"Env": [PATH], "Cmd": ["sh"]})));
        layout.finish();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (well, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::default()));
        let (repaired, log, root) = (well.clone(), asked.clone(), Arc::new(root));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (repaired, log, root) = (repaired.clone(), log.clone(), root.clone());
                std::thread::spawn(move || drop(serve(stream, root.path(), &repaired, &log)));
            }
        });
        Self { host, well, asked }
    }

    fn image(&self) -> String {
        format!("{}/app:latest", self.host)
    }
}

/// One request; then the connection ends.
fn serve(mut stream: TcpStream, root: &Path, well: &AtomicBool, asked: &Mutex<Vec<u64>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let line = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut from = 0;
    for header in lines {
        let header = header?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(range) = header.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let path = line.split(' ').nth(1).unwrap_or_default();
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json"))?)?;
    let name = path.rsplit('/').next().unwrap_or_default();
    let digest = if name == "latest" { index["manifests"][0]["digest"].as_str().unwrap() } else { name };
    let Ok(bytes) = fs::read(root.join("blobs").join(digest.replace(':', "/"))) else {
        return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
    };
    let (status, rest) = if from == 0 { ("200 OK", &bytes[..]) } else { ("206 Partial Content", &bytes[from..]) };
    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
    let kind = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n";
    let more = format!("Docker-Content-Digest: {digest}\r\n{}", if from == 0 { kind } else { &range });
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}Connection: close\r\n\r\n", rest.len());
    stream.write_all(head.as_bytes())?;
    if line.starts_with("HEAD") {
        return Ok(());
    }
    if bytes.len() > 2 * FIRST && path.contains("/blobs/") {
        asked.lock().unwrap().push(from as u64);
        if !well.load(Ordering::Relaxed) {
            stream.write_all(&rest[..FIRST])?;
            while !well.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            return Ok(());
        }
    }
    stream.write_all(rest)
}

/// Bytes of the one blob that is not whole.
fn partial(host: &Host) -> u64 {
    let entries = fs::read_dir(host.daemon().data_root().join("content/partial")).into_iter().flatten().flatten();
    entries.map(|entry| entry.metadata().map_or(0, |found| found.len())).sum()
}

/// Lets the registry go on, pulls again, and expects that nothing is asked for twice.
fn goes_on(host: &Host, registry: &Stalling) {
    let had = partial(host);
    assert!(host.try_run(&["images", "-q"]).out.is_empty(), "half an image is none");
    registry.asked.lock().unwrap().clear();
    registry.well.store(true, Ordering::Relaxed);
    host.run(&["pull", &registry.image()]);
    assert_eq!(*registry.asked.lock().unwrap(), [had]);
    assert_eq!(partial(host), 0);
    assert_eq!(host.run(&["run", "--rm", &registry.image(), "wc", "-c", "/large"]), "2000000 /large");
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
