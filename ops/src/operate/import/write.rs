//! What goes to the cells: each thing to the cell that owns it, again and again while that is away for a moment.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use skep_inside::ProvenChannel;
use skep_protocol::{CellId, Code, ConversationId, Refusal, Slot, UserId, canonical_username, wire};
use wire::{import_outcome::Outcome, operator_client::OperatorClient};

use super::{
    progress::Tally,
    tokens::{Person, Tokens},
};
use crate::{
    exit::Failure,
    operate::cluster::{Cluster, Trouble, within},
};

const DEADLINE: Duration = Duration::from_secs(30);
/// Waits between tries double up to this; a cell that is away for longer than all of them ends the run.
const TRIES: u32 = 9;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

const NAMES_PER_CALL: usize = 1_000;
/// Members that come with their conversation, in one transaction; the others follow.
const MEMBERS_AT_ONCE: usize = 200;
const MEMBERS_PER_CALL: usize = 2_000;
/// Unknown people of one line that are named.
const NAMED: usize = 5;

/// Of a newer version, maybe.
const UNKNOWN_ANSWER: &str = "the cell gave no answer that is known here";

/// What all accounts share.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub password: String,
    pub password_hash: String,
}

/// A conversation to be made, with the line it is on.
#[derive(Clone, Debug)]
pub(super) struct NewConversation {
    pub line: u64,
    pub which: Which,
    pub creator: String,
    pub title: Option<String>,
    pub topic: Option<String>,
    pub members: Vec<String>,
}

/// Members to be added, with the line they are on.
#[derive(Clone, Debug)]
pub(super) struct NewMembers {
    pub line: u64,
    pub which: Which,
    pub users: Vec<String>,
    pub role: skep_protocol::Role,
}

/// Which conversation is meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Which {
    Channel(String),
    Group(String),
    /// Of the two people.
    Direct,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub accounts: Tally,
    pub conversations: Tally,
    pub members: Tally,
    /// Line by line.
    pub faults: Vec<(u64, String)>,
}

type Names = HashMap<String, Result<UserId, String>>;

pub(super) struct Writer {
    pub cluster: Cluster,
    tokens: Mutex<Option<Tokens>>,
}

impl Writer {
    pub fn new(cluster: Cluster, tokens: Option<Tokens>) -> Self {
        Self { cluster, tokens: Mutex::new(tokens) }
    }

    /// The tokens' file becomes whole.
    pub fn finish(&self) -> Result<(), Failure> {
        self.tokens.lock().as_mut().map_or(Ok(()), Tokens::finish)
    }

    // --- accounts

    pub async fn accounts(
        &self,
        cell: CellId,
        header: &Header,
        mut batch: Vec<(u64, wire::ImportAccount)>,
    ) -> Result<Written, Failure> {
        let mut written = Written::default();
        let with_sessions = self.tokens.lock().is_some();
        for try_again in (0..TRIES).rev() {
            let request = wire::ImportAccountsRequest {
                accounts: batch.iter().map(|(_, account)| account.clone()).collect(),
                password_hash: header.password_hash.clone(),
                with_sessions,
            };
            let asked = self.persist(cell, async |mut operator| operator.import_accounts(request.clone()).await);
            let outcomes = asked.await?.map_err(|refusal| Trouble::Refused(refusal).at_cell(cell))?.outcomes;
            let mut again = Vec::new();
            for ((line, account), outcome) in batch.into_iter().zip(outcomes) {
                match outcome.outcome {
                    Some(Outcome::Made(made)) => {
                        written.accounts.made += 1;
                        self.keep_token(cell, header, &account, &made)?;
                    }
                    Some(Outcome::Existed(_)) => written.accounts.existed += 1,
                    // Somebody signs up with the address, or its cell is away: in a moment it is decided.
                    Some(Outcome::Refused(r)) if try_again > 0 && Code::from_number(r.code).retryable() => {
                        again.push((line, account));
                    }
                    Some(Outcome::Refused(refused)) => {
                        written.accounts.failed += 1;
                        written.faults.push((line, format!("{}: {}", account.username, refused.detail)));
                    }
                    None => {
                        written.accounts.failed += 1;
                        written.faults.push((line, UNKNOWN_ANSWER.to_owned()));
                    }
                }
            }
            if again.is_empty() {
                break;
            }
            batch = again;
            tokio::time::sleep(FIRST_WAIT * (TRIES - try_again)).await;
        }
        Ok(written)
    }

