//! Files that change under a listener.

use skep_authority::Authority;
use skep_tls::{Acceptor, Connector, Wire};

use crate::ends::{echo, echoes, eventually};

/// What a listener shows now.
async fn shown(connector: &Connector, port: u16) -> Vec<u8> {
    let wire = connector.connect(format!("https://localhost:{port}/").parse().unwrap()).await.unwrap();
    let Wire::Tls(stream) = wire else { panic!("it speaks TLS") };
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn a_new_pair_is_used_by_new_connections_while_old_ones_go_on_and_a_half_written_one_is_not() {
    let authority = Authority::new();
    let files = authority.files(&["localhost"]);
    let port = echo(Acceptor::start(Some(&files)).unwrap()).await.port();
    let connector = authority.connector();
    let mut old = connector.connect(format!("https://localhost:{port}/").parse().unwrap()).await.unwrap();
    let first = shown(&connector, port).await;

    // The certificate is there, its key is not yet; then the key is there in part.
    let (certificate, key) = authority.issue(&["localhost"]);
    std::fs::write(&files.certificate, &certificate).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(shown(&connector, port).await, first, "half of a pair is no pair");
    std::fs::write(&files.key, &key[..key.len() / 2]).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(shown(&connector, port).await, first, "half of a key is no key");
    std::fs::remove_file(&files.key).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(2_500)).await;
    assert_eq!(shown(&connector, port).await, first, "a file that is away changes nothing");

    std::fs::write(&files.key, &key).unwrap();
    eventually("the new pair is shown", async || shown(&connector, port).await != first).await;
    echoes(&mut old).await.unwrap();
}
