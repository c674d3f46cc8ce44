//! The operator's verbs: looking at a deployment and at its people, and bringing many of them in.
//!
//! All of them ask the directory where things are and then the cells themselves, by their own code; none of them
//! touches a database.

mod cluster;
mod import;
mod map;
mod status;
mod text;
mod user;

use clap::Args;

pub(crate) use import::{EXAMPLES as IMPORT_EXAMPLES, Import};
pub(crate) use map::{EXAMPLES as MAP_EXAMPLES, Map};
pub(crate) use status::{EXAMPLES as STATUS_EXAMPLES, Status};
pub(crate) use user::{EXAMPLES as USER_EXAMPLES, UserCommand};

use crate::exit::Failure;

/// How a verb answers.
#[derive(Clone, Debug, Args)]
struct Saying {
    /// Answer in JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Saying {
    /// An answer for whoever asked: text for people, a document for programs.
    fn answer(&self, document: &serde_json::Value, text: impl FnOnce() -> String) {
        let text = if self.json { format!("{document:#}\n") } else { text() };
        text::print(&text);
    }
}

/// Runs a verb. Its threads are few: it mostly waits.
fn run<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format!("starting: {error}")))?;
    let ended = tokio::task::LocalSet::new().block_on(&runtime, verb);
    // A file that is still being read must not keep anybody waiting.
    runtime.shutdown_background();
    ended
}
