//! Lines gathered to calls of a good size. Lines of one kind go out several calls at once; before another kind begins,
//! all of the former is done, since it may name what they made.

use std::collections::BTreeMap;
use std::sync::Arc;

use skep_protocol::{CellId, Role, Slot, canonical_username, wire};
use tokio::task::JoinSet;

use super::{
    lines::{self, Line, ReadLine},
    progress::{Kind, Progress, Report, Tally},
    write::{Header, NewConversation, NewMembers, Which, Writer, Written},
};
use crate::exit::{Exit, Failure};

const ACCOUNTS_PER_CALL: usize = 500;
const CONVERSATIONS_PER_CALL: usize = 500;
/// People named by conversations and members of one call.
const NAMES_PER_CALL: usize = 5_000;
/// Calls at once: enough to keep every cell's disk busy.
const AT_ONCE: usize = 6;
const KEY_BYTES: usize = 200;

pub(super) struct Batches {
    writer: Arc<Writer>,
    progress: Progress,
    header: Arc<Header>,
    is_first: bool,
    kind: Kind,
    accounts: BTreeMap<CellId, Vec<(u64, wire::ImportAccount)>>,
    conversations: Vec<NewConversation>,
    members: Vec<NewMembers>,
    /// People named by what is gathered.
    names: usize,
    calls: JoinSet<Result<Written, Failure>>,
}

impl Batches {
    pub fn new(writer: Writer, progress: Progress) -> Self {
        Self {
            writer: Arc::new(writer),
            progress,
            header: Arc::default(),
            is_first: true,
            kind: Kind::Account,
            accounts: BTreeMap::new(),
            conversations: Vec::new(),
            members: Vec::new(),
            names: 0,
            calls: JoinSet::new(),
        }
    }

    /// A line more.
    pub async fn take(&mut self, read: ReadLine) -> Result<(), Failure> {
        let ReadLine { number, bytes, line } = read;
        self.progress.read(bytes);
        let is_first = std::mem::replace(&mut self.is_first, false);
        match line {
            Ok(Line::Header { password, password_hash }) if is_first => {
                self.begin(number, password, password_hash).await
            }
            Ok(Line::Header { .. }) => self.progress.bad(number, "a header comes first of all"),
            Ok(line) => match self.sort(number, line).await {
                Ok(()) => Ok(()),
                Err(Sorting::Bad(kind, reason)) => {
                    self.progress.tally(kind).failed += 1;
                    self.progress.bad(number, &reason)
                }
                Err(Sorting::Failed(failure)) => Err(failure),
            },
            Err(reason) => self.progress.bad(number, &reason),
        }
    }

    /// Everything that was gathered, and everything under way.
    pub async fn finish(&mut self) -> Result<(), Failure> {
        self.flush().await?;
        self.writer.finish()
    }

    /// After a failure: what is under way comes to its end.
    pub async fn give_up(&mut self) {
        while let Some(called) = self.calls.join_next().await {
            if let Ok(Ok(written)) = called {
                // What else is bad is told as well.
                _ = self.count(written);
            }
        }
        _ = self.writer.finish();
    }

    pub fn report(&self) -> Report {
        self.progress.report()
    }

    /// The one password is hashed once.
    async fn begin(&mut self, number: u64, password: Option<String>, hash: Option<String>) -> Result<(), Failure> {
        let header = match (password, hash) {
            (Some(_), Some(_)) => return self.progress.bad(number, "a password or a password_hash, not both"),
            (Some(password), None) => {
                if let Err(refusal) = skep_cell::check_new_password(&password) {
                    return self.progress.bad(number, &refusal.detail);
                }
                match skep_cell::hash_password(&password) {
                    Some(password_hash) => Header { password, password_hash },
                    None => return self.progress.bad(number, "the password cannot be hashed"),
                }
            }
            (None, hash) => Header { password: String::new(), password_hash: hash.unwrap_or_default() },
        };
        self.header = Arc::new(header);
        Ok(())
    }

