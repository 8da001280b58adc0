//! Standard input as chunks. A thread reads, because no readiness can be asked of a regular file.

use std::io::Read as _;

use tokio::sync::mpsc;

/// What was read; it ends with the input.
pub(crate) type Chunks = mpsc::Receiver<Vec<u8>>;

/// Starts reading.
pub(crate) fn read() -> Chunks {
    let (sender, receiver) = mpsc::channel(4);
    let reader = std::thread::Builder::new().name("stdin".to_owned()).stack_size(128 * 1024).spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut buffer = vec![0u8; 128 * 1024];
        loop {
            match stdin.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) if sender.blocking_send(buffer[..n].to_vec()).is_err() => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
    drop(reader);
    receiver
}
