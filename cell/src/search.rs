//! Finding people by their names.
//!
//! - A person's cell has their row. Whatever changes it puts a line into an outbox (`outbox`), by a trigger.
//! - From there *copies* of how they are shown go to the cells that own the slots of the words of their names, with those
//!   words as entries, and to the cells of people who know them (`copies`).
//! - `known`: whoever opens a direct conversation has the other's copy asked for.
//! - `rounds`: everybody is sent again, slowly and for ever, which heals whatever was lost.
//! - `found`: a query is answered from what is here: known people by any part of a name, others by how a word begins.

mod copies;
mod found;
mod known;
mod outbox;
mod rounds;
mod wire;
mod words;

pub use copies::{Copies, get, put};
pub use found::{At, Found, Strangers, known, known_among, strangers};
pub use known::ask;
pub use outbox::deliver;
pub use rounds::{hurry, send_all, sweep};
pub use words::{Query, fold};
