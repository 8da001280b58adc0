//! The Engine API served: listeners, routes, version steps, configuration.
//!
//! The daemon translates: wire requests into domain calls, views and events back into the wire's forms. No decision about
//! containers, images or networks is made here. [`run`] opens everything, listens, and returns after an orderly end;
//! containers go on without it.
//!
//! Where to start reading: `route/table.rs` is the list of everything the API can be asked; `http/` is how a request gets
//! there; `wire/` is the translation; `steps/` is what API versions change; `flags.rs` is the list of options.
//!
//! What is deliberately absent: middleware, handlers that look at API versions for the shape of an answer, and any
//! state of its own beyond what `daemon.rs` lists.

#![cfg_attr(test, recursion_limit = "256")]

mod daemon;
mod flags;
mod group;
mod http;
mod journal;
mod live;
mod metrics;
#[cfg(test)]
mod not_yet;
mod options;
mod pidfile;
mod ready;
mod reload;
mod route;
mod serve;
mod settings;
mod steps;
mod wire;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context as _;

pub use options::DaemonOptions;

use settings::Settings;

/// `berth daemon …`: `args` is the whole command line.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let args: Vec<String> = args.into_iter().skip(2).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("berth daemon: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &[String]) -> anyhow::Result<()> {
    let settings = Settings::from_args(args).context("reading the command line")?;
    if settings.switch("help") == Some(true) {
        print!("{}", flags::help());
        return Ok(());
    }
    if settings.switch("version") == Some(true) {
        println!("berth daemon version {}", wire::info::VERSION);
        return Ok(());
    }
    let options = DaemonOptions::read(settings)?;
    if options.validate {
        println!("configuration OK");
        return Ok(());
    }
    run(options)
}

/// KiB: the pieces in which layers travel are larger.
const LARGE: u16 = 128;

/// Serves until SIGTERM or SIGINT; SIGHUP reads the configuration again.
///
/// # Errors
/// What kept the daemon from starting.
pub fn run(options: DaemonOptions) -> anyhow::Result<()> {
    let inherited = serve::Inherited::take();
    let dial = journal::open(options.log_format, options.live.log_level);
    if let Err(error) = berth_sys::memory::give_back_from(LARGE) {
        tracing::debug!(%error, "the C library keeps what is freed as it likes");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("berth-daemon")
        .enable_all()
        .build()
        .context("starting the daemon's threads")?;
    let result = runtime.block_on(serve::serve(options, dial, inherited));
    // Blocking calls that are still going on must not hold up the end.
    runtime.shutdown_background();
    result
}
