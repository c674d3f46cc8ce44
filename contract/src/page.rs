//! The documents as pages to be read: plain HTML without scripts, made from the same tables.

mod calls;
mod errors;
mod frames;
mod html;
mod schema;

pub use calls::http_page;
pub use errors::error_page;
pub use frames::socket_page;

/// The style sheet of all pages, served at `/docs/style.css`.
pub const STYLE: &str = include_str!("page/style.css");
