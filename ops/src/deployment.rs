//! Where the parts of a running deployment are: `deployment.json`, written by `skep up`, read by whoever tests, loads or
//! watches it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// All parts. The file is there from the moment that all are ready until `skep up` ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Deployment {
    pub router: Router,
    pub directory: Directory,
    pub cells: Vec<Cell>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Router {
    /// The public door, such as http://127.0.0.1:7700.
    pub url: String,
    pub admin_url: String,
    pub pid: u32,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Directory {
    /// Its gRPC address, such as http://127.0.0.1:20000, for `skep status` and the other verbs.
    pub address: String,
    pub admin_url: String,
    pub pid: u32,
    pub postgres: Postgres,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cell {
    pub cell_id: u32,
    pub pid: u32,
    /// Such as ws://127.0.0.1:7711/v1/socket.
    pub socket_url: String,
    pub admin_url: String,
    pub postgres: Postgres,
    pub redis: Redis,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Postgres {
    pub pid: u32,
    /// As libpq writes it.
    pub conninfo: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Redis {
    pub pid: u32,
    /// The path of its Unix socket.
    pub socket: PathBuf,
}

impl Deployment {
    /// The file in the data folder of a `skep up`.
    pub fn file(data: &Path) -> PathBuf {
        data.join("deployment.json")
    }

    /// Reads what a `skep up` over this folder has written. Parts that are started again change it: read it again.
    pub fn read(data: &Path) -> anyhow::Result<Self> {
        let file = Self::file(data);
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {} (is `skep up` running and ready?)", file.display()))?;
        serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))
    }

    /// Replaces the file as a whole, so that a reader sees the old or the new one.
    pub(crate) fn write(&self, data: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        let unfinished = data.join("deployment.json.new");
        std::fs::write(&unfinished, text)?;
        std::fs::rename(unfinished, Self::file(data))
    }
}
