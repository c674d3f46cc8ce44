//! The cluster secret: where a process has it from, and comparing what a caller shows with it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, de};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// So many bytes at least: 128 bits even when they are hexadecimal letters.
const FEWEST_BYTES: usize = 32;
/// It travels in a header.
const MOST_BYTES: usize = 256;
/// A rotation needs two at once.
const MOST_SECRETS: usize = 8;
/// What a value begins with when the secret is in a file.
const FILE: &str = "file:";

/// A secret as configured: the secrets themselves, separated by spaces, or `file:` and a file with one in each line.
/// Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterSecret(String);

/// The secrets of a deployment: the first is shown, all of them are accepted. Never printed.
#[derive(Clone)]
pub struct Secrets(Arc<[Secret]>);

struct Secret {
    text: Box<str>,
    digest: [u8; 32],
}

/// Why a secret is none. Says nothing of what it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("{}: {source}", file.display())]
    Unreadable { file: PathBuf, source: std::io::Error },
    #[error("no secret is given: it takes {FEWEST_BYTES} letters or more, such as `openssl rand -hex 32` makes")]
    None,
    #[error(
        "secret {number} has {bytes} bytes: it takes {FEWEST_BYTES} to {MOST_BYTES}, such as `openssl rand -hex 32` makes"
    )]
    Length { number: usize, bytes: usize },
    #[error("secret {number} is not made of visible ASCII letters alone")]
    Letters { number: usize },
    #[error("there are {0} secrets; at most {MOST_SECRETS} are accepted at once")]
    TooMany(usize),
}

// === impl ClusterSecret ===

impl ClusterSecret {
    /// Of the text that a configuration has.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// In this file.
    pub fn in_file(file: &Path) -> Self {
        Self(format!("{FILE}{}", file.display()))
    }

    /// Reads it. Lines that begin with `#` are passed over.
    pub fn load(&self) -> Result<Secrets, SecretError> {
        match self.0.strip_prefix(FILE) {
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|source| SecretError::Unreadable { file: file.into(), source })?;
                Secrets::new(text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')))
            }
            None => Secrets::new(self.0.split_whitespace()),
        }
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.starts_with(FILE) { &self.0 } else { "(secret)" })
    }
}

impl<'de> Deserialize<'de> for ClusterSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Serde's own words for a wrong type print the value; an environment variable of digits alone is a number.
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = ClusterSecret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret, or file: and the file that has it")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ClusterSecret, E> {
                Ok(ClusterSecret(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<ClusterSecret, E> {
                Err(E::custom("a secret is text: put a number in quotes"))
            }

            fn visit_u128<E: de::Error>(self, _: u128) -> Result<ClusterSecret, E> {
                self.visit_u64(0)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<ClusterSecret, E> {
                self.visit_u64(0)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<ClusterSecret, E> {
                self.visit_u64(0)
            }
        }

        // Not as a text alone: the error would name what is there instead.
        deserializer.deserialize_any(Text)
    }
}

// === impl Secrets ===

impl Secrets {
    fn new<'a>(secrets: impl Iterator<Item = &'a str>) -> Result<Self, SecretError> {
        let mut known = Vec::new();
        for (text, number) in secrets.zip(1..) {
            if !(FEWEST_BYTES..=MOST_BYTES).contains(&text.len()) {
                return Err(SecretError::Length { number, bytes: text.len() });
            }
            if !text.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(SecretError::Letters { number });
            }
            known.push(Secret { text: text.into(), digest: Sha256::digest(text).into() });
        }
        match known.len() {
            0 => Err(SecretError::None),
            1..=MOST_SECRETS => Ok(Self(known.into())),
            many => Err(SecretError::TooMany(many)),
        }
    }

    /// The one that callers show.
    pub(crate) fn shown(&self) -> &str {
        &self.0[0].text
    }

    /// Whether this is one of them. Digests are compared, all of them and to their ends, so that the time says neither
    /// how much of a guess was right nor how long the secret is.
    pub(crate) fn accept(&self, shown: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(shown).into();
        self.0.iter().fold(subtle::Choice::from(0), |found, secret| found | secret.digest.ct_eq(&digest)).into()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} secrets)", self.0.len())
    }
}
