//! I3: one order, gap-free, the same on every device, mirror and page of history.

use skep_protocol::{Message, Seq};

use super::{Found, Violation};
use crate::shard::Shard;
use crate::truth::Truth;

/// A message that somebody sees is the one that its home has there, or had before it lost it.
pub fn same_as_home(message: &Message, truth: &Truth) -> Found {
    let at_home = truth.message(message.conversation_id, message.seq);
    if at_home == Some(message) || truth.was_lost(message) {
        return Ok(());
    }
    Err(Violation::of("I3", format!("somebody sees {message:?}, its home has {at_home:?}")))
}

/// Seqs at home are 1, 2, 3 ...
pub fn logs_are_whole(truth: &Truth) -> Found {
    for (id, log) in truth.logs() {
        let hole = log.iter().zip(1..).find(|(m, seq)| m.seq != Seq(*seq));
        if let Some((message, expected)) = hole {
            return Err(Violation::of("I3", format!("{id} has {:?} in the place of {expected}", message.seq)));
        }
    }
    Ok(())
}

/// What a mirror holds is what its home has.
pub fn mirror_is_true(shard: &Shard, truth: &Truth) -> Found {
    for id in shard.conversations_with_messages() {
        for message in shard.log(id) {
            same_as_home(message, truth)?;
        }
    }
    Ok(())
}
