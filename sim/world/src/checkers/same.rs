//! I5: what a client built from pushes equals what a fresh log-in shows, and the history.

use std::collections::BTreeMap;

use skep_protocol::{Conversation, ConversationId, Seq};

use super::{Found, Violation};
use crate::device::{Device, Kept};
use crate::truth::Truth;

/// Two devices of one person, of which one has just logged in, both with all history fetched.
pub fn same_as_fresh(device: &Device, fresh: &Device, truth: &Truth) -> Found {
    let (old, new) = (views(device), views(fresh));
    for id in old.keys().chain(new.keys()) {
        if old.get(id) != new.get(id) {
            let (old, new) = (old.get(id), new.get(id));
            let story = format!("device {} shows {old:?}, a fresh log-in {new:?}", device.id);
            return Err(Violation::of("I5", story));
        }
    }
    for (id, kept) in device.mind.listed().chain(fresh.mind.listed()) {
        is_whole(device, *id, kept, truth)?;
    }
    let current = truth.everybody().filter(|(_, row)| row.user_id == device.user && row.is_current());
    for (id, _) in current.filter(|(id, _)| id.kind() != skep_protocol::Kind::Direct) {
        if !new.contains_key(&id) {
            return Err(Violation::of("I5", format!("{} is a member of {id} and does not see it", device.user)));
        }
    }
    Ok(())
}

fn views(device: &Device) -> BTreeMap<ConversationId, Conversation> {
    device.mind.listed().map(|(id, kept)| (*id, kept.view())).collect()
}

/// All of the interval is there, up to the head at home.
fn is_whole(device: &Device, id: ConversationId, kept: &Kept, truth: &Truth) -> Found {
    let head = Seq(truth.log(id).len() as u64);
    if kept.head != head || kept.hole().is_some() {
        let story = format!(
            "device {}: {id} stands at {:?} with hole {:?}, its home at {head:?}",
            device.id,
            kept.head,
            kept.hole()
        );
        return Err(Violation::of("I5", story));
    }
    let current = truth.place(id, device.user).is_some_and(skep_core::MemberRow::is_current);
    if !current {
        return Err(Violation::of("I5", format!("device {} lists {id} without being a member", device.id)));
    }
    Ok(())
}
