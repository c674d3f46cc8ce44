//! Waiting for a server's word on our certificate. In TLS 1.3 a client is done before the server has looked at what it
//! shows: without this, a refusal would be met by the first call, when it is no longer known whether that was done.

use std::io;

use rustls::ClientConnection;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::line::Raw;

/// Until the server has let us in: it sends a ticket then, whether or not anybody wants one.
pub(crate) async fn confirmed(stream: &mut TlsStream<TcpStream>) -> io::Result<()> {
    loop {
        let (tcp, connection) = stream.get_mut();
        if connection.tls13_tickets_received() > 0 {
            return Ok(());
        }
        read(tcp, connection).await?;
    }
}

async fn read(tcp: &TcpStream, connection: &mut ClientConnection) -> io::Result<()> {
    tcp.readable().await?;
    match connection.read_tls(&mut Raw(tcp)) {
        Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error),
    }
    connection.process_new_packets().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(())
}
