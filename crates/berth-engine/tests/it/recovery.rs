//! What survives the engine's death: everything.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use berth_engine::spec::ContainerSpec;
use berth_engine::{LogOptions, WaitCondition};
use rustix::process::Pid;

use crate::confinement::bind;
use crate::harness::{Home, attach_all, drain, finish, logs, runtime, script, until};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("recovery::kill_9_while_it_prints", kill_9_while_it_prints),
    ("recovery::it_ends_while_nobody_is_there", ends_while_nobody_is_there),
    ("recovery::paused_and_auto_removed", paused_and_auto_removed),
    ("recovery::another_boot", another_boot),
    ("recovery::garbage_is_swept", garbage_is_swept),
];

/// The process that is killed: an engine that starts one container and says its id.
pub(crate) fn victim(args: &[OsString]) -> ExitCode {
    let [root, bridge, spec] = args else { return ExitCode::FAILURE };
    let home = Home::at(root.into(), bridge.to_str().unwrap().into());
    let spec: ContainerSpec = serde_json::from_str(spec.to_str().unwrap()).unwrap();
    runtime().block_on(async {
        let engine = home.open().await;
        let containers = engine.containers();
        let id = containers.create(Some("survivor".into()), spec).await.unwrap().id;
        containers.start(id.as_str()).await.unwrap();
        println!("started {id}");
        std::future::pending::<()>().await;
    });
    ExitCode::SUCCESS
}

/// Starts a container by an engine in a process of its own, which is returned to be killed.
fn start(home: &Home, spec: &ContainerSpec) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("victim")
        .arg(&home.root)
        .arg(home.bridge())
        .arg(serde_json::to_string(spec).unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("started"), "{line}");
    child
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A container that sees a directory of the host, and goes on at `TOLD` once there is a file in it.
fn told_to_end(home: &Home, text: &str) -> ContainerSpec {
    let shared = home.root.join("shared");
    std::fs::create_dir_all(&shared).unwrap();
    let mut spec = script(&text.replace("TOLD", "until test -e /shared/go; do usleep 10000; done"));
    spec.mounts = vec![bind(shared.to_str().unwrap(), "/shared", true, false)];
    spec
}

fn tell(home: &Home) {
    std::fs::write(home.root.join("shared/go"), "").unwrap();
}

fn kill_9_while_it_prints() {
    let home = Home::new();
    let printing = told_to_end(
        &home,
        "i=0; while test $i -lt 1500; do i=$((i+1)); echo $i; usleep 1000; if test $i = 1000; then TOLD; fi; done; exit 6",
    );
    let child = start(&home, &printing);
    // Wherever it has come to by then.
    std::thread::sleep(Duration::from_millis(200));
    kill(child);
    runtime().block_on(async {
        let engine = home.open().await;
        let containers = engine.containers();
        let view = containers.inspect("survivor").unwrap();
        assert_eq!(view.state.status(), "running");
        assert!(view.state.pid().unwrap().0 > 0);
        let attached = tokio::spawn(drain(containers.attach("survivor", attach_all()).await.unwrap()));
        tell(&home);
        let options = LogOptions { stdout: true, follow: true, ..LogOptions::default() };
        let all =
            crate::harness::log_entries(containers.logs("survivor", options, crate::harness::marked()).await.unwrap())
                .await;
        assert!(all.len() == 1500 && (1..).zip(&all).all(|(n, (_, text))| *text == format!("{n}\n")));
        let exit = containers.wait("survivor", WaitCondition::NotRunning).await.unwrap().await.unwrap();
        assert_eq!(exit.code, 6);
        let text = attached.await.unwrap();
        let seen: Vec<u32> = text.lines().map(|l| l.parse().unwrap()).collect();
        assert!(seen.windows(2).all(|w| w[0] + 1 == w[1]) && seen.last() == Some(&1500));
        finish(&engine, &home).await;
    });
}

fn ends_while_nobody_is_there() {
    let home = Home::new();
    let child = start(&home, &told_to_end(&home, "TOLD; echo last words; exit 9"));
    kill(child);
    tell(&home);
    wait_for_nobody(&home);
    runtime().block_on(async {
        let engine = home.open().await;
        let containers = engine.containers();
        let view = containers.inspect("survivor").unwrap();
        assert_eq!((view.state.status(), view.exit_code()), ("exited", 9));
        assert_eq!(logs(&containers, "survivor").await.0, "last words\n");
        containers.start("survivor").await.unwrap();
        finish(&engine, &home).await;
    });
}

