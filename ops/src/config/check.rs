//! Checks of values whose type alone does not say enough. Each gives the reason why not.

use std::net::SocketAddr;
use std::str::FromStr;

use skep_gate::Origins;
use skep_tls::TlsFiles;

/// An address of another part or of this one, with one of these schemes.
pub(crate) fn url(text: &str, schemes: &[&str]) -> Result<(), String> {
    let uri = http::Uri::from_str(text).map_err(|error| format!("{text:?} is no URL: {error}"))?;
    if uri.authority().is_none_or(|authority| authority.host().is_empty()) {
        return Err(format!("{text:?} names no host"));
    }
    if !uri.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)) {
        return Err(format!("{text:?} does not begin with {}://", schemes.join(":// or ")));
    }
    Ok(())
}

/// Where this part speaks TLS itself, its public address says so. Without TLS here, a proxy in front may speak it.
pub(crate) fn public_scheme(url: &str, secure: &str, tls: Option<&TlsFiles>) -> Result<(), String> {
    if tls.is_some() && !url.starts_with(&format!("{secure}://")) {
        return Err(format!("{url:?} does not begin with {secure}://, but `tls` is set: people would not get through"));
    }
    Ok(())
}

/// Nobody is to believe that what goes inside is encrypted when it is not.
pub(crate) fn inner_scheme(url: &str, is_tls: bool) -> Result<(), String> {
    if !is_tls && url.starts_with("https://") {
        return Err(format!("{url:?} begins with https://, which needs `inner_tls`"));
    }
    Ok(())
}

/// A libpq connection string.
pub(crate) fn database(text: &str) -> Result<(), String> {
    let config = tokio_postgres::Config::from_str(text).map_err(|error| {
        format!("no connection string ({error}); it looks like host=/run/postgresql dbname=skep user=skep")
    })?;
    if config.get_hosts().is_empty() {
        return Err("names no host".to_owned());
    }
    Ok(())
}

pub(crate) fn redis(text: &str) -> Result<(), String> {
    let known = ["redis://", "rediss://", "redis+unix://", "unix://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(())
    } else {
        Err(format!("{text:?} begins with none of {}", known.join(", ")))
    }
}

pub(crate) fn origins(texts: &[String]) -> Result<(), String> {
    texts.iter().try_for_each(|text| Origins::check(text)).map_err(|error| error.to_string())
}

/// A bucket comes with a key and its secret, and they with a bucket.
pub(crate) fn bucket(cell: &skep_cell::Config) -> Result<(), String> {
    let has_keys = cell.images_access_key.is_some() && cell.images_secret_key.is_some();
    let has_any =
        cell.images_access_key.is_some() || cell.images_secret_key.is_some() || cell.images_endpoint.is_some();
    match &cell.images_bucket {
        Some(bucket) if bucket.is_empty() => Err("empty: leave it out to keep pictures in a folder".to_owned()),
        Some(_) if !has_keys => Err("a bucket needs images_access_key and images_secret_key too".to_owned()),
        None if has_any => Err("missing: the other keys of the store of pictures mean nothing without it".to_owned()),
        _ => Ok(()),
    }
}

pub(crate) fn at_least_one(number: u64) -> Result<(), String> {
    if number == 0 { Err("0 is none; counting begins at 1".to_owned()) } else { Ok(()) }
}

/// What listens at all addresses is found at none of them, unless another key says where.
pub(crate) fn findable(listen: SocketAddr, address_key: &str, address: Option<&str>) -> Result<(), String> {
    if listen.ip().is_unspecified() && address.is_none() {
        return Err(format!("{listen} is all addresses, at which nobody finds this cell: set `{address_key}` too"));
    }
    Ok(())
}

pub(crate) fn host_and_port(text: &str) -> Result<(), String> {
    match http::uri::Authority::from_str(text) {
        Ok(authority) if authority.port_u16().is_some() && !text.contains('@') => Ok(()),
        _ => Err(format!("{text:?} is no host:port")),
    }
}

/// No two listeners at one address; port 0 is a free one each time.
pub(crate) fn apart(listeners: &[(&'static str, SocketAddr)]) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    for (at, (key, address)) in listeners.iter().enumerate() {
        let earlier = &listeners[..at];
        if address.port() != 0
            && let Some((other, _)) = earlier.iter().find(|(_, earlier)| earlier == address)
        {
            faults.push((*key, format!("{address} is also `{other}`")));
        }
    }
    faults
}
