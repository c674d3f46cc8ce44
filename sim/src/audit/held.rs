//! Every acknowledged message is with every member who should have it, and nobody has holes.
//!
//! What a member must have is decided by the run's own calls: between the answer to joining and the request to leave
//! there is no doubt. Around those moments the server's word counts (`first_seq`, `left_seq`), and what it says must
//! be free of holes as well.

use skep_client::{Kept, Seqs, State};
use skep_protocol::Seq;

use super::Audited;
use crate::{
    crowd::Crowd,
    ledger::{Fate, Log, Sent},
    roster::Stint,
    talks::Talk,
    watch::Watch,
};

pub(super) fn check(crowd: &Crowd, watch: &Watch, talks: &[Talk], audited: &mut Audited) {
    for (who, client) in crowd.clients.iter().enumerate() {
        client.look(|state| no_holes(who, state, watch));
    }
    for talk in 0..talks.len() as u32 {
        for (who, stints, forgotten) in watch.roster.all(talk) {
            crowd.clients[who as usize].look(|state| {
                let kept = state.conversations().get(&talks[talk as usize].id);
                member(watch, talk, who, &stints, &forgotten, kept, audited);
            });
        }
    }
}

fn no_holes(who: usize, state: &State, watch: &Watch) {
    for (id, kept) in state.conversations() {
        if let Some((from, to)) = kept.hole() {
            watch.violations.add("hole", format!("person {who}, {id}: {from:?} to {to:?} are missing"));
        }
    }
    if state.unsent() > 0 {
        watch.violations.add("unanswered", format!("person {who}: {} messages were never answered", state.unsent()));
    }
}

fn member(
    watch: &Watch,
    talk: u32,
    who: u32,
    stints: &[Stint],
    forgotten: &[Seqs],
    kept: Option<&Kept>,
    audited: &mut Audited,
) {
    let id = watch.ledger.id(talk);
    for (i, stint) in stints.iter().enumerate() {
        if !stint.is_certain {
            audited.stints_unjudged += 1;
            continue;
        }
        let is_last = i + 1 == stints.len();
        if is_last {
            standing(watch, talk, who, stint, kept);
        }
        let Some((from, to)) = watch.ledger.look(talk, |log| wanted(log, stint)) else { continue };
        let count = to.0 - from.0 + 1;
        let holders = || kept.map(|k| &k.seqs).into_iter().chain(forgotten);
        if holders().any(|seqs| seqs.hole(from, to).is_none()) {
            audited.copies_expected += count;
        } else if kept.is_none_or(|k| k.info.first_seq > from)
            && (!is_last || stint.leaving.is_some())
            && watch.seats[who as usize].was_away_since(stint.joined.unwrap_or_default())
        {
            // What began and ended while away is never listed, and what joining anew hides nobody can have.
            audited.stints_unjudged += 1;
        } else {
            audited.copies_expected += count;
            let missing = missing(holders(), from, to);
            audited.copies_missing += missing.iter().map(|(a, b)| b.0 - a.0 + 1).sum::<u64>();
            let shown: Vec<String> = missing.iter().take(5).map(|(a, b)| format!("{a:?} to {b:?}")).collect();
            let detail = format!("person {who}, {id}: of {from:?} to {to:?} is missing: {}", shown.join(", "));
            watch.violations.add("lost", detail);
        }
    }
}

/// Whether the client lists what it must list, and knows of the newest.
fn standing(watch: &Watch, talk: u32, who: u32, stint: &Stint, kept: Option<&Kept>) {
    let id = watch.ledger.id(talk);
    let last = watch.ledger.look(talk, Log::last_acknowledged);
    let is_listed = kept.is_some_and(Kept::is_listed);
    if stint.leaving.is_some() {
        if is_listed {
            watch.violations.add("membership", format!("person {who} has left {id}, and it is still listed"));
        }
        return;
    }
    // A direct conversation shows from its first message on.
    if !is_listed && (last > Seq::ZERO || id.kind() != skep_protocol::Kind::Direct) {
        watch.violations.add("membership", format!("person {who} is a member of {id}, and it is not listed"));
    }
    if let Some(kept) = kept
        && kept.head < last
    {
        watch.violations.add("head", format!("person {who}, {id}: head {:?} instead of {last:?}", kept.head));
    }
}

/// Has everybody fetch what they must have and was listed without its older messages, as one who scrolls up.
pub fn read_up(crowd: &Crowd, watch: &Watch, talks: &[Talk]) {
    for talk in 0..talks.len() as u32 {
        for (who, stints, _) in watch.roster.all(talk) {
            // Who was there from the beginning has it all; a scan of the log for each of them would be long.
            let Some(stint) = stints.last().filter(|s| s.is_certain && s.joined.is_some()) else { continue };
            if let Some((from, _)) = watch.ledger.look(talk, |log| wanted(log, stint)) {
                crowd.clients[who as usize].want_from(talks[talk as usize].id, from);
            }
        }
    }
}

