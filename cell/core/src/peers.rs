//! Between cells: the ring of published changes that a home keeps for its subscribers, what of it concerns each of
//! them, and the requests that a cell has forwarded and not seen answered.

mod forward;
mod ring;
mod subscription;

pub use forward::{Forward, ForwardEffect};
pub use ring::Ring;
pub use subscription::{Step, Subscription, concerning};
