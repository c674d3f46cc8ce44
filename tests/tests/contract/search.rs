use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use skep_tests::{Deployment, Door, PASSWORD, Person, eventually};

const SOON: Duration = Duration::from_secs(20);

async fn named(door: &Door, username: &str, display_name: &str) -> Person {
    let email = format!("{username}@post.example.org");
    let body = json!({"username": username, "display_name": display_name, "email": email, "password": PASSWORD});
    Person::of(door, &door.call(Method::POST, "/v1/users", None, Some(body)).await.expect(201))
}

/// As a query string takes it.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn usernames(page: &Value) -> Vec<String> {
    page["users"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

async fn found(asker: &Person, query: &str) -> Vec<String> {
    usernames(&asker.get(&format!("/v1/users?query={}", encoded(query))).await.expect(200))
}

async fn soon(asker: &Person, query: &str, expected: &[&str]) {
    let mut last = Vec::new();
    let same = async || {
        last = found(asker, query).await;
        last == expected
    };
    let holds = tokio::time::timeout(SOON, eventually(SOON * 2, query, same)).await;
    assert!(holds.is_ok(), "{query:?} finds {last:?}, not {expected:?}");
}

/// All pages of one entry each.
async fn leafed(asker: &Person, query: &str) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = asker.get(&format!("/v1/users?query={}&limit=1{cursor}", encoded(query))).await.expect(200);
        all.extend(usernames(&page));
        assert!(page["users"].as_array().unwrap().len() <= 1);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

async fn sql(hive: &Deployment, cell: usize, text: &str) {
    let conninfo = hive.cells[cell].postgres.lock().unwrap().conninfo("cell");
    let (client, connection) = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute(text).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_found_by_their_names() {
    let hive = Deployment::start(2).await;
    let zoe = hive.sign_up_in(1, "zoe").await;
    for (username, display_name) in [
        ("anna.b", "Anna Mei"),
        ("annabel", "Bel Canto"),
        ("an99", "An Nguyen"),
        ("mei_lin", "Mei Lin"),
        ("sartre", "Jean-Paul Sartre"),
        ("liming", "李明"),
        ("mueller", "Jürgen Müller"),
        ("annie", "Annie Gone"),
    ] {
        named(&hive, username, display_name).await;
    }
    let friend = named(&hive, "cassandra", "Kassandra Ångström").await;
    let other = named(&hive, "liwei", "李明华").await;
    for (cell, person) in [(1, &friend), (2, &other)] {
        let direct = zoe.direct(person).await;
        zoe.say(&direct, &format!("hello from cell {cell}")).await;
    }
    for cell in 0..2 {
        sql(&hive, cell, "UPDATE users SET disabled = true WHERE username = 'annie'").await;
    }

    let table: &[(&str, &[&str])] = &[
        ("anna.b", &["anna.b"]),
        ("ANNA.B", &["anna.b"]),
        (" Änna ", &["anna.b", "annabel"]),
        ("annabel", &["annabel"]),
        ("ann", &["anna.b", "annabel"]),
        ("an", &["cassandra", "an99"]),
        ("bel", &["annabel"]),
        ("mei", &["anna.b", "mei_lin"]),
        ("anna mei", &["anna.b"]),
        ("mei anna", &["anna.b"]),
        ("anna m", &["anna.b"]),
        ("mei anna.b", &["anna.b"]),
        ("mei lin anna", &[]),
        ("annie", &[]),
        ("gone", &[]),
        ("paul", &["sartre"]),
        ("jean-paul", &["sartre"]),
        ("sartre jean", &["sartre"]),
        ("JURGEN mül", &["mueller"]),
        // Known ones by any part, and first.
        ("李明", &["liwei", "liming"]),
        ("李", &["liwei"]),
        ("ssand", &["cassandra"]),
        ("ngst", &["cassandra"]),
        ("rom cass", &["cassandra"]),
        ("cassandra", &["cassandra"]),
        ("liwei", &["liwei"]),
        ("ueller", &[]),
        // Neither oneself, nor addresses, nor patterns.
        (&zoe.username, &[]),
        ("annabel@post.example.org", &[]),
        ("post", &[]),
        ("a_n", &[]),
        ("%", &[]),
    ];
    for (query, expected) in table {
        soon(&zoe, query, expected).await;
        assert_eq!(leafed(&zoe, query).await, *expected, "{query:?} page by page");
    }
    let page = zoe.get("/v1/users?query=ann&limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for (asker, query) in [(&zoe, "anna"), (&friend, "ann")] {
        asker.get(&format!("/v1/users?query={query}&cursor={cursor}")).await.refused(400, "invalid");
    }
    zoe.get("/v1/users?query=%20").await.refused(400, "invalid");
    zoe.get(&format!("/v1/users?query={}", "a".repeat(65))).await.refused(400, "invalid");

    // At once, and wherever it lives.
    for name in ["fresh1", "fresh2", "fresh3"] {
        named(&hive, name, "Somebody New").await;
        assert_eq!(found(&zoe, name).await[0], name);
    }
    // Names change, for those who know them too.
    friend.patch("/v1/me", json!({"display_name": "Queen Bee"})).await.expect(200);
    soon(&zoe, "ueen", &["cassandra"]).await;
    soon(&zoe, "ngst", &[]).await;
    soon(&other, "queen", &["cassandra"]).await;
    soon(&other, "kassandra", &[]).await;

    // A cell that is away takes nobody's acquaintances away.
    hive.cells[1].relay.close();
    assert_eq!(found(&zoe, "ueen").await, ["cassandra"]);
    assert_eq!(found(&zoe, "cassandra").await, ["cassandra"]);
    assert_eq!(found(&zoe, "李").await, ["liwei"]);
    hive.cells[1].relay.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_search_has_lost_comes_back_and_what_is_no_more_goes() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let direct = anna.direct(&ben).await;
    anna.say(&direct, "hello").await;
    soon(&anna, &ben.username, &[&ben.username]).await;
    soon(&ben, &anna.username, &[&anna.username]).await;
    soon(&anna, "en", &[&ben.username]).await;
    // Lost: everything. Left over: somebody who is no more, in both cells, whatever their words' slots are.
    let left = "DELETE FROM search_entries; DELETE FROM profiles; UPDATE known SET names = '';
        INSERT INTO profiles (user_id, home, era, version, round_ms, username, display_name)
            SELECT format('0000%s', right(user_id::text, 32))::uuid, c, 1, 1, 0, 'phantom', 'Of The Opera'
            FROM (SELECT user_id FROM users LIMIT 1) u, (SELECT 1 AS c) c;
        INSERT INTO search_entries (user_id, word) SELECT user_id, 'phantom of the opera ' FROM profiles;";
    for cell in 0..2 {
        sql(&hive, cell, left).await;
    }
    assert_eq!(found(&anna, "phan").await.len(), 1, "the ghost is there");
    for cell in &hive.cells {
        let admin = Door::new(cell.admin_url.clone());
        assert_eq!(admin.call(Method::POST, "/search/rebuild", None, None).await.status, 202);
    }
    soon(&anna, "en", &[&ben.username]).await;
    soon(&anna, &format!("hive {}", ben.username), &[&ben.username]).await;
    soon(&ben, "nna", &[&anna.username]).await;
    soon(&anna, "phan", &[]).await;
}
