//! How a caller stands, as answers say it.

use http::{HeaderMap, HeaderName};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The headers of a standing.
pub const HEADERS: [HeaderName; 3] = [LIMIT, REMAINING, RESET];

/// A bucket after a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// What fits in the bucket.
    pub limit: u32,
    /// What is in it.
    pub remaining: u32,
    /// Until it is full, in whole seconds, rounded up.
    pub reset_s: u64,
}

impl Standing {
    /// The tighter of two: whichever refuses first, and of equals the one that takes longer to fill.
    pub fn tighter(self, other: Option<Self>) -> Self {
        match other {
            Some(other) if (other.remaining, u64::MAX - other.reset_s) < (self.remaining, u64::MAX - self.reset_s) => {
                other
            }
            _ => self,
        }
    }

    /// What an answer says, if it does.
    pub fn read(headers: &HeaderMap) -> Option<Self> {
        let number = |name| headers.get(name)?.to_str().ok()?.parse::<u64>().ok();
        Some(Self {
            limit: u32::try_from(number(LIMIT)?).ok()?,
            remaining: u32::try_from(number(REMAINING)?).ok()?,
            reset_s: number(RESET)?,
        })
    }

    pub fn write(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, self.reset_s.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_one_is_told_and_read_back() {
        let standing = |remaining, reset_s| Standing { limit: 9, remaining, reset_s };
        for (one, other, tighter) in [
            (standing(3, 1), Some(standing(2, 9)), standing(2, 9)),
            (standing(2, 1), Some(standing(3, 9)), standing(2, 1)),
            (standing(2, 1), Some(standing(2, 9)), standing(2, 9)),
            (standing(2, 1), None, standing(2, 1)),
        ] {
            assert_eq!(one.tighter(other), tighter);
            let mut headers = HeaderMap::new();
            assert_eq!(Standing::read(&headers), None);
            tighter.write(&mut headers);
            assert_eq!(Standing::read(&headers), Some(tighter));
        }
    }
}
