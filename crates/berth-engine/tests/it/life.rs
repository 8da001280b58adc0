//! From create to remove.

use std::time::{Duration, Instant};

use berth_engine::spec::{ContainerSpec, NetworkMode};
use berth_engine::{ErrorKind, RemoveOptions, WaitCondition};
use jiff::Timestamp;

use crate::harness::{Output, run, says, script, until, with_engine};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("life::a_container_runs", a_container_runs),
    ("life::exit_codes_a101", exit_codes),
    ("life::names_a105", names),
    ("life::auto_remove_a103", auto_remove),
    ("life::stop_a110_a112", stop),
    ("life::kill_a113", kill),
    ("life::data_is_kept_a114_a116", data_is_kept),
    ("life::remove_a115", remove),
    ("life::restart_a117", restart),
    ("life::restart_of_a_volatile_one", restart_volatile),
    ("life::pause", pause),
    ("life::concurrent_starts", concurrent_starts),
    ("life::events", events),
    ("life::host_network", host_network),
    ("life::bridge", bridge),
    ("life::a_start_that_does_not_come", no_start),
    ("life::everything_at_once", everything_at_once),
];

fn a_container_runs() {
    with_engine(|engine| async move {
        let output = run(&engine.containers(), script("echo hello; echo oops >&2; exit 7")).await;
        assert_eq!(output, Output { code: 7, stdout: "hello\n".into(), stderr: "oops\n".into() });
    });
}

fn exit_codes() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        for (command, code, text) in
            [("nosuchcmd", 127, "executable file not found in $PATH"), ("/etc/passwd", 126, "permission denied")]
        {
            let mut spec = script("");
            spec.process.cmd = Some(vec![command.into()]);
            let id = containers.create(None, spec).await.unwrap().id;
            let error = containers.start(id.as_str()).await.unwrap_err();
            assert_eq!(error.exit_code(), Some(code), "{error}");
            assert!(error.to_string().contains(text), "{error}");
            let view = containers.inspect(id.as_str()).unwrap();
            assert_eq!((view.state.status(), view.exit_code()), ("created", i32::from(code)));
            assert!(view.error().contains(text));
        }
    });
}

fn names() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let create = |name: &str| containers.create(Some(name.into()), script("true"));
        let id = create("web").await.unwrap().id;
        let error = create("web").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "Conflict. The container name \"/web\" is already in use by container \"{id}\". You have to remove (or \
                 rename) that container to be able to reuse that name."
            )
        );
        assert_eq!(create("bad name").await.unwrap_err().kind(), ErrorKind::Invalid);
        for key in ["web", "/web", id.as_str(), &id.as_str()[..5]] {
            assert_eq!(containers.inspect(key).unwrap().id, id);
        }
        assert_eq!(containers.inspect("nosuch").unwrap_err().to_string(), "No such container: nosuch");
        containers.rename("web", "shop").await.unwrap();
        assert!(containers.inspect("web").is_err());
        assert_eq!(containers.inspect("shop").unwrap().name, "shop");
        create("web").await.unwrap();
        let unnamed = containers.create(None, script("true")).await.unwrap().id;
        assert!(containers.inspect(unnamed.as_str()).unwrap().name.contains('_'));
        let mut missing = script("true");
        missing.image = "nosuch".into();
        let error = containers.create(None, missing).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::NotFound, "No such image: nosuch:latest".into()));
    });
}

fn auto_remove() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let spec = ContainerSpec { auto_remove: true, ..script("exit 5") };
        let id = containers.create(None, spec.clone()).await.unwrap().id;
        let removed = containers.wait(id.as_str(), WaitCondition::Removed).await.unwrap();
        containers.start(id.as_str()).await.unwrap();
        assert_eq!(removed.await.unwrap().code, 5);
        assert!(containers.list().is_empty());
        let mut broken = spec;
        broken.process.cmd = Some(vec!["nosuchcmd".into()]);
        let id = containers.create(None, broken).await.unwrap().id;
        let removed = containers.wait(id.as_str(), WaitCondition::Removed).await.unwrap();
        containers.start(id.as_str()).await.unwrap_err();
        assert_eq!(removed.await.unwrap().code, 127);
        assert!(containers.list().is_empty());
    });
}

fn stop() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let deaf =
            containers.create(None, script("trap '' TERM; echo ready; while :; do sleep 0.05; done")).await.unwrap().id;
        let polite = script("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done");
        let polite = containers.create(None, polite).await.unwrap().id;
        for id in [&deaf, &polite] {
            containers.start(id.as_str()).await.unwrap();
            says(&containers, id.as_str(), "ready").await;
        }
        containers.stop(polite.as_str(), None, None).await.unwrap();
        assert_eq!(containers.inspect(polite.as_str()).unwrap().exit_code(), 3);
        let began = Instant::now();
        containers.stop(deaf.as_str(), Some(1), None).await.unwrap();
        assert!(began.elapsed() >= Duration::from_secs(1));
        assert_eq!(containers.inspect(deaf.as_str()).unwrap().exit_code(), 137);
        let again = containers.stop(deaf.as_str(), None, None).await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::NotModified);
        assert_eq!(containers.stop("nosuch", None, None).await.unwrap_err().to_string(), "No such container: nosuch");
    });
}

