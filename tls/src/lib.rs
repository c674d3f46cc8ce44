//! TLS, for people's connections and for those between processes: one stack (rustls with ring), one way to name files.
//!
//! [`TlsFiles`] and [`MutualFiles`] are what a configuration says; the files are followed, so that a renewed
//! certificate is used without a restart. An [`Acceptor`] makes a [`Wire`] of a connection that came in, a [`Connector`]
//! makes one to somebody; a wire is bare TCP or TLS, and its users need not care. A [`Line`] is a wire that is read and
//! written without waiting, for those who hold tens of thousands of them.

mod acceptor;
mod confirm;
mod connector;
mod error;
mod files;
mod follow;
mod line;
mod mutual;
mod wire;

pub use acceptor::Acceptor;
pub use connector::{ConnectError, Connector, Trust};
pub use error::{TlsError, explain, refusal};
pub use files::{MutualFiles, TlsFiles};
pub use line::Line;
pub use mutual::{INNER_NAME, Mutual, Speaks};
pub use wire::{Stream, Wire};
