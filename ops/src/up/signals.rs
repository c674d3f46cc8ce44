//! The signals that stop `skep up`.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::Failure;

/// Whether somebody wants it to end.
pub(crate) struct Interrupted(Receiver<()>);

impl Interrupted {
    pub fn came_within(&self, wait: Duration) -> bool {
        !matches!(self.0.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
    }
}

/// Ctrl-C, SIGTERM, and the end of the terminal. From now on none of them ends the process by itself.
pub(crate) fn watch() -> Result<Interrupted, Failure> {
    let cannot = |error: std::io::Error| Failure::unavailable(format!("watching for signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let guard = runtime.enter();
    let mut signals = kinds.map(signal).into_iter().collect::<Result<Vec<_>, _>>().map_err(cannot)?;
    drop(guard);
    let (came, interrupted) = channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            let [interrupt, terminate, hangup] = signals.as_mut_slice() else { return };
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    _ = hangup.recv() => {}
                }
                if came.send(()).is_err() {
                    return;
                }
            }
        });
    });
    Ok(Interrupted(interrupted))
}
