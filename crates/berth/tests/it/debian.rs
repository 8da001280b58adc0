//! A real distribution on a real terminal: what a newcomer does second.

use std::process::Command;

use crate::host::{Host, until};

rows![bash_on_a_terminal];

/// A tmux server of its own, with one window.
struct Tmux {
    socket: tempfile::TempDir,
}

impl Tmux {
    fn start(command: &Command) -> Self {
        let tmux = Self { socket: tempfile::tempdir().unwrap() };
        let mut words = vec!["env".to_owned()];
        let set = command.get_envs().filter_map(|(name, value)| Some((name.to_str()?, value?.to_str()?)));
        words.extend(set.map(|(name, value)| format!("{name}={value}")));
        words.push(command.get_program().to_str().unwrap().to_owned());
        words.extend(command.get_args().map(|word| word.to_str().unwrap().to_owned()));
        let line = format!("{}; echo \"ended with $?\"; sleep 60", words.join(" "));
        tmux.tell(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", &line]);
        tmux
    }

    fn tell(&self, args: &[&str]) -> String {
        let socket = self.socket.path().join("tmux");
        let output = Command::new("tmux").arg("-S").arg(socket).args(args).env_remove("TMUX").output().unwrap();
        assert!(output.status.success(), "tmux {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn type_in(&self, text: &str) {
        self.tell(&["send-keys", "-l", text]);
        self.tell(&["send-keys", "Enter"]);
    }

    fn press(&self, key: &str) {
        self.tell(&["send-keys", key]);
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        until(text, || self.tell(&["capture-pane", "-p", "-e"]).contains(text));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let socket = self.socket.path().join("tmux");
        drop(Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output());
    }
}

fn bash_on_a_terminal(host: &Host) {
    let (image, name) = (host.fixture("debian"), host.name("bash"));
    let mut command = host.command();
    let tmux = Tmux::start(command.args(["run", "-it", "--rm", "--name", &name, &image, "bash"]));
    tmux.shows("root@");
    tmux.type_in("echo $((40+2)); sleep 100");
    tmux.shows("42");
    until("it sleeps in the foreground", || host.run(&["top", &name, "-o", "pid,comm"]).contains("sleep"));
    tmux.press("C-z");
    tmux.shows("Stopped");
    tmux.type_in("bg; jobs; kill %1");
    tmux.shows("Running");
    tmux.type_in("clear; stty size");
    tmux.shows("24 80");
    tmux.tell(&["resize-window", "-x", "100", "-y", "30"]);
    tmux.type_in("clear; until stty size | grep '^30 100$'; do sleep 0.1; done; echo it is $((15*2)) high");
    tmux.shows("it is 30 high");
    tmux.type_in("clear; ls --color=always -d /etc; cat /etc/motd; ls /etc/issue /usr/share/doc | wc -l");
    tmux.shows("\u{1b}[34m");
    tmux.shows("a fixture");
    tmux.type_in("exit 4");
    tmux.shows("ended with 4");
}
