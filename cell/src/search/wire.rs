//! What of search travels between cells.

use bytes::Bytes;
use skep_protocol::{CellId, Era, IdError, UserId, wire};

use super::{At, Copies, Found, Strangers};

impl From<Copies> for wire::PutPeopleRequest {
    fn from(copies: Copies) -> Self {
        let Copies { home, era, round_ms, people } = copies;
        Self { cell_id: home.0, era: era.0, round_ms, people }
    }
}

impl From<wire::PutPeopleRequest> for Copies {
    fn from(sent: wire::PutPeopleRequest) -> Self {
        Self { home: CellId(sent.cell_id), era: Era(sent.era), round_ms: sent.round_ms, people: sent.people }
    }
}

impl From<Found> for wire::FoundUser {
    fn from(found: Found) -> Self {
        let Found { user_id, username, display_name, image } = found;
        Self { user_id: Bytes::copy_from_slice(&user_id.to_bytes()), username, display_name, image }
    }
}

impl TryFrom<wire::FoundUser> for Found {
    type Error = IdError;

    fn try_from(user: wire::FoundUser) -> Result<Self, IdError> {
        let wire::FoundUser { user_id, username, display_name, image } = user;
        Ok(Self { user_id: UserId::from_bytes(&user_id)?, username, display_name, image })
    }
}

impl From<Strangers> for wire::SearchPosition {
    fn from(strangers: Strangers) -> Self {
        let (in_any_order, At { text, user }) = match strangers {
            Strangers::InOrder(at) => (false, at),
            Strangers::InAnyOrder(at) => (true, at),
        };
        Self { in_any_order, text, user_id: Bytes::copy_from_slice(user.as_bytes()) }
    }
}

impl TryFrom<wire::SearchPosition> for Strangers {
    type Error = uuid::Error;

    fn try_from(position: wire::SearchPosition) -> Result<Self, uuid::Error> {
        let at = At { text: position.text, user: uuid::Uuid::from_slice(&position.user_id)? };
        Ok(if position.in_any_order { Self::InAnyOrder(at) } else { Self::InOrder(at) })
    }
}
