//! Each call finds the cell that it belongs to.

use hyper::{Method, header};
use serde_json::json;

use crate::{
    client::{request, send, with_body, with_token},
    world::{World, address_in, code_in, name_in, token_in, user_in},
};

const JSON: &str = "application/json";

#[tokio::test]
async fn calls_go_to_the_cell_of_their_slot() {
    let world = World::new().await;
    for cell in [1, 2] {
        // A token of the other cell must not matter where the path or the body decides.
        let other = token_in(3 - cell);
        let form = format!(
            "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n\u{1}\u{0}\r\n\
             --b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\n{}\r\n--b--\r\n",
            name_in(cell)
        );
        let url = |path: &str| world.url(path);
        let post = |path: &str| request(Method::POST, &url(path));
        let get = |path: &str| request(Method::GET, &url(path));
        let calls = [
            with_token(get("/v1/me"), &token_in(cell)),
            with_token(get("/v1/users?query=anna"), &token_in(cell)),
            with_token(get("/v1/conversations/none/messages"), &token_in(cell)),
            with_token(request(Method::DELETE, &url("/v1/sessions/current")), &token_in(cell)),
            with_token(post(&format!("/v1/links/{}/join", code_in(3 - cell))), &token_in(cell)),
            with_body(post("/v1/users"), JSON, json!({"username": name_in(cell).to_uppercase()}).to_string()),
            with_token(with_body(post("/v1/users"), JSON, json!({"username": name_in(cell)}).to_string()), &other),
            with_body(post("/v1/users"), "multipart/form-data; boundary=b", form),
            with_body(post("/v1/sessions"), JSON, json!({"login": name_in(cell), "password": "x"}).to_string()),
            with_body(post("/v1/sessions"), JSON, json!({"login": address_in(cell).to_uppercase()}).to_string()),
            get(&format!("/v1/links/{}", code_in(cell))),
            get(&format!("/v1/images/{}/v1.webp?size=64", user_in(cell))),
        ];
        for call in calls {
            let what = format!("{} {}", call.method(), call.uri());
            let before = world.cell(cell).seen().len();
            let reply = send(call).await;
            assert_eq!((reply.status.as_u16(), reply.text), (200, format!("cell {cell}")), "{what}");
            assert_eq!(world.cell(cell).seen().len(), before + 1, "{what}");
        }
    }
}

#[tokio::test]
async fn calls_that_name_nobody_are_refused_by_a_cell() {
    let world = World::new().await;
    for (path, body) in [
        ("/v1/users", "{}"),
        ("/v1/users", "no JSON"),
        ("/v1/users", r#"{"username": "a b"}"#),
        ("/v1/sessions", "[]"),
        ("/v1/sessions", r#"{"login": 5}"#),
    ] {
        let reply = send(with_body(request(Method::POST, &world.url(path)), JSON, body)).await;
        assert!(reply.text.starts_with("cell "), "{path} {body}");
    }
}

#[tokio::test]
async fn what_needs_a_token_is_refused_without_one() {
    let world = World::new().await;
    let url = world.url("/v1/me");
    let mut calls = vec![request(Method::GET, &url), request(Method::GET, &world.url("/v1/users"))];
    calls.extend(["", "skep1_", "skep0_x", &token_in(1)[1..]].map(|bad| with_token(request(Method::GET, &url), bad)));
    for call in calls {
        let reply = send(call).await;
        reply.refused(401, "unauthenticated");
        assert_eq!(reply.headers[header::WWW_AUTHENTICATE], "Bearer");
    }
    assert!(world.cells.iter().all(|cell| cell.seen().is_empty()));
}

#[tokio::test]
async fn what_the_contract_does_not_name_reaches_no_cell() {
    let world = World::new().await;
    let paths = [
        "/nothing",
        "/v1",
        "/v1/nothing",
        "/v1/me/",
        "/v1/socket",
        "/v1/links/short",
        "/v1/images/anna/v1.webp",
        "/errors/x",
        "/metrics",
        "/v1/conversations//messages",
    ];
    for path in paths {
        let call = with_token(request(Method::GET, &world.url(path)), &token_in(1));
        send(call).await.refused(404, "not_found");
    }
    assert!(world.cells.iter().all(|cell| cell.seen().is_empty()));
}

#[tokio::test]
async fn the_routers_own_pages_are_there() {
    let world = World::new().await;
    for path in ["/healthz", "/readyz"] {
        let reply = send(request(Method::GET, &world.url(path))).await;
        assert_eq!((reply.status.as_u16(), &*reply.text), (200, "ok\n"), "{path}");
    }
    for code in skep_protocol::Code::ALL {
        let reply = send(request(Method::GET, &world.url(&format!("/errors/{code}")))).await;
        assert_eq!(reply.status, 200, "{code}");
        assert!(
            reply.text.contains(&format!("<code>{code}</code>")) && reply.text.contains(code.title()),
            "{}",
            reply.text
        );
    }
    let reply = send(request(Method::POST, &world.url("/errors/busy"))).await;
    reply.refused(405, "method");
    assert_eq!(reply.headers[header::ALLOW], "GET, HEAD");
}
