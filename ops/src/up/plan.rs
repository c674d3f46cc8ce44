//! What is to run, where, with which configuration: settled before anything is started.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};

use skep_children::{Durability, Postgres, Redis};
use skep_tls::TlsFiles;
use toml::{Table, Value};

use crate::{
    deployment::{self, Deployment},
    exit::Failure,
    up::{
        folder::Folder,
        layout::{CellPorts, Layout},
        logs,
        options::{CELLS, Options, RateLimits},
        parts::PartId,
        secret,
        server::{DATABASE, Process, Server},
    },
};

/// A deployment that has not been started.
pub(crate) struct Plan {
    pub folder: Folder,
    layout: Layout,
    /// The file with the cluster secret.
    secret: PathBuf,
    program: PathBuf,
    url_host: String,
    /// How the addresses of the router and of sockets begin.
    schemes: (&'static str, &'static str),
    tls: Option<TlsFiles>,
    public_ip: IpAddr,
    origins: Vec<String>,
    router_port: u16,
    rate_limits: RateLimits,
}

impl Plan {
    /// Settles everything; ends what a killed run left; looks whether the public ports are free.
    pub fn make(options: &Options, folder: Folder) -> Result<Self, Failure> {
        let kept = Layout::kept(&folder, options.cells)?;
        let cells = kept.as_ref().map_or(options.cells.unwrap_or(CELLS), |kept| kept.cells);
        if let Some(kept) = &kept {
            end_leftovers(&folder, kept.cells);
        }
        let public_ip = options.public_ip();
        free(public_ip, options.router_port, "the router")?;
        let mut public_ports = vec![options.router_port];
        for cell in 1..=cells {
            free(public_ip, options.socket_port(cell), &format!("cell {cell}'s socket"))?;
            public_ports.push(options.socket_port(cell));
        }
        let layout = Layout::settle(&folder, kept.as_ref(), cells, &public_ports)?;
        let secret = secret::settle(&folder)?;
        let program =
            std::env::current_exe().map_err(|error| Failure::unavailable(format!("where this program is: {error}")))?;
        let this = Self {
            folder,
            layout,
            secret,
            program,
            url_host: options.url_host(),
            schemes: options.schemes(),
            tls: options.tls()?,
            public_ip,
            origins: options.origins(),
            router_port: options.router_port,
            rate_limits: options.rate_limits,
        };
        this.configure()?;
        Ok(this)
    }

    /// All processes.
    pub fn parts(&self) -> Vec<PartId> {
        let mut parts = vec![PartId::Router, PartId::Directory, PartId::DirectoryPostgres];
        for cell in self.cells() {
            parts.extend([PartId::Cell(cell), PartId::CellPostgres(cell), PartId::CellRedis(cell)]);
        }
        parts.sort();
        parts
    }

    pub fn cells(&self) -> std::ops::RangeInclusive<u32> {
        1..=self.layout.cells
    }

    pub fn public_url(&self) -> String {
        format!("{}://{}:{}", self.schemes.0, self.url_host, self.router_port)
    }

    pub fn socket_url(&self, cell: u32) -> String {
        format!("{}://{}:{}/v1/socket", self.schemes.1, self.url_host, self.socket_port(cell))
    }

    /// The port where a part of ours says how it is.
    pub fn admin_port(&self, part: PartId) -> Option<u16> {
        match part {
            PartId::Router => Some(self.layout.router_admin_port),
            PartId::Directory => Some(self.layout.directory_admin_port),
            PartId::Cell(cell) => Some(self.ports(cell).admin),
            PartId::DirectoryPostgres | PartId::CellPostgres(_) | PartId::CellRedis(_) => None,
        }
    }

