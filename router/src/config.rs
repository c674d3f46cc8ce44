//! How a router is run.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use skep_gate::{RateLimits, TrustedProxies};
use skep_inside::ClusterSecret;
use skep_tls::{MutualFiles, TlsFiles};

/// The settings of one router's process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where people's calls come in (HTTP, or HTTPS where `tls` is given).
    pub listen: SocketAddr,
    /// The certificate that people are shown, with those between it and its authority, and its key (PEM files). Both
    /// are followed: a renewed pair is used within seconds. Without it this port speaks plain HTTP.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Health and metrics.
    pub admin_listen: SocketAddr,
    /// The directory's gRPC address, such as http://127.0.0.1:7701.
    pub directory: String,
    /// What the parts of this deployment show one another: 32 letters or more, the same everywhere, in a file that only
    /// they can read. To change it, give every part both in turn, a line each: the first is shown, all are accepted.
    pub cluster_secret: ClusterSecret,
    /// TLS between the parts, both ways: this deployment's own authority, and this part's certificate and key (PEM
    /// files, followed). Certificates are in the name of skep.internal. All parts have it, or none.
    #[serde(default)]
    pub inner_tls: Option<MutualFiles>,
    /// A folder of this router's own, for the map: with it the router starts while the directory is away.
    pub data_dir: PathBuf,
    /// The router's address as people reach it, such as https://chat.example.org.
    pub public_url: String,
    /// How often who may do what: "on", "off" (for load runs), or a table of what is to differ from these, each of
    /// which may be "off". A router counts what is per address, cells what is per person; give all the same table.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// Proxies in front of this router, as addresses or networks: of their X-Forwarded-For, the rightmost address that
    /// is none of them is the caller's. Nobody else's is believed.
    #[serde(default)]
    pub trusted_proxies: TrustedProxies,
    /// Origins besides the public address whose pages may call, such as a development server's; `*` allows all.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
}
