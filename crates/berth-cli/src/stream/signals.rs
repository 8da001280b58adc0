//! Signals sent to us are meant for the container.

use berth_client::Client;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// Numbers and names of what is passed on: everything that can be caught but what concerns only ourselves
/// (children, window size, a terminal's stop and go, broken pipes, urgent data).
const PASSED_ON: &[(i32, &str)] = &[
    (1, "HUP"),
    (2, "INT"),
    (3, "QUIT"),
    (5, "TRAP"),
    (6, "ABRT"),
    (10, "USR1"),
    (12, "USR2"),
    (14, "ALRM"),
    (15, "TERM"),
    (16, "STKFLT"),
    (18, "CONT"),
    (24, "XCPU"),
    (25, "XFSZ"),
    (26, "VTALRM"),
    (27, "PROF"),
    (29, "IO"),
    (30, "PWR"),
    (31, "SYS"),
];

/// Signals as they come in.
#[derive(Debug)]
pub(crate) struct Caught(mpsc::UnboundedReceiver<&'static str>);

/// Begins catching: from here on nothing is lost, also before the container exists. Must be called within a runtime.
pub(crate) fn catch() -> Caught {
    let (sender, receiver) = mpsc::unbounded_channel();
    for (number, name) in PASSED_ON {
        let Ok(mut stream) = signal(SignalKind::from_raw(*number)) else { continue };
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if sender.send(*name).is_err() {
                    return;
                }
            }
        });
    }
    Caught(receiver)
}

/// Passes what was caught on to the container, for as long as it is polled.
pub(crate) async fn pass_on(caught: Option<Caught>, client: &Client, id: &str) {
    let Some(mut caught) = caught else { return std::future::pending().await };
    while let Some(name) = caught.0.recv().await {
        // The container may have ended meanwhile; its exit says more than we could.
        _ = client.kill_container(id, name).await;
    }
    std::future::pending().await
}

/// Comes back with the number of a signal that ends us, where we pass none on: the terminal must be put back first.
pub(crate) async fn ends_us() -> i32 {
    let listen = |kind: SignalKind| signal(kind).ok();
    let (mut hangup, mut interrupt, mut terminate) =
        (listen(SignalKind::hangup()), listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    tokio::select! {
        () = next(&mut hangup) => 1,
        () = next(&mut interrupt) => 2,
        () = next(&mut terminate) => 15,
    }
}

async fn next(signals: &mut Option<Signal>) {
    match signals {
        Some(signals) => _ = signals.recv().await,
        None => std::future::pending().await,
    }
}

/// Fires when the terminal changes its size.
pub(crate) fn window_changes() -> Option<Signal> {
    signal(SignalKind::window_change()).ok()
}