    /// Makes a part's server ready to be launched, which may take a second for a new database.
    pub fn prepare(&self, part: PartId) -> anyhow::Result<Box<dyn Server>> {
        let (folder, log) = (self.folder.of(part), self.folder.log(part));
        logs::rotate(&log);
        Ok(match part {
            PartId::DirectoryPostgres | PartId::CellPostgres(_) => {
                Box::new(Postgres::prepare(&folder, &log, Durability::Durable)?)
            }
            PartId::CellRedis(_) => Box::new(Redis::prepare(&folder, &log)?),
            PartId::Router | PartId::Directory | PartId::Cell(_) => Box::new(Process {
                program: self.program.clone(),
                command: command(part),
                config: self.folder.config(part),
                log,
                pid_file: self.folder.pid_file(part),
                admin_port: self.admin_port(part).unwrap_or_default(),
                child: None,
            }),
        })
    }

    /// The deployment, once every part has a process.
    pub fn deployment(&self, pids: &BTreeMap<PartId, u32>) -> Option<Deployment> {
        let pid = |part: PartId| pids.get(&part).copied();
        let admin_url = |part: PartId| Some(format!("http://127.0.0.1:{}", self.admin_port(part)?));
        let postgres = |part: PartId| Some(deployment::Postgres { pid: pid(part)?, conninfo: self.database(part) });
        let cell = |cell_id: u32| {
            Some(deployment::Cell {
                cell_id,
                pid: pid(PartId::Cell(cell_id))?,
                socket_url: self.socket_url(cell_id),
                admin_url: admin_url(PartId::Cell(cell_id))?,
                postgres: postgres(PartId::CellPostgres(cell_id))?,
                redis: deployment::Redis { pid: pid(PartId::CellRedis(cell_id))?, socket: self.redis(cell_id) },
            })
        };
        Some(Deployment {
            router: deployment::Router {
                url: self.public_url(),
                admin_url: admin_url(PartId::Router)?,
                pid: pid(PartId::Router)?,
            },
            directory: deployment::Directory {
                address: self.directory_address(),
                admin_url: admin_url(PartId::Directory)?,
                pid: pid(PartId::Directory)?,
                postgres: postgres(PartId::DirectoryPostgres)?,
            },
            cells: self.cells().map(cell).collect::<Option<_>>()?,
        })
    }

    /// Writes the parts' configuration files.
    fn configure(&self) -> Result<(), Failure> {
        self.write(
            PartId::Directory,
            [
                ("listen", loopback(self.layout.directory_port)),
                ("admin_listen", loopback(self.layout.directory_admin_port)),
                ("database", Value::from(self.database(PartId::DirectoryPostgres))),
                ("cluster_secret", self.secret()),
            ],
        )?;
        self.write_public(
            PartId::Router,
            [
                ("listen", self.public(self.router_port)),
                ("admin_listen", loopback(self.layout.router_admin_port)),
                ("directory", self.directory()),
                ("cluster_secret", self.secret()),
                ("data_dir", self.data_dir(PartId::Router)),
                ("public_url", Value::from(self.public_url())),
                ("rate_limits", self.limits()),
                ("allowed_origins", Value::from(self.origins.clone())),
            ],
        )?;
        for cell in self.cells() {
            let ports = self.ports(cell);
            self.write_public(
                PartId::Cell(cell),
                [
                    ("cell_id", Value::from(cell)),
                    ("expected_cells", Value::from(self.layout.cells)),
                    ("directory", self.directory()),
                    ("cluster_secret", self.secret()),
                    ("database", Value::from(self.database(PartId::CellPostgres(cell)))),
                    ("redis", Value::from(redis_url(&self.redis(cell)))),
                    ("socket_listen", self.public(self.socket_port(cell))),
                    ("socket_url", Value::from(self.socket_url(cell))),
                    ("http_listen", loopback(ports.http)),
                    ("relay_listen", loopback(ports.relay)),
                    ("admin_listen", loopback(ports.admin)),
                    ("data_dir", self.data_dir(PartId::Cell(cell))),
                    ("public_url", Value::from(self.public_url())),
                    ("rate_limits", self.limits()),
                    ("allowed_origins", Value::from(self.origins.clone())),
                ],
            )?;
        }
        Ok(())
    }

