//! People's connections.

use std::time::Duration;

use skep_authority::Authority;
use skep_tls::{Acceptor, ConnectError, Connector, TlsFiles, refusal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::ends::{PATIENCE, echo, echoes, ends};

#[tokio::test]
async fn who_trusts_the_authority_is_served_and_who_does_not_goes_away() {
    let (authority, other) = (Authority::new(), Authority::new());
    let address = echo(Acceptor::start(Some(&authority.files(&["localhost"]))).unwrap()).await;
    let url = |scheme: &str, host: &str| format!("{scheme}://{host}:{}/", address.port()).parse().unwrap();
    let trusting = authority.connector();
    let mut wire = trusting.connect(url("https", "localhost")).await.unwrap();
    echoes(&mut wire).await.unwrap();

    let refused = |connector: Connector, host: &'static str| async move {
        match connector.connect(url("https", host)).await {
            Err(ConnectError::Refused { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    };
    let stranger = other.connector();
    assert!(refused(stranger, "localhost").await.contains("of another authority"));
    assert!(refused(trusting.clone(), "127.0.0.1").await.contains("not valid for name"));
    assert!(matches!(Connector::bare().connect(url("https", "localhost")).await, Err(ConnectError::NoTrust(_))));
}

#[tokio::test]
async fn a_slow_handshake_is_given_up_and_holds_nobody() {
    let authority = Authority::new();
    let acceptor = Acceptor::start(Some(&authority.files(&["localhost"]))).unwrap();
    // Says nothing, and says half of something.
    for said in [&b""[..], &[22, 3, 1, 0, 200, 1]] {
        let (mut near, far) = ends().await;
        near.write_all(said).await.unwrap();
        let slow = {
            let acceptor = acceptor.clone().within(Duration::from_millis(200));
            tokio::spawn(async move { acceptor.accept(far).await })
        };
        let error = tokio::time::timeout(PATIENCE, slow).await.expect("it is given up").unwrap().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
    }
}

#[tokio::test]
async fn who_speaks_http_to_a_port_that_speaks_tls_is_told() {
    let authority = Authority::new();
    let address = echo(Acceptor::start(Some(&authority.files(&["localhost"]))).unwrap()).await;
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET /v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    plain.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
    assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{head}: {body:?}");
    assert!(body.contains("speaks TLS"));
}

#[tokio::test]
async fn who_speaks_neither_is_told_apart() {
    let authority = Authority::new();
    let acceptor = Acceptor::start(Some(&authority.files(&["localhost"]))).unwrap();
    let (mut near, far) = ends().await;
    near.write_all(&[0; 64]).await.unwrap();
    let error = acceptor.accept(far).await.unwrap_err();
    assert_eq!(refusal(&error).unwrap(), "the other side does not speak TLS");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let (good, other) = (authority.files(&["localhost"]), authority.files(&["elsewhere"]));
    good.check().unwrap();
    let half = authority.folder.join("half.pem");
    let whole = std::fs::read_to_string(&good.certificate).unwrap();
    std::fs::write(&half, &whole[..whole.len() / 2]).unwrap();
    let missing = authority.folder.join("missing.pem");
    let empty = authority.folder.join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let with = |certificate: &std::path::Path, key: &std::path::Path| {
        let files = TlsFiles { certificate: certificate.into(), key: key.into() };
        files.check().unwrap_err().to_string()
    };
    assert!(with(&good.certificate, &other.key).contains("is not the key of"));
    for (named, error) in [
        (&half, with(&half, &good.key)),
        (&missing, with(&missing, &good.key)),
        (&empty, with(&empty, &good.key)),
        (&half, with(&good.certificate, &half)),
    ] {
        assert!(error.starts_with(&named.display().to_string()), "{error}");
    }
    // A key is never in the words.
    let secret = std::fs::read_to_string(&good.key).unwrap();
    let secret = secret.lines().nth(1).unwrap();
    assert!(!with(&good.key, &good.key).contains(secret));
}
