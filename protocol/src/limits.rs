//! Every bound of the product, in one place, with its reason. Relations between them are checked at compile time.

/// Characters (Unicode scalar values) of a message's text: a long letter.
pub const TEXT_CHARS: usize = 10_000;
/// Bytes of a message's text: 10,000 characters of four bytes.
pub const TEXT_BYTES: usize = 40_000;
/// A client's frame: any allowed text, however it is escaped in JSON (`\uXXXX` pairs: 12 bytes for 4), and the rest.
pub const CLIENT_FRAME_BYTES: usize = 128 * 1024;
/// A server's frame: what a phone takes in one piece.
pub const SERVER_FRAME_BYTES: usize = 256 * 1024;
/// A JSON body: 100 ids and a text fit several times.
pub const BODY_BYTES: usize = 256 * 1024;

/// The file of a profile picture: what a phone's camera writes.
pub const IMAGE_BYTES: usize = 5 * 1024 * 1024;
/// A body that may hold a picture: the picture, and a form around it.
pub const IMAGE_BODY_BYTES: usize = 6 * 1024 * 1024;
/// A picture's width and its height: at most 128 MiB while it is decoded (four channels of 16 bits).
pub const IMAGE_SIDE: u32 = 4_096;
/// Calls with a picture that a cell takes at once: 48 MiB of bodies, and less than the seconds that a call may wait.
pub const IMAGES_AT_ONCE: usize = 8;
/// A picture is kept so long after another has taken its place: what names it may be on screens.
pub const IMAGE_KEPT_MS: i64 = DAY_MS;
/// Pictures of a person that are kept: who changes theirs more often within a day waits. Some 15 MiB.
pub const IMAGES_PER_USER: i64 = 100;
/// Parts of a form: the fields of a sign-up, its picture, and some that mean nothing here.
pub const FORM_PARTS: usize = 32;

/// The first frame must come by then.
pub const HELLO_MS: u64 = 10_000;
/// What clients are told to send a ping within.
pub const HEARTBEAT_S: u32 = 30;
/// A connection that says nothing for so long is closed: three missed heartbeats.
pub const SILENCE_MS: u64 = 90_000;
/// A client that takes nothing for so long during a sync is closed.
pub const SYNC_STALL_MS: u64 = 10_000;
/// A request between processes is given up after this.
pub const REQUEST_DEADLINE_MS: u64 = 10_000;

/// Unsent bytes of a connection; past it the connection is told to re-sync, and never slows others.
pub const BACKLOG_BYTES: usize = 256 * 1024;
/// Sockets of a person.
pub const CONNECTIONS_PER_USER: usize = 20;
/// Sessions of a person.
pub const SESSIONS_PER_USER: usize = 50;

/// Requests waiting in a lane: about four seconds of a busy lane's work.
pub const LANE_QUEUE_REQUESTS: usize = 20_000;
/// Bytes waiting in a lane.
pub const LANE_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Requests of a batch: beyond 500 a commit gets longer, not cheaper (measured).
pub const BATCH_REQUESTS: usize = 500;
/// Rows of a batch.
pub const BATCH_ROWS: usize = 2_000;
/// Bytes of a batch.
pub const BATCH_BYTES: usize = 1024 * 1024;
/// Batches that look their ids up first after a repeat was found, so that old repeats cannot make every batch fail.
pub const WARY_BATCHES: u32 = 200;
/// Conversations a lane keeps in memory while nothing of them is under way.
pub const LANE_CONVERSATIONS: usize = 200_000;

