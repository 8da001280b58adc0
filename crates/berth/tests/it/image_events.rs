//! What happens to images, as events: who, what, and with which attributes.

use crate::host::{Host, until};
use crate::images::commit;

rows![a184_image_events];

fn a184_image_events(host: &Host) {
    let (image, name) = (host.image(), host.name("watched"));
    let since = host.run(&["info", "-f", "{{.SystemTime}}"]);
    let id = commit(host, &image, &["LABEL l=1"], &name);
    let second = format!("{name}:two");
    host.run(&["tag", &id, &second]);
    host.run(&["rmi", &second]);
    host.run(&["rmi", &id]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let then = (now + 1).to_string();
    let format = "{{.Action}} {{.Actor.ID}} {{.Actor.Attributes.l}} {{.Actor.Attributes.name}}";
    let args = ["events", "--since", &since, "--until", &then, "--filter", "type=image", "--format", format];
    let happened = || -> Vec<String> {
        let text = host.run(&args);
        text.lines().filter(|line| line.contains(&id)).map(Into::into).collect()
    };
    until("the events come", || happened().len() >= 5);
    assert_eq!(
        happened(),
        [
            format!("tag {id} 1 {name}:latest"),
            format!("tag {id} 1 {second}"),
            format!("untag {id} 1 {id}"),
            format!("untag {id} 1 {id}"),
            // Its labels went with it.
            format!("delete {id} <no value> {id}"),
        ]
    );
}
