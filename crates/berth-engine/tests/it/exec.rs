//! Exec sessions (A129).

use berth_engine::spec::ExecSpec;
use berth_engine::{Containers, ErrorKind, ExecStart};
use tokio::io::AsyncWriteExt;

use crate::harness::{drain, script, until, with_engine};

pub(crate) const TESTS: &[(&str, fn())] =
    &[("exec::runs_a129", runs), ("exec::failures_a129", failures), ("exec::terminal_and_stdin", terminal_and_stdin)];

fn spec(command: &str) -> ExecSpec {
    ExecSpec {
        args: vec!["sh".into(), "-c".into(), command.into()],
        attach_stdout: true,
        attach_stderr: true,
        ..ExecSpec::default()
    }
}

/// Runs it to its end: what it printed and its code.
async fn run(containers: &Containers, spec: ExecSpec) -> (String, i32) {
    let id = containers.exec_create("cc", spec).await.unwrap();
    let attachment = containers.exec_start(id.as_str(), ExecStart::default(), None).await.unwrap().unwrap();
    let text = drain(attachment).await;
    (text, ended(containers, id.as_str()).await)
}

async fn ended(containers: &Containers, id: &str) -> i32 {
    let code = || containers.exec_inspect(id).unwrap().exit_code;
    until("the session ends", async || code().is_some()).await;
    code().unwrap()
}

async fn container(containers: &Containers) {
    containers.create(Some("cc".into()), script("sleep 1000")).await.unwrap();
    containers.start("cc").await.unwrap();
}

fn runs() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        container(&containers).await;
        assert_eq!(run(&containers, spec("echo hi; exit 5")).await, ("hi\n".into(), 5));
        let other = ExecSpec {
            user: "web".into(),
            working_dir: "/tmp".into(),
            env: vec!["Q=1".into()],
            ..spec("id -u; id -g; pwd; echo $Q $HOME $HOSTNAME")
        };
        let short = containers.inspect("cc").unwrap().id.short().to_owned();
        assert_eq!(run(&containers, other).await, (format!("33\n34\n/tmp\n1 /home/web {short}\n"), 0));
        let detached =
            containers.exec_create("cc", spec("until test -e /go; do sleep 0.05; done; exit 9")).await.unwrap();
        let options = ExecStart { detach: true, ..ExecStart::default() };
        assert!(containers.exec_start(detached.as_str(), options, None).await.unwrap().is_none());
        assert_eq!(containers.inspect("cc").unwrap().execs, std::slice::from_ref(&detached));
        assert_eq!(run(&containers, spec("touch /go")).await.1, 0);
        assert_eq!(ended(&containers, detached.as_str()).await, 9);
        assert!(containers.inspect("cc").unwrap().execs.is_empty());
        assert!(containers.exec_start(detached.as_str(), options, None).await.is_err());
    });
}

fn failures() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        let id = containers.create(Some("cc".into()), script("sleep 1000")).await.unwrap().id;
        let error = containers.exec_create("cc", spec("true")).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Conflict, format!("Container {id} is not running")));
        containers.start("cc").await.unwrap();
        let missing = ExecSpec { args: vec!["nosuchcmd".into()], ..spec("") };
        let session = containers.exec_create("cc", missing).await.unwrap();
        let error = containers.exec_start(session.as_str(), ExecStart::default(), None).await.unwrap_err();
        assert_eq!(error.exit_code(), Some(127));
        assert!(error.to_string().contains("exec: \"nosuchcmd\": executable file not found in $PATH"), "{error}");
        assert_eq!(containers.exec_inspect(session.as_str()).unwrap().exit_code, Some(127));
        let nobody = ExecSpec { user: "nosuch".into(), ..spec("true") };
        let session = containers.exec_create("cc", nobody).await.unwrap();
        let error = containers.exec_start(session.as_str(), ExecStart::default(), None).await.unwrap_err();
        assert_eq!(error.to_string(), "unable to find user nosuch: no matching entries in passwd file");
        containers.pause("cc").await.unwrap();
        let error = containers.exec_create("cc", spec("true")).await.unwrap_err();
        assert_eq!(error.to_string(), "Container cc is paused, unpause the container before exec");
        assert_eq!(containers.exec_inspect("nosuch").unwrap_err().to_string(), "No such exec instance: nosuch");
    });
}

fn terminal_and_stdin() {
    with_engine(|engine| async move {
        let containers = engine.containers();
        container(&containers).await;
        let cat = ExecSpec { attach_stdin: true, ..spec("cat; echo end") };
        let id = containers.exec_create("cc", cat).await.unwrap();
        let mut attachment = containers.exec_start(id.as_str(), ExecStart::default(), None).await.unwrap().unwrap();
        attachment.stream.as_mut().unwrap().write_all(b"in\n").await.unwrap();
        attachment.stream.as_mut().unwrap().shutdown().await.unwrap();
        assert_eq!(drain(attachment).await, "in\nend\n");
        let tty = ExecSpec { tty: true, ..spec("tty; stty size; echo $TERM") };
        let id = containers.exec_create("cc", tty).await.unwrap();
        let options = ExecStart { detach: false, console_size: Some((33, 77)) };
        let attachment = containers.exec_start(id.as_str(), options, None).await.unwrap().unwrap();
        assert_eq!(drain(attachment).await.replace('\r', ""), "/dev/pts/0\n33 77\nxterm\n");
    });
}
