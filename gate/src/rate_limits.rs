//! All limits of a deployment, as its configurations name them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::Rate;

/// How often who may do what. The same table suits routers, which count by address, and cells, which count by person;
/// each reads what is its own. `None`: as often as they like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RateLimits {
    /// Messages of a person, by socket and HTTP together.
    pub messages: Option<Rate>,
    /// Searches and look-ups of a person.
    pub searches: Option<Rate>,
    /// Joins and changes of members by a person.
    pub joins: Option<Rate>,
    /// All other calls, and other frames, of a person.
    pub calls: Option<Rate>,
    /// Sign-ups from an address.
    pub sign_ups: Option<Rate>,
    /// Log-ins from an address.
    pub log_ins: Option<Rate>,
    /// Log-ins with one login, from wherever.
    pub log_ins_per_login: Option<Rate>,
    /// All other calls from an address.
    pub calls_per_address: Option<Rate>,
    /// Connections of an address to a router.
    pub connections_per_address: Option<usize>,
    /// Sockets of an address to a cell.
    pub sockets_per_address: Option<usize>,
}

impl RateLimits {
    /// No limits at all: for load runs, which come from one address.
    pub const OFF: Self = Self {
        messages: None,
        searches: None,
        joins: None,
        calls: None,
        sign_ups: None,
        log_ins: None,
        log_ins_per_login: None,
        calls_per_address: None,
        connections_per_address: None,
        sockets_per_address: None,
    };

    /// What holds by default, as configurations write it.
    pub const DEFAULT: &'static str = r#"{ messages = "60 then 1/s", searches = "30 then 1/s", joins = "30 then 1/2s", calls = "100 then 10/s", sign_ups = "5 then 1/min", log_ins = "10 then 1/min", log_ins_per_login = "5 then 1/min", calls_per_address = "300 then 50/s", connections_per_address = 512, sockets_per_address = 4096 }"#;
}

impl Default for RateLimits {
    fn default() -> Self {
        let rate = |text: &str| Some(text.parse().expect("a rate of our own"));
        Self {
            messages: rate("60 then 1/s"),
            searches: rate("30 then 1/s"),
            joins: rate("30 then 1/2s"),
            calls: rate("100 then 10/s"),
            sign_ups: rate("5 then 1/min"),
            log_ins: rate("10 then 1/min"),
            log_ins_per_login: rate("5 then 1/min"),
            calls_per_address: rate("300 then 50/s"),
            // A sixteenth of a router's: whole schools and mobile networks are behind one address.
            connections_per_address: Some(512),
            // The same people, each with a socket that stays.
            sockets_per_address: Some(4_096),
        }
    }
}

// === as configurations write it: "on", "off", or a table of what differs from the defaults ===

impl<'de> Deserialize<'de> for RateLimits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Setting)
    }
}

struct Setting;

impl<'de> Visitor<'de> for Setting {
    type Value = RateLimits;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"on\", \"off\", or a table of rates such as { messages = \"60 then 1/s\" }")
    }

    fn visit_bool<E: Error>(self, on: bool) -> Result<RateLimits, E> {
        Ok(if on { RateLimits::default() } else { RateLimits::OFF })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<RateLimits, E> {
        match text {
            "on" => Ok(RateLimits::default()),
            "off" => Ok(RateLimits::OFF),
            other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RateLimits, A::Error> {
        let Table {
            messages,
            searches,
            joins,
            calls,
            sign_ups,
            log_ins,
            log_ins_per_login,
            calls_per_address,
            connections_per_address,
            sockets_per_address,
        } = Table::deserialize(MapAccessDeserializer::new(map))?;
        let default = RateLimits::default();
        let rate = |setting: Option<OrOff<Rate>>, default| setting.map_or(default, |setting| setting.0);
        let count = |setting: Option<OrOff<usize>>, default| setting.map_or(default, |setting| setting.0);
        Ok(RateLimits {
            messages: rate(messages, default.messages),
            searches: rate(searches, default.searches),
            joins: rate(joins, default.joins),
            calls: rate(calls, default.calls),
            sign_ups: rate(sign_ups, default.sign_ups),
            log_ins: rate(log_ins, default.log_ins),
            log_ins_per_login: rate(log_ins_per_login, default.log_ins_per_login),
            calls_per_address: rate(calls_per_address, default.calls_per_address),
            connections_per_address: count(connections_per_address, default.connections_per_address),
            sockets_per_address: count(sockets_per_address, default.sockets_per_address),
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    messages: Option<OrOff<Rate>>,
    searches: Option<OrOff<Rate>>,
    joins: Option<OrOff<Rate>>,
    calls: Option<OrOff<Rate>>,
    sign_ups: Option<OrOff<Rate>>,
    log_ins: Option<OrOff<Rate>>,
    log_ins_per_login: Option<OrOff<Rate>>,
    calls_per_address: Option<OrOff<Rate>>,
    connections_per_address: Option<OrOff<usize>>,
    sockets_per_address: Option<OrOff<usize>>,
}

/// A limit, or `"off"`.
struct OrOff<T>(Option<T>);

impl<'de> Deserialize<'de> for OrOff<Rate> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "off" => Ok(Self(None)),
            text => text.parse().map(|rate| Self(Some(rate))).map_err(D::Error::custom),
        }
    }
}

impl<'de> Deserialize<'de> for OrOff<usize> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(usize),
            Word(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(0) => Err(D::Error::custom("0 lets nobody in; it is a number from 1, or \"off\"")),
            Written::Number(number) => Ok(Self(Some(number))),
            Written::Word(word) if word == "off" => Ok(Self(None)),
            Written::Word(word) => Err(D::Error::custom(format!("{word:?} is neither a number nor \"off\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Config {
        rate_limits: RateLimits,
    }

    fn read(text: &str) -> Result<RateLimits, String> {
        toml::from_str::<Config>(text).map(|config| config.rate_limits).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_a_word_or_a_table_of_what_differs() {
        let default = RateLimits::default();
        assert_eq!(read("rate_limits = \"off\""), Ok(RateLimits::OFF));
        assert_eq!(read("rate_limits = false"), Ok(RateLimits::OFF));
        assert_eq!(read("rate_limits = \"on\""), Ok(default));
        assert_eq!(read(&format!("rate_limits = {}", RateLimits::DEFAULT)), Ok(default));
        let some = read("[rate_limits]\nmessages = \"3 then 1/h\"\njoins = \"off\"\nsockets_per_address = 2").unwrap();
        let messages = "3 then 1/h".parse().ok();
        assert_eq!(some, RateLimits { messages, joins: None, sockets_per_address: Some(2), ..default });
        for (bad, why) in [
            ("rate_limits = 5", "\"off\""),
            ("rate_limits = \"sometimes\"", "\"off\""),
            ("[rate_limits]\nmessages = \"often\"", "often"),
            ("[rate_limits]\nmail = \"1 then 1/s\"", "mail"),
            ("[rate_limits]\nsockets_per_address = 0", "nobody"),
        ] {
            let error = read(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }
}
