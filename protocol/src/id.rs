//! Ids of 128 bits: 16 of slot, 4 of kind, 108 of rest. In text: a prefix and 26 Crockford base32 letters.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_128;

use crate::{Millis, Slot};

/// A client's own id of a message: any UUID, the same one for every retry.
pub type ClientMessageId = Uuid;
/// A request between cells, chosen by the asking cell.
pub type RequestId = Uuid;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const REST_BITS: u32 = 108;
const REST_MASK: u128 = (1 << REST_BITS) - 1;
const TEXT_LEN: usize = 2 + 26;

const USER: u8 = 1;
const DIRECT: u8 = 2;
const GROUP: u8 = 3;
const CHANNEL: u8 = 4;
const SESSION: u8 = 5;

/// Why a text or a number is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not a known prefix and 26 letters of Crockford's base32 in lower case.
    #[error("not an id: expected a prefix such as u_ and 26 letters")]
    Text,
    /// The kind in the number is not one of this type.
    #[error("an id of another kind")]
    Kind,
}

/// The three kinds of conversation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ConversationKind")]
pub enum Kind {
    /// Two people.
    Direct,
    /// Whoever was added; what was written before is not theirs to read.
    Group,
    /// Whoever was added or has its link; all of it is theirs to read.
    Channel,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $accepts:expr, $about:literal, $form:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The part of the whole this lives in, for life.
            pub fn slot(self) -> Slot {
                Slot((self.0 >> 112) as u16)
            }

            /// As the database's type.
            pub fn uuid(self) -> Uuid {
                Uuid::from_u128(self.0)
            }

            /// From the database's type.
            pub fn from_uuid(uuid: Uuid) -> Result<Self, IdError> {
                Self::from_u128(uuid.as_u128())
            }

            /// As 16 bytes, most significant first.
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// From 16 bytes, most significant first.
            pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
                Self::from_u128(u128::from_be_bytes(bytes.try_into().map_err(|_| IdError::Text)?))
            }

            fn from_u128(value: u128) -> Result<Self, IdError> {
                let accepts: &[u8] = $accepts;
                if accepts.contains(&kind_of(value)) { Ok(Self(value)) } else { Err(IdError::Kind) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = encode(self.0);
                f.write_str(std::str::from_utf8(&text).expect("ids are ASCII"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::from_u128(decode(text)?)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(std::str::from_utf8(&encode(self.0)).expect("ids are ASCII"))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an id such as u_ and 26 letters")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                d.deserialize_str(Text).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "pattern": concat!("^", $form, "[0-9a-hjkmnp-tv-z]{21}$"), "description": $about})
            }
        }
    };
}

id!(
    /// A person.
    UserId,
    &[USER],
    "A person. Opaque, for ever the same.",
    "u_[0-7][0-9a-hjkmnp-tv-z]{2}[048cgmrw][89a-f]"
);
id!(
    /// A direct conversation, a group or a channel.
    ConversationId,
    &[DIRECT, GROUP, CHANNEL],
    "A conversation. Opaque, for ever the same.",
    "(d_[0-7][0-9a-hjkmnp-tv-z]{2}[048cgmrw][ghjkmnpq]|g_[0-7][0-9a-hjkmnp-tv-z]{2}[048cgmrw][r-tv-z]|c_[0-7][0-9a-hjkmnp-tv-z]{2}[159dhnsx][0-7])"
);
id!(
    /// A log-in of a person on a device.
    SessionId,
    &[SESSION],
    "A log-in on a device.",
    "s_[0-7][0-9a-hjkmnp-tv-z]{2}[159dhnsx][89a-f]"
);

// === impl UserId ===

impl UserId {
    /// The id of a new person: in the slot of their username, with the time of sign-up and 60 random bits.
    pub fn new(canonical_username: &str, now: Millis, random: u64) -> Self {
        let rest = ((now.0 as u128 & ((1 << 48) - 1)) << 60) | (u128::from(random) & ((1 << 60) - 1));
        Self(compose(Slot::of_username(canonical_username), USER, rest))
    }
}

// === impl SessionId ===

impl SessionId {
    /// A new session, in the slot of its person.
    pub fn new(user: UserId, random: u128) -> Self {
        Self(compose(user.slot(), SESSION, random))
    }
}