    fn keep_token(
        &self,
        cell_id: CellId,
        header: &Header,
        account: &wire::ImportAccount,
        made: &wire::Made,
    ) -> Result<(), Failure> {
        let mut tokens = self.tokens.lock();
        let (Some(tokens), Ok(user_id)) = (tokens.as_mut(), UserId::from_bytes(&made.user_id)) else { return Ok(()) };
        let socket_url = self.cluster.map.cells.get(&cell_id).map(|cell| cell.socket_url.as_str()).unwrap_or_default();
        let password = if account.password_hash.is_none() { header.password.as_str() } else { "" };
        let username = account.username.as_str();
        tokens.add(&Person { username, password, user_id, token: &made.token, cell_id, socket_url })
    }

    // --- conversations

    pub async fn conversations(&self, batch: Vec<NewConversation>) -> Result<Written, Failure> {
        let mut written = Written::default();
        let names = batch.iter().flat_map(|new| new.members.iter().chain([&new.creator]));
        let names = self.resolve(names.map(String::as_str).collect()).await?;
        let mut by_home: BTreeMap<CellId, Vec<Ready>> = BTreeMap::new();
        for new in batch {
            match ready(&new, &names, &mut written) {
                Ok(ready) => by_home.entry(self.cluster.owner(ready.id.slot())?).or_default().push(ready),
                Err(reason) => {
                    written.conversations.failed += 1;
                    written.faults.push((new.line, reason));
                }
            }
        }
        let made = by_home.into_iter().map(|(home, ready)| self.make(home, ready));
        for part in try_join_all(made).await? {
            written.add(part);
        }
        Ok(written)
    }

    async fn make(&self, home: CellId, mut batch: Vec<Ready>) -> Result<Written, Failure> {
        let mut written = Written::default();
        let mut rest = Vec::new();
        for try_again in (0..TRIES).rev() {
            let conversations = batch.iter().map(Ready::to_wire).collect();
            let request = wire::ImportConversationsRequest { conversations };
            let asked = self.persist(home, async |mut operator| operator.import_conversations(request.clone()).await);
            let outcomes = asked.await?.map_err(|refusal| Trouble::Refused(refusal).at_cell(home))?.outcomes;
            let mut again = Vec::new();
            for (ready, outcome) in batch.into_iter().zip(outcomes) {
                match outcome.outcome {
                    Some(Outcome::Made(_)) => {
                        written.conversations.made += 1;
                        rest.push((ready, MEMBERS_AT_ONCE));
                    }
                    Some(Outcome::Existed(_)) => {
                        written.conversations.existed += 1;
                        rest.push((ready, 0));
                    }
                    Some(Outcome::Refused(r)) if try_again > 0 && Code::from_number(r.code).retryable() => {
                        again.push(ready);
                    }
                    Some(Outcome::Refused(refused)) => {
                        written.conversations.failed += 1;
                        written.faults.push((ready.line, refused.detail));
                    }
                    None => {
                        written.conversations.failed += 1;
                        written.faults.push((ready.line, UNKNOWN_ANSWER.to_owned()));
                    }
                }
            }
            if again.is_empty() {
                break;
            }
            batch = again;
            tokio::time::sleep(FIRST_WAIT * (TRIES - try_again)).await;
        }
        let added = rest.iter().filter(|(ready, _)| ready.which != Which::Direct).map(async |(ready, done)| {
            let (done, others) = ready.members.split_at(ready.members.len().min(*done));
            let mut added = self.add(ready.line, ready.id, others, skep_protocol::Role::Member).await?;
            added.members.made += done.len() as u64;
            Ok::<_, Failure>(added)
        });
        for part in try_join_all(added).await? {
            written.add(part);
        }
        Ok(written)
    }

    // --- members

