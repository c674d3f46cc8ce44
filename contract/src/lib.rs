//! The public contract as data. `calls` is the one table of HTTP calls, `frames` the one of the socket; what they say
//! of bodies and frames comes from the serde types that are read and written. From them two documents are made
//! (OpenAPI 3.1, AsyncAPI 3.0) and the pages to read them by. Tests hold every answer against the same schemas.

mod asyncapi;
mod call;
mod calls;
mod example;
mod frames;
mod openapi;
mod page;
pub mod requests;

pub use asyncapi::asyncapi;
pub use call::{Answer, Body, Call, Caller, Content, Group, In, Method, Parameter, Rate, Shape};
pub use calls::{calls, find};
pub use frames::{Frame, Sender, frames};
pub use openapi::openapi;
pub use page::{STYLE, error_page, http_page, socket_page};
