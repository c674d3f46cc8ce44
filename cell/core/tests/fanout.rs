//! What a worker tells, and in which order.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use skep_core::{
    Answer, Change, ConversationChange, ConversationRow,
    fanout::{Effect, Event, LocalConversation, LocalMember, Options, ReplyTo, Source, Worker},
};
use skep_protocol::{CellId, ConversationId, Era, Lane, Message, Millis, Pos, Role, Seq, SessionId, UserId};
use uuid::Uuid;

const NOW: Millis = Millis(1);

fn message(id: ConversationId, sender_id: UserId, seq: u64) -> Message {
    let client_message_id = Uuid::from_u128(u128::from(seq));
    Message { conversation_id: id, seq: Seq(seq), sender_id, client_message_id, sent_at: NOW, text: "hum".into() }
}

fn local(id: ConversationId, user: UserId) -> LocalConversation {
    let row = ConversationRow {
        conversation_id: id,
        pos: Pos(1),
        shown_pos: Pos(1),
        title: None,
        topic: None,
        created_at: NOW,
        created_by: Some(user),
        member_count: 1,
        seniors: vec![user],
        code: None,
    };
    let member = LocalMember {
        user_id: user,
        role: Role::Admin,
        joined_seq: Seq(0),
        left_seq: None,
        left_reason: None,
        read_seq: Seq(0),
        hidden_seq: None,
        home_era: Era(1),
        home_pos: Pos(1),
    };
    LocalConversation { row, home_era: Era(1), head: Seq(1), members: vec![member] }
}

/// The seqs of `messages` and `sent` frames, in their order.
fn told(effects: &[Effect]) -> Vec<u64> {
    let frames = effects.iter().filter_map(|effect| match effect {
        Effect::Push(_, _, frame) | Effect::Answer(_, _, frame) => Some(String::from_utf8_lossy(frame).into_owned()),
        _ => None,
    });
    let seq =
        |frame: String| frame.split("\"seq\":").nth(1).and_then(|rest| rest.split([',', '}']).next()?.parse().ok());
    frames.filter_map(seq).collect()
}

#[test]
fn words_about_a_message_do_not_overtake_changes_that_wait_for_members() {
    let (anna, ben) = (UserId::new("anna", NOW, 1), UserId::new("ben", NOW, 2));
    let id = ConversationId::group(7);
    let options = Options { cell: CellId(1), era: Era(1), index: 0, workers: 1, positions: vec![Pos(0), Pos(1)] };
    let (mut worker, mut effects) = (Worker::new(options), Vec::new());
    let mut handle = |event, effects: &mut Vec<Effect>| worker.handle(NOW, event, effects);
    handle(Event::Register { connection: 1, user: anna, session: SessionId::new(anna, 1) }, &mut effects);
    // Anna sends once more what stands already: it is answered in words, behind the changes that she has missed.
    let (request_id, again) = (Uuid::from_u128(99), message(id, anna, 3));
    let reply_to = ReplyTo::Socket { connection: 1, reference: 5 };
    let expect =
        Event::Expect { request_id, reply_to, user: anna, conversation_id: id, message: Some(Uuid::from_u128(77)) };
    handle(expect, &mut effects);
    let mut of_ben = ConversationChange::new(id);
    of_ben.messages = vec![message(id, ben, 2)];
    let change = Change { lane: Lane(1), era: Era(1), after: Pos(1), through: Pos(2), conversations: vec![of_ben] };
    handle(Event::Change(Arc::new(change), Source::Home), &mut effects);
    handle(Event::Answered(request_id, Answer::Sent(again)), &mut effects);
    assert_eq!(told(&effects), [] as [u64; 0], "members are not loaded yet");
    handle(Event::Loaded(local(id, anna)), &mut effects);
    assert_eq!(told(&effects), [2, 3]);
}