    pub async fn members(&self, batch: Vec<NewMembers>) -> Result<Written, Failure> {
        let mut written = Written::default();
        let names = self.resolve(batch.iter().flat_map(|new| new.users.iter().map(String::as_str)).collect()).await?;
        // One after the other in each conversation, so that who is named twice is counted once.
        let mut by_conversation: BTreeMap<ConversationId, Vec<(&NewMembers, Vec<UserId>)>> = BTreeMap::new();
        for new in &batch {
            let users = known(&new.users, &names, new.line, &mut written);
            if let Some(id) = new.which.id() {
                by_conversation.entry(id).or_default().push((new, users));
            }
        }
        let added = by_conversation.into_iter().map(async |(id, lines)| {
            let mut written = Written::default();
            for (new, users) in lines {
                written.add(self.add(new.line, id, &users, new.role).await?);
            }
            Ok::<_, Failure>(written)
        });
        for part in try_join_all(added).await? {
            written.add(part);
        }
        Ok(written)
    }

    async fn add(
        &self,
        line: u64,
        id: ConversationId,
        users: &[UserId],
        role: skep_protocol::Role,
    ) -> Result<Written, Failure> {
        let mut written = Written::default();
        let home = self.cluster.owner(id.slot())?;
        for users in users.chunks(MEMBERS_PER_CALL) {
            let request = wire::ImportMembersRequest {
                conversation_id: Bytes::copy_from_slice(&id.to_bytes()),
                members: users.iter().map(bytes_of).collect(),
                role: role as u32,
            };
            let asked = self.persist(home, async |mut operator| operator.import_members(request.clone()).await);
            match asked.await? {
                Ok(reply) => {
                    written.members.made += u64::from(reply.added);
                    written.members.existed += u64::from(reply.existed);
                    if !reply.not_added.is_empty() {
                        let failed = reply.not_added.len();
                        written.members.failed += failed as u64;
                        written.faults.push((line, format!("{failed} people could not be added: it is full")));
                    }
                }
                Err(refusal) => {
                    written.members.failed += users.len() as u64;
                    written.faults.push((line, refusal.detail));
                }
            }
        }
        Ok(written)
    }

    // --- people by name

    /// Who these are, asked of the cells that own the names.
    async fn resolve(&self, names: BTreeSet<&str>) -> Result<Names, Failure> {
        let mut found = Names::new();
        let mut by_cell: BTreeMap<CellId, Vec<(&str, String)>> = BTreeMap::new();
        for name in names {
            match canonical_username(name) {
                Ok(canonical) => {
                    let cell = self.cluster.owner(Slot::of_username(&canonical))?;
                    by_cell.entry(cell).or_default().push((name, canonical));
                }
                Err(issue) => _ = found.insert(name.to_owned(), Err(format!("{name}: {}", issue.detail))),
            }
        }
        let chunks = by_cell.iter().flat_map(|(cell, names)| names.chunks(NAMES_PER_CALL).map(|chunk| (*cell, chunk)));
        let asked = join_all(chunks.map(async |(cell, names)| {
            let usernames = names.iter().map(|(_, canonical)| canonical.clone()).collect();
            let request = wire::FindUsernamesRequest { usernames };
            let asked = self.persist(cell, async |mut operator| operator.find_usernames(request.clone()).await);
            let users = asked.await?.map_err(|refusal| Trouble::Refused(refusal).at_cell(cell))?.users;
            Ok::<_, Failure>(names.iter().zip(users))
        }));
        for answered in asked.await {
            for ((name, _), user) in answered? {
                let who = match UserId::from_bytes(&user.user_id) {
                    Ok(_) if user.is_full => Err(format!("{name} is in as many conversations as one can be in")),
                    Ok(id) => Ok(id),
                    Err(_) => Err(format!("nobody has the username {name}")),
                };
                found.insert((*name).to_owned(), who);
            }
        }
        Ok(found)
    }

    // --- asking