fn kill() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id = containers
            .create(Some("ck".into()), script("trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done"))
            .await
            .unwrap()
            .id;
        containers.start("ck").await.unwrap();
        says(&containers, "ck", "ready").await;
        containers.kill("ck", Some("USR1")).await.unwrap();
        says(&containers, "ck", "usr1").await;
        assert_eq!(containers.kill("ck", Some("NOSUCH")).await.unwrap_err().to_string(), "Invalid signal: NOSUCH");
        containers.kill("ck", None).await.unwrap();
        assert_eq!(containers.inspect("ck").unwrap().exit_code(), 137);
        let error = containers.kill("ck", None).await.unwrap_err();
        assert_eq!(error.to_string(), format!("Cannot kill container: ck: Container {id} is not running"));
        assert_eq!(error.kind(), ErrorKind::Conflict);
    });
}

fn data_is_kept() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let once = script("if test -e /f; then echo kept; else touch /f; echo new; fi");
        containers.create(Some("data".into()), once.clone()).await.unwrap();
        for _ in 0..2 {
            let exit = containers.wait("data", WaitCondition::NextExit).await.unwrap();
            containers.start("data").await.unwrap();
            assert_eq!(exit.await.unwrap().code, 0);
        }
        assert_eq!(crate::harness::logs(&containers, "data").await.0, "new\nkept\n");
        assert_eq!(run(&containers, once).await.stdout, "new\n");
    });
}

fn remove() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id = containers.create(Some("busy".into()), script("sleep 100")).await.unwrap().id;
        containers.start("busy").await.unwrap();
        let error = containers.start("busy").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotModified);
        let error = containers.remove("busy", RemoveOptions::default()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "You cannot remove a running container {id}. Stop the container before attempting removal or force remove"
            )
        );
        let removed = containers.wait("busy", WaitCondition::Removed).await.unwrap();
        containers.remove("busy", RemoveOptions { force: true, volumes: false }).await.unwrap();
        assert_eq!(removed.await.unwrap().code, 137);
        assert_eq!(containers.inspect("busy").unwrap_err().kind(), ErrorKind::NotFound);
    });
}

fn restart() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id = containers
            .create(Some("again".into()), script("trap 'exit 0' TERM; while :; do sleep 0.05; done"))
            .await
            .unwrap()
            .id;
        containers.start("again").await.unwrap();
        let before = containers.inspect("again").unwrap();
        containers.restart("again", Some(0), None).await.unwrap();
        let after = containers.inspect("again").unwrap();
        assert_eq!(after.id, id);
        assert!(after.started_at() > before.started_at());
        assert_ne!(after.state.pid(), before.state.pid());
        assert_eq!(after.state.status(), "running");
    });
}

fn restart_volatile() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let spec = ContainerSpec { auto_remove: true, ..script("touch /mark; sleep 100") };
        containers.create(Some("vol".into()), spec).await.unwrap();
        containers.start("vol").await.unwrap();
        for _ in 0..2 {
            containers.restart("vol", Some(0), None).await.unwrap();
            assert_eq!(containers.inspect("vol").unwrap().state.status(), "running");
        }
        let removed = containers.wait("vol", WaitCondition::Removed).await.unwrap();
        containers.kill("vol", None).await.unwrap();
        assert_eq!(removed.await.unwrap().code, 137);
        assert!(containers.list().is_empty());
    });
}

fn pause() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id =
            containers.create(Some("ice".into()), script("while :; do echo tick; sleep 0.02; done")).await.unwrap().id;
        let error = containers.unpause("ice").await.unwrap_err();
        assert_eq!(error.to_string(), format!("Container {id} is not paused"));
        containers.start("ice").await.unwrap();
        containers.pause("ice").await.unwrap();
        assert_eq!(containers.inspect("ice").unwrap().state.status(), "paused");
        let error = containers.pause("ice").await.unwrap_err();
        assert_eq!(error.to_string(), format!("Container {id} is already paused"));
        let said = async || crate::harness::logs(&containers, "ice").await.0.len();
        // What was on its way when it froze may still arrive; then nothing new does.
        let mut before = said().await;
        until("it stands still", async || {
            tokio::time::sleep(Duration::from_millis(200)).await;
            let now = said().await;
            std::mem::replace(&mut before, now) == now
        })
        .await;
        containers.unpause("ice").await.unwrap();
        until("it goes on", async || said().await > before).await;
        containers.pause("ice").await.unwrap();
        containers.kill("ice", None).await.unwrap();
        assert_eq!(containers.inspect("ice").unwrap().exit_code(), 137);
    });
}

