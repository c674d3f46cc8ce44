//! Profile pictures: judged before they are decoded, decoded by a few threads of their own, cut to a square, encoded anew
//! in two sizes, and kept in a folder or in an S3-compatible store.
//!
//! A picture's name is made once and never again, so what is removed cannot be in use again. Its row is written first
//! (to be removed in a day), then the picture, then, in one transaction, the person's row that shows it.

mod name;
mod picture;
mod press;
mod probe;
mod store;
mod upkeep;

pub use name::{ImageName, ImageSize, NoImageName};
pub use picture::Picture;
pub use press::{IMAGE_THREAD, Place, Press, Sent};
pub use probe::{Unfit, is_named};
pub use store::Store;
pub use upkeep::remove_old;
