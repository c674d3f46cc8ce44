//! Asking about people wherever they live: each cell once, all at the same time.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;
use skep_core::NotAdded;
use skep_protocol::{
    CellId, Code, Millis, Presence, Profile, Refusal, User, UserId, answers::NotAddedCode, limits, wire,
};

use crate::{
    accounts::Account,
    context::{Context, failed, unavailable},
};

/// What became of a question about several people. Who is in neither list does not exist.
pub(super) struct Found {
    pub users: Vec<User>,
    /// Those whose cell does not answer.
    pub unavailable: Vec<UserId>,
    /// Those who block the asker.
    blockers: HashSet<UserId>,
    /// Those who are in as many conversations as one can be, where that was asked.
    full: HashSet<UserId>,
}

/// What the question is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Seeing,
    Joining,
}

/// These people as the asker may see them, in the order asked for.
pub(super) async fn find(context: &Context, asker: UserId, people: &[UserId]) -> Result<Found, Refusal> {
    ask(context, asker, people, Purpose::Seeing).await
}

async fn ask(context: &Context, asker: UserId, people: &[UserId], purpose: Purpose) -> Result<Found, Refusal> {
    let map = context.map.current();
    let mut by_cell: BTreeMap<Option<CellId>, Vec<UserId>> = BTreeMap::new();
    for user in people {
        by_cell.entry(map.owner(user.slot())).or_default().push(*user);
    }
    let asked = by_cell.into_iter().map(async |(cell, users)| {
        let answer = match cell {
            Some(cell) if cell == context.cell => here(context, &users, asker, purpose).await,
            Some(cell) => elsewhere(context, cell, &users, asker, purpose).await,
            None => Err(unavailable("their cell is not known yet")),
        };
        (users, answer)
    });
    let (mut found, mut silent) = (BTreeMap::new(), HashSet::new());
    let (mut blockers, mut full) = (HashSet::new(), HashSet::new());
    for (users, answer) in join_all(asked).await {
        match answer {
            Ok(answered) => {
                found.extend(answered.users.into_iter().map(|user| (user.profile.user_id, user)));
                blockers.extend(answered.blockers);
                full.extend(answered.full);
            }
            Err(_) => silent.extend(users),
        }
    }
    let users = people.iter().filter_map(|id| found.remove(id)).collect();
    let unavailable = people.iter().copied().filter(|id| silent.contains(id)).collect();
    Ok(Found { users, unavailable, blockers, full })
}

/// Those of these people who may be made members, and the others with the reason.
pub(super) async fn addable(
    context: &Context,
    asker: UserId,
    people: &[UserId],
) -> Result<(Vec<UserId>, Vec<NotAdded>), Refusal> {
    if people.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let found = ask(context, asker, people, Purpose::Joining).await?;
    let exists = |id: &UserId| found.users.iter().any(|user| user.profile.user_id == *id);
    let (mut there, mut not_added) = (Vec::new(), Vec::new());
    for user_id in people.iter().copied() {
        let code = match () {
            () if found.unavailable.contains(&user_id) => NotAddedCode::Unavailable,
            () if !exists(&user_id) => NotAddedCode::NotFound,
            () if found.blockers.contains(&user_id) => NotAddedCode::NotAllowed,
            () if found.full.contains(&user_id) => NotAddedCode::LimitReached,
            () => {
                there.push(user_id);
                continue;
            }
        };
        not_added.push(NotAdded { user_id, code });
    }
    Ok((there, not_added))
}

/// Refuses what is about somebody who does not exist.
pub(super) async fn must_exist(context: &Context, asker: UserId, user: UserId) -> Result<(), Refusal> {
    let found = find(context, asker, &[user]).await?;
    match (found.users.is_empty(), found.unavailable.is_empty()) {
        (false, _) => Ok(()),
        (true, true) => Err(Refusal::new(Code::NotFound, "there is nobody of this id")),
        (true, false) => Err(unavailable("their cell does not answer at the moment; trying again is safe")),
    }
}

/// Refuses somebody of this cell who is in as many conversations as one can be.
pub(super) async fn must_have_room(context: &Context, user: UserId) -> Result<(), Refusal> {
    if context.shard.full_users(&[user]).await.map_err(failed)?.is_empty() {
        return Ok(());
    }
    let detail =
        format!("you are in {} conversations, which is as many as one can be in", limits::CONVERSATIONS_PER_USER);
    Err(Refusal::new(Code::LimitReached, detail))
}

/// Somebody of this cell. To those whom they block they are never there.
pub(super) async fn view(context: &Context, account: Account, blockers: &HashSet<UserId>) -> User {
    let presence = context.presence_to(account.profile.user_id, blockers).await;
    User { profile: account.profile, presence }
}

pub(super) fn of_wire(state: wire::UserState) -> Option<User> {
    let user_id = UserId::from_bytes(&state.user_id).ok()?;
    let profile =
        Profile { user_id, username: state.username, display_name: state.display_name, image_url: state.image_url };
    let presence = Presence { online: state.online, last_seen: state.last_seen_ms.map(Millis) };
    Some(User { profile, presence })
}

/// What one cell has answered.
struct Answered {
    users: Vec<User>,
    blockers: HashSet<UserId>,
    full: HashSet<UserId>,
}

async fn here(context: &Context, users: &[UserId], asker: UserId, purpose: Purpose) -> Result<Answered, Refusal> {
    let accounts = context.accounts.find(users).await.map_err(failed)?;
    let blockers = context.accounts.blockers(users, asker).await.map_err(failed)?;
    let full = match purpose {
        Purpose::Joining => context.shard.full_users(users).await.map_err(failed)?,
        Purpose::Seeing => HashSet::new(),
    };
    let users = join_all(accounts.into_iter().map(|account| view(context, account, &blockers))).await;
    Ok(Answered { users, blockers, full })
}

async fn elsewhere(
    context: &Context,
    cell: CellId,
    users: &[UserId],
    asker: UserId,
    purpose: Purpose,
) -> Result<Answered, Refusal> {
    let states = context.peers.lookup(cell, users, asker, purpose == Purpose::Joining).await?;
    let those = |is: fn(&wire::UserState) -> bool| {
        states.iter().filter(|state| is(state)).filter_map(|state| UserId::from_bytes(&state.user_id).ok()).collect()
    };
    let (blockers, full) = (those(|state| state.blocks_asker), those(|state| state.is_full));
    Ok(Answered { users: states.into_iter().filter_map(of_wire).collect(), blockers, full })
}
