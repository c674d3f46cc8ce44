//! The HTTP calls of this cell's people, as routers bring them. A file per kind of thing; what they share is in
//! `answer` (refusals), `body` (JSON fields), `form` (multipart), `caller` (who asks), `page` (lists).

mod answer;
mod blocks;
mod body;
mod caller;
mod conversations;
mod form;
mod images;
mod links;
mod me;
mod members;
mod messages;
mod page;
mod people;
mod search;
mod server;
mod sessions;
mod sign_up;
mod users;

pub use links::{link_reply, new_code};
pub use members::members_here;
pub use server::serve;
pub use sessions::log_in;
