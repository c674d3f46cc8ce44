//! The claim of an address between its two cells: asked for, made active, released; and settled, when it was left behind.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use skep_protocol::wire::settle_account_reply::Outcome;
use skep_protocol::{CellId, Millis, Refusal, Slot, UserId};

use super::{ClaimOutcome, Settled};
use crate::{
    context::{Context, failed},
    shell::now,
    storage::StorageError,
};

/// A sign-up that has not said that it is done by then is asked about.
const PENDING_MS: i64 = 60_000;
const EVERY: Duration = Duration::from_secs(30);
const PAGE: i64 = 100;

/// Asks the address's cell for the claim.
pub async fn claim_for(context: &Context, email: &str, user: UserId) -> Result<ClaimOutcome, Refusal> {
    match context.elsewhere(Slot::of_email(email))? {
        None => claim(context, email, user).await,
        Some(cell) => {
            let reply = context.peers.claim_email(cell.cell_id, email, user).await?;
            Ok(match (reply.taken, reply.in_progress) {
                (true, _) => ClaimOutcome::Taken,
                (false, true) => ClaimOutcome::Pending(user),
                (false, false) => ClaimOutcome::Claimed,
            })
        }
    }
}

/// At the address's cell: claims it. A pending claim in the way is settled first, with the cell of whoever made it;
/// nothing is held meanwhile. `Pending`: it is not decided yet.
pub async fn claim(context: &Context, email: &str, user: UserId) -> Result<ClaimOutcome, Refusal> {
    let outcome = context.accounts.claim_email(email, user).await.map_err(failed)?;
    let ClaimOutcome::Pending(holder) = outcome else { return Ok(outcome) };
    match settle(context, email, holder).await? {
        Settled::Exists => Ok(ClaimOutcome::Taken),
        Settled::InProgress => Ok(ClaimOutcome::Pending(holder)),
        // Free again: ours, unless somebody was faster.
        Settled::No => context.accounts.claim_email(email, user).await.map_err(failed),
    }
}

/// At the address's cell: what has become of the sign-up behind a pending claim. The claim follows.
pub async fn settle(context: &Context, email: &str, holder: UserId) -> Result<Settled, Refusal> {
    let settled = match context.elsewhere(holder.slot())? {
        None => context.accounts.settle(holder).await.map_err(failed)?,
        Some(cell) => match context.peers.settle(cell.cell_id, holder).await? {
            Outcome::Exists => Settled::Exists,
            Outcome::InProgress => Settled::InProgress,
            Outcome::No => Settled::No,
        },
    };
    match settled {
        Settled::Exists => context.accounts.activate_email(email, holder).await.map_err(failed)?,
        Settled::No => context.accounts.release_email(email, holder).await.map_err(failed)?,
        Settled::InProgress => {}
    }
    Ok(settled)
}

/// The sign-up is done: the account stands. If this cannot be said now, whoever meets the claim finds out.
pub async fn activate(context: &Context, email: &str, user: UserId) {
    let done = match context.elsewhere(Slot::of_email(email)) {
        Ok(None) => context.accounts.activate_email(email, user).await.map_err(failed),
        Ok(Some(cell)) => context.peers.activate_email(cell.cell_id, email, user).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = done {
        tracing::debug!(%refusal, "a claim stays pending until somebody asks");
    }
}

/// The sign-up is given up: the account will never stand.
pub async fn release(context: &Context, email: &str, user: UserId) {
    let done = match context.elsewhere(Slot::of_email(email)) {
        Ok(None) => context.accounts.release_email(email, user).await.map_err(failed),
        Ok(Some(cell)) => context.peers.release_email(cell.cell_id, email, user).await,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = done {
        tracing::debug!(%refusal, "a claim stays pending until somebody asks");
    }
}

/// Settles claims that were left behind, although nobody asks for their addresses, until the process stops.
pub async fn settle_old(context: Arc<Context>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = context.hub.stopped() => return,
        }
        if let Err(error) = settle_round(&context, now().plus(-PENDING_MS)).await {
            tracing::debug!(%error, "pending claims are looked at again later");
        }
    }
}

async fn settle_round(context: &Context, made_before: Millis) -> Result<(), StorageError> {
    let mut away: HashSet<Option<CellId>> = HashSet::new();
    let mut after = None;
    loop {
        let page = context.accounts.pending_claims(made_before, after.as_ref(), PAGE).await?;
        let Some(last) = page.last().cloned() else { return Ok(()) };
        for claim in page {
            let cell = context.map.current().owner(claim.user.slot());
            // A cell that does not answer is asked once a round.
            if !away.contains(&cell) && settle(context, &claim.email, claim.user).await.is_err() {
                away.insert(cell);
            }
        }
        after = Some(last);
    }
}
