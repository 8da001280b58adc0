//! Completion: what `__complete` answers, and what a real bash makes of it.

use std::process::Command;

use tempfile::TempDir;

use crate::host::{BERTH, Done, Host};

rows![completion_protocol];

fn completion_protocol(host: &Host) {
    let (image, name) = (format!("{}:latest", host.image()), host.name("complete"));
    host.run(&["create", "--name", &name, &image]);
    let names = |args: &[&str]| {
        let done = host.try_run(&[&["__complete"], args].concat());
        assert!(done.ok(), "{}", done.err);
        let mut lines: Vec<String> = done.out.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect();
        let directive = lines.pop().unwrap();
        (lines, directive)
    };
    assert!(names(&["ru"]).0.contains(&"run".to_owned()));
    assert_eq!(names(&["run", "--platf"]).0, ["--platform"]);
    assert_eq!(
        names(&["run", "--pull", ""]),
        (["always", "missing", "never"].map(str::to_owned).to_vec(), ":4".to_owned())
    );
    assert!(names(&["container", "re"]).0.contains(&"restart".to_owned()));
    assert!(names(&["start", ""]).0.contains(&name));
    assert!(names(&["rm", ""]).0.contains(&name));
    assert!(!names(&["stop", ""]).0.contains(&name));
    assert!(names(&["run", ""]).0.contains(&image));
    assert!(names(&["run", "--network", ""]).0.contains(&"host".to_owned()));
    assert!(names(&["network", "inspect", ""]).0.contains(&"bridge".to_owned()));
    assert_eq!(names(&["context", "use", ""]).0, ["default"]);
    host.run(&["rm", &name]);
}

/// What bash offers for a line, with our script.
fn bash(host: &Host, directory: &TempDir, line: &str) -> Vec<String> {
    let script = Done::from(Command::new(BERTH).args(["completion", "bash"]).output().unwrap());
    assert!(script.ok(), "{}", script.err);
    let path = directory.path().join("script");
    std::fs::write(&path, script.out).unwrap();
    // Words are parted as readline parts them: at blanks, and at ':' and '=' by themselves.
    let driver = r#"
        source "$1"; COMP_LINE=$2; COMP_POINT=${#COMP_LINE}; compopt() { :; }
        COMP_WORDS=(); word=; rest=$COMP_LINE
        while [ -n "$rest" ]; do
            c=${rest:0:1}; rest=${rest:1}
            case $c in
                ' ') [ -n "$word" ] && COMP_WORDS+=("$word"); word=; glue= ;;
                [:=]) [ -n "$word" ] && COMP_WORDS+=("$word"); COMP_WORDS+=("$c"); word= ;;
                *) word+=$c ;;
            esac
        done
        COMP_WORDS+=("$word"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        __berth_complete; printf '%s\n' "${COMPREPLY[@]}"; complete -p berth >&2
    "#;
    let mut command = Command::new("bash");
    command.args(["--norc", "-c", driver, "bash"]).arg(&path).arg(line).env("DOCKER_HOST", host.address());
    let bin = std::path::Path::new(BERTH).parent().unwrap().display().to_string();
    command.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap())).env("DOCKER_CONFIG", directory.path());
    let done = Done::from(command.output().unwrap());
    assert!(done.err.contains("-F __berth_complete berth"), "{}", done.err);
    done.out.lines().map(str::to_owned).collect()
}

#[test]
fn completion_in_bash() {
    let host = Host::start(crate::host::Cli::Ours);
    let directory = TempDir::new().unwrap();
    let (image, name) = (format!("{}:latest", host.image()), host.name("bash"));
    host.run(&["create", "--name", &name, &image]);
    let offers = |line: &str| bash(&host, &directory, line);
    assert_eq!(offers("berth vers"), ["version"]);
    assert_eq!(offers("berth run --restart "), ["always", "no", "on-failure", "unless-stopped"]);
    assert_eq!(offers("berth run --restart=un"), ["unless-stopped"]);
    assert_eq!(offers(&format!("berth start {}", &name[..4])), [name.as_str()]);
    // Bash takes what follows the last colon for the word.
    let (before, after) = image.rsplit_once(':').unwrap();
    assert_eq!(offers(&format!("berth run {before}:")), [after]);
    assert_eq!(offers("berth completion f"), ["fish"]);
    assert!(offers("berth container ls --no").contains(&"--no-trunc".to_owned()));
    host.run(&["rm", &name]);
}

/// Every shell's script names the program and parses where the shell is installed.
#[test]
fn completion_scripts() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let done = Done::from(Command::new(BERTH).args(["completion", shell]).output().unwrap());
        assert!(done.ok() && done.out.contains("__complete") && done.out.contains("berth"), "{shell}: {}", done.out);
        assert!(!done.out.contains("PROGRAM"), "{shell}");
    }
    let unknown = Done::from(Command::new(BERTH).args(["completion", "tcsh"]).output().unwrap());
    unknown.fails_with(1, "unknown command: berth completion tcsh");
}
