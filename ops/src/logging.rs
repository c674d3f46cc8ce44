//! Logs, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

/// Sets up logging as the environment asks.
pub(crate) fn start() -> Result<(), Failure> {
    let filter = std::env::var("SKEP_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&filter)
        .map_err(|error| Failure::usage(format!("environment variable SKEP_LOG: {filter:?}: {error}")))?;
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match std::env::var("SKEP_LOG_FORMAT").as_deref() {
        Ok("json") => logs.json().init(),
        Ok("plain") | Err(_) => logs.with_ansi(std::io::stderr().is_terminal()).init(),
        Ok(other) => {
            return Err(Failure::usage(format!(
                "environment variable SKEP_LOG_FORMAT: {other:?} is neither plain nor json"
            )));
        }
    }
    Ok(())
}
