//! A private PostgreSQL server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::Signal;

use crate::{
    binaries,
    folder::{ServerUser, fits_socket, make_private, scratch},
    leftover,
    process::Child,
};

/// Whether what is committed must survive a crash of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    Durable,
    /// For tests that lose nothing but time.
    ForTests,
}

/// A PostgreSQL server of this process, under one folder: `data/`, `socket/` and, unless told otherwise, `log`.
#[derive(Debug)]
pub struct Postgres {
    folder: PathBuf,
    log: PathBuf,
    user: ServerUser,
    durability: Durability,
    child: Option<Child>,
    throw_away: bool,
}

const START: Duration = Duration::from_secs(60);

/// How folders are called in which a cluster is being made.
const UNFINISHED: &str = "unfinished-";

impl Postgres {
    /// A throw-away server for a test: removed on drop, kept when the test fails.
    pub fn scratch() -> anyhow::Result<Self> {
        let mut this = Self::open(&scratch("pg")?, Durability::ForTests)?;
        this.throw_away = true;
        Ok(this)
    }

    /// Starts a server over a folder, which is made when it is not there. What a killed process left running over it
    /// is stopped first.
    pub fn open(folder: &Path, durability: Durability) -> anyhow::Result<Self> {
        let folder = std::path::absolute(folder)?;
        let log = folder.join("log");
        let mut this = Self::prepare(&folder, &log, durability)?;
        this.start()?;
        Ok(this)
    }

    /// A server that is not started yet, with its folder made. What a killed process left running over it is stopped.
    pub fn prepare(folder: &Path, log: &Path, durability: Durability) -> anyhow::Result<Self> {
        let folder = std::path::absolute(folder)?;
        fits_socket(&folder.join("socket/.s.PGSQL.5432"))?;
        std::fs::create_dir_all(&folder)?;
        let user = ServerUser::for_folder(&folder)?;
        let this = Self { folder, log: log.to_owned(), user, durability, child: None, throw_away: false };
        this.end_leftovers();
        make_private(&this.folder.join("socket"), &this.user)?;
        if !this.data().join("PG_VERSION").exists() {
            this.initialise()?;
        }
        Ok(this)
    }

    /// For `tokio_postgres`, as libpq writes it.
    pub fn conninfo(&self, database: &str) -> String {
        Self::conninfo_of(&self.folder, database)
    }

    /// That of a server over an absolute folder, whether it runs or not.
    pub fn conninfo_of(folder: &Path, database: &str) -> String {
        // Quoted, since the path may hold spaces.
        let host = folder.join("socket").display().to_string().replace('\\', "\\\\").replace('\'', "\\'");
        format!("host='{host}' user=skep dbname={database}")
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The pid of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::pid)
    }

    /// The process, to be watched.
    pub fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Makes a database, if it is not there.
    pub fn create_database(&self, name: &str) -> anyhow::Result<()> {
        let made = self.sql("postgres", &format!("create database {name}"));
        match made {
            Err(error) if error.to_string().contains("already exists") => Ok(()),
            other => other,
        }
    }

    /// Starts the server and waits until it answers.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.launch()?;
        let begun = Instant::now();
        while !self.is_ready() {
            if let Some(status) = self.child.as_mut().map(Child::ended).transpose()?.flatten() {
                bail!("PostgreSQL ended at its start ({status}); see {}", self.log.display());
            }
            if begun.elapsed() > START {
                self.kill();
                bail!("PostgreSQL did not answer in {START:?}; see {}", self.log.display());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Starts the server; [`Self::is_ready`] tells when it answers, which may be long after a crash.
    pub fn launch(&mut self) -> anyhow::Result<u32> {
        let mut command = self.user.command(&binaries::postgres("postgres")?);
        command.arg("-D").arg(self.data());
        for (key, value) in self.settings() {
            command.arg("-c").arg(format!("{key}={value}"));
        }
        let child = Child::spawn(command, &self.log)?;
        let pid = child.pid();
        self.child = Some(child);
        Ok(pid)
    }

    /// Whether the server answers, as its own pid file says in its eighth line.
    pub fn is_ready(&self) -> bool {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = file.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        pid.is_some() && pid == self.pid() && lines.nth(6).is_some_and(|status| status.trim() == "ready")
    }

    /// Stops the server: sessions are ended, what is committed is on disk.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.stop(Signal::SIGINT, Duration::from_secs(20));
        }
    }

    /// kill -9, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill();
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// In a folder that becomes `data` when it is whole: a start that was interrupted begins anew, in a place of its own,
    /// since what it left running may still write.
    fn initialise(&self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(&self.folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                _ = std::fs::remove_dir_all(entry.path());
            }
        }
        let unfinished = self.folder.join(format!("{UNFINISHED}{:08x}", rand::random::<u32>()));
        make_private(&unfinished, &self.user)?;
        let mut command = self.user.command(&binaries::postgres("initdb")?);
        command.args(["--username=skep", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "-D"]).arg(&unfinished);
        if self.durability == Durability::ForTests {
            command.arg("--no-sync");
        }
        let output = command.output().context("running initdb")?;
        if !output.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        // What was there in its place, if anything, was never a whole cluster.
        _ = std::fs::remove_dir_all(self.data());
        std::fs::rename(&unfinished, self.data()).context("putting the new cluster in its place")?;
        Ok(())
    }

    /// On a Unix socket only, in a folder that only the server's user may enter.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = vec![
            ("listen_addresses", String::new()),
            ("unix_socket_directories", self.folder.join("socket").display().to_string()),
            ("unix_socket_permissions", "0700".to_owned()),
            ("max_connections", "60".to_owned()),
            ("shared_buffers", "128MB".to_owned()),
            ("max_wal_size", "2GB".to_owned()),
            ("wal_compression", "on".to_owned()),
            ("checkpoint_completion_target", "0.9".to_owned()),
            ("autovacuum_naptime", "15s".to_owned()),
            ("jit", "off".to_owned()),
        ];
        if self.durability == Durability::ForTests {
            settings.extend(["fsync", "full_page_writes"].map(|key| (key, "off".to_owned())));
            // A cell refuses a server without fsync that does not say it is meant.
            settings.push(("skep.fsync", "any".to_owned()));
        }
        settings
    }

    fn end_leftovers(&self) {
        let file = self.data().join("postmaster.pid");
        let pid = std::fs::read_to_string(&file).ok().and_then(|text| text.lines().next()?.trim().parse().ok());
        if let Some(pid) = pid {
            leftover::terminate(pid, &self.data().display().to_string(), Signal::SIGINT, Duration::from_secs(20));
        }
    }

    fn sql(&self, database: &str, text: &str) -> anyhow::Result<()> {
        let mut command = Command::new(binaries::postgres("psql")?);
        command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--username=skep", "--command", text]);
        command.arg(format!("--host={}", self.folder.join("socket").display())).arg(format!("--dbname={database}"));
        command.current_dir("/");
        let output = command.output().context("running psql")?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.throw_away {
            self.kill();
            if std::thread::panicking() {
                eprintln!("the database is kept in {}", self.folder.display());
            } else {
                _ = std::fs::remove_dir_all(&self.folder);
            }
        } else {
            self.stop();
        }
    }
}
