//! The claims of many addresses, at the cell that owns them.

use futures_util::future::join_all;
use skep_protocol::{Refusal, UserId};

use crate::{
    accounts::{ClaimOutcome, ClaimStand, claims::claim},
    context::{Context, failed},
};

/// Claims that are settled at once: each takes a connection to the shard, here and at its person's cell.
const AT_ONCE: usize = 8;

/// What is to be done with claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClaimStep {
    Claim,
    /// The accounts stand.
    Activate,
    /// The accounts will never stand.
    Release,
}

/// How the claims stand, in the order asked for; nothing but for [`ClaimStep::Claim`].
pub type Claimed = Result<Vec<ClaimStand>, Refusal>;

/// At the addresses' cell.
pub async fn claims_here(context: &Context, step: ClaimStep, owners: &[(String, UserId)]) -> Claimed {
    match step {
        ClaimStep::Activate => context.accounts.activate_emails(owners).await.map_err(failed)?,
        ClaimStep::Release => context.accounts.release_emails(owners).await.map_err(failed)?,
        ClaimStep::Claim => {
            let mut stands = context.accounts.claim_emails(owners).await.map_err(failed)?;
            // What an interrupted sign-up or import left is settled as a sign-up would.
            let pending = owners.iter().zip(&mut stands).filter(|(_, stand)| **stand == ClaimStand::Pending);
            let mut pending: Vec<_> = pending.collect();
            for some in pending.chunks_mut(AT_ONCE) {
                join_all(some.iter_mut().map(async |((email, user), stand)| {
                    **stand = match claim(context, email, *user).await {
                        Ok(ClaimOutcome::Claimed) => ClaimStand::Theirs,
                        Ok(ClaimOutcome::Taken) => ClaimStand::Taken,
                        Ok(ClaimOutcome::Pending(_)) | Err(_) => ClaimStand::Pending,
                    };
                }))
                .await;
            }
            return Ok(stands);
        }
    }
    Ok(Vec::new())
}
