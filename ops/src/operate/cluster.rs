//! The way to a deployment: its directory says which cells there are, and each cell answers for what it owns. All that
//! the operator's verbs send goes through here.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::{Uri, uri::Scheme};
use parking_lot::Mutex;
use prost::Message as _;
use skep_inside::{ClusterSecret, Inside, InsideError, MutualFiles, ProvenChannel};
use skep_protocol::{CellId, Code, Refusal, Slot, SlotMap, wire};
use tonic::{Status, transport::Endpoint};
use wire::{directory_client::DirectoryClient, operator_client::OperatorClient, peer_client::PeerClient};

use crate::{
    deployment::Deployment,
    exit::{Exit, Failure},
};

const CONNECT: Duration = Duration::from_secs(2);
/// A directory that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(4);
/// A whole map is some 200 kilobytes.
const MAP_BYTES: usize = 16 * 1024 * 1024;

/// Which deployment is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct Where {
    /// The folder of a `skep up` that runs.
    #[arg(long, value_name = "DIR", default_value = "data", conflicts_with = "directory")]
    pub data: PathBuf,
    /// The directory's gRPC address, where parts run without `skep up`, such as http://10.0.0.5:7701.
    #[arg(long, value_name = "ADDRESS")]
    pub directory: Option<String>,
    /// What the deployment's processes show one another: the secret, or file: and the file that has it. Without it, the
    /// one in the folder of `skep up`.
    #[arg(long, value_name = "SECRET", env = "SKEP_CLUSTER_SECRET", hide_env_values = true, value_parser = secret)]
    pub cluster_secret: Option<ClusterSecret>,
    /// The authority of the processes' certificates (PEM), where they speak TLS among themselves (`inner_tls`).
    #[arg(long, value_name = "FILE", env = "SKEP_INNER_CA", requires_all = ["inner_certificate", "inner_key"])]
    pub inner_ca: Option<PathBuf>,
    /// A certificate of that authority for this tool (PEM).
    #[arg(long, value_name = "FILE", env = "SKEP_INNER_CERTIFICATE", requires = "inner_ca")]
    pub inner_certificate: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, value_name = "FILE", env = "SKEP_INNER_KEY", requires = "inner_ca")]
    pub inner_key: Option<PathBuf>,
}

impl Where {
    /// What this tool shows the processes, where they speak TLS.
    fn inner_tls(&self) -> Option<MutualFiles> {
        Some(MutualFiles {
            ca: self.inner_ca.clone()?,
            certificate: self.inner_certificate.clone()?,
            key: self.inner_key.clone()?,
        })
    }
}

fn secret(text: &str) -> Result<ClusterSecret, std::convert::Infallible> {
    Ok(ClusterSecret::new(text))
}

/// A deployment, as its directory tells of it.
pub(super) struct Cluster {
    pub map: SlotMap,
    /// Why the directory could not be asked; the map is then the last one that a router kept.
    pub directory_away: Option<String>,
    /// What `skep up` wrote, where it runs the deployment.
    pub deployment: Option<Deployment>,
    inside: Inside,
    channels: Mutex<HashMap<CellId, ProvenChannel>>,
}

/// Why a question got no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The cell says no.
    #[error("{}", .0.detail)]
    Refused(Refusal),
    #[error("{0}")]
    Away(String),
}

impl Cluster {
    /// Asks the directory.
    pub async fn open(at: &Where) -> Result<Self, Failure> {
        let deployment = match &at.directory {
            Some(_) => None,
            None => Some(Deployment::read(&at.data).map_err(|error| {
                Failure::unavailable(format!(
                    "{error:#}; --data names another folder, --directory a directory's address"
                ))
            })?),
        };
        let named = deployment.as_ref().map(|deployment| deployment.directory.address.clone());
        let address = at.directory.clone().or(named).unwrap_or_default();
        let secret =
            at.cluster_secret.clone().unwrap_or_else(|| ClusterSecret::in_file(&at.data.join("cluster-secret")));
        let inside = Inside::start(&secret, at.inner_tls().as_ref()).map_err(|error| match error {
            InsideError::Secret(error) => {
                Failure::usage(format!("the cluster secret: {error}; --cluster-secret or SKEP_CLUSTER_SECRET names it"))
            }
            InsideError::Tls(error) => Failure::usage(format!("--inner-ca, --inner-certificate, --inner-key: {error}")),
        })?;
        if address.starts_with("https://") && inside.scheme() != Scheme::HTTPS {
            return Err(Failure::usage(format!(
                "--directory {address}: https needs --inner-ca, --inner-certificate and --inner-key"
            )));
        }
        let endpoint = endpoint(&inside, &address).map_err(|reason| {
            Failure::usage(format!("--directory {address}: {reason}; it looks like http://host:7701"))
        })?;
        let told = tokio::time::timeout(PATIENCE, map(&inside, &endpoint)).await;
        let told = told.unwrap_or_else(|_| Err(format!("no answer in {} s", PATIENCE.as_secs())));
        let (map, directory_away) = match told {
            Ok(map) => (map, None),
            Err(reason) => {
                let reason = format!("the directory at {address} does not answer: {reason}");
                // Everybody lives on their last map while it is away; the router of a `skep up` keeps it here.
                let kept = deployment.is_some().then(|| kept(&at.data)).flatten();
                (kept.ok_or_else(|| Failure::unavailable(reason.clone()))?, Some(reason))
            }
        };
        Ok(Self { map, directory_away, deployment, inside, channels: Mutex::default() })
    }

