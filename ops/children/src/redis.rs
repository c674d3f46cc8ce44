//! A private Redis server: a cache, which keeps nothing.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::sys::signal::Signal;

use crate::{
    binaries,
    folder::{fits_socket, scratch},
    leftover,
    process::Child,
};

/// A Redis server of this process, under one folder: `socket` and, unless told otherwise, `log`.
#[derive(Debug)]
pub struct Redis {
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    throw_away: bool,
}

const START: Duration = Duration::from_secs(20);

impl Redis {
    /// A throw-away server for a test.
    pub fn scratch() -> anyhow::Result<Self> {
        let mut this = Self::open(&scratch("redis")?)?;
        this.throw_away = true;
        Ok(this)
    }

    /// Starts a server over a folder. What a killed process left running over it is stopped first.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let log = folder.join("log");
        let mut this = Self::prepare(&folder, &log)?;
        this.start()?;
        Ok(this)
    }

    /// A server that is not started yet. What a killed process left running over the folder is stopped.
    pub fn prepare(folder: &Path, log: &Path) -> anyhow::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let this = Self { folder, log: log.to_owned(), child: None, throw_away: false };
        fits_socket(&this.socket())?;
        std::fs::create_dir_all(&this.folder)?;
        leftover::end(&this.folder.join("pid"), "redis-server", Signal::SIGTERM, Duration::from_secs(2));
        Ok(this)
    }

    pub fn socket(&self) -> PathBuf {
        Self::socket_of(&self.folder)
    }

    /// That of a server over an absolute folder, whether it runs or not.
    pub fn socket_of(folder: &Path) -> PathBuf {
        folder.join("socket")
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// The process, to be watched.
    pub fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Starts the server and waits until it takes connections.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.launch()?;
        let begun = Instant::now();
        while !self.is_ready() {
            if let Some(status) = self.child.as_mut().map(Child::ended).transpose()?.flatten() {
                bail!("Redis ended at its start ({status}); see {}", self.log.display());
            }
            if begun.elapsed() > START {
                self.stop();
                bail!("Redis did not answer in {START:?}; see {}", self.log.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Starts the server; [`Self::is_ready`] tells when it takes connections.
    pub fn launch(&mut self) -> anyhow::Result<u32> {
        _ = std::fs::remove_file(self.socket());
        let mut command = Command::new(binaries::redis()?);
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.args(["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru", "--unixsocketperm", "700"]);
        command.arg("--unixsocket").arg(self.socket()).arg("--dir").arg(&self.folder);
        let child = Child::spawn(command, &self.log)?;
        leftover::remember(&self.folder.join("pid"), child.pid())?;
        let pid = child.pid();
        self.child = Some(child);
        Ok(pid)
    }

    pub fn is_ready(&self) -> bool {
        UnixStream::connect(self.socket()).is_ok()
    }

    /// Stops the server.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.stop(Signal::SIGTERM, Duration::from_secs(5));
            _ = std::fs::remove_file(self.folder.join("pid"));
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
        if self.throw_away && !std::thread::panicking() {
            _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}
