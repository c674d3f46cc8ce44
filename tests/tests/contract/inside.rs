//! Doors between processes: nobody is answered who does not show the cluster secret.

use hyper::{Method, Request, StatusCode};
use serde_json::json;
use skep_protocol::wire;
use skep_tests::{Deployment, Door, SECRET};
use tonic::{Code, Status, transport::Channel};
use wire::{directory_client::DirectoryClient, peer_client::PeerClient, relay_client::RelayClient};

/// What callers show in place of the secret: nothing, guesses, and parts of it.
fn guesses() -> Vec<Option<String>> {
    let mut almost = SECRET.to_owned();
    almost.pop();
    let longer = format!("{SECRET}0");
    vec![None, Some(String::new()), Some("x".repeat(32)), Some(almost), Some(longer), Some(SECRET.to_uppercase())]
}

fn showing<T>(message: T, shown: Option<&str>) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    if let Some(shown) = shown {
        request.metadata_mut().insert("x-skep-cluster-secret", shown.parse().unwrap());
    }
    request
}

/// How a call of every gRPC service ends.
async fn calls(directory: &Channel, cell: &Channel, shown: Option<&str>) -> Vec<(&'static str, Result<(), Status>)> {
    let mut named = Vec::new();
    let mut client = DirectoryClient::new(directory.clone());
    let stranger = wire::Cell { cell_id: 9, ..wire::Cell::default() };
    let register = wire::RegisterRequest { cell: Some(stranger), expected_cells: 9 };
    if shown != Some(SECRET) {
        named.push(("directory: register", client.register(showing(register, shown)).await.map(|_| ())));
    }
    named.push(("directory: map", client.get_map(showing(wire::GetMapRequest {}, shown)).await.map(|_| ())));
    let watched = client.watch(showing(wire::WatchRequest { epoch: 0 }, shown)).await;
    named.push(("directory: watch", watched.map(|_| ())));
    let mut client = PeerClient::new(cell.clone());
    let asked = wire::FindUsernameRequest { username: "anna".to_owned() };
    named.push(("peer: find", client.find_username(showing(asked, shown)).await.map(|_| ())));
    let mut client = RelayClient::new(cell.clone());
    let linked = client.link(showing(tokio_stream::empty(), shown)).await;
    named.push(("relay: link", linked.map(|_| ())));
    named
}

#[tokio::test]
async fn no_door_between_processes_answers_who_does_not_show_the_secret() {
    let deployment = Deployment::start(1).await;
    let anna = deployment.sign_up("anna").await;
    let cell = &deployment.cells[0];
    let channel = |url: String| Channel::from_shared(url).unwrap().connect_lazy();
    let directory = channel(deployment.directory_url.clone());
    let relay = channel(format!("http://{}", cell.relay.address));
    for shown in guesses() {
        for (door, ended) in calls(&directory, &relay, shown.as_deref()).await {
            let status = ended.expect_err(door);
            assert_eq!(status.code(), Code::Unauthenticated, "{door}, showing {shown:?}: {status}");
            assert!(status.message().starts_with("cluster secret"), "{door}: {status}");
        }
        // As a router would bring it, with a token that holds.
        let mut request = Request::get(format!("{}/v1/me", cell.http_url))
            .header("authorization", format!("Bearer {}", anna.token))
            .header("x-forwarded-for", "192.0.2.1");
        if let Some(shown) = &shown {
            request = request.header("x-skep-cluster-secret", shown);
        }
        let reply = Door::new(cell.http_url.clone()).request(request.body(Default::default()).unwrap()).await;
        assert!(reply.headers["x-skep-refused"].to_str().unwrap().starts_with("cluster secret"));
        reply.refused(403, "not_allowed");
    }
    // The same calls are answered when the secret is shown; what they ask for is another matter.
    for (door, ended) in calls(&directory, &relay, Some(SECRET)).await {
        assert!(ended.as_ref().err().is_none_or(|status| status.code() != Code::Unauthenticated), "{door}: {ended:?}");
    }
    let map = DirectoryClient::new(directory).get_map(showing(wire::GetMapRequest {}, Some(SECRET))).await.unwrap();
    assert_eq!(map.get_ref().cells.len(), 1, "nobody was registered");
    let reply = Door::of_cell(cell.http_url.clone(), &skep_tests::inside())
        .call(Method::GET, "/v1/me", Some(&anna.token), None)
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    // The router shows its own, whatever a client says.
    let request = Request::get(format!("{}/v1/me", deployment.url))
        .header("authorization", format!("Bearer {}", anna.token))
        .header("x-skep-cluster-secret", "a guess")
        .body(Default::default())
        .unwrap();
    let me = deployment.request(request).await.expect(200);
    assert_eq!(me["username"], json!("anna"));
}
