//! How pictures are called.

use std::fmt;
use std::str::FromStr;

use skep_protocol::UserId;

use super::Picture;

/// Hexadecimal letters of what the picture shows ...
const DIGEST: usize = 20;
/// ... and of the one time that it was brought.
const ONCE: usize = 12;

/// The name of a picture, in its person's folder: what it shows, and a random part that no other ever has.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ImageName(String);

/// A width and height in which pictures are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ImageSize {
    /// In lists.
    Small = 64,
    /// In a profile.
    Large = 256,
}

impl ImageName {
    /// A new one, for a picture.
    pub fn new(picture: &Picture, once: u64) -> Self {
        let once = once & ((1 << (4 * ONCE)) - 1);
        let digest: String = picture.digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{digest}{once:0ONCE$x}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both show the same.
    pub fn shows_the_same(&self, other: &Self) -> bool {
        self.0[..DIGEST] == other.0[..DIGEST]
    }

    /// Where people find it.
    pub fn url(&self, user: UserId) -> String {
        format!("/v1/images/{user}/{self}")
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// It is no name of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("this is no name of a picture")]
pub struct NoImageName;

impl FromStr for ImageName {
    type Err = NoImageName;

    fn from_str(text: &str) -> Result<Self, NoImageName> {
        let is_name = text.len() == DIGEST + ONCE && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_name { Ok(Self(text.to_owned())) } else { Err(NoImageName) }
    }
}

impl ImageSize {
    pub const ALL: [Self; 2] = [Self::Small, Self::Large];

    /// Pixels a side.
    pub fn side(self) -> u32 {
        self as u32
    }

    /// The size of so many pixels a side.
    pub fn of_side(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|size| size.side().to_string() == text)
    }
}
