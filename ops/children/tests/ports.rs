//! A held port is its holder's, and whose server it is held for.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

use skep_children::HeldPort;

#[test]
fn a_held_port_is_nobody_elses_and_a_server_can_listen_there_again_and_again() {
    let held = HeldPort::any().unwrap();
    assert_eq!(HeldPort::at(held.address().port()).err().unwrap().kind(), ErrorKind::AddrInUse);
    assert_eq!(TcpStream::connect(held.address()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    for _ in 0..2 {
        let server = TcpListener::bind(held.address()).unwrap();
        let client = TcpStream::connect(held.address()).unwrap();
        // The server's side ends first: what is left of it does not keep the next server away.
        drop(server.accept().unwrap());
        drop(client);
    }
}
