//! What TLS costs a process that serves sockets: `cargo run --release -p skep-tls --example measure`. Clients are a
//! process of their own.
#![allow(clippy::unwrap_used, reason = "it fails by panicking")]

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use skep_authority::Authority;
use skep_tls::{Acceptor, Connector, Line, Trust, Wire};
use tokio::{io::AsyncReadExt, net::TcpListener};

const CONNECTIONS: usize = 2_000;
const PUSHES: usize = 20_000;
/// A message of the usual length, as a frame.
const PUSH: [u8; 250] = [b'x'; 250];
/// A kernel's tick of CPU time, in microseconds.
const TICK_US: f64 = 10_000.0;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [url, count, ca] => clients(url, count.parse().unwrap(), Path::new(ca)).await,
        _ => serve().await,
    }
}

async fn serve() {
    let authority = Authority::new();
    let files = authority.public();
    for (name, scheme, acceptor) in
        [("bare", "http", Acceptor::bare()), ("TLS", "https", Acceptor::start(Some(&files)).unwrap())]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("{scheme}://localhost:{}/", listener.local_addr().unwrap().port());
        let (memory, cpu) = (resident(), cpu_us());
        let mut child = client_process(&url, CONNECTIONS, &authority.ca());
        let mut lines = Vec::new();
        for _ in 0..CONNECTIONS {
            lines.push(Line::new(acceptor.accept(listener.accept().await.unwrap().0).await.unwrap()));
        }
        let (taken, held) = (cpu_us() - cpu, resident() - memory);
        println!("{name}: {} bytes an idle connection", held / CONNECTIONS);
        println!("{name}: {:.0} us of CPU to take a connection", taken / CONNECTIONS as f64);
        let mut times: Vec<Duration> = Vec::new();
        for i in 0..PUSHES {
            let line = &lines[i % CONNECTIONS];
            let begun = Instant::now();
            assert_eq!(line.try_write(&PUSH).unwrap(), PUSH.len());
            times.push(begun.elapsed());
        }
        times.sort();
        println!("{name}: {:.1} us a push of {} bytes (median)", times[PUSHES / 2].as_secs_f64() * 1e6, PUSH.len());
        println!("{name}: {} bytes a connection after pushes", (resident() - memory) / CONNECTIONS);
        drop(lines);
        child.wait().unwrap();
    }
}

/// Connects so often, reads what comes, and ends with the server's lines.
async fn clients(url: &str, count: usize, ca: &Path) {
    let mut wires: Vec<Wire> = Vec::new();
    for _ in 0..count {
        // A trust of its own knows no earlier session: each is a whole handshake.
        let connector = Connector::trusting(&Trust::in_file(ca).unwrap());
        wires.push(connector.connect(url.parse().unwrap()).await.unwrap());
    }
    let reading =
        wires.into_iter().map(|mut wire| tokio::spawn(async move { wire.read_to_end(&mut Vec::new()).await }));
    for read in reading.collect::<Vec<_>>() {
        _ = read.await.unwrap();
    }
}

fn client_process(url: &str, count: usize, ca: &Path) -> Child {
    let program = std::env::current_exe().unwrap();
    Command::new(program).args([url, &count.to_string()]).arg(ca).spawn().unwrap()
}

/// Bytes of memory in use.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// CPU time of this process so far.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) * TICK_US
}
