//! The life of one part: prepared, launched, ready, watched, launched again.

use std::time::{Duration, Instant};

use crate::{
    exit::{Exit, Failure},
    up::{
        backoff::Backoff,
        board::{Board, Go, Status},
        logs,
        parts::PartId,
        plan::Plan,
        server::Server,
    },
};

/// How often a process is looked at: while it starts, and then.
const START_LOOK: Duration = Duration::from_millis(10);
const LOOK: Duration = Duration::from_millis(50);

/// A part that has ended so often without ever having been ready cannot start.
const FIRST_TRIES: u32 = 4;

/// Nor can one that is not ready by then: long enough for PostgreSQL to recover from a crash under load.
const FIRST_READY: Duration = Duration::from_secs(300);

/// Runs a part until it is to stop. Fails the whole start if the part never gets ready.
pub(crate) fn supervise(part: PartId, plan: &Plan, board: &Board) {
    let _owner = Owner { part, board };
    let cannot = |reason: String| {
        let log = plan.folder.log(part);
        let mut reason = format!("{part} cannot start: {reason}");
        let tail = logs::tail(&log, 6);
        if !tail.is_empty() {
            reason.push_str(&format!("\nThe end of {}:{tail}", log.display()));
        }
        board.fail(Failure::unavailable(reason));
    };
    let mut server = match plan.prepare(part) {
        Ok(server) => server,
        Err(error) => return cannot(format!("{error:#}")),
    };
    let mut needs = [part.needs(), part.needs_at_first()].concat();
    let mut backoff = Backoff::default();
    let mut tries = 0;
    let mut life = Life { part, server: server.as_mut(), board, has_been_ready: false };
    board.set(part, Status::Waiting);
    while board.wait_ready(part, &needs) == Go::On {
        let End { served, reason, exit } = match life.once() {
            Ok(Some(end)) => end,
            Ok(None) => break,
            Err(error) => End { served: Duration::ZERO, reason: format!("{error:#}"), exit: None },
        };
        tries += 1;
        if life.has_been_ready {
            needs = part.needs();
        } else if tries >= FIRST_TRIES || exit == Some(Exit::Usage as i32) {
            cannot(reason);
            break;
        }
        let wait = backoff.after(served);
        board.set(part, Status::Down { reason, again_at: Instant::now() + wait });
        if board.pause(part, wait) == Go::Stop {
            break;
        }
    }
    board.set(part, Status::Stopping);
    server.stop();
    board.set(part, Status::Stopped);
}

/// How a process ended.
struct End {
    /// How long it was ready.
    served: Duration,
    reason: String,
    exit: Option<i32>,
}

struct Life<'a> {
    part: PartId,
    server: &'a mut dyn Server,
    board: &'a Board,
    has_been_ready: bool,
}

impl Life<'_> {
    /// One process, from its launch to its end; `None` when the part is to stop.
    fn once(&mut self) -> anyhow::Result<Option<End>> {
        // What is left of a failed try must not run beside the next.
        self.server.stop();
        let pid = self.server.launch()?;
        self.board.launched(self.part, pid);
        let launched = Instant::now();
        let mut ready: Option<Instant> = None;
        loop {
            if let Some(status) = self.server.ended()? {
                let served = ready.map_or(Duration::ZERO, |since| since.elapsed());
                return Ok(Some(End { served, reason: format!("it ended ({status})"), exit: status.code() }));
            }
            if ready.is_none() && self.server.is_ready()? {
                ready = Some(Instant::now());
                self.has_been_ready = true;
                self.board.set(self.part, Status::Ready);
            }
            if !self.has_been_ready && launched.elapsed() > FIRST_READY {
                anyhow::bail!("it is not ready after {FIRST_READY:?}");
            }
            let look = if ready.is_some() { LOOK } else { START_LOOK };
            if self.board.pause(self.part, look) == Go::Stop {
                return Ok(None);
            }
        }
    }
}

/// Notices a bug in a supervisor: a part that nobody watches is not left running.
struct Owner<'a> {
    part: PartId,
    board: &'a Board,
}

impl Drop for Owner<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.board.fail(Failure { exit: Exit::Bug, reason: format!("the supervisor of {} failed", self.part) });
        }
    }
}
