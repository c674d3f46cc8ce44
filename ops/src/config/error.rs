//! What is wrong with a configuration: file, key and reason of everything that was found.

use std::path::{Path, PathBuf};

use figment::{Figment, Metadata, error::Kind};

use crate::exit::Failure;

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("{}: {source}\n`skep config example {part}` prints a file to start from", file.display())]
    Unreadable { file: PathBuf, part: &'static str, source: std::io::Error },
    /// One line for each fault.
    #[error("{}", faults.join("\nskep: "))]
    Wrong { faults: Vec<String> },
    /// The configuration may be right, but others are where it says.
    #[error("{}", faults.join("\nskep: "))]
    Taken { faults: Vec<String> },
}

impl ConfigError {
    pub fn from_figment(file: &Path, error: figment::Error) -> Self {
        let describe = |error: figment::Error| {
            let place = Place::of(file, error.metadata.as_ref());
            match &error.kind {
                // The place is that of the last file read, which is not where a missing key is.
                Kind::MissingField(key) => Place::File(file).fault(key, "missing"),
                Kind::UnknownField(key, known) => {
                    place.fault(key, &format!("unknown; the keys are {}", known.join(", ")))
                }
                kind => match error.path.last() {
                    Some(key) => place.fault(key, &kind.to_string()),
                    // Not TOML at all: the reason says the line.
                    None => format!("{}: {}", file.display(), kind.to_string().trim_end()),
                },
            }
        };
        Self::Wrong { faults: error.into_iter().map(describe).collect() }
    }

    pub fn from_faults(file: &Path, figment: &Figment, faults: Faults) -> Self {
        Self::Wrong { faults: placed(file, figment, faults) }
    }

    pub fn from_listeners(file: &Path, figment: &Figment, faults: Faults) -> Self {
        Self::Taken { faults: placed(file, figment, faults) }
    }
}

/// Keys and reasons.
pub(crate) type Faults = Vec<(&'static str, String)>;

fn placed(file: &Path, figment: &Figment, faults: Faults) -> Vec<String> {
    let describe = |(key, reason): (&str, String)| Place::of(file, figment.find_metadata(key)).fault(key, &reason);
    faults.into_iter().map(describe).collect()
}

/// Where a value was given.
enum Place<'a> {
    File(&'a Path),
    Environment,
}

impl<'a> Place<'a> {
    fn of(file: &'a Path, metadata: Option<&Metadata>) -> Self {
        match metadata {
            Some(metadata) if metadata.name.contains("environment") => Self::Environment,
            _ => Self::File(file),
        }
    }

    fn fault(&self, key: &str, reason: &str) -> String {
        match self {
            Self::File(file) => format!("{}: key `{key}`: {reason}", file.display()),
            Self::Environment => format!("environment variable SKEP_{}: {reason}", key.to_uppercase()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Taken { .. } => Self::unavailable(error.to_string()),
            ConfigError::Unreadable { .. } | ConfigError::Wrong { .. } => Self::usage(error.to_string()),
        }
    }
}
