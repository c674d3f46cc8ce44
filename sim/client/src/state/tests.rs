//! The rules of "What a client keeps", one by one.

use skep_protocol::{
    Code, Conversation, LeftConversation, LeftReason, Message, Millis, ServerFrame, SyncedConversation,
};

use super::*;
use crate::{event::Wrong, frame::Frame};

/// A client and everything that came out of it.
struct Desk {
    state: State,
    out: Out,
    now_ms: u64,
}

#[derive(Default)]
struct Out {
    said: Vec<ClientFrame>,
    told: Vec<String>,
}

impl Effects for Out {
    fn say(&mut self, frame: &ClientFrame) {
        self.said.push(frame.clone());
    }

    fn tell(&mut self, event: Event<'_>) {
        self.told.push(match event {
            Event::Message { message, source } => format!("message {} {source:?}", message.seq),
            Event::Acknowledged { seq, .. } => format!("acknowledged {seq}"),
            Event::Refused { code, .. } => format!("refused {code}"),
            Event::Replayed { seq, .. } => format!("replayed {seq}"),
            Event::Fetching { from, to, .. } => format!("fetching {from}..{to}"),
            Event::Whole { after_ms } => format!("whole after {after_ms}"),
            Event::Synced { full, resync } => format!("synced full={full} resync={resync}"),
            Event::Forgot { kept, .. } => format!("forgot {}", kept.seqs.count()),
            Event::Wrong(Wrong::Hole { seq, .. }) => format!("wrong: hole before {seq}"),
            Event::Wrong(Wrong::Again { seq, .. }) => format!("wrong: again {seq}"),
            Event::Wrong(wrong) => format!("wrong: {wrong}"),
            Event::Unknown { .. } => "unknown".to_owned(),
            Event::Retried { .. } => "retried".to_owned(),
            Event::Connected => "connected".to_owned(),
            Event::Resync => "resync".to_owned(),
            Event::Listed { .. } | Event::Read { .. } => return,
            other => format!("{other:?}"),
        });
    }
}

fn anna() -> UserId {
    UserId::new("anna", Millis(1), 1)
}

fn ben() -> UserId {
    UserId::new("ben", Millis(1), 2)
}

fn group() -> ConversationId {
    ConversationId::group(5)
}

fn id(n: u64) -> ClientMessageId {
    ClientMessageId::from_u128(u128::from(n))
}

fn message(seq: u64) -> Message {
    Message {
        conversation_id: group(),
        seq: Seq(seq),
        sender_id: ben(),
        client_message_id: id(1_000 + seq),
        sent_at: Millis(5),
        text: "hello".into(),
    }
}

fn listed(head: u64, first: u64) -> Conversation {
    Conversation {
        conversation_id: group(),
        kind: group().kind(),
        title: None,
        topic: None,
        created_at: Millis(1),
        created_by: None,
        member_count: 2,
        head_seq: Seq(head),
        role: skep_protocol::Role::Member,
        first_seq: Seq(first),
        read_seq: Seq::ZERO,
        unread: head,
        peer_id: None,
        heroes: Vec::new(),
    }
}

impl Desk {
    fn new(backlog: u64) -> Self {
        Self { state: State::new(anna(), backlog), out: Out::default(), now_ms: 1_000 }
    }

    /// Connected, with one group of which these are there.
    fn with_group(head: u64, seqs: std::ops::RangeInclusive<u64>) -> Self {
        let mut desk = Self::new(u64::MAX);
        desk.connect();
        desk.sync(true, head, 1, seqs);
        desk.synced("t1");
        desk.clear();
        desk
    }

    fn with_empty_group() -> Self {
        Self::with_group(0, std::ops::RangeInclusive::new(1, 0))
    }

