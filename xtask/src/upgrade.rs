//! `cargo xtask upgrade PREVIOUS`: containers that an earlier berth started, taken up by this one.
//!
//! PREVIOUS is the program of an earlier commit. Its daemon starts containers and is killed; this commit's daemon opens
//! the same data root and has to know, follow, enter, stop and start them again.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use berth_fixtures::{Image, Layout, PATH, Registry};
use serde_json::json;

/// How long a daemon may take to answer, and a container to do what it was asked.
const PATIENCE: Duration = Duration::from_secs(60);

/// Prints one number after the other, and ends with 5 when it is told to.
const COUNT: &str = "trap 'exit 5' TERM; n=0; while :; do echo $n; n=$((n+1)); sleep 0.02; done";

/// Builds this commit, then tries it on what `previous` left.
pub(crate) fn run(previous: &str) -> Result<()> {
    crate::run("cargo", &["build", "--quiet", "--package", "berth"])?;
    let present = present()?;
    let place = Place(std::env::temp_dir().join(format!("berth-upgrade-{}", std::process::id())));
    std::fs::create_dir_all(&place.0).with_context(|| place.0.display().to_string())?;
    let previous = Path::new(previous).canonicalize().with_context(|| previous.to_owned())?;
    let (_registry, image) = place.registry();
    let mut old = place.daemon(&previous)?;
    let begun = place.begin(&previous, &image);
    old.kill()?;
    old.wait()?;
    let mut new = place.daemon(&present)?;
    let seen = begun.and_then(|()| place.take_up(&present));
    // Also where something failed half way.
    drop(place.berth(&present, &["rm", "-f", "runs", "ended", "made"]));
    // A daemon that is asked to end takes the bridge along; `kill` of the standard library asks nobody.
    crate::run("kill", &[&new.id().to_string()])?;
    new.wait()?;
    seen?;
    eprintln!("{} takes up what {} started", present.display(), previous.display());
    Ok(())
}

fn present() -> Result<PathBuf> {
    let xtask = std::env::current_exe().context("where this program lies")?;
    let path = xtask.with_file_name("berth");
    path.canonicalize().with_context(|| path.display().to_string())
}

/// The directories of both daemons; removed when it is dropped.
struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

impl Place {
    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn address(&self) -> String {
        format!("unix://{}", self.path("sock"))
    }

    /// Starts `program`'s daemon and waits until it answers.
    fn daemon(&self, program: &Path) -> Result<Child> {
        let log = std::fs::File::create(self.0.join("log")).context("the daemon's log")?;
        let mut command = Command::new(program);
        command.args(["daemon", "-H", &self.address(), "--config-file", "/dev/null", "--bridge", "berthup0"]);
        command.args(["--bip", "10.213.7.1/24", "--data-root", &self.path("data"), "--exec-root", &self.path("run")]);
        command.args(["--pidfile", &self.path("pid")]).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let daemon = command.spawn().with_context(|| program.display().to_string())?;
        self.until("the daemon answers", || self.berth(program, &["version"]).is_ok())?;
        Ok(daemon)
    }

    /// Runs the command line to its end; its standard output.
    fn berth(&self, program: &Path, args: &[&str]) -> Result<String> {
        let output = Command::new(program).env("DOCKER_HOST", self.address()).args(args).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        ensure!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        Ok(text(&output.stdout))
    }

    fn until(&self, what: &str, mut happened: impl FnMut() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !happened() {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.0.join("log")).unwrap_or_default();
                bail!("{what}: not within {PATIENCE:?}\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// A registry with the one image that is needed, and the image's name.
    fn registry(&self) -> (Registry, String) {
        let registry = Registry::start(&self.0.join("registry"));
        let path = self.0.join("layout");
        let mut layout = Layout::create(&path);
        layout.image("busybox:latest", &Image::new(&[berth_fixtures::busybox()], json!({"Env": [PATH]})));
        layout.finish();
        registry.push(&path, "busybox:latest", &[]);
        let image = format!("{}/busybox", registry.host);
        (registry, image)
    }

    /// What the earlier berth starts: one container that runs, one that has ended, one that was only made.
    fn begin(&self, program: &Path, image: &str) -> Result<()> {
        self.berth(program, &["pull", "-q", image])?;
        self.berth(program, &["run", "-d", "--name", "runs", "-m", "64m", image, "sh", "-c", COUNT])?;
        self.berth(program, &["run", "-d", "--name", "ended", image, "sh", "-c", "echo kept > /file; exit 3"])?;
        self.berth(program, &["create", "--name", "made", image, "cat", "/etc/hostname"])?;
        ensure!(self.berth(program, &["wait", "ended"])? == "3", "the container ends with 3");
        self.until("it counts", || self.berth(program, &["logs", "runs"]).is_ok_and(|log| log.lines().count() > 20))
    }

    /// What this berth must make of them.
    fn take_up(&self, program: &Path) -> Result<()> {
        let states =
            self.berth(program, &["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "runs", "ended", "made"])?;
        ensure!(states == "running 0\nexited 3\ncreated 0", "the states are: {states}");
        ensure!(self.berth(program, &["exec", "runs", "echo", "inside"])? == "inside", "exec");
        let count = || self.berth(program, &["logs", "runs"]).map_or(0, |log| log.lines().count());
        let before = count();
        self.until("it counts on", || count() > before + 20)?;
        ensure!(self.berth(program, &["stop", "runs"])? == "runs", "stop");
        let code = self.berth(program, &["inspect", "-f", "{{.State.ExitCode}}", "runs"])?;
        ensure!(code == "5", "its own exit code, not {code}");
        let log = self.berth(program, &["logs", "runs"])?;
        for (n, line) in log.lines().enumerate() {
            ensure!(line == n.to_string(), "line {n} of the log is {line}");
        }
        self.berth(program, &["start", "runs"])?;
        ensure!(self.berth(program, &["exec", "runs", "echo", "again"])? == "again", "exec after a start");
        ensure!(!self.berth(program, &["start", "-a", "made"])?.is_empty(), "what was only made runs");
        self.berth(program, &["rm", "-f", "runs", "ended", "made"]).map(drop)
    }
}
