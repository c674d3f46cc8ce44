//! Configuration of the parts: a TOML file, then the environment over it, checked whole before anything is bound.

mod check;
mod docs;
mod error;
mod fields;
mod parts;

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use serde::de::DeserializeOwned;

pub(crate) use error::ConfigError;

/// The configuration of one kind of part.
pub(crate) trait Part: DeserializeOwned + Send + 'static {
    /// As in `skep NAME`.
    const NAME: &'static str;
    /// The source that declares it: its doc comments are the example's comments.
    const SOURCE: &'static str;
    /// A value for each key, for the example.
    const VALUES: &'static [(&'static str, Value)];

    /// Where it listens, and the keys that say so.
    fn listeners(&self) -> Vec<(&'static str, SocketAddr)>;

    /// What is wrong with values that have the right type: key and reason.
    fn faults(&self) -> Vec<(&'static str, String)>;

    /// What is wrong with files that it names, and with secrets: key and reason.
    fn unusable(&self) -> Vec<(&'static str, String)>;
}

/// What stands in the example for a key, as TOML writes it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value {
    /// The key must be given; this is a possible value.
    Required(&'static str),
    /// What holds when the key is absent.
    Default(&'static str),
    /// The key may be absent, which is not the same as any value; this is a possible one.
    Optional(&'static str),
}

/// Reads and checks a configuration.
pub(crate) fn load<P: Part>(file: &Path) -> Result<P, ConfigError> {
    let text = std::fs::read_to_string(file).map_err(|source| ConfigError::Unreadable {
        file: file.to_owned(),
        part: P::NAME,
        source,
    })?;
    let figment = Figment::new().merge(Toml::string(&text)).merge(Env::prefixed("SKEP_").only(fields::of::<P>()));
    let config: P = figment.extract().map_err(|error| ConfigError::from_figment(file, error))?;
    let faults = [check::apart(&config.listeners()), config.faults(), config.unusable()].concat();
    if !faults.is_empty() {
        return Err(ConfigError::from_faults(file, &figment, faults));
    }
    let taken: Vec<_> = config.listeners().into_iter().filter_map(|(key, address)| taken(key, address)).collect();
    if taken.is_empty() { Ok(config) } else { Err(ConfigError::from_listeners(file, &figment, taken)) }
}

/// Why an address cannot be listened on. The part itself would say so too, but not with the file and the key.
fn taken(key: &'static str, address: SocketAddr) -> Option<(&'static str, String)> {
    let error = TcpListener::bind(address).err()?;
    Some((
        key,
        match error.kind() {
            ErrorKind::AddrInUse => {
                format!("{address} is taken by another program: stop that one, or take another port")
            }
            _ => format!("{address} cannot be listened on: {error}"),
        },
    ))
}

/// A commented configuration file.
pub(crate) fn example<P: Part>() -> String {
    docs::example::<P>(docs::Defaults::AsComments)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every key is in the example with its comment; the example is a configuration; the defaults that it names hold.
    fn is_true<P: Part + std::fmt::Debug>() {
        let written: Vec<_> = P::VALUES.iter().map(|(key, _)| *key).collect();
        assert_eq!(written, fields::of::<P>(), "the values beside skep {}'s Config", P::NAME);
        let parse = |text: &str| -> P { Figment::new().merge(Toml::string(text)).extract().unwrap() };
        let commented = parse(&docs::example::<P>(docs::Defaults::AsComments));
        let stated = parse(&docs::example::<P>(docs::Defaults::Stated));
        assert_eq!(format!("{commented:?}"), format!("{stated:?}"));
        assert_eq!(commented.faults(), []);
    }

    #[test]
    fn the_examples_are_true() {
        is_true::<skep_directory::Config>();
        is_true::<skep_router::Config>();
        is_true::<skep_cell::Config>();
    }
}