    fn connect(&mut self) {
        self.state.begins(self.now_ms);
        self.state.greet("token", &mut self.out);
        let welcome = r#"{"type":"welcome","user_id":"USER","session_id":"SESSION","cell_id":1,"heartbeat_s":30,
            "limits":{"text_chars":1,"text_bytes":1,"frame_bytes":1,"message_burst":1,"message_per_s":1}}"#;
        let session = skep_protocol::SessionId::new(anna(), 1);
        let welcome = welcome.replace("USER", &anna().to_string()).replace("SESSION", &session.to_string());
        self.frame(serde_json::from_str(&welcome).unwrap());
    }

    fn frame(&mut self, frame: ServerFrame) {
        self.state.frame(Frame::Other(frame), self.now_ms, &mut self.out);
    }

    fn sync(&mut self, full: bool, head: u64, first: u64, seqs: std::ops::RangeInclusive<u64>) {
        let messages = seqs.map(message).collect();
        let conversations = vec![SyncedConversation { conversation: listed(head, first), messages }];
        self.frame(ServerFrame::Sync { full, conversations, left: Vec::new() });
    }

    fn synced(&mut self, token: &str) {
        self.frame(ServerFrame::Synced { sync_token: token.to_owned() });
    }

    fn push(&mut self, seq: u64) {
        self.frame(ServerFrame::Messages { messages: vec![message(seq)] });
    }

    fn send(&mut self, n: u64) {
        self.state.send(group(), id(n), "mine".into(), self.now_ms, &mut self.out);
    }

    fn sent(&mut self, reference: u64, n: u64, seq: u64) {
        self.frame(ServerFrame::Sent {
            reference,
            conversation_id: group(),
            client_message_id: id(n),
            seq: Seq(seq),
            sent_at: Millis(9),
        });
    }

    fn refuse(&mut self, reference: u64, code: Code) {
        let detail = String::new();
        self.frame(ServerFrame::Error {
            reference: Some(reference),
            code,
            detail,
            retry_after_ms: None,
            errors: Vec::new(),
        });
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.state.tick(self.now_ms, &mut self.out);
    }

    fn lose(&mut self) {
        self.state.away(self.now_ms, &mut self.out);
    }

    fn clear(&mut self) {
        self.out = Out::default();
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.out.told)
    }

    /// What was said, shortly.
    fn said(&mut self) -> Vec<String> {
        let said = std::mem::take(&mut self.out.said).into_iter();
        said.map(|frame| match frame {
            ClientFrame::Hello { sync_token, .. } => format!("hello {}", sync_token.unwrap_or_default()),
            ClientFrame::Send { reference, client_message_id, .. } => {
                format!("{reference}: send {}", client_message_id.as_u128())
            }
            ClientFrame::History { reference, after, .. } => {
                format!("{reference}: history after {}", after.unwrap_or_default())
            }
            ClientFrame::Sync { sync_token } => format!("sync {sync_token}"),
            other => format!("{other:?}"),
        })
        .collect()
    }

    fn kept(&self) -> &Kept {
        &self.state.conversations()[&group()]
    }

    fn have(&self) -> Vec<(u64, u64)> {
        self.kept().seqs.ranges().map(|(a, b)| (a.0, b.0)).collect()
    }
}

#[test]
fn a_return_resumes_with_the_newest_token_and_is_whole() {
    let mut desk = Desk::with_group(3, 1..=3);
    desk.frame(ServerFrame::Checkpoint { sync_token: "t2".to_owned() });
    desk.push(4);
    desk.lose();
    desk.now_ms += 700;
    desk.connect();
    assert_eq!(desk.said(), ["hello t2"]);
    desk.sync(false, 6, 1, 4..=6);
    desk.synced("t3");
    assert_eq!(
        desk.told(),
        [
            "message 4 Push",
            "connected",
            "replayed 4",
            "message 5 Sync",
            "message 6 Sync",
            "synced full=false resync=false",
            "whole after 700"
        ]
    );
    assert_eq!(desk.have(), [(1, 6)]);
    assert_eq!(desk.state.sync_token(), Some("t3"));
}

