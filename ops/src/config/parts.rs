//! The three configurations: example values and checks.

use std::net::SocketAddr;

use skep_gate::RateLimits;
use skep_inside::ClusterSecret;
use skep_tls::{MutualFiles, TlsError, TlsFiles};

use crate::config::{
    Part,
    Value::{self, Default, Optional, Required},
    check,
};

const SECRET: Value = Required(r#""file:/etc/skep/cluster-secret""#);
const TLS: Value = Optional(r#"{ certificate = "/etc/skep/chat.pem", key = "/etc/skep/chat.key" }"#);
const INNER_TLS: Value =
    Optional(r#"{ ca = "/etc/skep/inner-ca.pem", certificate = "/etc/skep/inner.pem", key = "/etc/skep/inner.key" }"#);

impl Part for skep_directory::Config {
    const NAME: &'static str = "directory";
    const SOURCE: &'static str = include_str!("../../../directory/src/service.rs");
    const VALUES: &'static [(&'static str, Value)] = &[
        ("listen", Required(r#""127.0.0.1:7701""#)),
        ("admin_listen", Required(r#""127.0.0.1:7702""#)),
        ("database", Required(r#""host=/run/postgresql dbname=skep_directory user=skep""#)),
        ("cluster_secret", SECRET),
        ("inner_tls", INNER_TLS),
    ];

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![("listen", self.listen), ("admin_listen", self.admin_listen)]
    }

    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        note(&mut faults, "database", check::database(&self.database));
        faults
    }

    fn unusable(&self) -> Vec<(&'static str, String)> {
        [secret(&self.cluster_secret), certificate("inner_tls", self.inner_tls.as_ref().map(MutualFiles::check))]
            .concat()
    }
}

impl Part for skep_router::Config {
    const NAME: &'static str = "router";
    const SOURCE: &'static str = include_str!("../../../router/src/config.rs");
    const VALUES: &'static [(&'static str, Value)] = &[
        ("listen", Required(r#""0.0.0.0:7700""#)),
        ("tls", TLS),
        ("admin_listen", Required(r#""127.0.0.1:7703""#)),
        ("directory", Required(r#""http://127.0.0.1:7701""#)),
        ("cluster_secret", SECRET),
        ("inner_tls", INNER_TLS),
        ("data_dir", Required(r#""/var/lib/skep/router""#)),
        ("public_url", Required(r#""https://chat.example.org""#)),
        ("rate_limits", Default(RateLimits::DEFAULT)),
        ("trusted_proxies", Default("[]")),
        ("allowed_origins", Default("[]")),
    ];

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![("listen", self.listen), ("admin_listen", self.admin_listen)]
    }

    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        note(&mut faults, "directory", check::url(&self.directory, &["http", "https"]));
        note(&mut faults, "directory", check::inner_scheme(&self.directory, self.inner_tls.is_some()));
        note(&mut faults, "public_url", check::url(&self.public_url, &["http", "https"]));
        note(&mut faults, "public_url", check::public_scheme(&self.public_url, "https", self.tls.as_ref()));
        note(&mut faults, "allowed_origins", check::origins(&self.allowed_origins));
        faults
    }

    fn unusable(&self) -> Vec<(&'static str, String)> {
        [
            secret(&self.cluster_secret),
            certificate("tls", self.tls.as_ref().map(TlsFiles::check)),
            certificate("inner_tls", self.inner_tls.as_ref().map(MutualFiles::check)),
        ]
        .concat()
    }
}

impl Part for skep_cell::Config {
    const NAME: &'static str = "cell";
    const SOURCE: &'static str = include_str!("../../../cell/src/config.rs");
    const VALUES: &'static [(&'static str, Value)] = &[
        ("cell_id", Required("1")),
        ("expected_cells", Required("3")),
        ("directory", Required(r#""http://127.0.0.1:7701""#)),
        ("cluster_secret", SECRET),
        ("inner_tls", INNER_TLS),
        ("database", Required(r#""host=/run/postgresql dbname=skep_cell user=skep""#)),
        ("redis", Optional(r#""redis+unix:///run/redis/redis.sock""#)),
        ("socket_listen", Required(r#""0.0.0.0:7711""#)),
        ("tls", TLS),
        ("socket_url", Required(r#""wss://cell-1.chat.example.org/v1/socket""#)),
        ("http_listen", Required(r#""10.0.0.11:7721""#)),
        ("http_address", Optional(r#""cell-1.internal:7721""#)),
        ("relay_listen", Required(r#""10.0.0.11:7731""#)),
        ("relay_address", Optional(r#""cell-1.internal:7731""#)),
        ("admin_listen", Required(r#""127.0.0.1:7741""#)),
        ("data_dir", Required(r#""/var/lib/skep/cell-1""#)),
        ("public_url", Required(r#""https://chat.example.org""#)),
        ("home_lanes", Default("2")),
        ("rate_limits", Default(RateLimits::DEFAULT)),
        ("trusted_proxies", Default("[]")),
        ("allowed_origins", Default("[]")),
        ("images_bucket", Optional(r#""skep""#)),
        ("images_endpoint", Optional(r#""https://s3.example.org""#)),
        ("images_region", Default(r#""us-east-1""#)),
        ("images_access_key", Optional(r#""skep-cell-1""#)),
        ("images_secret_key", Optional(r#""...""#)),
    ];

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![
            ("socket_listen", self.socket_listen),
            ("http_listen", self.http_listen),
            ("relay_listen", self.relay_listen),
            ("admin_listen", self.admin_listen),
        ]
    }

    fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        note(&mut faults, "cell_id", check::at_least_one(self.cell_id.into()));
        note(&mut faults, "expected_cells", check::at_least_one(self.expected_cells.into()));
        note(&mut faults, "home_lanes", check::at_least_one(self.home_lanes.into()));
        note(&mut faults, "directory", check::url(&self.directory, &["http", "https"]));
        note(&mut faults, "directory", check::inner_scheme(&self.directory, self.inner_tls.is_some()));
        note(&mut faults, "database", check::database(&self.database));
        note(&mut faults, "redis", self.redis.as_deref().map_or(Ok(()), check::redis));
        for (listen, address, key, address_key) in [
            (self.http_listen, self.http_address.as_deref(), "http_listen", "http_address"),
            (self.relay_listen, self.relay_address.as_deref(), "relay_listen", "relay_address"),
        ] {
            note(&mut faults, key, check::findable(listen, address_key, address));
            note(&mut faults, address_key, address.map_or(Ok(()), check::host_and_port));
        }
        note(&mut faults, "images_bucket", check::bucket(self));
        if let Some(endpoint) = &self.images_endpoint {
            note(&mut faults, "images_endpoint", check::url(endpoint, &["http", "https"]));
        }
        note(&mut faults, "socket_url", check::url(&self.socket_url, &["ws", "wss"]));
        note(&mut faults, "socket_url", check::public_scheme(&self.socket_url, "wss", self.tls.as_ref()));
        note(&mut faults, "public_url", check::url(&self.public_url, &["http", "https"]));
        note(&mut faults, "allowed_origins", check::origins(&self.allowed_origins));
        faults
    }

    fn unusable(&self) -> Vec<(&'static str, String)> {
        [
            secret(&self.cluster_secret),
            certificate("tls", self.tls.as_ref().map(TlsFiles::check)),
            certificate("inner_tls", self.inner_tls.as_ref().map(MutualFiles::check)),
        ]
        .concat()
    }
}

fn secret(secret: &ClusterSecret) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    note(&mut faults, "cluster_secret", secret.load().map(|_| ()).map_err(|error| error.to_string()));
    faults
}

/// What is wrong with the files of a certificate.
fn certificate(key: &'static str, checked: Option<Result<(), TlsError>>) -> Vec<(&'static str, String)> {
    checked.and_then(Result::err).map(|error| (key, error.to_string())).into_iter().collect()
}

fn note(faults: &mut Vec<(&'static str, String)>, key: &'static str, checked: Result<(), String>) {
    if let Err(reason) = checked {
        faults.push((key, reason));
    }
}
