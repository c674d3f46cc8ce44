//! Who may speak inside a deployment: routers, cells and the directory show one another the cluster secret with every
//! call, and take no call without it. Where an authority of the deployment's own is configured, they also speak TLS and
//! show certificates of it, both ways.
//!
//! [`Inside`] is what a process has of this: its callers show, its doors check.

mod door;
mod incoming;
mod member;
mod secret;
mod seldom;

pub use door::{Door, REFUSED, Stranger};
pub use incoming::{Arrived, Refused, incoming};
pub use member::{Inside, InsideError, Proof, ProvenChannel};
pub use secret::{ClusterSecret, SecretError, Secrets};
pub use seldom::Seldom;
pub use skep_tls::{Connector, MutualFiles, Speaks, refusal};
