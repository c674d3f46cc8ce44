//! The options of `skep up`.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use skep_tls::TlsFiles;

use crate::exit::Failure;

/// Cells of a new folder when nothing is said.
pub(crate) const CELLS: u32 = 3;

/// Far more than one machine makes sense for; ports are dealt out per cell.
const MOST_CELLS: u32 = 64;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The folder that holds everything; made at the first start.
    #[arg(long, value_name = "DIR", default_value = "data")]
    pub data: PathBuf,
    /// How many cells; fixed at the folder's first start [default: 3, or what the folder has]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_CELLS)))]
    pub cells: Option<u32>,
    /// The public HTTP port; cell N's socket is at this + 10 + N.
    #[arg(long, value_name = "PORT", default_value_t = 7700, value_parser = clap::value_parser!(u16).range(1..))]
    pub router_port: u16,
    /// How often one person may do what; off is for load runs.
    #[arg(long, value_name = "on|off", value_enum, hide_possible_values = true, default_value_t = RateLimits::On)]
    pub rate_limits: RateLimits,
    /// The name or address that people reach this machine by.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub public_host: String,
    /// The certificate of the public ports, with those between it and its authority (PEM): they speak TLS then. Followed:
    /// a renewed pair is used within seconds.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum RateLimits {
    On,
    Off,
}

impl Options {
    pub fn check(&self) -> Result<(), Failure> {
        let host = &self.public_host;
        if host.is_empty()
            || host.contains(['/', ' ', '@', '"'])
            || (host.contains(':') && self.host_address().is_none())
        {
            return Err(Failure::usage(format!("--public-host {host}: a name or an address, without scheme or port")));
        }
        if u32::from(self.router_port) + 10 + self.cells.unwrap_or(MOST_CELLS) > u32::from(u16::MAX) {
            return Err(Failure::usage(format!(
                "--router-port {}: the cells' sockets, at this + 10 + N, would be past port 65535",
                self.router_port
            )));
        }
        if let Some(tls) = self.tls()? {
            tls.check().map_err(|error| Failure::usage(format!("--tls-certificate, --tls-key: {error}")))?;
        }
        Ok(())
    }

    /// What the public ports show: by whole paths, for parts run elsewhere.
    pub fn tls(&self) -> Result<Option<TlsFiles>, Failure> {
        let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) else { return Ok(None) };
        let whole = |file: &PathBuf| {
            std::path::absolute(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
        };
        Ok(Some(TlsFiles { certificate: whole(certificate)?, key: whole(key)? }))
    }

    /// How public addresses begin: of the router, and of sockets.
    pub fn schemes(&self) -> (&'static str, &'static str) {
        if self.tls_certificate.is_some() { ("https", "wss") } else { ("http", "ws") }
    }

    pub fn socket_port(&self, cell: u32) -> u16 {
        Self::socket_port_beside(self.router_port, cell)
    }

    /// Public, and told to people: the same wherever a deployment runs.
    pub fn socket_port_beside(router_port: u16, cell: u32) -> u16 {
        router_port.saturating_add(10).saturating_add(u16::try_from(cell).unwrap_or(u16::MAX))
    }

    /// The public host as a URL writes it.
    pub fn url_host(&self) -> String {
        match self.host_address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.public_host.clone(),
        }
    }

    /// Where public ports listen: at the public address if this machine has it, else (a name, an address that is
    /// translated on the way) at all addresses.
    pub fn public_ip(&self) -> IpAddr {
        match self.host_address() {
            Some(address) if TcpListener::bind((address, 0)).is_ok() => address,
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }

    /// Origins from which the web app opens sockets: browsers say the name that was typed.
    pub fn origins(&self) -> Vec<String> {
        let mut hosts = vec![self.url_host()];
        if self.public_ip().is_loopback() {
            hosts.extend(["127.0.0.1", "localhost"].map(str::to_owned));
        }
        hosts.sort();
        hosts.dedup();
        let (scheme, _) = self.schemes();
        hosts.into_iter().map(|host| format!("{scheme}://{host}:{}", self.router_port)).collect()
    }

    fn host_address(&self) -> Option<IpAddr> {
        if self.public_host == "localhost" {
            return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        self.public_host.trim_matches(['[', ']']).parse().ok()
    }
}
