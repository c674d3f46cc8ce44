//! A wire that is read and written without waiting, by several at once: whoever has something for it writes what fits,
//! and waits for room only when something did not.

use std::io::{self, IoSlice, Read, Write};

use parking_lot::Mutex;
use rustls::Connection;
use tokio::net::TcpStream;

use crate::Wire;

/// Past its handshake. Over TLS it holds what one write made of at most 64 KiB (rustls' bound), and takes no more until
/// all of it is in the kernel: a reader that takes nothing is noticed as on bare TCP.
pub struct Line {
    tcp: TcpStream,
    tls: Option<Box<Mutex<Connection>>>,
}

/// The socket as rustls wants it.
pub(crate) struct Raw<'a>(pub &'a TcpStream);

impl Line {
    pub fn new(wire: Wire) -> Self {
        let (tcp, connection) = match wire {
            Wire::Bare(tcp) => return Self { tcp, tls: None },
            Wire::Tls(stream) => match *stream {
                tokio_rustls::TlsStream::Server(stream) => {
                    let (tcp, connection) = stream.into_inner();
                    (tcp, Connection::from(connection))
                }
                tokio_rustls::TlsStream::Client(stream) => {
                    let (tcp, connection) = stream.into_inner();
                    (tcp, Connection::from(connection))
                }
            },
        };
        Self { tcp, tls: Some(Box::new(Mutex::new(connection))) }
    }

    /// Until there may be something to read.
    pub async fn readable(&self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            let mut tls = tls.lock();
            // What was deciphered and did not fit into the last read.
            if tls.process_new_packets().map_err(broken)?.plaintext_bytes_to_read() > 0 {
                return Ok(());
            }
        }
        self.tcp.readable().await
    }

    /// Until there may be room to write.
    pub async fn writable(&self) -> io::Result<()> {
        self.tcp.writable().await
    }

    /// What is there; nothing at the end. `WouldBlock` when there is nothing yet.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return self.tcp.try_read(buffer) };
        let mut tls = tls.lock();
        loop {
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // Whoever goes without a word at the end is gone all the same: frames tell whether they are whole.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                read => return read,
            }
            // After the last byte the reader says that it is the end.
            tls.read_tls(&mut Raw(&self.tcp))?;
            let state = tls.process_new_packets();
            // What TLS itself answers, such as why it ends.
            match send(&mut tls, &self.tcp) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            state.map_err(broken)?;
        }
    }

    /// Writes what fits. `WouldBlock` when nothing does, or when what an earlier call took is not in the kernel yet.
    pub fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return self.tcp.try_write_vectored(slices) };
        let mut tls = tls.lock();
        send(&mut tls, &self.tcp)?;
        let taken = tls.writer().write_vectored(slices)?;
        match send(&mut tls, &self.tcp) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    /// The same, of one piece.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write_vectored(&[IoSlice::new(bytes)])
    }

    /// Brings what was taken into the kernel. `WouldBlock` while some of it waits; never on bare TCP.
    pub fn try_flush(&self) -> io::Result<()> {
        match &self.tls {
            Some(tls) => send(&mut tls.lock(), &self.tcp),
            None => Ok(()),
        }
    }
}

/// Tells the other side that nothing is missing, where that fits.
impl Drop for Line {
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            let tls = tls.get_mut();
            tls.send_close_notify();
            _ = send(tls, &self.tcp);
        }
    }
}

fn send(tls: &mut Connection, tcp: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        if tls.write_tls(&mut Raw(tcp))? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

fn broken(error: rustls::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
