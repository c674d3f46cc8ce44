//! The one connection that writes for a lane, as a task: one command at a time, each answered as an event.

use std::sync::Arc;

use skep_core::{Batch, Commit};
use skep_protocol::{ClientMessageId, ConversationId, Message, Pos};
use tokio::sync::mpsc;

use crate::storage::{LaneWriter, Shard};

/// What a lane asks of its writer.
pub(super) enum Job {
    Commit(Arc<Batch>),
    Lookup(Vec<(ClientMessageId, ConversationId)>),
    Resolve,
}

/// What came of it.
pub(super) enum Done {
    Commit(Commit),
    Found(Vec<Message>),
    Resolved(Pos),
    /// The shard is another's now.
    Lost(String),
}

/// Starts the task. A lane has one batch in flight, so the channel never holds more than one job.
pub(super) fn start<E: Send + 'static>(
    shard: Arc<Shard>,
    mut writer: LaneWriter,
    events: mpsc::UnboundedSender<E>,
    wrap: impl Fn(Done) -> E + Send + 'static,
) -> mpsc::UnboundedSender<Job> {
    let (jobs, mut queue) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(job) = queue.recv().await {
            let done = match job {
                Job::Commit(batch) => Done::Commit(writer.commit(&batch).await),
                Job::Resolve => match writer.resolve().await {
                    Ok(pos) => Done::Resolved(pos),
                    Err(error) => Done::Lost(error.to_string()),
                },
                Job::Lookup(ids) => Done::Found(lookup(&shard, &ids).await),
            };
            if events.send(wrap(done)).is_err() {
                return;
            }
        }
    });
    jobs
}

/// Until the shard answers: what stands there decides, and nothing may be refused before it is known.
async fn lookup(shard: &Shard, ids: &[(ClientMessageId, ConversationId)]) -> Vec<Message> {
    let mut wait_ms = 50;
    loop {
        match shard.lookup(ids).await {
            Ok(found) => return found,
            Err(error) => tracing::warn!(%error, "ids could not be looked up; trying again"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        wait_ms = (wait_ms * 2).min(1_000);
    }
}