fn concurrent_starts() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let containers = containers.clone();
                tokio::spawn(async move {
                    let spec = ContainerSpec { auto_remove: true, ..script(&format!("exit {n}")) };
                    let id = containers.create(None, spec).await.unwrap().id;
                    let removed = containers.wait(id.as_str(), WaitCondition::Removed).await.unwrap();
                    containers.start(id.as_str()).await.unwrap();
                    removed.await.unwrap().code
                })
            })
            .collect();
        for (n, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), i32::try_from(n).unwrap());
        }
        assert!(containers.list().is_empty());
    });
}

fn events() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let since = Timestamp::now();
        let mut spec = script("sleep 100");
        spec.labels.insert("k".into(), "v".into());
        containers.create(Some("ev".into()), spec).await.unwrap();
        containers.start("ev").await.unwrap();
        containers.stop("ev", Some(0), None).await.unwrap();
        containers.remove("ev", RemoveOptions::default()).await.unwrap();
        let mut past = engine.events().subscribe(Some(since));
        let mut seen = Vec::new();
        while let Some(event) = past.next_past() {
            // Its network has events of its own.
            if event.kind != berth_engine::EventKind::Container {
                continue;
            }
            assert_eq!((&*event.attributes["name"], &*event.attributes["k"]), ("ev", "v"));
            seen.push(match event.action.as_str() {
                "die" => format!("die {}", event.attributes["exitCode"]),
                "kill" => format!("kill {}", event.attributes["signal"]),
                action => action.to_owned(),
            });
        }
        assert_eq!(seen, ["create", "start", "kill 15", "kill 9", "die 137", "stop", "destroy"]);
    });
}

fn host_network() {
    with_engine(|engine| async move {
        let mut spec = script("hostname; readlink /proc/self/ns/net");
        spec.network.mode = NetworkMode::Host;
        let output = run(&engine.containers(), spec).await;
        let namespace = std::fs::read_link("/proc/self/ns/net").unwrap();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(output.stdout.split_whitespace().collect::<Vec<_>>(), [host.trim(), namespace.to_str().unwrap()]);
    });
}

fn bridge() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let mut spec =
            script("ip -4 addr show dev eth0 | grep -c inet; ip route | grep -c default; cat /etc/hosts; sleep 100");
        spec.network.mode = NetworkMode::Bridge;
        let id = containers.create(None, spec).await.unwrap().id;
        containers.start(id.as_str()).await.unwrap();
        let endpoint = containers.inspect(id.as_str()).unwrap().endpoint.clone().unwrap();
        says(&containers, id.as_str(), &format!("{}\t{}", endpoint.address, id.short())).await;
        let (out, err) = crate::harness::logs(&containers, id.as_str()).await;
        assert!(out.starts_with("1\n1\n"), "{out}{err}");
        containers.kill(id.as_str(), None).await.unwrap();
        assert_eq!(containers.inspect(id.as_str()).unwrap().endpoint, None);
    });
}

/// What was made ready at create is given up after a while, and the container can be started all the same.
fn no_start() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id = containers.create(None, script("exit 3")).await.unwrap().id;
        let is_there = || {
            let commands = std::fs::read_dir("/proc").unwrap().flatten();
            commands
                .filter_map(|p| std::fs::read_to_string(p.path().join("cmdline")).ok())
                .any(|c| c.contains(id.as_str()))
        };
        until("it is made ready", async || is_there()).await;
        until("it is given up", async || !is_there()).await;
        containers.start(id.as_str()).await.unwrap();
        let exit = containers.wait(id.as_str(), WaitCondition::NotRunning).await.unwrap().await.unwrap();
        assert_eq!(exit.code, 3);
    });
}

/// Every verb against one container from many sides: none hangs, and the container ends up removed.
fn everything_at_once() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        containers.create(Some("busy".into()), script("sleep 100")).await.unwrap();
        let removed = containers.wait("busy", WaitCondition::Removed).await.unwrap();
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let containers = containers.clone();
                tokio::spawn(async move {
                    let _ = match n % 8 {
                        0 | 1 => containers.start("busy").await,
                        2 => containers.stop("busy", Some(0), None).await,
                        3 => containers.kill("busy", None).await,
                        4 => containers.pause("busy").await,
                        5 => containers.unpause("busy").await,
                        6 => containers.restart("busy", Some(0), None).await,
                        _ => containers.attach("busy", crate::harness::attach_all()).await.map(drop),
                    };
                })
            })
            .collect();
        for task in tasks {
            tokio::time::timeout(Duration::from_secs(300), task).await.expect("a verb hangs").unwrap();
        }
        containers.remove("busy", RemoveOptions { force: true, volumes: false }).await.unwrap();
        removed.await.unwrap();
    });
}
