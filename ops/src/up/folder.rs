//! The data folder: one `skep up` at a time, and nothing of a former one left running.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use skep_children::end_leftover;

use crate::{deployment::Deployment, exit::Failure, up::parts::PartId};

/// A locked data folder. The lock ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    _lock: File,
}

/// A part of a killed `skep up` gets so long to stop by itself.
const LEFTOVER: Duration = Duration::from_secs(5);

impl Folder {
    /// Makes the folder if need be, and locks it.
    pub fn open(data: &Path) -> Result<Self, Failure> {
        let cannot = |what: &str, error: std::io::Error| {
            Failure::unavailable(format!("--data {}: {what}: {error}", data.display()))
        };
        std::fs::create_dir_all(data).map_err(|error| cannot("the folder cannot be made", error))?;
        // The same folder has the same name whatever link it is reached by: leftovers are known by it.
        let root = data.canonicalize().map_err(|error| cannot("the folder cannot be read", error))?;
        let lock = lock(&root.join("lock")).map_err(|error| match error {
            Refused::Held(pid) => Failure::unavailable(format!(
                "--data {}: another `skep up` (pid {pid}) runs over this folder: stop it, or take another folder",
                data.display()
            )),
            Refused::Io(error) => cannot("the folder cannot be locked", error),
        })?;
        let this = Self { root, _lock: lock };
        std::fs::create_dir_all(this.logs()).map_err(|error| cannot("the logs' folder cannot be made", error))?;
        this.forget_deployment();
        Ok(this)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub fn log(&self, part: PartId) -> PathBuf {
        self.logs().join(format!("{}.log", part.slug()))
    }

    /// The folder of a part and of its servers.
    pub fn of(&self, part: PartId) -> PathBuf {
        match part {
            PartId::Router => self.root.join("router"),
            PartId::Directory => self.root.join("directory"),
            PartId::DirectoryPostgres => self.root.join("directory/postgres"),
            PartId::Cell(cell) => self.root.join(format!("cell-{cell}")),
            PartId::CellPostgres(cell) => self.root.join(format!("cell-{cell}/postgres")),
            PartId::CellRedis(cell) => self.root.join(format!("cell-{cell}/redis")),
        }
    }

    pub fn config(&self, part: PartId) -> PathBuf {
        self.of(part).join("config.toml")
    }

    /// Where a part's process is remembered.
    pub fn pid_file(&self, part: PartId) -> PathBuf {
        self.of(part).join("pid")
    }

    /// Ends what a killed `skep up` left of a part. PostgreSQL and Redis are ended where they are prepared.
    pub fn end_leftover(&self, part: PartId) {
        let marker = self.config(part).display().to_string();
        end_leftover(&self.pid_file(part), &marker, Signal::SIGTERM, LEFTOVER);
    }

    /// No deployment is announced while not all of it is there.
    pub fn forget_deployment(&self) {
        // It may not be there.
        _ = std::fs::remove_file(Deployment::file(&self.root));
    }
}

enum Refused {
    /// By the process of this pid.
    Held(String),
    Io(std::io::Error),
}

fn lock(file: &Path) -> Result<File, Refused> {
    let mut lock =
        File::options().create(true).truncate(false).read(true).write(true).open(file).map_err(Refused::Io)?;
    match lock.try_lock() {
        Ok(()) => {
            lock.set_len(0).and_then(|()| lock.rewind()).map_err(Refused::Io)?;
            write!(lock, "{}", std::process::id()).map_err(Refused::Io)?;
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // Only for the message.
            _ = lock.read_to_string(&mut pid);
            Err(Refused::Held(pid))
        }
        Err(TryLockError::Error(error)) => Err(Refused::Io(error)),
    }
}