#[test]
fn a_hole_below_a_page_is_fetched_page_by_page() {
    let mut desk = Desk::new(u64::MAX);
    desk.connect();
    desk.sync(true, 200, 1, 151..=200);
    desk.synced("t");
    assert_eq!(desk.said(), ["hello ", "1: history after 0"]);
    assert!(!desk.state.is_whole());
    let page = |from: u64, to: u64| (from..=to).map(message).collect();
    desk.frame(ServerFrame::History { reference: 1, conversation_id: group(), messages: page(1, 100), has_more: true });
    assert_eq!(desk.said(), ["2: history after 100"]);
    desk.frame(ServerFrame::History {
        reference: 2,
        conversation_id: group(),
        messages: page(101, 200),
        has_more: false,
    });
    assert_eq!(desk.have(), [(1, 200)]);
    assert!(desk.state.is_whole());
    assert_eq!(desk.told().last().unwrap(), "whole after 0");
}

#[test]
fn only_so_much_of_the_past_is_wanted_as_was_asked_for() {
    let mut desk = Desk::new(50);
    desk.connect();
    desk.sync(true, 200, 1, 151..=200);
    desk.synced("t");
    assert_eq!(desk.said(), ["hello "], "nothing to fetch");
    assert_eq!(desk.kept().floor, Seq(151));
    // A second full sync does not narrow what is wanted.
    desk.lose();
    desk.connect();
    desk.sync(true, 260, 1, 211..=260);
    desk.synced("t");
    assert_eq!(desk.said(), ["hello t", "1: history after 150"]);
}

#[test]
fn a_page_that_brings_nothing_is_asked_for_again_and_at_last_told() {
    let mut desk = Desk::new(u64::MAX);
    desk.connect();
    desk.sync(true, 2, 1, 2..=2);
    desk.synced("t");
    for reference in 1..=10 {
        assert!(desk.said().contains(&format!("{reference}: history after 0")), "try {reference}");
        desk.frame(ServerFrame::History { reference, conversation_id: group(), messages: Vec::new(), has_more: false });
        desk.pass(500);
    }
    assert!(desk.told().last().unwrap().contains("history does not fill the hole"));
    assert!(desk.said().is_empty());
}

#[test]
fn what_was_not_answered_is_sent_again_under_its_id() {
    let mut desk = Desk::with_empty_group();
    desk.send(1);
    desk.send(2);
    assert_eq!(desk.said(), ["1: send 1", "2: send 2"]);
    desk.sent(1, 1, 1);
    desk.lose();
    assert_eq!(desk.told(), ["acknowledged 1", "message 1 Sent", "unknown"]);
    desk.send(3);
    desk.connect();
    desk.sync(false, 1, 1, 1..=1);
    assert_eq!(desk.said(), ["hello t1"], "requests wait for synced");
    desk.synced("t2");
    assert_eq!(desk.said(), ["3: send 2", "4: send 3"]);
    desk.sent(3, 2, 2);
    desk.sent(4, 3, 3);
    assert_eq!(desk.state.unsent(), 0);
    assert_eq!(desk.have(), [(1, 3)]);
    assert!(!desk.told().iter().any(|t| t.starts_with("wrong")));
}

#[test]
fn an_own_message_seen_anywhere_settles_the_unsent_one() {
    for sync in [true, false] {
        let mut desk = Desk::with_empty_group();
        desk.send(1);
        let own = Message { sender_id: anna(), client_message_id: id(1), ..message(1) };
        if sync {
            desk.lose();
            desk.connect();
            let conversations = vec![SyncedConversation { conversation: listed(1, 1), messages: vec![own] }];
            desk.frame(ServerFrame::Sync { full: false, conversations, left: Vec::new() });
            desk.synced("t2");
        } else {
            desk.frame(ServerFrame::Messages { messages: vec![own] });
        }
        assert_eq!(desk.state.unsent(), 0);
        assert!(desk.told().contains(&"acknowledged 1".to_owned()));
        assert_eq!(desk.kept().read, Seq(1), "one's own message is read");
        assert_eq!(desk.out.said.iter().filter(|f| matches!(f, ClientFrame::Send { .. })).count(), 1, "never again");
    }
}

