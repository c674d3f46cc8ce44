//! Ports of loopback, held for a server that has yet to start.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port that the system gives nobody else while this lives, for listening or for a connection, and that nobody else
/// can hold. Whoever is told of it may listen there: it is bound here, and shared with listeners (`SO_REUSEADDR`, as
/// every server sets it). Until somebody listens, who comes to it is refused.
pub struct HeldPort {
    address: SocketAddr,
    _bound: Socket,
}

impl HeldPort {
    /// One that is free.
    pub fn any() -> io::Result<Self> {
        Self::at(0)
    }

    /// This one. An error when somebody has it, or holds it.
    pub fn at(port: u16) -> io::Result<Self> {
        let bound = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        bound.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        // Only now: bound like this from the start, two could hold the same one.
        bound.set_reuse_address(true)?;
        let address = bound.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { address, _bound: bound })
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
