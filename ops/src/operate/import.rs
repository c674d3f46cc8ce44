//! `skep import`: people, conversations and members from a file, by the thousand.
//!
//! A line is a thing (see [`lines`]). What comes together goes together: accounts to the cells of their names,
//! conversations and members to their homes, in calls of some hundreds, several at once. A line that is there already
//! changes nothing, so a run that was broken off is simply started again.

mod batches;
mod lines;
mod progress;
mod tokens;
mod write;

use std::io::{BufReader, IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;

use super::{
    Saying,
    cluster::{Cluster, Where},
};
use crate::exit::{Exit, Failure};
use batches::Batches;
use lines::Lines;
use progress::Progress;
use tokens::Tokens;
use write::Writer;

pub(crate) const EXAMPLES: &str = r#"A JSON document per line. A header may come first; the rest in any order in which nothing is named before it is
there. Fastest: all accounts, then all conversations, then all members.

  {"type":"header","password":"..."}             of all accounts that bring no hash; hashed once
  {"type":"account","username":"anna","display_name":"Anna","email":"anna@example.org"}
  {"type":"account", ..., "password_hash":"$argon2id$...","created_at":"2024-05-01T12:00:00Z"}
  {"type":"channel","key":"news","creator":"anna","title":"News","topic":"...","members":["ben"]}
  {"type":"group","key":"team-1","creator":"anna","title":"Team","members":["ben","carl"]}
  {"type":"direct","users":["anna","ben"]}
  {"type":"members","channel":"news","users":["carl","dora"],"role":"admin"}      or "group":"team-1"

A key names a group or a channel for all runs, so that it is made once. What is there stays as it is: accounts keep
their passwords, who left or was removed stays out. Messages are not imported.

Examples:
  skep import people.jsonl
  gunzip -c people.jsonl.gz | skep import - --data /srv/skep --json
  skep import people.jsonl --strict
  seq 1000000 | awk 'BEGIN { print "{\"type\":\"header\",\"password\":\"a bee in the hive\"}" }
    { print "{\"type\":\"account\",\"username\":\"load." $1 "\",\"display_name\":\"Load " $1 "\",\"email\":\"load." $1 "@load.example\"}" }' |
    skep import - --tokens tokens.json                        a million people for a load test

Exit codes: 0 all of it is there, 1 some lines were bad (each is named on standard error), 64 usage, 69 a part cannot
be reached (the same again goes on from there)"#;

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; - for standard input.
    file: PathBuf,
    /// Stop at the first bad line, instead of going on with the rest.
    #[arg(long)]
    strict: bool,
    /// Log every new account in and write its token here, as `skep-sim load --people-file FILE` reads it. Whoever has the
    /// file is all of them.
    #[arg(long, value_name = "FILE")]
    tokens: Option<PathBuf>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    saying: Saying,
}

/// Whether a bad line ends the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Strictness {
    Strict,
    Lenient,
}

impl Import {
    pub fn run(self) -> Result<(), Failure> {
        let (input, bytes) = self.open()?;
        super::run(self.import(input, bytes))
    }

    fn open(&self) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
        if self.file.as_os_str() == "-" {
            if std::io::stdin().is_terminal() {
                return Err(Failure::usage("-: nothing comes from standard input: it is a terminal"));
            }
            return Ok((Box::new(std::io::stdin()), None));
        }
        let cannot = |error: std::io::Error| Failure::usage(format!("{}: {error}", self.file.display()));
        let file = std::fs::File::open(&self.file).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        if about.is_dir() {
            return Err(Failure::usage(format!("{}: this is a folder", self.file.display())));
        }
        Ok((Box::new(file), about.is_file().then_some(about.len())))
    }

    async fn import(self, input: Box<dyn Read + Send>, bytes: Option<u64>) -> Result<(), Failure> {
        let cluster = Cluster::open(&self.at).await?;
        let router = cluster.deployment.as_ref().map(|deployment| deployment.router.url.clone());
        let tokens = self.tokens.as_deref().map(|file| Tokens::create(file, router.as_deref())).transpose()?;
        let strictness = if self.strict { Strictness::Strict } else { Strictness::Lenient };
        let progress = Progress::new(bytes, strictness);
        let mut lines = Lines::start(BufReader::new(input));
        let mut batches = Batches::new(Writer::new(cluster, tokens), progress);
        let ended: Result<(), Failure> = async {
            while let Some(read) = lines.next().await? {
                batches.take(read).await?;
            }
            Ok(())
        }
        .await;
        let ended = match ended {
            Ok(()) => batches.finish().await,
            // What came before a bad line is done also in a strict run.
            Err(failure) if failure.exit == Exit::Refused => batches.finish().await.and(Err(failure)),
            Err(failure) => Err(failure),
        };
        if ended.is_err() {
            batches.give_up().await;
        }
        // What was done is told in any case.
        let report = batches.report();
        self.saying.answer(&report.document(), || report.text());
        ended?;
        match report.bad_lines() {
            0 => Ok(()),
            bad => {
                let lines = super::text::counted(bad, "line");
                Err(Failure { exit: Exit::Refused, reason: format!("{lines} could not be imported, as said above") })
            }
        }
    }
}
