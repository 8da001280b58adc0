//! From a [`Plan`] to a container: with an image that is pulled where it is missing.

use std::io::Write as _;

use berth_client::Client;

use super::{Plan, Pull};
use crate::cmd::pull;
use crate::grammar::os_error;
use crate::session::Session;

/// Makes the container and gives its id; the error is a sentence for [`crate::program::Program::not_run`].
pub(crate) async fn make(session: &Session, client: &Client, plan: &Plan) -> Result<String, String> {
    let cidfile = CidFile::create(plan.cidfile.as_deref())?;
    let image = &plan.request.config.image;
    if plan.pull == Pull::Always {
        pull::for_run(session, client, image, &plan.platform, plan.quiet).await?;
    }
    let create = || client.create_container(&plan.name, &plan.platform, &plan.request);
    let created = match create().await {
        Err(error) if error.is_not_found() && plan.pull == Pull::Missing && is_about_image(&error) => {
            if !plan.quiet {
                eprintln!("Unable to find image '{}' locally", pull::familiar(image));
            }
            pull::for_run(session, client, image, &plan.platform, plan.quiet).await?;
            create().await
        }
        other => other,
    }
    .map_err(|error| error.to_string())?;
    for warning in &created.warnings {
        eprintln!("WARNING: {warning}");
    }
    cidfile.write(&created.id)?;
    Ok(created.id)
}

/// The file of `--cidfile` is there already.
pub(super) fn cidfile_exists(path: &str) -> String {
    format!("container ID file found, make sure the other container isn't running or delete {path}")
}

/// Something else than the image may be missing: a container whose namespace is to be joined, a network. An image that
/// is here for another platform is missing too.
pub(super) fn is_about_image(error: &berth_client::Error) -> bool {
    let text = error.to_string().to_ascii_lowercase();
    text.contains("no such image") || text.contains("does not match the specified platform")
}

/// `--cidfile`: must not exist before, and holds the id or is removed.
struct CidFile(Option<(String, std::fs::File)>);

impl CidFile {
    fn create(path: Option<&str>) -> Result<Self, String> {
        let Some(path) = path else { return Ok(Self(None)) };
        match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(file) => Ok(Self(Some((path.to_owned(), file)))),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(cidfile_exists(path)),
            Err(error) => Err(format!("failed to create the container ID file: {}", os_error("open", path, &error))),
        }
    }

    fn write(mut self, id: &str) -> Result<(), String> {
        let Some((path, mut file)) = self.0.take() else { return Ok(()) };
        file.write_all(id.as_bytes()).map_err(|error| {
            format!("failed to write the container ID to the file: {}", os_error("write", &path, &error))
        })
    }
}

impl Drop for CidFile {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.0 {
            _ = std::fs::remove_file(path);
        }
    }
}
