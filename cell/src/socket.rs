//! The public socket: WebSocket over HTTP/1.1, one JSON object a frame (`skep.v1.json`).

mod listener;
mod session;
mod sync;

pub use listener::serve;
pub use session::Doors;
