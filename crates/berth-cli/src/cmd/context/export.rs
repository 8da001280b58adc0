//! `context export`.

use std::io::IsTerminal as _;

use crate::command::{Args, Command};
use crate::context::{self, Docker, Meta, Store, archive};
use crate::failure::{Failure, Outcome};
use crate::flag::Parsed;
use crate::grammar::os_error;
use crate::session::Session;

pub(crate) const COMMAND: Command = Command {
    name: "export",
    usage: "export [OPTIONS] CONTEXT [FILE|-]",
    about: "Write a context to a tar archive (FILE, or standard output)",
    aliases: &[],
    flags: &[],
    args: Args::Between(1, 2),
    interspersed: true,
    wants_daemon: false,
    run,
};

fn run(session: &Session, parsed: &Parsed) -> Outcome {
    let name = &parsed.args[0];
    let store = Store::of(session.config());
    let meta = match name.as_str() {
        context::DEFAULT => {
            let mut meta = Meta { name: name.clone(), ..Meta::default() };
            meta.set_docker(&Docker { host: session.default_host(), skip_tls_verify: false });
            meta
        }
        name => {
            context::check_name(name)?;
            store.read(name)?
        }
    };
    let path = parsed.args.get(1).cloned().unwrap_or_else(|| format!("{name}.dockercontext"));
    if path == "-" {
        if std::io::stdout().is_terminal() {
            return Err(Failure::new("cowardly refusing to export to a terminal, specify a file path"));
        }
        archive::write(&meta, &store, std::io::stdout().lock())?;
        return Ok(0);
    }
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let file = file.map_err(|e| Failure::new(os_error("open", &path, &e)))?;
    if let Err(reason) = archive::write(&meta, &store, std::io::BufWriter::new(file)) {
        _ = std::fs::remove_file(&path);
        return Err(Failure::new(reason));
    }
    eprintln!("Written file {path:?}");
    Ok(0)
}
