//! What a public door asks before it lets anybody in: from where a call comes (`Address`, `TrustedProxies`), whether
//! a browser's page may make it (`Origins`), whether it comes too often (`Limiter`), and whether there is a place for
//! it (`Places`). Routers and cells' sockets use the same, so that a setting means the same at both.

mod address;
mod kept;
mod kind;
mod limiter;
mod origins;
mod places;
mod proxies;
mod rate;
mod rate_limits;
mod standing;

pub use address::Address;
pub use kind::Kind;
pub use limiter::{Limited, Limiter};
pub use origins::{NotAnOrigin, Origins};
pub use places::{Place, Places};
pub use proxies::TrustedProxies;
pub use rate::{NotARate, Rate};
pub use rate_limits::RateLimits;
pub use standing::{HEADERS, Standing};
