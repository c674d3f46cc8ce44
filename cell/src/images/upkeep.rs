//! Pictures that are no longer shown, or never were, are removed when their time has come.

use std::sync::Arc;
use std::time::Duration;

use crate::{context::Context, storage::StorageError};

/// Nothing is to be done most times, and finding that out is one look into an index.
const EVERY: Duration = Duration::from_secs(5);
/// Removed in one go.
const BATCH: i64 = 100;

/// Until the process stops. What cannot be removed now is tried again: its row stays until it is.
pub async fn remove_old(context: Arc<Context>) {
    loop {
        if let Err(error) = remove_due(&context).await {
            tracing::warn!(%error, "old pictures stay for now");
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = context.hub.stopped() => return,
        }
    }
}

async fn remove_due(context: &Context) -> Result<(), StorageError> {
    loop {
        let due = context.accounts.take_due_images(BATCH).await?;
        let mut gone = Vec::new();
        for (user, name) in &due {
            // The store says itself, in the log, why not.
            if context.images.remove(*user, name).await.is_err() {
                break;
            }
            gone.push((*user, name.clone()));
        }
        context.accounts.forget_images(&gone).await?;
        if gone.len() < BATCH as usize {
            return Ok(());
        }
    }
}
