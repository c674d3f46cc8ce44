//! What a data folder keeps of its deployment's shape: how many cells, and the loopback ports between the parts.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{exit::Failure, up::folder::Folder};

/// Kept in `layout.toml`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    pub cells: u32,
    pub directory_port: u16,
    pub directory_admin_port: u16,
    pub router_admin_port: u16,
    pub cell_ports: Vec<CellPorts>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CellPorts {
    pub http: u16,
    pub relay: u16,
    pub admin: u16,
}

/// Below the range from which Linux takes ports for outgoing connections: a port that is free while its part is started
/// again must not be lent to somebody's connection.
const PRIVATE_PORTS: std::ops::Range<u16> = 20_000..32_000;

impl Layout {
    /// What a folder keeps, if it has been used; refuses another number of cells than it was made with.
    pub fn kept(folder: &Folder, cells: Option<u32>) -> Result<Option<Self>, Failure> {
        let kept = Self::read(&file(folder))?;
        if let (Some(kept), Some(cells)) = (&kept, cells)
            && kept.cells != cells
        {
            return Err(Failure::usage(format!(
                "--cells {cells}: {} was made with {} cells, and their number cannot change yet; \
                 leave --cells out, or take another folder with --data",
                folder.root().display(),
                kept.cells
            )));
        }
        Ok(kept)
    }

    /// A layout for so many cells, with the kept ports as far as nobody else has taken them.
    pub fn settle(folder: &Folder, kept: Option<&Self>, cells: u32, public_ports: &[u16]) -> Result<Self, Failure> {
        let mut ports = Ports { taken: public_ports.iter().copied().collect() };
        let old = kept;
        let settled = Self {
            cells,
            directory_port: ports.settle(old.map(|o| o.directory_port))?,
            directory_admin_port: ports.settle(old.map(|o| o.directory_admin_port))?,
            router_admin_port: ports.settle(old.map(|o| o.router_admin_port))?,
            cell_ports: (0..cells as usize)
                .map(|cell| {
                    let old = old.and_then(|old| old.cell_ports.get(cell));
                    Ok(CellPorts {
                        http: ports.settle(old.map(|o| o.http))?,
                        relay: ports.settle(old.map(|o| o.relay))?,
                        admin: ports.settle(old.map(|o| o.admin))?,
                    })
                })
                .collect::<Result<_, Failure>>()?,
        };
        if kept != Some(&settled) {
            settled.write(&file(folder))?;
        }
        Ok(settled)
    }

    fn read(file: &Path) -> Result<Option<Self>, Failure> {
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text)
                .map(Some)
                .map_err(|error| Failure::usage(format!("{}: {}", file.display(), error.to_string().trim_end()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::unavailable(format!("{}: {error}", file.display()))),
        }
    }

    fn write(&self, file: &Path) -> Result<(), Failure> {
        let cannot = |error: &dyn std::fmt::Display| Failure::unavailable(format!("{}: {error}", file.display()));
        let text = toml::to_string(self).map_err(|error| cannot(&error))?;
        let unfinished = file.with_extension("toml.new");
        std::fs::write(&unfinished, text).map_err(|error| cannot(&error))?;
        std::fs::rename(&unfinished, file).map_err(|error| cannot(&error))
    }
}

fn file(folder: &Folder) -> PathBuf {
    folder.root().join("layout.toml")
}

struct Ports {
    taken: BTreeSet<u16>,
}

impl Ports {
    /// The kept port if it is still free, else another one.
    fn settle(&mut self, kept: Option<u16>) -> Result<u16, Failure> {
        let random = (0..2_000).map(|_| rand::random_range(PRIVATE_PORTS));
        for port in kept.into_iter().chain(random) {
            if !self.taken.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                self.taken.insert(port);
                return Ok(port);
            }
        }
        Err(Failure::unavailable(format!("no free loopback port was found in {PRIVATE_PORTS:?}")))
    }
}