/// Published changes kept for peers, per lane; a peer further back is replayed from the shard.
pub const RING_BYTES: usize = 64 * 1024 * 1024;
/// A message on a relay stream.
pub const RELAY_FRAME_BYTES: usize = 4 * 1024 * 1024;
/// Arrived changes that wait for the mirror lane.
pub const MIRROR_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Of those, from one peer: a quarter, so that one peer cannot take it all.
pub const MIRROR_QUEUE_BYTES_PER_PEER: usize = MIRROR_QUEUE_BYTES / 4;
/// Requests forwarded to one peer that wait for an answer.
pub const FORWARDED_PER_PEER: usize = 12_500;
/// A peer that is silent for so long is dialled anew.
pub const RELAY_SILENCE_MS: u64 = 5_000;
/// How often each side of a relay says that it is there.
pub const RELAY_HEARTBEAT_MS: u64 = 1_000;
/// Changes on their way from a lane to a fan-out worker.
pub const WORKER_QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// Local members of conversations that a fan-out worker keeps in memory.
pub const WORKER_MEMBERS: usize = 2_000_000;

/// Conversations of a person.
pub const CONVERSATIONS_PER_USER: usize = 10_000;
/// Members of a conversation.
pub const MEMBERS: u32 = 500_000;
/// Up to this many members, a changed member count alone is pushed.
pub const COUNT_PUSHED_MEMBERS: u32 = 1_000;
/// ... and of one conversation only so often: a wave of joins is a few pushes.
pub const COUNT_PUSHED_EVERY_MS: i64 = 5_000;
/// People whom one person blocks: the list is one answer, and so many ids are 155 KB of it.
pub const BLOCKS_PER_USER: usize = 5_000;
/// Ids in one call.
pub const IDS_PER_CALL: usize = 100;
/// Entries of a page.
pub const PAGE: u32 = 100;
/// Entries of a page when the caller does not say.
pub const PAGE_DEFAULT: u32 = 50;
/// Messages of a conversation in a sync page.
pub const SYNC_MESSAGES: usize = 50;
/// Longest-standing members kept with a conversation: five heroes, the viewer left out, and room for leavers.
pub const SENIORS: usize = 16;
/// People named by an untitled group.
pub const HEROES: usize = 5;
/// Seconds between checkpoints of a connection that got something.
pub const CHECKPOINT_S: u64 = 30;

/// A session ends after so long unused ...
pub const SESSION_IDLE_MS: i64 = 90 * DAY_MS;
/// ... and after a year in any case.
pub const SESSION_ABSOLUTE_MS: i64 = 365 * DAY_MS;
/// A connection's session is looked at again so often: it may have come to its end, and being used counts.
pub const SESSION_CHECK_MS: u64 = 60 * 60 * 1000;
/// A day.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// The lease on a shard lasts so long past its last renewal, by the database's clock ...
pub const LEASE_MS: u64 = 6_000;
/// ... is renewed this often ...
pub const LEASE_RENEW_MS: u64 = 2_000;
/// ... and after so long without a renewal nothing is answered that rests on it.
pub const LEASE_DOUBT_MS: u64 = 4_000;
/// A process that could not renew for so long gives up and exits.
pub const LEASE_GIVE_UP_MS: u64 = 30_000;

const _: () = {
    assert!(TEXT_BYTES == TEXT_CHARS * 4);
    assert!(CLIENT_FRAME_BYTES > 12 * TEXT_CHARS + 1024, "an escaped text of four-byte characters fits");
    assert!(SERVER_FRAME_BYTES > 6 * TEXT_BYTES, "a message of escaped control characters fits");
    assert!(BATCH_BYTES > 2 * TEXT_BYTES && LANE_QUEUE_BYTES > 16 * BATCH_BYTES);
    assert!(RELAY_FRAME_BYTES >= 2 * BATCH_BYTES);
    assert!(
        LEASE_RENEW_MS < LEASE_DOUBT_MS && LEASE_DOUBT_MS < LEASE_MS,
        "a holder doubts before another can take over"
    );
    assert!(SENIORS > HEROES + 1);
    assert!(IMAGE_BYTES + BODY_BYTES < IMAGE_BODY_BYTES, "a form fits around the largest picture");
    assert!(BLOCKS_PER_USER * 32 < SERVER_FRAME_BYTES, "all blocks fit in one answer");
    assert!(RELAY_HEARTBEAT_MS * 3 < RELAY_SILENCE_MS);
};