    /// To the others of its kind.
    async fn sort(&mut self, line: u64, what: Line) -> Result<(), Sorting> {
        match what {
            Line::Header { .. } => unreachable!("taken before"),
            Line::Account { username, display_name, email, password_hash, created_at } => {
                self.turn_to(Kind::Account).await?;
                let canonical = canonical_username(&username)
                    .map_err(|issue| Sorting::Bad(Kind::Account, format!("{username}: {}", issue.detail)))?;
                let cell = self.writer.cluster.owner(Slot::of_username(&canonical))?;
                let created_at_ms = created_at.map(|at| at.0);
                let account = wire::ImportAccount { username, display_name, email, password_hash, created_at_ms };
                let batch = self.accounts.entry(cell).or_default();
                batch.push((line, account));
                if batch.len() >= ACCOUNTS_PER_CALL {
                    self.send_accounts(cell).await?;
                }
            }
            Line::Channel { key, creator, title, topic, members } => {
                let which = Which::Channel(checked(key, Kind::Conversation)?);
                let new = NewConversation { line, which, creator, title: Some(title), topic, members };
                self.put_conversation(new).await?;
            }
            Line::Group { key, creator, title, members } => {
                let which = Which::Group(checked(key, Kind::Conversation)?);
                self.put_conversation(NewConversation { line, which, creator, title, topic: None, members }).await?;
            }
            Line::Direct { users: [creator, other] } => {
                let (which, members) = (Which::Direct, vec![other]);
                let new = NewConversation { line, which, creator, title: None, topic: None, members };
                self.put_conversation(new).await?;
            }
            Line::Members { channel, group, users, role } => {
                let which = match (channel, group) {
                    (Some(key), None) => Which::Channel(checked(key, Kind::Member)?),
                    (None, Some(key)) => Which::Group(checked(key, Kind::Member)?),
                    _ => return Err(Sorting::Bad(Kind::Member, "members are of a channel or of a group".to_owned())),
                };
                let role = match role {
                    lines::Role::Member => Role::Member,
                    lines::Role::Admin => Role::Admin,
                };
                self.turn_to(Kind::Member).await?;
                self.names += users.len();
                self.members.push(NewMembers { line, which, users, role });
                if self.names >= NAMES_PER_CALL || self.members.len() >= CONVERSATIONS_PER_CALL {
                    self.send_members().await?;
                }
            }
        }
        Ok(())
    }

    async fn put_conversation(&mut self, new: NewConversation) -> Result<(), Failure> {
        self.turn_to(Kind::Conversation).await?;
        self.names += new.members.len() + 1;
        self.conversations.push(new);
        if self.names >= NAMES_PER_CALL || self.conversations.len() >= CONVERSATIONS_PER_CALL {
            self.send_conversations().await?;
        }
        Ok(())
    }

    /// Another kind of lines begins when all of the former kind is done.
    async fn turn_to(&mut self, kind: Kind) -> Result<(), Failure> {
        if self.kind != kind {
            self.flush().await?;
            self.kind = kind;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        for cell in self.accounts.keys().copied().collect::<Vec<_>>() {
            self.send_accounts(cell).await?;
        }
        self.send_conversations().await?;
        self.send_members().await?;
        while !self.calls.is_empty() {
            self.one_done().await?;
        }
        Ok(())
    }

    async fn send_accounts(&mut self, cell: CellId) -> Result<(), Failure> {
        let Some(batch) = self.accounts.remove(&cell) else { return Ok(()) };
        let (writer, header) = (Arc::clone(&self.writer), Arc::clone(&self.header));
        self.call(async move { writer.accounts(cell, &header, batch).await }).await
    }

    async fn send_conversations(&mut self) -> Result<(), Failure> {
        let (writer, batch) = (Arc::clone(&self.writer), std::mem::take(&mut self.conversations));
        self.names = 0;
        if batch.is_empty() { Ok(()) } else { self.call(async move { writer.conversations(batch).await }).await }
    }

    async fn send_members(&mut self) -> Result<(), Failure> {
        let (writer, batch) = (Arc::clone(&self.writer), std::mem::take(&mut self.members));
        self.names = 0;
        if batch.is_empty() { Ok(()) } else { self.call(async move { writer.members(batch).await }).await }
    }

    async fn call(&mut self, call: impl Future<Output = Result<Written, Failure>> + 'static) -> Result<(), Failure> {
        while self.calls.len() >= AT_ONCE {
            self.one_done().await?;
        }
        self.calls.spawn_local(call);
        Ok(())
    }

    async fn one_done(&mut self) -> Result<(), Failure> {
        match self.calls.join_next().await {
            Some(Ok(written)) => self.count(written?),
            Some(Err(error)) => Err(Failure { exit: Exit::Bug, reason: format!("a call broke down: {error}") }),
            None => Ok(()),
        }
    }

    /// All faults are told, also in a strict run, where the first one is the end.
    fn count(&mut self, mut written: Written) -> Result<(), Failure> {
        for (kind, more) in [
            (Kind::Account, written.accounts),
            (Kind::Conversation, written.conversations),
            (Kind::Member, written.members),
        ] {
            let Tally { made, existed, failed } = self.progress.tally(kind);
            (*made, *existed, *failed) = (*made + more.made, *existed + more.existed, *failed + more.failed);
        }
        written.faults.sort();
        let told: Vec<_> = written.faults.iter().map(|(line, reason)| self.progress.bad(*line, reason)).collect();
        told.into_iter().collect()
    }
}

/// Why a line was not put to the others.
enum Sorting {
    Bad(Kind, String),
    Failed(Failure),
}

impl From<Failure> for Sorting {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

fn checked(key: String, kind: Kind) -> Result<String, Sorting> {
    if key.is_empty() || key.len() > KEY_BYTES {
        return Err(Sorting::Bad(kind, format!("a key has 1 to {KEY_BYTES} bytes")));
    }
    Ok(key)
}
