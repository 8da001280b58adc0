//! `inspect --run`: the command line that makes a container again.

use berth_api::{ContainerConfig, decode};
use berth_client::Client;

use crate::cmd::each_says;
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::respell;
use crate::session::Session;

/// Prints a line a container; what no flag can say is told on standard error.
pub(super) fn print(session: &Session, parsed: &Parsed) -> Outcome {
    if parsed.has("format") || parsed.on("size") || parsed.get("type").is_some_and(|kind| kind != "container") {
        return Err(Failure::new(
            "--run prints a command line for containers: --format, --size and other types don't go with it",
        ));
    }
    each_says(session, &parsed.args, async |client, name| {
        let line = line(client, name).await?;
        line.unsaid.iter().for_each(|what| eprintln!("WARNING: {name}: no flag says {what}"));
        Ok(format!("{}\n", respell::line(session.program.0, &line.words)))
    })
}

async fn line(client: &Client, name: &str) -> Result<respell::Line, berth_client::Error> {
    let container = client.inspect_container(name, false).await?;
    // Where the image is gone, everything is said.
    let image = client.inspect_image(&container.image).await.ok().and_then(|image| image.config);
    let image = image.map(serde_json::Value::Object).and_then(|json| decode::from_value::<ContainerConfig>(json).ok());
    Ok(respell::words(&container, &image.unwrap_or_default()))
}