    /// Of a part with public ports.
    fn write_public<const KEYS: usize>(&self, part: PartId, keys: [(&str, Value); KEYS]) -> Result<(), Failure> {
        let file = |path: &Path| Value::from(path.display().to_string());
        let tls = self.tls.as_ref().map(|TlsFiles { certificate, key }| {
            let files = [("certificate", file(certificate)), ("key", file(key))];
            ("tls", Value::from(files.map(|(key, file)| (key.to_owned(), file)).into_iter().collect::<Table>()))
        });
        self.write(part, keys.into_iter().chain(tls))
    }

    fn write<'a>(&self, part: PartId, keys: impl IntoIterator<Item = (&'a str, Value)>) -> Result<(), Failure> {
        let file = self.folder.config(part);
        let cannot = |error: &dyn std::fmt::Display| Failure::unavailable(format!("{}: {error}", file.display()));
        let table: Table = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let keys = toml::to_string(&table).map_err(|error| cannot(&error))?;
        std::fs::create_dir_all(self.folder.of(part)).map_err(|error| cannot(&error))?;
        std::fs::write(&file, format!("# Written by `skep up` at each start.\n{keys}")).map_err(|error| cannot(&error))
    }

    fn socket_port(&self, cell: u32) -> u16 {
        Options::socket_port_beside(self.router_port, cell)
    }

    fn ports(&self, cell: u32) -> &CellPorts {
        &self.layout.cell_ports[cell as usize - 1]
    }

    fn public(&self, port: u16) -> Value {
        Value::from(std::net::SocketAddr::new(self.public_ip, port).to_string())
    }

    fn directory(&self) -> Value {
        Value::from(self.directory_address())
    }

    fn directory_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.layout.directory_port)
    }

    fn secret(&self) -> Value {
        Value::from(format!("file:{}", self.secret.display()))
    }

    fn data_dir(&self, part: PartId) -> Value {
        Value::from(self.folder.of(part).display().to_string())
    }

    fn limits(&self) -> Value {
        Value::from(match self.rate_limits {
            RateLimits::On => "on",
            RateLimits::Off => "off",
        })
    }

    fn database(&self, part: PartId) -> String {
        Postgres::conninfo_of(&self.folder.of(part), DATABASE)
    }

    fn redis(&self, cell: u32) -> PathBuf {
        Redis::socket_of(&self.folder.of(PartId::CellRedis(cell)))
    }
}

/// As in `skep COMMAND`.
fn command(part: PartId) -> &'static str {
    match part {
        PartId::Router => "router",
        PartId::Directory => "directory",
        _ => "cell",
    }
}

fn redis_url(socket: &Path) -> String {
    // What means something else in a URL.
    let path = socket.display().to_string().replace('%', "%25").replace(' ', "%20");
    format!("redis+unix://{}", path.replace('?', "%3F").replace('#', "%23"))
}

fn loopback(port: u16) -> Value {
    Value::from(format!("127.0.0.1:{port}"))
}

/// All at once, since each may take its time.
fn end_leftovers(folder: &Folder, cells: u32) {
    std::thread::scope(|scope| {
        for part in (1..=cells).map(PartId::Cell).chain([PartId::Router, PartId::Directory]) {
            scope.spawn(move || folder.end_leftover(part));
        }
    });
}

/// Refuses a public port that another program has: people are told these ports, so no other will do.
fn free(ip: IpAddr, port: u16, whose: &str) -> Result<(), Failure> {
    let Err(error) = TcpListener::bind((ip, port)) else { return Ok(()) };
    Err(Failure::unavailable(match error.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} ({whose}) is taken by another program: stop that one, or take other ports with --router-port"
        ),
        ErrorKind::PermissionDenied => format!(
            "port {port} ({whose}) needs more rights than this user has: take ports above 1023 with --router-port"
        ),
        _ => format!("port {port} ({whose}) cannot be listened on at {ip}: {error}"),
    }))
}
