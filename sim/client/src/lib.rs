//! A client of Skep that speaks the public contract (api.md) and nothing else.
//!
//! [`Http`] makes calls and repeats those that are safe to repeat. A [`Fleet`] holds the sockets of any number of
//! people in one process: each [`Client`] comes back after a loss, resumes by its token, sends again what was not
//! answered, and fetches what is missing. What it keeps is [`State`], a state machine without I/O.

mod backoff;
mod client;
mod dial;
mod event;
mod fleet;
mod frame;
mod http;
mod seqs;
mod state;
mod websocket;

pub use client::{Account, Client};
pub use event::{Ended, Event, Observer, Source, Wrong};
pub use fleet::{Fleet, FleetOptions};
pub use frame::{Frame, MessageRef};
pub use http::{
    Added, CallError, Created, HistoryPage, Http, Link, Listed, MemberEntry, MembersPage, NewConversation, NotAdded,
    SignUp, SignedIn,
};
pub use seqs::Seqs;
pub use state::{Effects, Kept, Pages, Phase, State};
