//! Questions to admin ports.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A part on this machine that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// Metrics are some kilobytes.
const ANSWER_BYTES: u64 = 1024 * 1024;

/// Whether the part serves.
pub(crate) fn is_ready(port: u16) -> bool {
    get(port, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// Whether a part at this URL (without a path) serves.
pub(crate) fn is_ready_at(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
    let mut addresses = host.to_socket_addrs().into_iter().flatten();
    addresses.any(|address| ask(address, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")))
}

/// What it counts, in Prometheus' text form.
pub(crate) fn metrics(port: u16) -> Option<String> {
    let answer = get(port, "/metrics").ok()?;
    answer.starts_with("HTTP/1.1 200").then(|| answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()))?
}

/// The whole answer, head included.
fn get(port: u16, path: &str) -> std::io::Result<String> {
    ask(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), path)
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}
