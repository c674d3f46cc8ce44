//! How the program ends, as supervisors and scripts read it (the numbers are those of `sysexits.h`).

use std::process::ExitCode;

/// Why the program ends when it does not end well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// What was asked for is not there, was refused, or is not as it should be.
    Refused = 1,
    /// The command line or the configuration is wrong: starting again changes nothing.
    Usage = 64,
    /// A part cannot start or go on: a port is taken, a database is away, another process has the shard.
    Unavailable = 69,
    /// A bug.
    Bug = 70,
}

/// An ending with its reason, for a person.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Failure {
    pub exit: Exit,
    pub reason: String,
}

impl Failure {
    pub fn usage(reason: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, reason: reason.into() }
    }

    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self { exit: Exit::Unavailable, reason: reason.into() }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
