//! I4: nothing outside a person's interval reaches them. (That nothing inside is missed is seen by I5 at the end.)

use skep_protocol::{Message, UserId};

use super::{Found, Violation};
use crate::truth::Truth;

/// Whether this person may ever have seen it. What they wrote themselves they know: who sends, leaves and joins again in
/// one batch is answered, though no row tells that they were a member in between.
pub fn may_see(user: UserId, message: &Message, truth: &Truth) -> Found {
    let (id, seq) = (message.conversation_id, message.seq);
    if message.sender_id == user || truth.may_see(id, user, seq) {
        return Ok(());
    }
    let places = truth.places(id, user);
    Err(Violation::of("I4", format!("{user} sees {seq:?} of {id} with these places: {places:?}")))
}
