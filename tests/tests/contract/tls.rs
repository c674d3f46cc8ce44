//! A deployment all of whose doors speak TLS.

use std::time::Duration;

use hyper::Method;
use serde_json::json;
use skep_directory::{DirectoryError, MapWatch};
use skep_inside::{ClusterSecret, Inside, Speaks};
use skep_protocol::wire;
use skep_tests::{Authority, Deployment, Door, SECRET, eventually};
use skep_tls::{Connector, Mutual, Wire, refusal};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;
use wire::directory_client::DirectoryClient;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a public door shows now.
async fn shown(url: &str) -> Vec<u8> {
    let wire = Authority::known().connector().connect(url.parse().unwrap()).await.unwrap();
    let Wire::Tls(stream) = wire else { panic!("it speaks TLS") };
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn people_of_all_cells_talk_while_certificates_are_renewed() {
    let hive = Deployment::start_over_tls(2).await;
    assert!(hive.url.starts_with("https://"));
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    assert!(anna.socket_url.starts_with("wss://"), "{}", anna.socket_url);
    // Over the relay, a call between cells, and both sockets.
    let (mut a, _) = anna.online().await;
    let (mut b, _) = ben.online().await;
    let group = anna.group(&[&ben]).await;
    let id = uuid::Uuid::now_v7();
    a.send(json!({"type": "send", "ref": 1, "conversation_id": group, "client_message_id": id, "text": "hello"})).await;
    a.until("sent").await;
    assert_eq!(b.until("messages").await["messages"][0]["text"], "hello");
    ben.say(&group, "and back").await;
    assert_eq!(a.until("messages").await["messages"][0]["text"], "and back");
    assert_eq!(b.until("messages").await["messages"][0]["text"], "and back");
    assert_eq!(anna.texts(&group).await, ben.texts(&group).await);

    let socket = anna.socket_url.replace("wss://", "https://");
    let (router, cell) = (shown(&hive.url).await, shown(&socket).await);
    Authority::known().renew(hive.tls.as_ref().unwrap());
    eventually(PATIENCE, "the router shows the new certificate", async || shown(&hive.url).await != router).await;
    eventually(PATIENCE, "the cell shows the new certificate", async || shown(&socket).await != cell).await;
    // Who was there before is still there.
    ben.say(&group, "on it goes").await;
    assert_eq!(a.until("messages").await["messages"][0]["text"], "on it goes");
    assert_eq!(b.until("messages").await["messages"][0]["text"], "on it goes");
    let (mut again, _) = anna.online().await;
    anna.say(&group, "also to new ones").await;
    assert_eq!(again.until("messages").await["messages"][0]["text"], "also to new ones");
}

#[tokio::test]
async fn who_speaks_no_tls_to_a_public_port_is_told() {
    let hive = Deployment::start_over_tls(1).await;
    for url in [hive.url.clone(), hive.cells[0].socket_url.clone()] {
        let host = url.split("://").nth(1).unwrap().split('/').next().unwrap();
        let mut plain = TcpStream::connect(host).await.unwrap();
        plain.write_all(b"GET /v1/me HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        plain.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("speaks TLS"), "{answer}");
    }
    // And nobody is served who waits in the middle of a handshake; others are, meanwhile.
    let host = hive.url.strip_prefix("https://").unwrap();
    let mut slow = TcpStream::connect(host).await.unwrap();
    slow.write_all(&[22, 3, 1]).await.unwrap();
    hive.sign_up("anna").await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, slow.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "a handshake is given up");
}

/// Why a process that has these is not let in, or that it is.
async fn asked(inside: &Inside, directory: &str) -> Result<(), String> {
    let endpoint = inside.endpoint(directory).unwrap();
    let channel = inside.connect(&endpoint).await.map_err(|error| refusal(&error).unwrap_or(error.to_string()))?;
    let asked = DirectoryClient::new(channel).get_map(wire::GetMapRequest {}).await;
    asked.map(|_| ()).map_err(|status| refusal(&status).unwrap_or(status.to_string()))
}

#[tokio::test]
async fn inside_nobody_is_answered_without_a_certificate_and_the_secret() {
    let hive = Deployment::start_over_tls(1).await;
    let secret = ClusterSecret::new(SECRET);
    let (ours, theirs) = (Authority::known().inner(), Authority::new());
    let one_of_us = Inside::start(&secret, Some(&ours)).unwrap();
    asked(&one_of_us, &hive.directory_url).await.unwrap();

    // The secret alone.
    let plain = Inside::plain(&secret.load().unwrap());
    let reason = asked(&plain, &hive.directory_url).await.unwrap_err();
    assert!(reason.contains("this port speaks TLS"), "{reason}");
    // Nor does such a process begin anything.
    let file = std::env::temp_dir().join(format!("skep-map-{:x}", rand::random::<u64>()));
    let map = MapWatch::start(&hive.directory_url, &plain, file, CancellationToken::new()).unwrap();
    assert!(matches!(map.admitted().await, Err(DirectoryError::Refused(_))));
    // A certificate alone.
    let guess = Inside::start(&ClusterSecret::new("x".repeat(32)), Some(&ours)).unwrap();
    let reason = asked(&guess, &hive.directory_url).await.unwrap_err();
    assert!(reason.contains("cluster secret does not match"), "{reason}");
    // The secret, and a certificate of another authority; also one that trusts ours.
    let stranger = Inside::start(&secret, Some(&theirs.inner())).unwrap();
    let reason = asked(&stranger, &hive.directory_url).await.unwrap_err();
    assert!(reason.contains("is of another authority"), "{reason}");
    let mixed = skep_tls::MutualFiles { ca: ours.ca.clone(), ..theirs.inner() };
    let reason = asked(&Inside::start(&secret, Some(&mixed)).unwrap(), &hive.directory_url).await.unwrap_err();
    assert!(reason.contains("does not accept this process's certificate"), "{reason}");

    // The cell's doors.
    let cell = &hive.cells[0];
    let me = |door: Door| async move { door.try_call(Method::GET, "/v1/me", None, None, None).await };
    assert_eq!(me(Door::of_cell(cell.http_url.clone(), &one_of_us)).await.unwrap().status, 401);
    me(Door::of_cell(cell.http_url.clone(), &stranger)).await.unwrap_err();
    let mut heard_out = 0;
    for address in [cell.http_url.clone(), format!("https://{}", cell.relay.address)] {
        let uri: hyper::Uri = address.parse().unwrap();
        let refused = Mutual::start(&theirs.inner()).unwrap().connector(Speaks::Http2).connect(uri.clone()).await;
        assert!(refused.is_err(), "{address}");
        // Who trusts ours and shows nothing is cut off before a word is heard, or for not speaking HTTP/2.
        let Ok(mut wire) = Authority::known().connector().connect(uri).await else { continue };
        _ = wire.write_all(b"GET /v1/me HTTP/1.1\r\nHost: a\r\n\r\n").await;
        let mut heard = Vec::new();
        _ = wire.read_to_end(&mut heard).await;
        assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
        heard_out += 1;
    }
    assert!(heard_out > 0, "nobody got as far as to say a word");
    let address = cell.http_url.replace("https", "http").parse().unwrap();
    let mut plain = Connector::bare().connect(address).await.unwrap();
    plain.write_all(b"GET /v1/me HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut heard = String::new();
    plain.read_to_string(&mut heard).await.unwrap();
    assert!(heard.to_lowercase().contains("x-skep-refused: this port speaks tls"), "{heard}");
}
