//! Who may speak inside a deployment: routers, cells and the directory show one another the cluster secret with every
//! call, and take no call without it.
//!
//! [`Inside`] is what a process has of this: its callers show, its doors check.

mod door;
mod member;
mod secret;
mod seldom;

pub use door::{Door, REFUSED, Stranger};
pub use member::{Inside, Proof, ProvenChannel};
pub use secret::{ClusterSecret, SecretError, Secrets};
pub use seldom::Seldom;
