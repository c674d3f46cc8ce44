//! Accounts: as an operator sees and changes them, and many at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use skep_protocol::{
    CellId, Code, Millis, Refusal, Slot, UserId, answers::SessionEntry, canonical_email, canonical_username,
    check_display_name, wire,
};
use wire::{import_outcome::Outcome, show_user_request::By};

use super::claims::{ClaimStep, Claimed, claims_here};
use crate::{
    accounts::{Account, ClaimStand, ImportAccount, NewAccount, check_hash, ending},
    context::{Context, failed, unavailable},
    shell::now,
};

/// What imported people's first log-in is called in their list of sessions.
const DEVICE: &str = "import";

/// More of them in one call would hold the shard's rows for long.
pub const ACCOUNTS_PER_CALL: usize = 1_000;

/// What an operator does to an account. The same again changes nothing more.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum AccountChange {
    /// Nobody can log in any more, and who is logged in no longer is.
    Disable,
    Enable,
    EndSessions,
    /// Another password; sessions end.
    Password(String),
}

/// Addresses, with whose they are to be.
type Owners = Vec<(String, UserId)>;

type Outcomes = Result<Vec<Outcome>, Refusal>;

// === one person ===

pub(super) async fn show(context: &Context, by: By) -> Result<wire::UserReport, Refusal> {
    let account = match by {
        By::UserId(id) => {
            let user = UserId::from_bytes(&id).map_err(|_| nobody())?;
            context.accounts.find(&[user]).await.map_err(failed)?.pop()
        }
        By::Username(username) => context.accounts.find_username(&username).await.map_err(failed)?,
    };
    let Account { profile, email, is_disabled, .. } = account.ok_or_else(nobody)?;
    let user = profile.user_id;
    let dossier = context.accounts.dossier(user).await.map_err(failed)?.ok_or_else(nobody)?;
    let sessions = context.accounts.sessions(user, None).await.map_err(failed)?;
    let session = |session: SessionEntry| wire::SessionReport {
        session_id: Bytes::copy_from_slice(&session.session_id.to_bytes()),
        device: session.device,
        created_at_ms: session.created_at.0,
        last_used_at_ms: session.last_used_at.0,
        expires_at_ms: session.expires_at.0,
    };
    Ok(wire::UserReport {
        user_id: id_of(user),
        username: profile.username,
        display_name: profile.display_name,
        email,
        created_at_ms: dossier.created_at.0,
        disabled: is_disabled,
        sessions: sessions.into_iter().map(session).collect(),
        sockets: context.hub.sockets_of(user),
        last_seen_ms: context.presence(user).await.last_seen.map(|at| at.0),
        conversations: dossier.conversations,
        blocks: dossier.blocks,
    })
}

/// Carries a change out, and closes the sockets of sessions that ended with it. How many those were.
pub(super) async fn change(context: &Arc<Context>, user: UserId, change: AccountChange) -> Result<u32, Refusal> {
    let sessions = context.accounts.sessions(user, None).await.map_err(failed)?.len();
    let ended = if change == AccountChange::Enable { 0 } else { sessions };
    match change {
        AccountChange::Disable => ending::disable(context, user).await?,
        AccountChange::Enable => ending::enable(context, user).await?,
        AccountChange::EndSessions => ending::end_sessions(context, user).await?,
        AccountChange::Password(password) => ending::reset_password(context, user, password).await?,
    }
    tracing::info!(%user, sessions = ended, "an operator changed an account");
    Ok(u32::try_from(ended).unwrap_or(u32::MAX))
}

/// Who has these names, in their order.
pub(super) async fn find_usernames(
    context: &Context,
    usernames: &[String],
) -> Result<Vec<wire::FoundUsername>, Refusal> {
    let names: Vec<&str> = usernames.iter().map(String::as_str).collect();
    let found = context.accounts.standing(&names).await.map_err(failed)?;
    let ids: Vec<UserId> = found.values().map(|(user, _)| *user).collect();
    let full = context.shard.full_users(&ids).await.map_err(failed)?;
    let one = |name: &String| match found.get(name) {
        Some((user, _)) => wire::FoundUsername { user_id: id_of(*user), is_full: full.contains(user) },
        None => wire::FoundUsername::default(),
    };
    Ok(usernames.iter().map(one).collect())
}

