//! Both ends of connections over loopback.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Two ends of a connection over loopback.
pub async fn ends() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Says a word and hears it back.
pub async fn echoes(wire: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> std::io::Result<()> {
    wire.write_all(b"hello").await?;
    wire.flush().await?;
    let mut heard = [0; 5];
    wire.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"hello");
    Ok(())
}

/// Serves a word back to everybody, until the test ends.
pub async fn echo(acceptor: skep_tls::Acceptor) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut wire) = acceptor.accept(tcp).await else { return };
                let mut word = [0; 5];
                while wire.read_exact(&mut word).await.is_ok() {
                    wire.write_all(&word).await.unwrap();
                    wire.flush().await.unwrap();
                }
            });
        }
    });
    address
}

pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
