//! What is supervised: a server that is launched, becomes ready, and ends.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use nix::sys::signal::Signal;
use skep_children::{Child, Postgres, Redis, remember};

use crate::up::probe;

/// The database of a part within its own server.
pub(crate) const DATABASE: &str = "skep";

/// A part of ours gets so long to stop by itself.
const STOP: Duration = Duration::from_secs(10);

/// A server process. Dropping it stops it.
pub(crate) trait Server: Send {
    /// Starts a process, without waiting for it.
    fn launch(&mut self) -> anyhow::Result<u32>;

    /// Whether the launched process serves.
    fn is_ready(&mut self) -> anyhow::Result<bool>;

    fn child(&mut self) -> Option<&mut Child>;

    /// Stops the process, if one runs, in bounded time.
    fn stop(&mut self);

    /// How the process has ended, if it has.
    fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        self.child().map_or(Ok(None), Child::ended)
    }
}

impl Server for Postgres {
    fn launch(&mut self) -> anyhow::Result<u32> {
        Self::launch(self)
    }

    fn is_ready(&mut self) -> anyhow::Result<bool> {
        if !Self::is_ready(self) {
            return Ok(false);
        }
        self.create_database(DATABASE)?;
        Ok(true)
    }

    fn child(&mut self) -> Option<&mut Child> {
        Self::child(self)
    }

    fn stop(&mut self) {
        Self::stop(self);
    }
}

impl Server for Redis {
    fn launch(&mut self) -> anyhow::Result<u32> {
        Self::launch(self)
    }

    fn is_ready(&mut self) -> anyhow::Result<bool> {
        Ok(Self::is_ready(self))
    }

    fn child(&mut self) -> Option<&mut Child> {
        Self::child(self)
    }

    fn stop(&mut self) {
        Self::stop(self);
    }
}

/// A part of ours: another process of this program.
#[derive(Debug)]
pub(crate) struct Process {
    pub program: PathBuf,
    /// As in `skep COMMAND`.
    pub command: &'static str,
    pub config: PathBuf,
    pub log: PathBuf,
    pub pid_file: PathBuf,
    pub admin_port: u16,
    pub child: Option<Child>,
}

impl Server for Process {
    fn launch(&mut self) -> anyhow::Result<u32> {
        let mut command = Command::new(&self.program);
        command.arg(self.command).arg("--config").arg(&self.config);
        // Keys in the environment win over the file; here the file is meant.
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("SKEP_") && key != "SKEP_LOG" && key != "SKEP_LOG_FORMAT" {
                command.env_remove(key);
            }
        }
        let child = Child::spawn(command, &self.log)?;
        let pid = child.pid();
        self.child = Some(child);
        remember(&self.pid_file, pid)?;
        Ok(pid)
    }

    fn is_ready(&mut self) -> anyhow::Result<bool> {
        Ok(probe::is_ready(self.admin_port))
    }

    fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.stop(Signal::SIGTERM, STOP);
            _ = std::fs::remove_file(&self.pid_file);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}
