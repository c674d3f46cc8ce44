//! The sync token: where each lane of a cell stood. Opaque to clients.

use skep_protocol::{CellId, Era, Lane, Pos};

/// Positions of all lanes of a cell, mirror lane first (index = lane).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub cell: CellId,
    pub era: Era,
    pub positions: Vec<Pos>,
}

/// A text that is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sync token")]
pub struct TokenError;

impl Token {
    /// The position of a lane; lanes it does not know stand at zero.
    pub fn position(&self, lane: Lane) -> Pos {
        self.positions.get(usize::from(lane.0)).copied().unwrap_or(Pos::ZERO)
    }

    /// As text: `1.CELL.ERA.POS.POS...` in decimal, with a check sum that catches damage.
    pub fn to_text(&self) -> String {
        let mut text = format!("1.{}.{}", self.cell.0, self.era.0);
        for pos in &self.positions {
            text.push('.');
            text.push_str(&pos.0.to_string());
        }
        let check = checksum(&text);
        format!("{text}.{check:04x}")
    }

    /// Reads a text back. A damaged one is an error, which clients never see: they get a full sync.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let (body, check) = text.rsplit_once('.').ok_or(TokenError)?;
        if u16::from_str_radix(check, 16) != Ok(checksum(body)) || check.len() != 4 {
            return Err(TokenError);
        }
        let mut parts = body.split('.');
        if parts.next() != Some("1") {
            return Err(TokenError);
        }
        let cell = parts.next().and_then(|p| p.parse().ok()).map(CellId).ok_or(TokenError)?;
        let era = parts.next().and_then(|p| p.parse().ok()).map(Era).ok_or(TokenError)?;
        let positions: Result<Vec<Pos>, _> = parts.map(|p| p.parse().map(Pos).map_err(|_| TokenError)).collect();
        Ok(Self { cell, era, positions: positions? })
    }
}

fn checksum(text: &str) -> u16 {
    skep_protocol::Slot::of(text.as_bytes()).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_damage_is_seen() {
        let token = Token { cell: CellId(3), era: Era(1), positions: vec![Pos(7), Pos(0), Pos(u64::MAX)] };
        let text = token.to_text();
        assert_eq!(Token::parse(&text), Ok(token));
        for i in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[i] = if damaged[i] == b'5' { b'6' } else { b'5' };
            assert!(Token::parse(std::str::from_utf8(&damaged).unwrap()).is_err(), "{i}");
        }
        assert!(Token::parse("").is_err());
    }
}
