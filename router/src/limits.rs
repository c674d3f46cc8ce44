//! What a client, and the sum of all clients, may take of a router.

use std::time::Duration;

use skep_protocol::limits;

/// Connections of clients at once. Further ones wait in the kernel; idle ones are closed after `Patience::headers`, so
/// room is always found.
pub(crate) const CONNECTIONS: usize = 8_192;
/// Addresses that limits remember, for each kind of call; about 4 MiB a kind.
pub(crate) const ADDRESSES: usize = 100_000;
/// How often those who have not come for a while are forgotten.
pub(crate) const TIDIED_EVERY: Duration = Duration::from_secs(60);
/// A request's line and headers: a token, a few cookies of a common domain, and what proxies add.
pub(crate) const HEAD_BYTES: usize = 16 * 1024;
/// Headers of a request.
pub(crate) const HEADERS: usize = 100;
/// What is read of headers at all: within it, those that are too many are refused with a problem document.
pub(crate) const HEADERS_READ: usize = 1_000;
/// Read ahead of a connection: heads that are too large are read up to this, so that it can be said. Bodies go
/// through it, so not much smaller than one.
pub(crate) const READ_AHEAD_BYTES: usize = 64 * 1024;
/// A JSON body.
pub(crate) const BODY_BYTES: usize = limits::BODY_BYTES;
/// A body with an image: 5 MiB of image, and the form around it.
pub(crate) const IMAGE_BODY_BYTES: usize = limits::IMAGE_BODY_BYTES;
/// All bodies held at once. They are kept until the cell has answered, to be sent again after a change of the map.
pub(crate) const BODIES_BYTES: usize = 256 * 1024 * 1024;
/// Idle connections kept to each cell.
pub(crate) const IDLE_PER_CELL: usize = 128;
/// They are let go before the cell closes them (10 s), so that calls do not meet a closing one.
pub(crate) const IDLE: Duration = Duration::from_secs(5);
/// A request id that a client may choose.
pub(crate) const REQUEST_ID_BYTES: usize = 64;

const _: () = {
    assert!(READ_AHEAD_BYTES > HEAD_BYTES);
    assert!(HEADERS_READ > HEADERS);
    assert!(BODIES_BYTES > 16 * IMAGE_BODY_BYTES);
};

/// Calls under way at once; more are refused as `busy` before anything is done. The defaults are what a router runs
/// with; tests narrow them.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Sign-ups and log-ins: what all cores of a few cells hash within the patience of people. Apart from the others,
    /// so that a flood of them takes nobody else's place.
    pub hashing: usize,
    /// All other calls. A call that waits costs its body and little else.
    pub calls: usize,
    /// Calls to one cell, of any kind: one that is frozen holds each for `Patience::answer`, and must not hold all.
    pub calls_per_cell: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { hashing: 256, calls: 4_096, calls_per_cell: 1_024 }
    }
}

/// How long a router waits for what. The defaults are what it runs with; tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a request's headers, and for the next request on a connection.
    pub headers: Duration,
    /// For a JSON body: 256 KiB over a line of 100 kbit/s.
    pub body: Duration,
    /// For a body with an image, over a line of 400 kbit/s.
    pub image_body: Duration,
    /// For the head of a cell's answer, all attempts together. Past the deadline between processes, so that a cell
    /// says itself what it could not reach.
    pub answer: Duration,
    /// For a cell that takes no connection: a restarted one serves again after about two seconds.
    pub away: Duration,
    /// For one connection to a cell: it is in the same house.
    pub connect: Duration,
    /// For a client that takes nothing of its answer, and for a cell that pauses in the middle of one.
    pub stall: Duration,
    /// For calls under way when the router is stopped.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            headers: Duration::from_secs(10),
            body: Duration::from_secs(20),
            image_body: Duration::from_secs(120),
            answer: Duration::from_millis(limits::REQUEST_DEADLINE_MS + 2_000),
            away: Duration::from_secs(3),
            connect: Duration::from_secs(1),
            stall: Duration::from_secs(20),
            drain: Duration::from_secs(15),
        }
    }
}
