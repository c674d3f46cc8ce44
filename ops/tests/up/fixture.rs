//! A `skep up` of one's own: scratch folder, free ports; everything it started is ended with it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use skep_children::HeldPort;
use skep_ops::Deployment;

/// Generous: a build machine may be busy. What is awaited normally takes some seconds.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Up {
    scratch: PathBuf,
    ports: [HeldPort; 2],
    child: Option<Child>,
}

#[track_caller]
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Up {
    pub fn start() -> Self {
        let scratch = std::env::temp_dir().join(format!("skep-up-{:08x}", rand::random::<u32>()));
        std::fs::create_dir(&scratch).unwrap();
        let mut this = Self { scratch, ports: free_ports(), child: None };
        this.again();
        this
    }

    pub fn again(&mut self) {
        let output = File::create(self.scratch.join("output")).unwrap();
        let mut command = self.command(&[]);
        command.stdout(output.try_clone().unwrap()).stderr(output).stdin(Stdio::null());
        self.child = Some(command.spawn().unwrap());
    }

    /// Runs another one over the same folder, which is expected to end by itself.
    pub fn beside(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.command(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skep"));
        command.arg("up").arg("--data").arg(self.folder()).arg("--router-port").arg(self.router_port().to_string());
        if arguments.is_empty() {
            command.args(["--cells", "1"]);
        }
        command.args(arguments);
        command
    }

    pub fn folder(&self) -> PathBuf {
        self.scratch.join("data")
    }

    pub fn router_port(&self) -> u16 {
        self.ports[0].address().port()
    }

    /// The deployment, once it is announced.
    pub fn ready(&self) -> Deployment {
        wait_until("the deployment is announced", || self.read().is_some());
        self.read().unwrap()
    }

    /// That of another run than this one.
    pub fn ready_after(&self, old: &Deployment) -> Deployment {
        wait_until("a new deployment is announced", || self.read().is_some_and(|new| new.router.pid != old.router.pid));
        self.read().unwrap()
    }

    fn read(&self) -> Option<Deployment> {
        Deployment::read(&self.folder()).ok()
    }

    /// Waits until every part says that it is ready.
    pub fn serves(&self, deployment: &Deployment) {
        let cells = deployment.cells.iter().map(|cell| &cell.admin_url);
        for url in cells.chain([&deployment.router.admin_url, &deployment.directory.admin_url]) {
            let address = url.strip_prefix("http://").unwrap();
            wait_until(&format!("{url} is ready"), || is_ready(address));
        }
    }

    /// Sends a signal, waits for the end: its code, and all that was printed.
    pub fn stop(&mut self, signal: Signal) -> (Option<i32>, String) {
        let mut child = self.child.take().unwrap();
        kill(child.id(), signal);
        let mut status = None;
        wait_until("it stops", || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap().code(), std::fs::read_to_string(self.scratch.join("output")).unwrap())
    }

    /// As a crash would.
    pub fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn sql(&self, conninfo: &str, statement: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(conninfo, tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            client.batch_execute(statement).await.unwrap();
        });
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.is_some() && !std::thread::panicking() {
            self.stop(Signal::SIGTERM);
        } else if let Some(child) = &mut self.child {
            // It stops its parts; a second panic would hide the first.
            kill(child.id(), Signal::SIGTERM);
            _ = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("everything is kept in {}", self.scratch.display());
        } else {
            _ = std::fs::remove_dir_all(&self.scratch);
        }
    }
}

/// All processes of a deployment.
pub fn pids(deployment: &Deployment) -> Vec<u32> {
    let mut pids = vec![deployment.router.pid, deployment.directory.pid, deployment.directory.postgres.pid];
    for cell in &deployment.cells {
        pids.extend([cell.pid, cell.postgres.pid, cell.redis.pid]);
    }
    pids
}

pub fn is_running(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

pub fn kill(pid: u32, signal: Signal) {
    nix::sys::signal::kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal).unwrap();
}

fn is_ready(address: &str) -> bool {
    let get = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    get().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// A router's port and the socket port of one cell, below what the system and `skep up` hand out by themselves.
fn free_ports() -> [HeldPort; 2] {
    loop {
        let port = rand::random_range(10_000..19_000);
        if let (Ok(router), Ok(socket)) = (HeldPort::at(port), HeldPort::at(port + 11)) {
            return [router, socket];
        }
    }
}
