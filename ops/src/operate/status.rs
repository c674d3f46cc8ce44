//! `skep status`: how every part is, drawn again every second for people, once for programs.

mod look;
mod page;

use std::time::Duration;

use clap::Args;

use super::{
    Saying,
    cluster::{Cluster, Where},
};
use crate::{
    canvas::Canvas,
    exit::{Exit, Failure},
};
use look::Look;

/// Between two looks; rates are what happened in between.
const EVERY: Duration = Duration::from_secs(1);

pub(crate) const EXAMPLES: &str = "\
Examples:
  skep status                                  drawn again every second; Ctrl-C ends
  skep status --once                           once, as it also is when nobody sits at a terminal
  skep status --json | jq .well
  skep status --directory http://10.0.0.5:7701 --router http://10.0.0.6:7790
  skep status --directory https://10.0.0.5:7701 --inner-ca ca.pem --inner-certificate tool.pem --inner-key tool.key

Exit codes: 0 all is well, 1 something is not, 64 usage, 69 a part cannot be reached";

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Look once, and end.
    #[arg(long)]
    once: bool,
    /// A router's admin address, to be asked as well; `skep up` tells its own. May be given several times.
    #[arg(long, value_name = "URL")]
    router: Vec<String>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    saying: Saying,
}

impl Status {
    pub fn run(self) -> Result<(), Failure> {
        super::run(async {
            let mut canvas = Canvas::new();
            let is_live = canvas.is_term() && !self.once && !self.saying.json;
            let mut before: Option<Look> = None;
            loop {
                let cluster = match Cluster::open(&self.at).await {
                    Ok(cluster) => cluster,
                    // A live table waits for better times; the rest has its answer.
                    Err(failure) if is_live && failure.exit == Exit::Unavailable => {
                        canvas.draw(&format!("{}\n", failure.reason));
                        tokio::time::sleep(EVERY).await;
                        continue;
                    }
                    Err(failure) => return Err(failure),
                };
                let look = look::look(&cluster, &self.router, before.as_ref()).await;
                if is_live {
                    canvas.draw(&page::page(&look));
                } else if before.is_some() {
                    self.saying.answer(&page::document(&look), || page::page(&look));
                    return look.verdict();
                }
                before = Some(look);
                tokio::time::sleep(EVERY).await;
            }
        })
    }
}

impl Look {
    /// How the program ends.
    fn verdict(&self) -> Result<(), Failure> {
        if self.troubles.is_empty() {
            return Ok(());
        }
        let exit = if self.is_all_there() { Exit::Refused } else { Exit::Unavailable };
        let reason = format!("not all is well: {}", self.troubles.join("; "));
        Err(Failure { exit, reason })
    }
}
