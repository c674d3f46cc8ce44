//! Calls from cell to cell that are not part of the message stream: accounts, names, pages from a conversation's home.

mod calls;
mod service;

pub use calls::Peers;
pub use service::PeerService;
