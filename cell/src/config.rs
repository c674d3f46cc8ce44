//! How a cell is run.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};
use skep_gate::{RateLimits, TrustedProxies};
use skep_inside::ClusterSecret;
use skep_tls::{MutualFiles, TlsFiles};

/// The settings of one cell's process.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which cell this is, from 1.
    pub cell_id: u32,
    /// Slots are handed out first when so many cells are known, so that they share evenly.
    pub expected_cells: u32,
    /// The directory's gRPC address, such as http://127.0.0.1:7701.
    pub directory: String,
    /// What the parts of this deployment show one another: 32 letters or more, the same everywhere, in a file that only
    /// they can read. To change it, give every part both in turn, a line each: the first is shown, all are accepted.
    pub cluster_secret: ClusterSecret,
    /// TLS between the parts, both ways: this deployment's own authority, and this part's certificate and key (PEM
    /// files, followed). Certificates are in the name of skep.internal. All parts have it, or none.
    #[serde(default)]
    pub inner_tls: Option<MutualFiles>,
    /// The cell's shard, as a libpq connection string.
    pub database: String,
    /// The cell's cache, such as redis+unix:///path/to/socket. Without it everything is right, only slower.
    #[serde(default)]
    pub redis: Option<String>,
    /// Where people's sockets come in.
    pub socket_listen: SocketAddr,
    /// The certificate that people are shown there, with those between it and its authority, and its key (PEM files).
    /// Both are followed: a renewed pair is used within seconds. Without it the socket is not encrypted by this cell.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// The socket's address as people reach it, such as ws://chat.example.org:7711/v1/socket; wss:// where
    /// `tls` is given, or a proxy in front of it has the certificate.
    pub socket_url: String,
    /// Where routers come in.
    pub http_listen: SocketAddr,
    /// Where routers find this cell (host:port), when that is not where it listens.
    #[serde(default)]
    pub http_address: Option<String>,
    /// Where other cells come in (gRPC).
    pub relay_listen: SocketAddr,
    /// Where other cells find this one (host:port), when that is not where it listens.
    #[serde(default)]
    pub relay_address: Option<String>,
    /// Health and metrics.
    pub admin_listen: SocketAddr,
    /// A folder of this cell's own, for the map.
    pub data_dir: PathBuf,
    /// The router's address as people reach it: links begin with it.
    pub public_url: String,
    /// Home lanes of a new shard. A kept shard has as many as it was made with.
    #[serde(default = "two")]
    pub home_lanes: u16,
    /// How often who may do what: "on", "off" (for load runs), or a table of what is to differ from these, each of
    /// which may be "off". A router counts what is per address, cells what is per person; give all the same table.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// Proxies in front of this cell's socket, as addresses or networks: of their X-Forwarded-For, the rightmost
    /// address that is none of them is the caller's. Nobody else's is believed.
    #[serde(default)]
    pub trusted_proxies: TrustedProxies,
    /// Origins besides the public address whose pages may open sockets; `*` allows all.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// A bucket for profile pictures, in any S3-compatible store. All cells may share one. Without it they are kept in
    /// the folder `images` of data_dir.
    #[serde(default)]
    pub images_bucket: Option<String>,
    /// Where the bucket's store is; Amazon's own when absent.
    #[serde(default)]
    pub images_endpoint: Option<String>,
    /// The bucket's region, as its store calls it.
    #[serde(default = "first_region")]
    pub images_region: String,
    /// The key by which the store knows this cell.
    #[serde(default)]
    pub images_access_key: Option<String>,
    /// What proves it. Better given as an environment variable than here.
    #[serde(default)]
    pub images_secret_key: Option<Secret>,
}

/// A value that is never shown, in logs or in errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The value itself, to be used and not kept.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // What else it could be would be named in the error.
        let text = String::deserialize(deserializer);
        text.map(Self).map_err(|_| de::Error::custom("a secret is a text; quote one that looks like a number"))
    }
}

fn two() -> u16 {
    2
}

fn first_region() -> String {
    "us-east-1".to_owned()
}
