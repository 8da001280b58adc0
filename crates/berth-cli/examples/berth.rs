//! The command line alone, to be tried against any daemon.

fn main() -> std::process::ExitCode {
    berth_cli::main(std::env::args_os().collect())
}