/// The seqs that a member of that time must have, both ends included.
fn wanted(log: &Log, stint: &Stint) -> Option<(Seq, Seq)> {
    let acknowledged = || log.sent.iter().filter(|s| s.fate == Fate::Acknowledged);
    let from = match stint.joined {
        None => log.base.next(),
        Some(joined) => acknowledged().filter(|s| s.written > joined).map(|s| s.seq).min()?,
    };
    let to = match stint.leaving {
        None => log.last_acknowledged(),
        Some(leaving) => acknowledged().filter(|s: &&Sent| s.answered < leaving).map(|s| s.seq).max()?,
    };
    (from <= to).then_some((from, to))
}

/// What not even the fullest holder has.
fn missing<'a>(holders: impl Iterator<Item = &'a Seqs>, from: Seq, to: Seq) -> Vec<(Seq, Seq)> {
    let holes = |seqs: &Seqs| {
        let (mut holes, mut at) = (Vec::new(), from);
        while let Some((a, b)) = seqs.hole(at, to) {
            holes.push((a, b));
            at = b.next();
        }
        holes
    };
    let size = |holes: &Vec<(Seq, Seq)>| holes.iter().map(|(a, b)| b.0 - a.0 + 1).sum::<u64>();
    holders.map(holes).min_by_key(size).unwrap_or_else(|| vec![(from, to)])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use skep_client::{Effects, Event, Frame, Observer as _};
    use skep_protocol::{ClientFrame, ConversationId, Millis, ServerFrame, UserId};

    use super::*;
    use crate::{
        clock::{Clock, Micros},
        ledger::Ledger,
        roster::{Known, Roster},
        text::Run,
        violation::Violations,
        watch::Watch,
    };

    struct Nothing;

    impl Effects for Nothing {
        fn say(&mut self, _: &ClientFrame) {}
        fn tell(&mut self, _: Event<'_>) {}
    }

    fn person(n: u32) -> UserId {
        UserId::new(if n == 0 { "anna" } else { "ben" }, Millis(1), u64::from(n))
    }

    fn group() -> ConversationId {
        ConversationId::group(1)
    }

    /// Ten messages of the first person, acknowledged at 11 to 20, one a second from second 1 on.
    fn watch() -> Watch {
        let ledger = Ledger::new(Run::new(1), 100, vec![person(0), person(1)], &[(group(), Seq(10))]);
        for n in 0..10_u64 {
            let at = Micros((n + 1) * 1_000_000);
            let tag = ledger.write(0, 0, at, at);
            let id = ledger.run.id(tag, 1);
            ledger.acknowledged(id, Seq(11 + n), Millis(1), Micros(at.0 + 1_000)).unwrap();
        }
        let roster = Roster::new([([0].as_slice(), vec![1])].into_iter());
        Watch::new(Clock::start(), ledger, roster, 2, None, Arc::new(Violations::default()))
    }

    /// What the second person's client keeps when it was given this.
    fn state(first_seq: u64, head: u64, seqs: &[u64], left: Option<u64>) -> State {
        let message = |seq: &u64| {
            json!({"conversation_id": group(), "seq": seq, "sender_id": person(0), "sent_at": "2026-11-25T09:30:00.123Z",
                "client_message_id": skep_protocol::ClientMessageId::from_u128(u128::from(*seq)), "text": "x"})
        };
        let conversation = json!({"conversation_id": group(), "kind": "group", "title": null, "topic": null,
            "created_at": "2026-11-25T09:30:00.123Z", "created_by": null, "member_count": 2, "head_seq": head,
            "role": "member", "first_seq": first_seq, "read_seq": 0, "unread": 0, "peer_id": null, "heroes": [],
            "messages": seqs.iter().map(message).collect::<Vec<_>>()});
        let mut frames = vec![json!({"type": "sync", "full": true, "conversations": [conversation], "left": []})];
        if let Some(left_seq) = left {
            let gone = json!({"type": "left", "conversation_id": group(), "first_seq": first_seq, "left_seq": left_seq,
                "reason": "left"});
            frames.push(gone);
        }
        let mut state = State::new(person(1), u64::MAX);
        for frame in frames {
            let frame: ServerFrame = serde_json::from_value(frame).unwrap();
            state.frame(Frame::Other(frame), 1, &mut Nothing);
        }
        state
    }

    fn judge(watch: &Watch, state: &State) -> (Audited, Vec<&'static str>) {
        let mut audited = Audited::default();
        for (who, stints, forgotten) in watch.roster.all(0) {
            if who == 1 {
                member(watch, 0, who, &stints, &forgotten, state.conversations().get(&group()), &mut audited);
            }
        }
        (audited, watch.violations.list().iter().map(|v| v.kind).collect())
    }

    /// The second person joins, which is answered at this second.
    fn joins(watch: &Watch, second: u64) {
        let mut random: rand::rngs::StdRng = rand::SeedableRng::seed_from_u64(1);
        watch.roster.begin_joining(0, &mut random).unwrap();
        watch.roster.has_joined(0, 1, Micros(second * 1_000_000 + 500_000), Known::Yes);
    }

    fn from_to(a: u64, b: u64) -> Vec<u64> {
        (a..=b).collect()
    }

    #[test]
    fn who_joined_must_have_what_was_written_after_the_answer() {
        let watch = watch();
        joins(&watch, 4);
        let (audited, found) = judge(&watch, &state(14, 20, &from_to(14, 20), None));
        assert_eq!((audited.copies_expected, audited.copies_missing, found), (6, 0, vec![]));
    }

    #[test]
    fn a_missing_copy_is_lost_whatever_the_server_says_of_first_seq() {
        for (state, missing) in [
            (state(14, 20, &[14, 15, 16, 18, 19, 20], None), 1),
            (state(17, 20, &from_to(17, 20), None), 2),
            (state(14, 20, &[], None), 6),
        ] {
            let watch = watch();
            joins(&watch, 4);
            let (audited, found) = judge(&watch, &state);
            assert_eq!((audited.copies_missing, found), (missing, vec!["lost"]));
        }
    }

    #[test]
    fn a_client_that_knows_of_no_more_lags_behind() {
        let watch = watch();
        joins(&watch, 4);
        let (_, found) = judge(&watch, &state(14, 19, &from_to(14, 19), None));
        assert_eq!(found, ["head", "lost"]);
    }

    #[test]
    fn who_left_must_have_what_was_answered_before_and_must_not_list_it() {
        for (state, wanted) in [
            (state(14, 20, &from_to(14, 17), Some(17)), vec![]),
            (state(14, 20, &from_to(14, 15), Some(15)), vec!["lost"]),
            (state(14, 20, &from_to(14, 20), None), vec!["membership"]),
        ] {
            let watch = watch();
            let stint = Stint { joined: Some(Micros(4_500_000)), leaving: Some(Micros(7_500_000)), is_certain: true };
            let mut audited = Audited::default();
            member(&watch, 0, 1, &[stint], &[], state.conversations().get(&group()), &mut audited);
            let found: Vec<_> = watch.violations.list().iter().map(|v| v.kind).collect();
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn what_began_and_ended_while_away_is_not_judged_but_what_is_still_readable_is() {
        let stint = Stint { joined: Some(Micros(4_500_000)), leaving: Some(Micros(7_500_000)), is_certain: true };
        let run = |kept: Option<&Kept>, is_lost: bool| {
            let (watch, mut audited) = (watch(), Audited::default());
            if is_lost {
                watch.event(1, Event::Disconnected { reason: "a test" });
            }
            member(&watch, 0, 1, std::slice::from_ref(&stint), &[], kept, &mut audited);
            (audited.copies_missing, audited.stints_unjudged, watch.violations.count())
        };
        assert_eq!(run(None, false), (3, 0, 1), "it was there all the time and was never told");
        assert_eq!(run(None, true), (0, 1, 0));
        let readable = state(14, 20, &[14, 17], Some(17));
        assert_eq!(run(readable.conversations().get(&group()), true), (2, 0, 1));
    }

    #[test]
    fn what_a_client_had_before_it_joined_anew_counts_and_what_was_not_certain_does_not() {
        let first = Stint { joined: Some(Micros(2_500_000)), leaving: Some(Micros(5_500_000)), is_certain: true };
        let second = Stint { joined: Some(Micros(8_500_000)), leaving: None, is_certain: true };
        let kept = state(19, 20, &[19, 20], None);
        let mut before = Seqs::default();
        (13..=15).for_each(|s| assert!(before.insert(Seq(s))));
        let run = |stints: &[Stint], forgotten: &[Seqs]| {
            let (watch, mut audited) = (watch(), Audited::default());
            member(&watch, 0, 1, stints, forgotten, kept.conversations().get(&group()), &mut audited);
            (audited.copies_missing, audited.stints_unjudged, watch.violations.count())
        };
        let stints = [first.clone(), second.clone()];
        assert_eq!(run(&stints, std::slice::from_ref(&before)), (0, 0, 0));
        assert_eq!(run(&stints, &[]), (3, 0, 1), "it was there all the time and never got it");
        let uncertain = Stint { is_certain: false, ..first };
        assert_eq!(run(&[uncertain, second], &[]), (0, 1, 0));
    }
}