fn paused_and_auto_removed() {
    let home = Home::new();
    let child = start(&home, &ContainerSpec { auto_remove: true, ..script("sleep 1000") });
    kill(child);
    runtime().block_on(async {
        let engine = home.open().await;
        let containers = engine.containers();
        containers.pause("survivor").await.unwrap();
        engine.shutdown().await;
    });
    runtime().block_on(async {
        let engine = home.open().await;
        let containers = engine.containers();
        assert_eq!(containers.inspect("survivor").unwrap().state.status(), "paused");
        let removed = containers.wait("survivor", WaitCondition::Removed).await.unwrap();
        containers.kill("survivor", None).await.unwrap();
        assert_eq!(removed.await.unwrap().code, 137);
        finish(&engine, &home).await;
    });
}

/// The state of a kernel that is gone: a container that ran then has ended, and one to be removed is no more.
fn another_boot() {
    for auto_remove in [false, true] {
        let home = Home::new();
        let child = start(&home, &ContainerSpec { auto_remove, ..script("sleep 1000") });
        kill(child);
        // The "reboot": the shim dies without a word, and the record says another boot.
        let boot = std::fs::read_dir(home.root.join("run")).unwrap().next().unwrap().unwrap().path();
        end_everything(&home);
        std::fs::remove_dir_all(&boot).unwrap();
        change_boot_id(&home);
        runtime().block_on(async {
            let engine = home.open().await;
            let containers = engine.containers();
            if auto_remove {
                assert!(containers.list().is_empty());
            } else {
                let view = containers.inspect("survivor").unwrap();
                assert_eq!((view.state.status(), view.exit_code()), ("exited", 255));
                containers.start("survivor").await.unwrap();
            }
            finish(&engine, &home).await;
        });
    }
}

/// Kills the shim and all of its container.
fn end_everything(home: &Home) {
    for pid in processes(home) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
    wait_for_nobody(home);
}

/// The shims and their containers' processes.
fn processes(home: &Home) -> Vec<Pid> {
    let mark = format!("{}/", home.cgroup_parent());
    let containers: Vec<String> = std::fs::read_dir(home.root.join("data/containers"))
        .unwrap()
        .flatten()
        .map(|container| container.file_name().into_string().unwrap())
        .collect();
    let belongs = |pid: i32| {
        let of = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let command = of("cmdline");
        let is_shim = command.split('\0').nth(1) == Some("shim") && containers.iter().any(|id| command.contains(id));
        (is_shim || of("cgroup").contains(&mark)) && !of("stat").contains(") Z ")
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| belongs(*pid)).filter_map(Pid::from_raw).collect()
}

fn wait_for_nobody(home: &Home) {
    runtime().block_on(until("all of it has ended", async || processes(home).is_empty()));
}

fn change_boot_id(home: &Home) {
    use berth_state::{Durability, Record, Store};
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Any(serde_json::Value);
    impl Record for Any {
        const KIND: &'static str = "container";
        const VERSION: u32 = 1;
    }
    let store = Store::open(&home.root.join("data/state.db")).unwrap();
    for (key, mut record) in store.read(|r| r.list::<Any>()).unwrap() {
        record.0["boot_id"] = "00000000-0000-0000-0000-000000000000".into();
        store.write(Durability::Relaxed, move |tx| tx.put(&key, &record)).unwrap();
    }
}

fn garbage_is_swept() {
    let home = Home::new();
    let stray = home.root.join("data/containers").join("ab".repeat(32));
    std::fs::create_dir_all(stray.join("upper/deep")).unwrap();
    std::fs::create_dir_all(home.root.join("data/trash/old/x")).unwrap();
    std::fs::create_dir_all(home.root.join("run/11111111-2222-3333-4444-555555555555/shims")).unwrap();
    runtime().block_on(async {
        let engine = home.open().await;
        finish(&engine, &home).await;
        assert!(!stray.exists());
        assert!(!home.root.join("run/11111111-2222-3333-4444-555555555555").exists());
    });
}
