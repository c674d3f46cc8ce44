//! The processes of a deployment.

use std::fmt;

/// One process. The order is that of the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum PartId {
    Router,
    Directory,
    DirectoryPostgres,
    Cell(u32),
    CellPostgres(u32),
    CellRedis(u32),
}

/// The order of stopping.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum StopRank {
    Router,
    Cells,
    Directory,
    Databases,
}

impl StopRank {
    pub const ALL: [Self; 4] = [Self::Router, Self::Cells, Self::Directory, Self::Databases];
}

impl PartId {
    pub fn stop_rank(self) -> StopRank {
        match self {
            Self::Router => StopRank::Router,
            Self::Cell(_) => StopRank::Cells,
            Self::Directory => StopRank::Directory,
            Self::DirectoryPostgres | Self::CellPostgres(_) | Self::CellRedis(_) => StopRank::Databases,
        }
    }

    /// What must be ready before this is started, each time.
    pub fn needs(self) -> Vec<Self> {
        match self {
            Self::Directory => vec![Self::DirectoryPostgres],
            Self::Cell(cell) => vec![Self::CellPostgres(cell)],
            Self::Router | Self::DirectoryPostgres | Self::CellPostgres(_) | Self::CellRedis(_) => Vec::new(),
        }
    }

    /// What is awaited at the first start as well. Later nobody waits for these: cells and routers live without them.
    pub fn needs_at_first(self) -> Vec<Self> {
        match self {
            Self::Cell(cell) => vec![Self::Directory, Self::CellRedis(cell)],
            Self::Router => vec![Self::Directory],
            _ => Vec::new(),
        }
    }

    /// In file names.
    pub fn slug(self) -> String {
        match self {
            Self::Router => "router".to_owned(),
            Self::Directory => "directory".to_owned(),
            Self::DirectoryPostgres => "directory.postgres".to_owned(),
            Self::Cell(cell) => format!("cell-{cell}"),
            Self::CellPostgres(cell) => format!("cell-{cell}.postgres"),
            Self::CellRedis(cell) => format!("cell-{cell}.redis"),
        }
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router => f.write_str("router"),
            Self::Directory => f.write_str("directory"),
            Self::DirectoryPostgres => f.write_str("directory's PostgreSQL"),
            Self::Cell(cell) => write!(f, "cell {cell}"),
            Self::CellPostgres(cell) => write!(f, "cell {cell}'s PostgreSQL"),
            Self::CellRedis(cell) => write!(f, "cell {cell}'s Redis"),
        }
    }
}