#[test]
fn retryable_refusals_are_repeated_later_and_others_are_final() {
    let mut desk = Desk::with_empty_group();
    desk.send(1);
    desk.refuse(1, Code::Unavailable);
    desk.said();
    desk.pass(400);
    assert!(desk.said().is_empty(), "not at once");
    desk.pass(200);
    assert_eq!(desk.said(), ["2: send 1"]);
    desk.refuse(2, Code::Busy);
    desk.pass(1_100);
    assert_eq!(desk.said(), ["3: send 1"]);
    desk.refuse(3, Code::NotAllowed);
    assert_eq!(desk.state.unsent(), 0);
    assert_eq!(desk.told(), ["unknown", "retried", "retried", "refused not_allowed"]);
}

#[test]
fn a_send_that_is_never_answered_is_repeated() {
    let mut desk = Desk::with_empty_group();
    desk.send(1);
    desk.said();
    desk.pass(19_999);
    assert!(desk.said().is_empty());
    desk.pass(2);
    assert_eq!(desk.said(), ["2: send 1"]);
    desk.sent(2, 1, 1);
    assert_eq!(desk.told(), ["unknown", "retried", "acknowledged 1", "message 1 SentAgain"]);
}

#[test]
fn a_stream_has_no_holes_and_gives_nothing_twice() {
    let mut desk = Desk::with_group(3, 1..=3);
    desk.push(3);
    desk.push(4);
    assert_eq!(desk.told(), ["replayed 3", "message 4 Push"], "what a sync gave may come again");
    desk.push(4);
    assert_eq!(desk.told(), ["wrong: again 4", "replayed 4"]);
    desk.push(6);
    assert_eq!(desk.told(), ["wrong: hole before 6", "message 6 Push"]);
    desk.pass(200);
    assert_eq!(desk.said(), ["1: history after 4"]);
}

#[test]
fn an_old_answer_to_a_repeated_send_is_no_disorder_and_a_new_one_counts() {
    let mut desk = Desk::with_empty_group();
    desk.send(1);
    desk.refuse(1, Code::Unavailable);
    desk.pass(500);
    desk.push(1);
    desk.sent(2, 1, 2);
    desk.push(3);
    desk.told().iter().for_each(|told| assert!(!told.starts_with("wrong"), "{told}"));
    assert_eq!(desk.have(), [(1, 3)]);
}

#[test]
fn a_resync_asks_with_the_token_and_repeats_what_was_asked() {
    let mut desk = Desk::with_group(2, 1..=2);
    desk.send(1);
    desk.said();
    desk.now_ms += 50;
    desk.frame(ServerFrame::Resync);
    assert_eq!(desk.said(), ["sync t1"]);
    desk.now_ms += 50;
    desk.sync(false, 5, 1, 3..=5);
    desk.synced("t2");
    assert_eq!(desk.said(), ["2: send 1"]);
    desk.push(5);
    desk.push(6);
    assert_eq!(
        desk.told(),
        [
            "resync",
            "unknown",
            "message 3 Sync",
            "message 4 Sync",
            "message 5 Sync",
            "synced full=false resync=true",
            "retried",
            "whole after 50",
            "replayed 5",
            "message 6 Push"
        ]
    );
}

fn left(first: u64, left: u64) -> ServerFrame {
    let (first_seq, left_seq) = (Seq(first), Seq(left));
    ServerFrame::Left { conversation_id: group(), first_seq, left_seq, reason: LeftReason::Removed }
}

#[test]
fn who_joined_anew_and_left_while_away_wants_nothing_from_before() {
    let mut desk = Desk::with_group(3, 1..=3);
    desk.frame(left(31, 30));
    desk.pass(1_000);
    assert_eq!(desk.told()[0], "forgot 3");
    assert!(desk.state.is_whole(), "no hole from #4 to #30");
    assert_eq!(desk.have(), []);
}