    /// The cell that owns a slot.
    pub fn owner(&self, slot: Slot) -> Result<CellId, Failure> {
        let owner = self.map.owner(slot);
        owner.ok_or_else(|| Failure::unavailable("the deployment has not begun: not all of its cells are known yet"))
    }

    pub fn operator(&self, cell: CellId) -> Result<OperatorClient<ProvenChannel>, Trouble> {
        Ok(OperatorClient::new(self.channel(cell)?))
    }

    pub fn peer(&self, cell: CellId) -> Result<PeerClient<ProvenChannel>, Trouble> {
        Ok(PeerClient::new(self.channel(cell)?))
    }

    fn channel(&self, cell: CellId) -> Result<ProvenChannel, Trouble> {
        let mut channels = self.channels.lock();
        if let Some(channel) = channels.get(&cell) {
            return Ok(channel.clone());
        }
        let entry = self.map.cells.get(&cell).ok_or_else(|| Trouble::Away(format!("cell {cell} is not known")))?;
        let endpoint = inside_endpoint(&self.inside, &entry.relay_address).map_err(Trouble::Away)?;
        let channel = self.inside.connect_lazily(&endpoint);
        channels.insert(cell, channel.clone());
        Ok(channel)
    }
}

async fn map(inside: &Inside, endpoint: &Endpoint) -> Result<SlotMap, String> {
    let channel = inside.connect(endpoint).await.map_err(|error| with_sources(&error))?;
    let mut directory = DirectoryClient::new(channel).max_decoding_message_size(MAP_BYTES);
    let map = directory.get_map(wire::GetMapRequest {}).await.map_err(|status| with_sources(&status))?;
    SlotMap::try_from(map.get_ref()).map_err(|error| error.to_string())
}

fn kept(data: &Path) -> Option<SlotMap> {
    let bytes = std::fs::read(data.join("router/map.bin")).ok()?;
    SlotMap::try_from(&wire::Map::decode(bytes.as_slice()).ok()?).ok()
}

/// A call with its deadline.
pub(super) async fn within<T>(
    deadline: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(deadline, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(Trouble::of(&status)),
        Err(_) => Err(Trouble::Away(format!("no answer in {} s", deadline.as_secs()))),
    }
}

impl Trouble {
    /// Refusals travel as `code: detail`.
    fn of(status: &Status) -> Self {
        if status.code() == tonic::Code::FailedPrecondition
            && let Some((code, detail)) = status.message().split_once(": ")
            && let Some(code) = Code::ALL.iter().find(|known| known.as_str() == code)
        {
            return Self::Refused(Refusal::new(*code, detail));
        }
        Self::Away(with_sources(status))
    }

    /// As the end of the program.
    pub fn at_cell(self, cell: CellId) -> Failure {
        match self {
            Self::Refused(refusal) if !refusal.code.retryable() => {
                Failure { exit: Exit::Refused, reason: refusal.detail }
            }
            trouble => Failure::unavailable(format!("cell {cell} cannot do it now: {trouble}")),
        }
    }
}

/// Of an address as people write it.
fn endpoint(inside: &Inside, address: &str) -> Result<Endpoint, String> {
    let written: Uri = address.parse().map_err(|error: http::uri::InvalidUri| with_sources(&error))?;
    if written.scheme().is_none() {
        return Err("an address has a scheme".to_owned());
    }
    inside_endpoint(inside, address)
}

fn inside_endpoint(inside: &Inside, address: &str) -> Result<Endpoint, String> {
    let endpoint = inside.endpoint(address).map_err(|error| with_sources(&error))?;
    Ok(endpoint.tcp_nodelay(true).connect_timeout(CONNECT))
}

/// tonic says little by itself.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = match error.to_string() {
        text if text.is_empty() => "an unnamed error".to_owned(),
        text => text,
    };
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}
