//! People: their accounts, log-ins and names. An account is one row in the shard of its username's slot; the claim of
//! its e-mail address is a row in the shard of the address's slot.

pub mod blocks;
pub mod claims;
pub mod ending;
mod images;
mod import;
mod operator;
mod password;
mod people;
mod sessions;
mod sign_up;

pub use images::Reserved;
pub use import::{ClaimStand, ImportAccount};
pub use password::{Passwords, check_hash, check_new_password, hash_password};
pub use people::{Account, NewAccount};
pub use sessions::{NewSession, unauthenticated};
pub use sign_up::{ClaimOutcome, NotMade, PendingClaim, Settled};

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use skep_protocol::UserId;

use crate::storage::Shard;

/// The accounts of a cell.
pub struct Accounts {
    shard: Arc<Shard>,
    pub passwords: Passwords,
    /// Sessions looked up since the start.
    known: Mutex<sessions::KnownSessions>,
    /// Sign-ups under way in this process: whether they will stand is not decided yet.
    signing_up: Mutex<HashSet<UserId>>,
}

impl Accounts {
    pub fn new(shard: Arc<Shard>) -> Self {
        Self { shard, passwords: Passwords::start(), known: Mutex::default(), signing_up: Mutex::default() }
    }
}
