//! Sockets that are written to directly.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use skep_authority::Authority;
use skep_tls::{Acceptor, Line, Wire};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::ends::PATIENCE;

/// Both ends of a TLS connection: a server's line, a client's wire.
async fn pair(authority: &Authority) -> (Line, Wire) {
    let acceptor = Acceptor::start(Some(&authority.files(&["localhost"]))).unwrap();
    let connector = authority.connector();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let (near, far) = tokio::join!(connector.connect(url.parse().unwrap()), async {
        acceptor.accept(listener.accept().await.unwrap().0).await
    });
    (Line::new(far.unwrap()), near.unwrap())
}

async fn read(line: &Line, buffer: &mut [u8]) -> usize {
    loop {
        line.readable().await.unwrap();
        match line.try_read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            read => return read.unwrap(),
        }
    }
}

#[tokio::test]
async fn what_is_said_arrives_whatever_the_size_of_reads() {
    let authority = Authority::new();
    let (line, mut wire) = pair(&authority).await;
    wire.write_all(&[7; 40_000]).await.unwrap();
    wire.flush().await.unwrap();
    let (mut had, mut buffer) = (0, [0; 1_000]);
    // Smaller than a record: what is left over is readable though the socket has nothing.
    while had < 40_000 {
        had += tokio::time::timeout(PATIENCE, read(&line, &mut buffer)).await.expect("nothing is left lying");
    }
    assert_eq!(had, 40_000);
    wire.shutdown().await.unwrap();
    assert_eq!(read(&line, &mut buffer).await, 0, "the end is the end");
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_noticed_and_gets_all_in_order_when_it_reads_on() {
    let authority = Authority::new();
    let (line, mut wire) = pair(&authority).await;
    let mut sent = 0_u64;
    // Until nothing goes any more: kernels take some megabytes.
    loop {
        match line.try_write(&sent.to_be_bytes().repeat(1_000)) {
            Ok(count) => assert!(count % 8 == 0 && count > 0, "{count}"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
        sent += 1;
        assert!(sent < 10_000, "it never ends");
    }
    // What was refused is not held either: a write is taken as a whole or not at all, up to rustls' bound.
    assert!(line.try_flush().is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    let line = Arc::new(line);
    let flushing = Arc::clone(&line);
    let flushed = tokio::spawn(async move {
        while flushing.try_flush().is_err() {
            flushing.writable().await.unwrap();
        }
    });
    let mut number = [0; 8];
    for expected in 0..sent {
        for _ in 0..1_000 {
            wire.read_exact(&mut number).await.unwrap();
            assert_eq!(u64::from_be_bytes(number), expected);
        }
    }
    tokio::time::timeout(PATIENCE, flushed).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_is_let_go_is_told_that_nothing_is_missing() {
    let authority = Authority::new();
    let (line, mut wire) = pair(&authority).await;
    line.try_write(b"bye").unwrap();
    drop(line);
    let mut heard = Vec::new();
    // Without the word at the end this is an error.
    wire.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"bye");
}

#[tokio::test]
async fn a_bare_line_is_the_socket_itself() {
    let (near, far) = crate::ends::ends().await;
    let (near, far) = (Line::new(near.into()), Line::new(far.into()));
    assert_eq!(near.try_write(b"hello").unwrap(), 5);
    near.try_flush().unwrap();
    let mut buffer = [0; 16];
    let count = tokio::time::timeout(Duration::from_secs(5), read(&far, &mut buffer)).await.unwrap();
    assert_eq!(&buffer[..count], b"hello");
}
