//! Why a shard did not do what was asked.

use tokio_postgres::error::SqlState;

/// What the function `lease_check` and a lane's fence raise.
const FENCED: &str = "SK001";

/// What can go wrong with a shard.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// It cannot be reached, or not in time. The outcome of a write is unknown.
    #[error("the shard cannot be reached: {0}")]
    Unavailable(String),
    /// Another process holds the lease: this one must end.
    #[error("another process holds the lease on the shard")]
    Superseded,
    /// It is not the shard that the configuration describes. Trying again does not help.
    #[error("{0}")]
    Mismatch(String),
    /// A row that this version cannot read.
    #[error("the shard holds something unreadable: {0}")]
    Unreadable(String),
    /// PostgreSQL refused a statement.
    #[error("the shard refused a statement: {0}")]
    Refused(Box<tokio_postgres::error::DbError>),
}

impl StorageError {
    /// The name of the unique constraint or index that a write violated.
    pub fn violated(&self) -> Option<&str> {
        match self {
            Self::Refused(e) if *e.code() == SqlState::UNIQUE_VIOLATION => Some(e.constraint().unwrap_or("")),
            _ => None,
        }
    }
}

impl From<tokio_postgres::Error> for StorageError {
    fn from(e: tokio_postgres::Error) -> Self {
        match e.as_db_error() {
            Some(db) if db.code().code() == FENCED => Self::Superseded,
            Some(db) if is_fleeting(db) => Self::Unavailable(db.to_string()),
            Some(db) => Self::Refused(Box::new(db.clone())),
            None => Self::Unavailable(with_sources(&e)),
        }
    }
}

impl From<deadpool_postgres::PoolError> for StorageError {
    fn from(e: deadpool_postgres::PoolError) -> Self {
        match e {
            deadpool_postgres::PoolError::Backend(e) => Self::Unavailable(with_sources(&e)),
            e => Self::Unavailable(e.to_string()),
        }
    }
}

/// Whether the same may succeed later: serialisation, locks, timeouts, resources, a server that comes or goes.
pub(super) fn is_fleeting(e: &tokio_postgres::error::DbError) -> bool {
    let code = e.code().code();
    let classes = ["08", "40", "53", "57", "58"];
    classes.iter().any(|class| code.starts_with(class))
        || [SqlState::LOCK_NOT_AVAILABLE, SqlState::READ_ONLY_SQL_TRANSACTION].contains(e.code())
}

/// Whether it says that the lease or the lane is another's.
pub(super) fn is_fence(e: &tokio_postgres::error::DbError) -> bool {
    e.code().code() == FENCED
}

/// An error with its causes, in one line.
pub(super) fn with_sources(e: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(e.source(), |e| e.source());
    causes.fold(e.to_string(), |text, cause| format!("{text}: {cause}"))
}
