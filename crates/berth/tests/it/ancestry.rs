//! A data root that an earlier version of berth wrote opens in this one.
//!
//! `tests/data/state-0.1.0.json` holds the records as the first version wrote them; they are never written anew. What a
//! later version adds to a record gets a default, or a migration.

use std::path::Path;

use crate::host::{Cli, Host, Wishes};

/// Lays the data root out, then becomes the daemon.
const LAYS_OUT: &str = r#"
import json, os, sqlite3, sys
rows, words = json.load(open(sys.argv[1])), sys.argv[2:]
root = words[words.index("--data-root") + 1]
if not os.path.exists(root):
    os.makedirs(root, 0o711)
    for row in rows:
        if row["kind"] == "container":
            for part in ("upper", "work"):
                os.makedirs(os.path.join(root, "containers", row["key"], part))
        if row["kind"] == "layer":
            os.makedirs(os.path.join(root, "layers", row["key"].split(":")[1], "diff"))
    store = sqlite3.connect(os.path.join(root, "state.db"))
    store.execute(
        "CREATE TABLE record (kind TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL,"
        " PRIMARY KEY (kind, key)) WITHOUT ROWID"
    )
    store.executemany(
        "INSERT INTO record VALUES (?, ?, ?, ?)",
        [(row["kind"], row["key"], row["version"], json.dumps(row["body"])) for row in rows],
    )
    store.commit()
    store.close()
os.execvp(words[0], words)
"#;

fn with_records_of(version: &str) -> Host {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/state-{version}.json"));
    let wrapper = vec!["python3".into(), "-c".into(), LAYS_OUT.into(), file.display().to_string()];
    Host::start_as(Cli::Docker, Wishes { wrapper, ..Wishes::default() })
}

#[test]
fn the_first_version_s_records_are_read() {
    let host = with_records_of("0.1.0");
    let all = host.run(&["ps", "-a", "--format", "{{.Names}} {{.Image}} {{.State}}"]);
    assert_eq!(all, "made berth/hello created\nended berth/hello exited");
    let ended = host
        .inspect("ended", "{{.State.ExitCode}} {{.Config.Hostname}} {{.HostConfig.Memory}} {{.Config.StopTimeout}}");
    assert_eq!(ended, "0 old 67108864 3");
    let host_config = host.inspect("ended", "{{json .HostConfig}}");
    for part in [r#""CapAdd":["#, "NET_ADMIN", r#""/tmp:/t:ro""#, r#""/scratch""#, r#""nofile""#, r#""max-size":"1m""#]
    {
        assert!(host_config.contains(part), "{part} is not in {host_config}");
    }
    assert_eq!(host.inspect("ended", "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.Runtime}}"), "no berth");
    assert_eq!(
        host.inspect("made", "{{.Config.Tty}} {{.HostConfig.NetworkMode}} {{.HostConfig.Init}}"),
        "true none true"
    );
    assert_eq!(host.run(&["images", "--format", "{{.Repository}}:{{.Tag}}"]), "berth/hello:latest");
    assert_eq!(host.run(&["rename", "made", "renamed"]), "");
    host.run(&["rm", "ended", "renamed"]);
    host.run(&["rmi", "berth/hello"]);
    assert!(host.run(&["run", "--rm", "berth/hello"]).contains("Hello from a container."));
}
