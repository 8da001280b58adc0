//! bollard, a client of the Engine API that shares no line with ours, through a container's whole life.

use std::collections::HashMap;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, ContainerUpdateBody, EventMessage, ExecConfig, HostConfig};
use bollard::query_parameters as query;
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::{Stream, StreamExt, TryStreamExt};
use tokio::io::AsyncWriteExt;

use crate::host::{Cli, Host};

#[test]
fn bollard_drives_a_container() {
    let host = Host::start(Cli::Ours);
    let image = host.image();
    let name = host.name("bollard");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(whole_life(host.address(), &image, &name));
}

async fn whole_life(address: &str, image: &str, name: &str) {
    let path = address.trim_start_matches("unix://");
    let docker = Docker::connect_with_unix(path, 120, API_DEFAULT_VERSION).unwrap().negotiate_version().await.unwrap();
    let id = create(&docker, image, name).await;
    talk(&docker, &id).await;
    exec(&docker, &id).await;
    files(&docker, &id).await;
    figures(&docker, &id).await;
    changes(&docker, &id, name).await;
    end(&docker, &id).await;
}

async fn create(docker: &Docker, image: &str, name: &str) -> String {
    let options = query::CreateContainerOptionsBuilder::default().name(name).build();
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(vec!["cat".to_owned()]),
        open_stdin: Some(true),
        attach_stdin: Some(true),
        labels: Some(HashMap::from([("client".to_owned(), "bollard".to_owned())])),
        host_config: Some(HostConfig { memory: Some(64 << 20), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    };
    let id = docker.create_container(Some(options), body).await.unwrap().id;
    let filters = HashMap::from([("label", vec!["client=bollard"])]);
    let options = query::ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
    let listed = docker.list_containers(Some(options)).await.unwrap();
    assert_eq!(listed.iter().map(|c| c.id.as_deref()).collect::<Vec<_>>(), [Some(id.as_str())]);
    id
}

/// Attaches, starts, writes to standard input and reads it back; the log has it too.
async fn talk(docker: &Docker, id: &str) {
    let options =
        query::AttachContainerOptionsBuilder::default().stream(true).stdin(true).stdout(true).stderr(true).build();
    let mut attached = docker.attach_container(id, Some(options)).await.unwrap();
    docker.start_container(id, None).await.unwrap();
    attached.input.write_all(b"hello\n").await.unwrap();
    let echoed = attached.output.next().await.unwrap().unwrap();
    assert_eq!(echoed, LogOutput::StdOut { message: "hello\n".into() });
    let options = query::LogsOptionsBuilder::default().stdout(true).stderr(true).follow(true).tail("all").build();
    let logged = docker.logs(id, Some(options)).next().await.unwrap().unwrap();
    assert_eq!(logged.as_ref(), b"hello\n");
}

async fn exec(docker: &Docker, id: &str) {
    let config = CreateExecOptions {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(vec!["sh", "-c", "echo out; echo err >&2; exit 4"]),
        ..CreateExecOptions::default()
    };
    let exec = docker.create_exec(id, ExecConfig::from(config)).await.unwrap().id;
    let StartExecResults::Attached { output, .. } = docker.start_exec(&exec, None).await.unwrap() else {
        panic!("an exec that attaches is attached");
    };
    let said: Vec<LogOutput> = output.try_collect().await.unwrap();
    assert!(said.contains(&LogOutput::StdOut { message: "out\n".into() }), "{said:?}");
    assert!(said.contains(&LogOutput::StdErr { message: "err\n".into() }), "{said:?}");
    assert_eq!(docker.inspect_exec(&exec).await.unwrap().exit_code, Some(4));
}

/// A file goes in, is looked at, comes out, and stands among what changed.
async fn files(docker: &Docker, id: &str) {
    let archive = archive("note", b"from outside");
    let options = query::UploadToContainerOptionsBuilder::default().path("/tmp").build();
    docker.upload_to_container(id, Some(options), bollard::body_full(archive.into())).await.unwrap();
    let options = query::ContainerArchiveInfoOptionsBuilder::default().path("/tmp/note").build();
    let stat = docker.get_container_archive_info(id, Some(options)).await.unwrap();
    assert_eq!((stat.name.as_str(), stat.size), ("note", 12));
    let options = query::DownloadFromContainerOptionsBuilder::default().path("/tmp/note").build();
    let bytes = concatenated(docker.download_from_container(id, Some(options))).await;
    assert!(bytes.windows(12).any(|window| window == b"from outside"));
    let changes = docker.container_changes(id).await.unwrap().unwrap();
    assert!(changes.iter().any(|change| change.path == "/tmp/note"), "{changes:?}");
}

fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, content).unwrap();
    archive.into_inner().unwrap()
}

async fn concatenated(pieces: impl Stream<Item = Result<bytes::Bytes, bollard::errors::Error>>) -> Vec<u8> {
    pieces.map_ok(|piece| piece.to_vec()).try_concat().await.unwrap()
}

async fn figures(docker: &Docker, id: &str) {
    let options = query::StatsOptionsBuilder::default().stream(false).build();
    let stats = docker.stats(id, Some(options)).next().await.unwrap().unwrap();
    assert_eq!(stats.memory_stats.unwrap().limit, Some(64 << 20));
    let options = query::TopOptionsBuilder::default().build();
    let top = docker.top_processes(id, Some(options)).await.unwrap();
    let processes = top.processes.unwrap();
    assert!(processes.iter().flatten().any(|cell| cell == "cat"), "{processes:?}");
}

/// Pause, limits, name: each as inspect shows it afterwards.
async fn changes(docker: &Docker, id: &str, name: &str) {
    docker.pause_container(id).await.unwrap();
    docker.unpause_container(id).await.unwrap();
    let update =
        ContainerUpdateBody { memory: Some(96 << 20), memory_swap: Some(-1), ..ContainerUpdateBody::default() };
    docker.update_container(id, update).await.unwrap();
    let renamed = format!("{name}-renamed");
    let options = query::RenameContainerOptionsBuilder::default().name(&renamed).build();
    docker.rename_container(id, options).await.unwrap();
    let shown = docker.inspect_container(&renamed, None).await.unwrap();
    assert_eq!(shown.id.as_deref(), Some(id));
    assert_eq!(shown.host_config.unwrap().memory, Some(96 << 20));
}

/// Kill, wait, remove; and the events tell the whole life.
async fn end(docker: &Docker, id: &str) {
    docker.kill_container(id, None).await.unwrap();
    let code = match docker.wait_container(id, None).next().await.unwrap() {
        Ok(answer) => answer.status_code,
        Err(bollard::errors::Error::DockerContainerWaitError { code, .. }) => code,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(code, 137);
    docker.remove_container(id, None).await.unwrap();
    assert!(docker.inspect_container(id, None).await.is_err());
    let filters = HashMap::from([("container", vec![id])]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 1;
    let options = query::EventsOptionsBuilder::default().since("0").until(&now.to_string()).filters(&filters).build();
    let events: Vec<EventMessage> = docker.events(Some(options)).try_collect().await.unwrap();
    let actions: Vec<String> = events.into_iter().filter_map(|event| event.action).collect();
    for action in ["create", "attach", "start", "pause", "unpause", "update", "rename", "kill", "die", "destroy"] {
        assert!(actions.iter().any(|seen| seen == action), "{action} is missing in {actions:?}");
    }
}