// === impl ConversationId ===

impl ConversationId {
    /// The one direct conversation of two people. Anyone can compute it.
    pub fn direct(a: UserId, b: UserId) -> Self {
        let (small, large) = if a < b { (a, b) } else { (b, a) };
        let mut key = [0_u8; 32];
        key[..16].copy_from_slice(&small.to_bytes());
        key[16..].copy_from_slice(&large.to_bytes());
        let hash = xxh3_128(&key);
        let slot = if hash >> 127 == 0 { small.slot() } else { large.slot() };
        Self(compose(slot, DIRECT, hash))
    }

    /// A group of these bits, which are random or a digest of the creator's key.
    pub fn group(bits: u128) -> Self {
        Self::of_rest(GROUP, bits)
    }

    /// A channel of these bits, which are random or a digest of the creator's key.
    pub fn channel(bits: u128) -> Self {
        Self::of_rest(CHANNEL, bits)
    }

    /// Direct, group or channel.
    pub fn kind(self) -> Kind {
        match kind_of(self.0) {
            DIRECT => Kind::Direct,
            GROUP => Kind::Group,
            _ => Kind::Channel,
        }
    }

    fn of_rest(kind: u8, bits: u128) -> Self {
        let rest = bits & REST_MASK;
        Self(compose(Slot::of(&rest.to_be_bytes()), kind, rest))
    }
}

fn compose(slot: Slot, kind: u8, rest: u128) -> u128 {
    (u128::from(slot.0) << 112) | (u128::from(kind) << REST_BITS) | (rest & REST_MASK)
}

fn kind_of(value: u128) -> u8 {
    ((value >> REST_BITS) & 0xf) as u8
}

fn prefix_of(kind: u8) -> u8 {
    match kind {
        USER => b'u',
        DIRECT => b'd',
        GROUP => b'g',
        CHANNEL => b'c',
        _ => b's',
    }
}

fn encode(value: u128) -> [u8; TEXT_LEN] {
    let mut text = [0_u8; TEXT_LEN];
    text[0] = prefix_of(kind_of(value));
    text[1] = b'_';
    for (i, letter) in text[2..].iter_mut().enumerate() {
        *letter = ALPHABET[((value >> (5 * (25 - i))) & 31) as usize];
    }
    text
}

fn decode(text: &str) -> Result<u128, IdError> {
    let text = text.as_bytes();
    if text.len() != TEXT_LEN || text[1] != b'_' {
        return Err(IdError::Text);
    }
    let mut value: u128 = 0;
    for (i, letter) in text[2..].iter().enumerate() {
        let digit = ALPHABET.iter().position(|l| l == letter).ok_or(IdError::Text)? as u128;
        if i == 0 && digit > 7 {
            return Err(IdError::Text);
        }
        value = (value << 5) | digit;
    }
    if text[0] == prefix_of(kind_of(value)) { Ok(value) } else { Err(IdError::Text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_read_back_as_written(bits: u128, random: u64, at in 0_i64..1 << 47) {
            let user = UserId::new("anna", Millis(at), random);
            prop_assert_eq!(user.to_string().parse::<UserId>(), Ok(user));
            prop_assert_eq!(user.slot(), Slot::of_username("anna"));
            let group = ConversationId::group(bits);
            prop_assert_eq!(group.to_string().parse::<ConversationId>(), Ok(group));
            prop_assert_eq!(group.kind(), Kind::Group);
            prop_assert_eq!(ConversationId::from_uuid(group.uuid()), Ok(group));
            prop_assert!(group.to_string().parse::<UserId>().is_err());
        }

        #[test]
        fn no_text_is_read_as_another_id(text in "[ugdc]_[0-9a-z]{26}") {
            if let Ok(id) = text.parse::<UserId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }

        #[test]
        fn a_direct_conversation_is_the_same_from_both_sides(x: u64, y: u64) {
            let (a, b) = (UserId::new("anna", Millis(1), x), UserId::new("ben", Millis(2), y));
            let direct = ConversationId::direct(a, b);
            prop_assert_eq!(direct, ConversationId::direct(b, a));
            prop_assert!(direct.slot() == a.slot() || direct.slot() == b.slot());
        }
    }
}
