//! Proxies that say for whom they ask.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de::Error};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Networks of proxies whose X-Forwarded-For is believed. Nobody else's is: anybody can write one.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who asks: the peer, or the rightmost that a trusted proxy names and that is none itself. What stands left of it
    /// may be anybody's invention.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let named: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
            .collect();
        for name in named.into_iter().rev() {
            if !self.trusts(client) {
                break;
            }
            let Some(address) = address(name.trim()) else { break };
            client = address.to_canonical();
        }
        client
    }
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

impl From<IpAddr> for TrustedProxies {
    fn from(proxy: IpAddr) -> Self {
        Self(vec![proxy.into()])
    }
}

impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parse = |text: String| {
            let network = text.parse::<IpAddr>().map(IpNet::from).or_else(|_| text.parse::<IpNet>());
            network.map_err(|_| D::Error::custom(format!("{text:?} is no address and no network such as 10.0.0.0/8")))
        };
        Vec::<String>::deserialize(deserializer)?.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Setting {
        proxies: TrustedProxies,
    }

    #[test]
    fn the_rightmost_that_is_no_proxy_of_ours_is_the_client() {
        let setting = r#"proxies = ["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]"#;
        let proxies = toml::from_str::<Setting>(setting).unwrap().proxies;
        for (peer, named, client) in [
            ("203.0.113.1", &["198.51.100.1"][..], "203.0.113.1"),
            ("10.1.1.1", &[], "10.1.1.1"),
            ("10.1.1.1", &["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.1.1.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.1.1.1", &["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            ("10.1.1.1", &["6.6.6.6", "198.51.100.1, 10.2.2.2"], "198.51.100.1"),
            ("2001:db8::1", &["6.6.6.6, 2a00::1,192.0.2.7"], "2a00::1"),
            ("192.0.2.7", &["[2a00::1]:443"], "2a00::1"),
            ("192.0.2.7", &["198.51.100.1:8080"], "198.51.100.1"),
            // What cannot be read ends the search at who wrote it.
            ("10.1.1.1", &["6.6.6.6, unknown"], "10.1.1.1"),
            ("10.1.1.1", &["6.6.6.6, , 10.2.2.2"], "10.2.2.2"),
            ("10.1.1.1", &["10.3.3.3"], "10.3.3.3"),
        ] {
            let mut headers = HeaderMap::new();
            for value in named {
                headers.append(FORWARDED_FOR, HeaderValue::from_static(value));
            }
            let found = proxies.client(peer.parse().unwrap(), &headers);
            assert_eq!(found, client.parse::<IpAddr>().unwrap(), "{peer} {named:?}");
        }
        let error = toml::from_str::<Setting>(r#"proxies = ["10.0.0.0/33"]"#).unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/33"), "{error}");
    }
}
