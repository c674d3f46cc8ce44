//! How often people may do what. A person has one cell, so what they do by any router and any socket is counted in one
//! place; a login's attempts are counted where its password is looked up or its address claimed, wherever they come
//! from.

use serde_json::Number;
use skep_gate::{Kind, Limited, Limiter, Rate, RateLimits, Standing};
use skep_protocol::UserId;
use xxhash_rust::xxh3::xxh3_128;

/// People, or logins, that limits remember, for each kind of call: those who did something in the last minutes. About
/// 10 MiB a kind.
const REMEMBERED: usize = 200_000;

/// The buckets of this cell's people.
pub struct Rates {
    messages: Option<Limiter<UserId>>,
    searches: Option<Limiter<UserId>>,
    joins: Option<Limiter<UserId>>,
    calls: Option<Limiter<UserId>>,
    /// By a digest: logins are of any length.
    log_ins: Option<Limiter<u128>>,
}

// === impl Rates ===

impl Rates {
    pub fn new(limits: &RateLimits) -> Self {
        let limiter = |rate: Option<Rate>| rate.map(|rate| Limiter::new(rate, REMEMBERED));
        Self {
            messages: limiter(limits.messages),
            searches: limiter(limits.searches),
            joins: limiter(limits.joins),
            calls: limiter(limits.calls),
            log_ins: limits.log_ins_per_login.map(|rate| Limiter::new(rate, REMEMBERED)),
        }
    }

    /// One thing of this kind that somebody does. `None`: as often as they like.
    pub fn take(&self, user: UserId, kind: Kind) -> Result<Option<Standing>, Limited> {
        let limiter = match kind {
            Kind::Message => &self.messages,
            Kind::Search => &self.searches,
            Kind::Join => &self.joins,
            Kind::SignUp | Kind::LogIn | Kind::Other => &self.calls,
        };
        limiter.as_ref().map(|limiter| limiter.take(&user)).transpose()
    }

    /// An attempt to log in, whoever makes it.
    pub fn log_in(&self, canonical_login: &str) -> Result<Option<Standing>, Limited> {
        let key = xxh3_128(canonical_login.as_bytes());
        self.log_ins.as_ref().map(|limiter| limiter.take(&key)).transpose()
    }

    /// How many messages at once and a second a person may send, as sockets are told. Without limits: more than anybody
    /// sends.
    pub fn messages(&self) -> (u32, Number) {
        let Some(rate) = self.messages.as_ref().map(Limiter::rate) else { return (u32::MAX, u32::MAX.into()) };
        let per_s = 1.0 / rate.every().as_secs_f64();
        let fraction = || Number::from_f64(per_s).unwrap_or_else(|| 0.into());
        (rate.burst(), if per_s.fract() == 0.0 { (per_s as u64).into() } else { fraction() })
    }

    /// Forgets who did nothing for a while.
    pub fn tidy(&self) {
        [&self.messages, &self.searches, &self.joins, &self.calls].into_iter().flatten().for_each(Limiter::tidy);
        self.log_ins.iter().for_each(Limiter::tidy);
    }
}

#[cfg(test)]
mod tests {
    use skep_protocol::Millis;

    use super::*;

    #[test]
    fn kinds_have_buckets_of_their_own_and_sockets_are_told_the_true_rate() {
        let limits = RateLimits {
            messages: "2 then 1/h".parse().ok(),
            calls: "1 then 1/h".parse().ok(),
            log_ins_per_login: "1 then 1/h".parse().ok(),
            ..RateLimits::OFF
        };
        let rates = Rates::new(&limits);
        let (anna, ben) = (UserId::new("anna", Millis(1), 1), UserId::new("ben", Millis(1), 1));
        assert!(rates.take(anna, Kind::Message).is_ok() && rates.take(anna, Kind::Message).is_ok());
        assert!(rates.take(anna, Kind::Message).is_err());
        assert_eq!(rates.take(anna, Kind::Other).unwrap().unwrap().remaining, 0);
        assert!(rates.take(anna, Kind::Other).is_err() && rates.take(ben, Kind::Message).is_ok());
        assert_eq!(rates.take(anna, Kind::Search), Ok(None));
        assert!(rates.log_in("anna").is_ok() && rates.log_in("anna").is_err() && rates.log_in("ben").is_ok());
        assert_eq!(rates.messages(), (2, Number::from_f64(1.0 / 3600.0).unwrap()));
        assert_eq!(Rates::new(&RateLimits::default()).messages(), (60, 1.into()));
        assert_eq!(Rates::new(&RateLimits::OFF).messages().0, u32::MAX);
    }
}
