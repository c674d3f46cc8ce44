//! A shard of its own for each test, and short ways to say what is in it.

use std::sync::Arc;
use std::time::Duration;

use skep_cell::storage::{LaneWriter, Opening, Shard};
use skep_children::Postgres;
use skep_core::{
    Batch, Clamp, Commit, ConversationRow, Mark, MarkKind, MarkResult, MemberRow, MembersDone, Membership,
};
use skep_protocol::{
    CellId, ConversationId, Era, Lane, LeftReason, Message, Millis, Pos, RequestId, Role, Seq, UserId,
};
use tokio_postgres::NoTls;
use uuid::Uuid;

pub const CELL: CellId = CellId(1);
pub const HOME: Lane = Lane(1);
pub const LANES: u16 = 2;

pub struct World {
    pub shard: Arc<Shard>,
    pub opening: Opening,
    pub postgres: Postgres,
    /// For looking and for making trouble.
    pub sql: tokio_postgres::Client,
}

/// A lane's writer that counts positions.
pub struct Scribe {
    pub writer: LaneWriter,
}

impl World {
    pub async fn new() -> Self {
        let postgres = Postgres::scratch().unwrap();
        postgres.create_database("shard").unwrap();
        let opening = open(&postgres.conninfo("shard")).await;
        let sql = client(&postgres.conninfo("shard")).await;
        Self { shard: Arc::clone(&opening.shard), opening, postgres, sql }
    }

    pub async fn home(&self) -> Scribe {
        Scribe { writer: self.shard.lane_writer(HOME).await.unwrap() }
    }

    pub async fn mirror(&self) -> Scribe {
        Scribe { writer: self.shard.lane_writer(Lane::MIRROR).await.unwrap() }
    }

    /// The only number that a statement gives.
    pub async fn number(&self, sql: &str) -> i64 {
        self.sql.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub async fn run(&self, sql: &str) {
        self.sql.batch_execute(sql).await.unwrap();
    }

    pub async fn messages(&self) -> i64 {
        self.number("SELECT count(*) FROM messages").await
    }
}

pub async fn open(conninfo: &str) -> Opening {
    Shard::open(conninfo, CELL, LANES, "test".to_owned()).await.unwrap()
}

pub async fn client(conninfo: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Until it holds; a level is waited for, never a time.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Scribe {
    pub fn next(&self) -> Pos {
        self.writer.position().next()
    }

    /// A batch for the next position.
    pub fn batch(&self) -> Batch {
        Batch { lane: self.writer.lane(), pos: self.next(), ..Batch::default() }
    }

    pub async fn commit(&mut self, batch: &Batch) -> Commit {
        self.writer.commit(batch).await
    }

    pub async fn done(&mut self, batch: Batch) -> Vec<MarkResult> {
        match self.writer.commit(&batch).await {
            Commit::Done(results) => results,
            other => panic!("{other:?}"),
        }
    }

    /// Makes a conversation with these members, all of this cell, from seq `joined` on.
    pub async fn make(&mut self, id: ConversationId, users: &[UserId], joined: u64) {
        let mut batch = self.batch();
        let pos = batch.pos;
        batch.conversations.push((Era(1), row(id, pos, users)));
        for user in users {
            batch.put(id, member(*user, pos, joined));
        }
        self.done(batch).await;
    }

    /// Commits messages of one sender, with read marks as a lane makes them.
    pub async fn say(&mut self, id: ConversationId, user: UserId, seqs: impl IntoIterator<Item = u64>) {
        let mut batch = self.batch();
        for seq in seqs {
            batch.messages.push(message(id, user, seq));
            batch.marks.push(Mark::of_own_message(user, id, Seq(seq)));
        }
        self.done(batch).await;
    }
}

/// Short ways to fill a batch.
pub trait Fill {
    /// A home's member, who lives here.
    fn put(&mut self, id: ConversationId, row: MemberRow);
    /// A mark that is answered.
    fn ask(&mut self, user: UserId, id: ConversationId, kind: MarkKind) -> RequestId;
}

impl Fill for Batch {
    fn put(&mut self, id: ConversationId, row: MemberRow) {
        self.memberships.push(Membership::of_home(id, &row, Era(1)));
        self.members.push((id, row));
    }

    fn ask(&mut self, user_id: UserId, conversation_id: ConversationId, kind: MarkKind) -> RequestId {
        let request = Uuid::now_v7();
        self.marks.push(Mark { user_id, conversation_id, kind, request: Some(request) });
        request
    }
}

pub fn user(number: u64) -> UserId {
    UserId::new(&format!("user-{number}"), Millis(number as i64), number)
}

pub fn group(number: u128) -> ConversationId {
    ConversationId::group(number)
}

pub fn channel(number: u128) -> ConversationId {
    ConversationId::channel(number)
}

pub fn row(id: ConversationId, pos: Pos, users: &[UserId]) -> ConversationRow {
    ConversationRow {
        conversation_id: id,
        pos,
        shown_pos: pos,
        title: Some(format!("title at {pos}").into()),
        topic: None,
        created_at: Millis(1_000),
        created_by: users.first().copied(),
        member_count: users.len() as u32,
        seniors: users.iter().copied().take(16).collect(),
        code: None,
    }
}

pub fn member(user_id: UserId, pos: Pos, joined: u64) -> MemberRow {
    MemberRow {
        user_id,
        pos,
        role: Role::Member,
        joined_seq: Seq(joined),
        left_seq: None,
        left_reason: None,
        joined_at: Millis(pos.0 as i64),
    }
}

pub fn left(row: MemberRow, pos: Pos, at: u64) -> MemberRow {
    MemberRow { pos, left_seq: Some(Seq(at)), left_reason: Some(LeftReason::Removed), ..row }
}

pub fn message(id: ConversationId, sender_id: UserId, seq: u64) -> Message {
    let client_message_id = Uuid::from_u128(u128::from_be_bytes(id.to_bytes()) ^ u128::from(seq));
    let text = format!("message {seq} ünïcode 🐝").into();
    Message { conversation_id: id, seq: Seq(seq), sender_id, client_message_id, sent_at: Millis(seq as i64), text }
}

pub fn read(seq: u64) -> MarkKind {
    MarkKind::Read { seq: Seq(seq), clamp: Clamp::Done }
}

pub fn read_clamped(seq: u64) -> MarkKind {
    MarkKind::Read { seq: Seq(seq), clamp: Clamp::StoredHead }
}

pub fn outcome(users: &[UserId]) -> Arc<MembersDone> {
    Arc::new(MembersDone { created: true, added: users.to_vec(), not_added: Vec::new(), code: Some(Arc::from("code")) })
}
