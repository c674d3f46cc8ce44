//! A deployment of real processes, as `skep up` runs it: to be killed, frozen and started again.

use std::ops::Deref;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{io, iter};

use nix::{sys::signal::Signal, unistd::Pid};
use prost::Message as _;
use skep_children::HeldPort;
use skep_ops::Deployment as Parts;
use skep_tls::TlsFiles;

use crate::{Door, eventually};

/// From nothing to ready: databases are made, and the machine may be busy.
const START: Duration = Duration::from_secs(120);
const STOP: Duration = Duration::from_secs(40);

/// A running `skep up`, which ends with its value. Its folder is kept when the test fails.
pub struct Hive {
    pub data: PathBuf,
    program: PathBuf,
    cells: u32,
    /// The router's, then the cells'.
    ports: Vec<HeldPort>,
    /// The certificate and key of its public ports.
    tls: Option<TlsFiles>,
    up: Option<Child>,
    door: Door,
}

impl Hive {
    /// So many cells, from nothing. `program`: the skep that the tests were built with.
    pub async fn start(program: &str, cells: u32) -> Self {
        Self::start_with(program, cells, None).await
    }

    /// The same, whose public ports speak TLS where they are given what to show.
    pub async fn start_with(program: &str, cells: u32, tls: Option<TlsFiles>) -> Self {
        let data = std::env::temp_dir().join(format!("skep-hive-{:x}", rand::random::<u64>()));
        let ports = free_ports(cells);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let door = Door::new(format!("{scheme}://{}", ports[0].address()));
        let mut hive = Self { data, program: program.into(), cells, ports, tls, up: None, door };
        hive.up().await;
        hive
    }

    /// Starts `skep up` over the folder, and waits until all is ready.
    pub async fn up(&mut self) {
        std::fs::create_dir_all(&self.data).unwrap();
        let log = std::fs::File::options().create(true).append(true).open(self.data.join("up.log")).unwrap();
        _ = std::fs::remove_file(Parts::file(&self.data));
        let files = self.tls.iter().flat_map(|tls| [("--tls-certificate", &tls.certificate), ("--tls-key", &tls.key)]);
        let tls = files.flat_map(|(option, file)| [option.into(), file.clone().into_os_string()]);
        let up = Command::new(&self.program)
            .args(["up", "--rate-limits", "off", "--data"])
            .arg(&self.data)
            .args(["--cells", &self.cells.to_string(), "--router-port", &self.ports[0].address().port().to_string()])
            .args(tls)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.up = Some(up);
        let what = format!("skep up is ready, see {}", self.data.join("up.log").display());
        eventually(START, &what, async || Parts::read(&self.data).is_ok()).await;
    }

    /// The cell that owns the slot of an id.
    pub async fn owner(&self, conversation: &str) -> u32 {
        let file = self.data.join("router/map.bin");
        let id: skep_protocol::ConversationId = conversation.parse().unwrap();
        let map = skep_protocol::wire::Map::decode(std::fs::read(file).unwrap().as_slice()).unwrap();
        skep_protocol::SlotMap::try_from(&map).unwrap().owner(id.slot()).unwrap().0
    }

    /// Where the parts are now.
    pub fn parts(&self) -> Parts {
        Parts::read(&self.data).unwrap()
    }

    pub fn up_pid(&self) -> u32 {
        self.up.as_ref().unwrap().id()
    }

    /// Ends a process as the kernel does when memory runs out.
    pub fn kill(&self, pid: u32) {
        signal(pid, Signal::SIGKILL);
    }

    /// Waits until a part has another pid than this, and serves.
    pub async fn again(&self, pid: impl Fn(&Parts) -> u32, before: u32) {
        eventually(START, "the part was started again", async || {
            Parts::read(&self.data).is_ok_and(|parts| pid(&parts) != before)
        })
        .await;
    }

    /// `skep up` itself is killed; what it started lives on.
    pub fn kill_up(&mut self) {
        if let Some(mut up) = self.up.take() {
            signal(up.id(), Signal::SIGKILL);
            _ = up.wait();
        }
    }

    /// Stops cleanly; how `skep up` ended.
    pub async fn stop(&mut self) -> Option<i32> {
        let mut up = self.up.take()?;
        signal(up.id(), Signal::SIGTERM);
        let mut code = None;
        eventually(STOP, "skep up ends", async || match up.try_wait().unwrap() {
            Some(status) => {
                code = status.code();
                true
            }
            None => false,
        })
        .await;
        code
    }
}

impl Deref for Hive {
    type Target = Door;

    fn deref(&self) -> &Door {
        &self.door
    }
}

impl Drop for Hive {
    fn drop(&mut self) {
        if let Some(mut up) = self.up.take() {
            signal(up.id(), Signal::SIGTERM);
            _ = up.wait();
        }
        if std::thread::panicking() {
            eprintln!("everything it left is in {}", self.data.display());
        } else {
            _ = std::fs::remove_dir_all(&self.data);
        }
    }
}

/// Sends a signal to a process that this test, or its `skep up`, has started.
pub fn signal(pid: u32, signal: Signal) {
    _ = nix::sys::signal::kill(Pid::from_raw(pid as i32), signal);
}

/// The ports of a router and of its cells, held while it lives; none of those from which `skep up` takes its private
/// ones.
fn free_ports(cells: u32) -> Vec<HeldPort> {
    let hold = |router: u16| {
        let cells = (1..=cells as u16).map(|cell| router + 10 + cell);
        iter::once(router).chain(cells).map(HeldPort::at).collect::<io::Result<Vec<_>>>().ok()
    };
    (0..1_000).map(|_| rand::random_range(10_000_u16..19_000)).find_map(hold).expect("some ports are free")
}