#[test]
fn who_scrolls_up_is_given_what_was_not_listed() {
    let mut desk = Desk::new(10);
    desk.connect();
    desk.sync(true, 60, 1, 51..=60);
    desk.synced("t1");
    desk.clear();
    assert!(desk.state.is_whole());
    for (from, floor) in [(20, 20), (30, 20), (0, 1)] {
        desk.state.want_from(group(), Seq(from), desk.now_ms, &mut desk.out);
        assert_eq!(desk.kept().floor, Seq(floor));
    }
    assert_eq!(desk.told(), ["fetching 20..50"]);
    assert!(!desk.state.is_whole());
}

#[test]
fn joining_anew_drops_what_lies_below_and_leaving_ends_what_is_wanted() {
    let mut desk = Desk::with_group(3, 1..=3);
    desk.frame(left(1, 3));
    assert!(!desk.kept().is_listed());
    desk.push(4);
    assert!(desk.told().iter().any(|t| t.contains("though left at")));
    desk.frame(ServerFrame::Conversation { conversation: listed(8, 9) });
    assert!(desk.told().contains(&"forgot 4".to_owned()));
    assert!(desk.kept().is_listed());
    assert_eq!(desk.have(), []);
    desk.push(9);
    assert_eq!(desk.told(), ["message 9 Push"]);
    assert_eq!(desk.have(), [(9, 9)]);
    desk.pass(1_000);
    assert!(desk.state.is_whole());
}

#[test]
fn hidden_counts_only_while_nothing_newer_is_there() {
    let mut desk = Desk::with_group(3, 1..=3);
    let left =
        LeftConversation { conversation_id: group(), first_seq: Seq(1), left_seq: Seq(3), reason: LeftReason::Hidden };
    desk.lose();
    desk.connect();
    desk.frame(ServerFrame::Sync { full: false, conversations: Vec::new(), left: vec![left] });
    desk.synced("t2");
    assert!(!desk.kept().is_listed());
    desk.push(4);
    assert!(desk.kept().is_listed());
}

#[test]
fn a_conversation_that_a_sync_says_was_left_stands_for_all_up_to_then() {
    let mut desk = Desk::with_group(3, 1..=3);
    desk.lose();
    desk.connect();
    let left =
        LeftConversation { conversation_id: group(), first_seq: Seq(1), left_seq: Seq(5), reason: LeftReason::Left };
    desk.frame(ServerFrame::Sync { full: false, conversations: Vec::new(), left: vec![left] });
    desk.synced("t2");
    desk.clear();
    // It had waited for the sync to end; the one before it came before the connection did.
    desk.push(5);
    assert_eq!(desk.told(), ["message 5 Push"]);
    desk.pass(200);
    assert_eq!(desk.said(), ["1: history after 3"], "former members read up to there");
    desk.clear();
    desk.push(6);
    assert!(desk.told()[0].contains("though left at"));
}

#[test]
fn a_full_sync_forgets_what_it_does_not_list() {
    let mut desk = Desk::with_group(3, 1..=3);
    desk.lose();
    desk.connect();
    desk.frame(ServerFrame::Sync { full: true, conversations: Vec::new(), left: Vec::new() });
    desk.synced("t2");
    assert!(desk.state.conversations().is_empty());
    assert!(desk.told().contains(&"forgot 3".to_owned()));
}

#[test]
fn a_full_sync_that_breaks_off_forgets_nothing() {
    let mut desk = Desk::with_group(3, 1..=3);
    desk.lose();
    desk.connect();
    desk.frame(ServerFrame::Sync { full: true, conversations: Vec::new(), left: Vec::new() });
    desk.lose();
    assert_eq!(desk.have(), [(1, 3)]);
    assert_eq!(desk.state.sync_token(), Some("t1"));
}

#[test]
fn a_push_of_an_unknown_conversation_is_wrong() {
    let mut desk = Desk::new(50);
    desk.connect();
    desk.frame(ServerFrame::Sync { full: true, conversations: Vec::new(), left: Vec::new() });
    desk.synced("t");
    desk.clear();
    desk.push(1);
    assert!(desk.told()[0].contains("before its conversation was"));
    desk.frame(ServerFrame::Conversation { conversation: listed(1, 1) });
    desk.pass(200);
    assert_eq!(desk.said(), ["1: history after 0"], "and fetched after a while");
}
