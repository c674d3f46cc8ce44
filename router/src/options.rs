//! What a router is told when it is started.

use skep_gate::{RateLimits, TrustedProxies};

use crate::{Config, Patience, Room};

/// All that is not where it listens and what it follows.
#[derive(Clone, Debug)]
pub struct Options {
    pub public_url: String,
    pub rate_limits: RateLimits,
    pub trusted_proxies: TrustedProxies,
    pub allowed_origins: Vec<String>,
    pub patience: Patience,
    pub room: Room,
}

impl From<Config> for Options {
    fn from(config: Config) -> Self {
        Self {
            public_url: config.public_url,
            rate_limits: config.rate_limits,
            trusted_proxies: config.trusted_proxies,
            allowed_origins: config.allowed_origins,
            patience: Patience::default(),
            room: Room::default(),
        }
    }
}
