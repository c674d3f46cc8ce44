//! What an error says about a batch: is it in the shard, may the same be tried again, whose fault is it.

use skep_core::Commit;
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::storage::error::{is_fence, is_fleeting};

/// What came of a batch of which this is the first error.
pub(super) fn of(e: &tokio_postgres::Error) -> Commit {
    match e.as_db_error() {
        // Lost, or ended by the server: the commit may have been carried out just before.
        None => Commit::Unknown,
        Some(db) if !matches!(db.parsed_severity(), Some(Severity::Error)) => Commit::Unknown,
        Some(db) => of_refusal(db),
    }
}

fn of_refusal(db: &DbError) -> Commit {
    if is_fence(db) {
        return Commit::Fenced(db.message().to_owned());
    }
    if *db.code() == SqlState::UNIQUE_VIOLATION {
        return match db.constraint() {
            Some("messages_client_id") => Commit::Duplicate,
            Some("messages_key" | "lane_log_pkey") => {
                Commit::Fenced(format!("memory and shard differ: {}", db.detail().unwrap_or_else(|| db.message())))
            }
            _ => Commit::Rejected(db.to_string()),
        };
    }
    if is_fleeting(db) { Commit::Again } else { Commit::Rejected(db.to_string()) }
}
