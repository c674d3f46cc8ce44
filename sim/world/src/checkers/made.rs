//! Who makes a conversation once more by the same key is told what came of it the first time.

use skep_core::MembersDone;
use skep_protocol::ConversationId;

use super::{Found, Violation};
use crate::truth::Truth;

/// The answer to a making, the first one or another.
pub fn as_it_was_made(id: ConversationId, answer: &MembersDone, truth: &Truth) -> Found {
    let made = truth.made(id);
    if made.is_some_and(|made| made.not_added == answer.not_added) {
        return Ok(());
    }
    Err(Violation::of("making", format!("{id} was made with {made:?}, its maker is told {answer:?}")))
}