    /// Asks until there is an answer. The same twice is done once, so what may have been done is simply asked again.
    async fn persist<T>(
        &self,
        cell: CellId,
        call: impl AsyncFn(OperatorClient<ProvenChannel>) -> Result<tonic::Response<T>, tonic::Status>,
    ) -> Result<Result<T, Refusal>, Failure> {
        let mut wait = FIRST_WAIT;
        for try_again in (0..TRIES).rev() {
            let operator = self.cluster.operator(cell).map_err(|trouble| trouble.at_cell(cell))?;
            let trouble = match within(DEADLINE, call(operator)).await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(trouble) => trouble,
            };
            match trouble {
                Trouble::Refused(refusal) if !refusal.code.retryable() => return Ok(Err(refusal)),
                trouble if try_again == 0 => return Err(trouble.at_cell(cell)),
                _ => tokio::time::sleep(wait).await,
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        unreachable!("the last try returns")
    }
}

/// A conversation of which it is known who its people are.
struct Ready {
    line: u64,
    which: Which,
    id: ConversationId,
    creator: UserId,
    title: Option<String>,
    topic: Option<String>,
    members: Vec<UserId>,
}

fn ready(new: &NewConversation, names: &Names, written: &mut Written) -> Result<Ready, String> {
    let who = |name: &String| names.get(name).cloned().unwrap_or_else(|| Err(format!("{name} was not looked up")));
    let creator = who(&new.creator)?;
    let (id, members) = match new.which.id() {
        Some(id) => (id, known(&new.members, names, new.line, written)),
        None => {
            let other = new.members.first().map(who).ok_or("a direct conversation is between two people")??;
            if other == creator {
                return Err("a direct conversation is with somebody else".to_owned());
            }
            (ConversationId::direct(creator, other), vec![other])
        }
    };
    let (which, title, topic) = (new.which.clone(), new.title.clone(), new.topic.clone());
    let members = members.into_iter().filter(|user| *user != creator).collect();
    Ok(Ready { line: new.line, which, id, creator, title, topic, members })
}

/// Those who are known, each once; the others are faults of the line.
fn known(users: &[String], names: &Names, line: u64, written: &mut Written) -> Vec<UserId> {
    let (mut known, mut unknown) = (Vec::with_capacity(users.len()), Vec::new());
    let mut seen = BTreeSet::new();
    for name in users {
        match names.get(name) {
            Some(Ok(user)) if seen.insert(*user) => known.push(*user),
            Some(Ok(_)) | None => {}
            Some(Err(reason)) => unknown.push(reason.as_str()),
        }
    }
    if !unknown.is_empty() {
        written.members.failed += unknown.len() as u64;
        let mut reason = unknown[..unknown.len().min(NAMED)].join("; ");
        if unknown.len() > NAMED {
            reason.push_str(&format!("; and {} more", unknown.len() - NAMED));
        }
        written.faults.push((line, reason));
    }
    known
}

impl Ready {
    fn to_wire(&self) -> wire::ImportConversation {
        wire::ImportConversation {
            conversation_id: Bytes::copy_from_slice(&self.id.to_bytes()),
            creator: bytes_of(&self.creator),
            members: self.members.iter().take(MEMBERS_AT_ONCE).map(bytes_of).collect(),
            title: self.title.clone(),
            topic: self.topic.clone(),
        }
    }
}

impl Which {
    /// The same key is the same conversation in every run. `None`: that depends on its people.
    fn id(&self) -> Option<ConversationId> {
        let bits = |kind: &str, key: &str| {
            let digest = Sha256::new().chain_update("skep import\0").chain_update(kind).chain_update("\0");
            let digest = digest.chain_update(key).finalize();
            u128::from_be_bytes(std::array::from_fn(|i| digest[i]))
        };
        match self {
            Self::Channel(key) => Some(ConversationId::channel(bits("channel", key))),
            Self::Group(key) => Some(ConversationId::group(bits("group", key))),
            Self::Direct => None,
        }
    }
}

impl Written {
    fn add(&mut self, other: Self) {
        for (sum, more) in [
            (&mut self.accounts, other.accounts),
            (&mut self.conversations, other.conversations),
            (&mut self.members, other.members),
        ] {
            sum.made += more.made;
            sum.existed += more.existed;
            sum.failed += more.failed;
        }
        self.faults.extend(other.faults);
    }
}

fn bytes_of(user: &UserId) -> Bytes {
    Bytes::copy_from_slice(&user.to_bytes())
}