// === many ===

/// Makes those that are not there. One outcome for each.
pub(super) async fn import(context: &Context, request: wire::ImportAccountsRequest) -> Outcomes {
    if request.accounts.len() > ACCOUNTS_PER_CALL {
        return Err(Refusal::new(Code::TooLarge, format!("at most {ACCOUNTS_PER_CALL} accounts a call")));
    }
    let device = request.with_sessions.then_some(DEVICE);
    let mut batch = Batch::new(request.accounts.len());
    for (at, account) in request.accounts.into_iter().enumerate() {
        match checked(context, account, &request.password_hash) {
            Ok(account) => batch.take(at, account),
            Err(refusal) => batch.settle(at, refused(refusal)),
        }
    }
    batch.pass_standing(context).await?;
    // Until it is over, whoever asks about these people's claims is told that they are being made.
    let under_way: Vec<_> = batch.open.values().map(|a| context.accounts.begin_sign_up(a.user_id)).collect();
    batch.claim(context).await;
    batch.create(context, device).await?;
    drop(under_way);
    Ok(batch.outcomes.into_iter().map(|outcome| outcome.expect("each has one by now")).collect())
}

fn checked(context: &Context, account: wire::ImportAccount, hash: &str) -> Result<ImportAccount, Refusal> {
    let invalid = |detail: &str| Refusal::new(Code::Invalid, detail);
    let username = canonical_username(&account.username).map_err(|issue| invalid(issue.detail))?;
    if !context.owns(Slot::of_username(&username)) {
        return Err(unavailable("another cell owns this name now"));
    }
    check_display_name(&account.display_name).map_err(|issue| invalid(issue.detail))?;
    let email = canonical_email(&account.email).map_err(|issue| invalid(issue.detail))?;
    let password_hash = account.password_hash.unwrap_or_else(|| hash.to_owned());
    if password_hash.is_empty() {
        return Err(invalid("an account needs a password_hash, or the file's first line a password for all"));
    }
    check_hash(&password_hash).map_err(invalid)?;
    let created_at = account.created_at_ms.map(Millis);
    Ok(ImportAccount { username, display_name: account.display_name, email, password_hash, created_at })
}

/// Accounts on their way, by their place in the call.
struct Batch {
    outcomes: Vec<Option<Outcome>>,
    open: BTreeMap<usize, NewAccount>,
    names: HashMap<String, String>,
    emails: HashSet<String>,
}

impl Batch {
    fn new(size: usize) -> Self {
        let outcomes = vec![None; size];
        Self { outcomes, open: BTreeMap::new(), names: HashMap::new(), emails: HashSet::new() }
    }

    fn settle(&mut self, at: usize, outcome: Outcome) {
        self.open.remove(&at);
        self.outcomes[at] = Some(outcome);
    }

    /// Unless the same name or address came before in the same call.
    fn take(&mut self, at: usize, account: ImportAccount) {
        match self.names.get(&account.username) {
            Some(email) if *email == account.email => return self.settle(at, Outcome::Existed(wire::Done {})),
            Some(_) => return self.settle(at, refused(name_taken())),
            None => {}
        }
        if !self.emails.insert(account.email.clone()) {
            return self.settle(at, refused(email_taken()));
        }
        self.names.insert(account.username.clone(), account.email.clone());
        let created_at = account.created_at.unwrap_or_else(now);
        let user_id = UserId::new(&account.username, created_at, rand::random());
        let ImportAccount { username, display_name, email, password_hash, .. } = account;
        self.open
            .insert(at, NewAccount { user_id, username, display_name, email, password_hash, created_at, image: None });
    }

