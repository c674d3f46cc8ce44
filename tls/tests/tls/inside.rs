//! Between the processes of a deployment.

use skep_authority::Authority;
use skep_tls::{Acceptor, ConnectError, Connector, INNER_NAME, Mutual, Speaks, Wire, refusal};

use crate::ends::{echo, echoes, ends, eventually};

async fn dial(connector: &Connector, port: u16) -> Result<Wire, ConnectError> {
    connector.connect(format!("https://localhost:{port}/").parse().unwrap()).await
}

#[tokio::test]
async fn processes_of_one_authority_know_one_another_wherever_they_are() {
    let authority = Authority::new();
    let (one, other) = (authority.inner(), authority.inner());
    let port = echo(Mutual::start(&one).unwrap().acceptor(Speaks::Http2)).await.port();
    let mut wire = dial(&Mutual::start(&other).unwrap().connector(Speaks::Http2), port).await.unwrap();
    echoes(&mut wire).await.unwrap();
}

/// What each side has against the other.
async fn words(acceptor: Acceptor, connector: Connector) -> (String, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (near, far) =
        tokio::join!(dial(&connector, port), async { acceptor.accept(listener.accept().await.unwrap().0).await });
    let near = near.expect_err("it must not connect");
    assert!(matches!(near, ConnectError::Refused { .. }), "{near:?}");
    (near.to_string(), refusal(&far.unwrap_err()).unwrap())
}

#[tokio::test]
async fn strangers_are_refused_and_both_sides_know_why() {
    let (authority, other) = (Authority::new(), Authority::new());
    let ours = Mutual::start(&authority.inner()).unwrap();
    let theirs = Mutual::start(&other.inner()).unwrap();

    let (near, far) = words(theirs.acceptor(Speaks::Http2), ours.connector(Speaks::Http2)).await;
    assert!(near.contains("the other side's certificate is of another authority"), "{near}");
    assert!(far.contains("does not accept this process's certificate"), "{far}");

    // Somebody who trusts our authority and has no certificate of it learns it from the first answer.
    let port = echo(ours.acceptor(Speaks::Http1)).await.port();
    let trusting = authority.connector();
    let mut wire = dial(&trusting, port).await.unwrap();
    let error = echoes(&mut wire).await.unwrap_err();
    assert!(refusal(&error).unwrap().contains("demands a certificate"), "{error}");
}

#[tokio::test]
async fn a_certificate_in_another_name_is_none_of_ours() {
    let authority = Authority::new();
    let files = authority.mutual(&["chat.example.org"]);
    let error = files.check().unwrap_err().to_string();
    assert!(error.contains(&files.certificate.display().to_string()) && error.contains(INNER_NAME), "{error}");
}

#[tokio::test]
async fn who_speaks_no_tls_is_refused() {
    let authority = Authority::new();
    let ours = Mutual::start(&authority.inner()).unwrap();
    let (near, far) = ends().await;
    drop(near);
    assert!(ours.acceptor(Speaks::Http2).accept(far).await.is_err());
    let port = echo(Acceptor::bare()).await.port();
    assert!(dial(&ours.connector(Speaks::Http2), port).await.is_err());
}

#[tokio::test]
async fn an_authority_is_replaced_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server, client) = (old.inner(), new.inner());
    let port = echo(Mutual::start(&server).unwrap().acceptor(Speaks::Http2)).await.port();
    let (old_ca, new_ca) = (std::fs::read_to_string(old.ca()).unwrap(), std::fs::read_to_string(new.ca()).unwrap());
    // The client trusts both already, the server does not yet.
    std::fs::write(new.ca(), format!("{new_ca}{old_ca}")).unwrap();
    let connector = Mutual::start(&client).unwrap().connector(Speaks::Http2);
    assert!(matches!(dial(&connector, port).await, Err(ConnectError::Refused { .. })));
    std::fs::write(old.ca(), format!("{old_ca}{new_ca}")).unwrap();
    eventually("the server trusts the new authority", async || dial(&connector, port).await.is_ok()).await;
}
