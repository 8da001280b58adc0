//! Where an archive goes: standard output, or a file that appears under its name when it is whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use berth_client::ByteStream;

use crate::failure::{Failure, Outcome};
use crate::terminal;

/// A file that appears under its name when it is whole.
#[derive(Debug)]
pub(crate) struct Target {
    file: File,
    temporary: PathBuf,
    path: PathBuf,
    done: bool,
}

/// What `--output` names; nothing is standard output, which must not be a terminal. `failed` begins the sentence about
/// a file that cannot be written.
pub(crate) fn target(output: &str, failed: &str) -> Result<Option<Target>, Failure> {
    if output.is_empty() {
        return match terminal::stdout_is_terminal() {
            true => Err(Failure::new("cowardly refusing to save to a terminal. Use the -o flag or redirect")),
            false => Ok(None),
        };
    }
    Target::open(Path::new(output)).map(Some).map_err(|error| Failure::new(format!("{failed}: {error}")))
}

/// Writes the whole archive.
pub(crate) async fn write(target: Option<Target>, archive: ByteStream) -> Outcome {
    match target {
        Some(target) => target.fill(archive).await,
        None => copy(archive, &mut io::stdout().lock()).await,
    }
}

async fn copy(mut archive: ByteStream, out: &mut impl Write) -> Outcome {
    while let Some(piece) = archive.next().await {
        out.write_all(&piece?)?;
    }
    out.flush()?;
    Ok(0)
}

impl Target {
    fn open(path: &Path) -> Result<Self, String> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !directory.is_dir() {
            return Err(format!("invalid output path: directory {:?} does not exist", directory.display().to_string()));
        }
        if path.is_dir() {
            return Err(format!("invalid output path: {:?} is a directory", path.display().to_string()));
        }
        // A device or pipe is written to as it is.
        let special = path.exists() && !path.is_file();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let temporary = match special {
            true => path.to_owned(),
            false => directory.join(format!(".{name}.{}", std::process::id())),
        };
        let file = File::options().write(true).create(!special).truncate(!special).open(&temporary);
        let file = file.map_err(|error| format!("{}: {error}", temporary.display()))?;
        Ok(Self { file, temporary, path: path.to_owned(), done: special })
    }

    async fn fill(mut self, archive: ByteStream) -> Outcome {
        copy(archive, &mut self.file).await?;
        if !self.done {
            fs::rename(&self.temporary, &self.path)?;
            self.done = true;
        }
        Ok(0)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if !self.done {
            drop(fs::remove_file(&self.temporary));
        }
    }
}