    /// Those that stand already.
    async fn pass_standing(&mut self, context: &Context) -> Result<(), Refusal> {
        let names: Vec<&str> = self.open.values().map(|a| a.username.as_str()).collect();
        let standing = context.accounts.standing(&names).await.map_err(failed)?;
        let known = |(at, account): (&usize, &NewAccount)| {
            let (_, email) = standing.get(&account.username)?;
            Some((*at, *email == account.email))
        };
        for (at, is_same) in self.open.iter().filter_map(known).collect::<Vec<_>>() {
            self.settle(at, if is_same { Outcome::Existed(wire::Done {}) } else { refused(name_taken()) });
        }
        Ok(())
    }

    /// Claims the addresses at their cells. Whose address is not to be had is settled.
    async fn claim(&mut self, context: &Context) {
        for (places, claimed) in self.at_their_cells(context, ClaimStep::Claim).await {
            match claimed {
                Ok(stands) => {
                    for (at, stand) in places.into_iter().zip(stands) {
                        match stand {
                            ClaimStand::Theirs => {}
                            ClaimStand::Taken => self.settle(at, refused(email_taken())),
                            ClaimStand::Pending => {
                                let detail = "somebody is signing up with this address at this moment";
                                self.settle(at, refused(unavailable(detail)));
                            }
                        }
                    }
                }
                Err(refusal) => places.into_iter().for_each(|at| self.settle(at, refused(refusal.clone()))),
            }
        }
    }

    /// The accounts, then their claims made active; claims of those that cannot be are given back.
    async fn create(&mut self, context: &Context, device: Option<&str>) -> Result<(), Refusal> {
        let accounts: Vec<NewAccount> = self.open.values().cloned().collect();
        if accounts.is_empty() {
            return Ok(());
        }
        let mut made = context.accounts.create_all(&accounts, device).await.map_err(failed)?;
        let (stand, fell): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.open).into_iter().partition(|(_, account)| made.contains_key(&account.user_id));
        self.open = fell.into_iter().collect();
        _ = self.at_their_cells(context, ClaimStep::Release).await;
        for at in self.open.keys().copied().collect::<Vec<_>>() {
            self.settle(at, refused(name_taken()));
        }
        self.open = stand.into_iter().collect();
        // What cannot be said now is found out by whoever meets the claim.
        _ = self.at_their_cells(context, ClaimStep::Activate).await;
        for (at, account) in std::mem::take(&mut self.open) {
            let session = made.remove(&account.user_id).flatten();
            let token = session.map(|session| session.token).unwrap_or_default();
            self.settle(at, Outcome::Made(wire::Made { user_id: id_of(account.user_id), token }));
        }
        Ok(())
    }

    /// Does something with the open accounts' claims, at each of the cells that own them.
    async fn at_their_cells(&self, context: &Context, step: ClaimStep) -> Vec<(Vec<usize>, Claimed)> {
        let map = context.map.current();
        let mut by_cell: BTreeMap<Option<CellId>, (Vec<usize>, Owners)> = BTreeMap::new();
        for (at, account) in &self.open {
            let cell = map.owner(Slot::of_email(&account.email));
            let (places, owners) = by_cell.entry(cell).or_default();
            places.push(*at);
            owners.push((account.email.clone(), account.user_id));
        }
        let steps = by_cell.into_iter().map(async |(cell, (places, owners))| {
            let claimed = match cell {
                Some(cell) if cell == context.cell => claims_here(context, step, &owners).await,
                Some(cell) => context.peers.claims(cell, step, &owners).await,
                None => Err(unavailable("the cell that has this address is not known yet")),
            };
            (places, claimed)
        });
        join_all(steps).await
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome::Refused(wire::Refused {
        code: refusal.code as u32,
        detail: refusal.detail,
        retry_after_ms: 0,
        errors: Vec::new(),
    })
}

fn name_taken() -> Refusal {
    Refusal::new(Code::Conflict, "somebody else has this username")
}

fn email_taken() -> Refusal {
    Refusal::new(Code::Conflict, "somebody else has this e-mail address")
}

fn nobody() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such account")
}

fn id_of(user: UserId) -> Bytes {
    Bytes::copy_from_slice(&user.to_bytes())
}
