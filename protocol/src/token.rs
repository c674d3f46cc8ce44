//! Tokens of sessions: `skep1_` + the session's id, which holds the person's slot, + `_` + 192 random bits.

use std::str::FromStr;

use crate::SessionId;

/// Random bytes of a token.
pub const SECRET_BYTES: usize = 24;
const PREFIX: &str = "skep1_";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const SECRET_TEXT: usize = 32;

/// A token as it was presented. Its secret is compared by digest, never kept.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken {
    pub session_id: SessionId,
    /// The secret in its text form.
    pub secret: String,
}

/// Not a token of this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a session token")]
pub struct TokenFormError;

impl SessionToken {
    /// A new token of these random bytes.
    pub fn new(session_id: SessionId, random: [u8; SECRET_BYTES]) -> Self {
        Self { session_id, secret: url_text(&random) }
    }

    /// What the client keeps.
    pub fn to_text(&self) -> String {
        format!("{PREFIX}{}_{}", self.session_id, self.secret)
    }
}

impl FromStr for SessionToken {
    type Err = TokenFormError;

    fn from_str(text: &str) -> Result<Self, TokenFormError> {
        let rest = text.strip_prefix(PREFIX).ok_or(TokenFormError)?;
        let (id, secret) = rest.split_at_checked(28).ok_or(TokenFormError)?;
        let secret = secret.strip_prefix('_').ok_or(TokenFormError)?;
        if secret.len() != SECRET_TEXT || !secret.bytes().all(|b| ALPHABET.contains(&b)) {
            return Err(TokenFormError);
        }
        Ok(Self { session_id: id.parse().map_err(|_| TokenFormError)?, secret: secret.to_owned() })
    }
}

/// Bytes in the letters of URLs, six bits a letter, the last bits filled with zeros.
pub fn url_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0_u32, |word, (i, b)| word | u32::from(*b) << (16 - 8 * i));
        for i in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * i) & 63) as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Millis, UserId};

    #[test]
    fn tokens_read_back_and_carry_the_slot() {
        let user = UserId::new("anna", Millis(5), 7);
        let token = SessionToken::new(SessionId::new(user, 9), [0xa5; SECRET_BYTES]);
        let text = token.to_text();
        assert!(text.parse::<SessionToken>().unwrap() == token);
        assert_eq!(token.session_id.slot(), user.slot());
        for bad in ["", "skep1_", &text[1..], &text[..text.len() - 1], &format!("{text}A")] {
            assert!(bad.parse::<SessionToken>().is_err(), "{bad}");
        }
    }

    #[test]
    fn url_letters_are_base64() {
        assert_eq!(url_text(b"Man"), "TWFu");
        assert_eq!(url_text(b"M"), "TQ");
        assert_eq!(url_text(b"Ma"), "TWE");
        assert_eq!(url_text(&[0xff; 3]), "____");
    }
}
