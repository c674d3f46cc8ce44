//! Every query of the product finds what it reads by an index. A shard is filled, PostgreSQL writes down the plan of
//! every statement, and every call is made.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};
use serde_json::{Value, json};
use skep_tests::{Deployment, PASSWORD, Person, eventually};

/// Method and path.
type Call = (String, &'static str);

/// People of the filled shard.
const PEOPLE: u32 = 20_000;
/// A table of so many rows is one that grows.
const GROWN: f32 = 1_500.0;

/// The table of calls, to see that none is left out.
const SERVER: &str = include_str!("../../../cell/src/http/server.rs");

/// A shard with so many people. Slots are spread as they are in real ones; names repeat, as names do.
fn filled(people: u32) -> String {
    let id = |kind: u32, number: &str| {
        format!("(lpad(to_hex({number} % 65536), 4, '0') || '{kind}' || lpad(to_hex({number}), 27, '0'))::uuid")
    };
    let (user, next, direct) = (id(1, "i"), id(1, "(i + 1)"), id(2, "i"));
    let first =
        "(ARRAY['anna','annabel','maria','marianne','mario','john','johanna','peter','petra','zoe'])[1 + i % 10]";
    let last = "left(md5((i % 5000)::text), 7)";
    let conversations = people / 2;
    format!(
        "BEGIN;
        ALTER TABLE users DISABLE TRIGGER USER; ALTER TABLE memberships DISABLE TRIGGER USER;
        CREATE TEMP TABLE p ON COMMIT DROP AS SELECT i, {user} AS id, 'user' || i AS name, {first} AS f, {last} AS l
            FROM generate_series(1, {people}) i;
        INSERT INTO users (user_id, state, username, display_name, email, password_hash, created_at_ms)
            SELECT id, 'account', name, f || ' ' || l, name || '@post.example.org', 'none', i FROM p;
        INSERT INTO email_claims SELECT name || '@post.example.org', id, true, i FROM p;
        INSERT INTO sessions (session_id, user_id, digest, created_at_ms, last_used_at_ms, expires_at_ms)
            SELECT {session}, id, '\\x00', i, i, i FROM p;
        INSERT INTO profiles (user_id, home, era, version, round_ms, username, display_name)
            SELECT id, 1, 1, 1, 9000000000000, name, f || ' ' || l FROM p;
        INSERT INTO search_entries SELECT id, f || ' ' || l || ' ' || name || ' ' FROM p
            UNION ALL SELECT id, l || ' ' || f || ' ' || name || ' ' FROM p
            UNION ALL SELECT id, name || ' ' || f || ' ' || l || ' ' FROM p;
        INSERT INTO blocks SELECT id, {next}, 1, true, true FROM p WHERE i % 5 = 0;
        CREATE TEMP TABLE c ON COMMIT DROP AS SELECT i, {direct} AS id, {user} AS a, {next} AS b
            FROM generate_series(1, {conversations}) i;
        INSERT INTO conversations (conversation_id, created_at_ms, member_count, seniors, home_era, home_pos,
                home_shown_pos, lane, pos, shown_pos)
            SELECT id, i, 2, ARRAY[a, b], 1, 0, 0, 1, 0, 0 FROM c;
        INSERT INTO direct_blocks SELECT id, a, 1, true FROM c WHERE i % 5 = 0;
        INSERT INTO members SELECT id, a, 1, 1, 0, NULL::bigint, NULL::smallint, i, 1, 0 FROM c UNION ALL
            SELECT id, b, 1, 1, 0, NULL, NULL, i, 1, 0 FROM c;
        INSERT INTO memberships SELECT a, id, 1, 0, NULL::bigint, NULL::smallint, 0, NULL::bigint, 1, 0, 1, 0 FROM c UNION ALL
            SELECT b, id, 1, 0, NULL, NULL, 0, NULL, 1, 0, 1, 0 FROM c;
        INSERT INTO known SELECT a, id, b, 'user' || (i + 1) || E'\\nanna', false FROM c UNION ALL
            SELECT b, id, a, 'user' || i || E'\\nanna', false FROM c;
        INSERT INTO messages SELECT id, s, 1, 0, a, md5(i || '/' || s)::uuid, i, 'hello' FROM c, generate_series(1, 3) s;
        INSERT INTO outcomes SELECT md5(i::text)::uuid, '' FROM c;
        ALTER TABLE users ENABLE TRIGGER USER; ALTER TABLE memberships ENABLE TRIGGER USER;
        COMMIT;
        VACUUM ANALYZE;",
        session = id(5, "i"),
    )
}

async fn database(hive: &Deployment) -> tokio_postgres::Client {
    let conninfo = hive.cells[0].postgres.lock().unwrap().conninfo("cell");
    let (client, connection) = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Several statements, some of which need a transaction of their own.
async fn run(client: &tokio_postgres::Client, sql: &str) {
    for part in sql.split_inclusive("COMMIT;") {
        client.batch_execute(part).await.unwrap();
    }
}

/// All connections of the cell but the one of its lease are made anew, with these settings.
async fn settings(hive: &Deployment, client: &tokio_postgres::Client, settings: &[&str]) {
    for setting in settings {
        client.batch_execute(&format!("ALTER DATABASE cell SET {setting}")).await.unwrap();
    }
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE 'skep/%' AND application_name NOT LIKE '%/lease'";
    client.query(sql, &[]).await.unwrap();
    eventually(Duration::from_secs(20), "the cell has new connections", async || {
        let nobody = || Some(json!({"login": "nobody", "password": PASSWORD}));
        let mut replies = Vec::new();
        for _ in 0..4 {
            replies.push(hive.call(Method::POST, "/v1/sessions", None, nobody()).await.status);
        }
        replies.iter().all(|status| *status == 401)
    })
    .await;
}

/// Every call, as it succeeds. Gives those that were made.
async fn every_call(hive: &Deployment, round: &str) -> BTreeSet<Call> {
    let made = std::sync::Mutex::new(BTreeSet::new());
    let note = |method: &Method, path: &'static str| {
        made.lock().unwrap().insert((method.as_str().to_owned(), path));
    };
    let (anna, ben) = (hive.sign_up(&format!("anna-{round}")).await, hive.sign_up(&format!("ben-{round}")).await);
    note(&Method::POST, "/v1/users");
    let log_in = json!({"login": format!("anna-{round}@example.org"), "password": PASSWORD});
    let session = hive.call(Method::POST, "/v1/sessions", None, Some(log_in)).await.expect(201);
    note(&Method::POST, "/v1/sessions");
    let url = picture_of(hive, &anna).await;
    note(&Method::PUT, "/v1/me/image");
    hive.call(Method::GET, &url, None, None).await.expect(200);
    note(&Method::GET, "/v1/images/{user_id}/{name}");
    let direct = anna.direct(&ben).await;
    let group = anna.group(&[&ben]).await;
    let channel = json!({"kind": "channel", "title": "all", "user_ids": [ben.user_id]});
    let made_channel = anna.post("/v1/conversations", channel).await.expect(201);
    let channel = made_channel["conversation"]["conversation_id"].as_str().unwrap().to_owned();
    let code = made_channel["link"]["code"].as_str().unwrap().to_owned();
    let message = || json!({"client_message_id": uuid::Uuid::now_v7(), "text": "hello"});
    for conversation in [&direct, &group, &channel] {
        for _ in 0..3 {
            anna.say(conversation, "hello").await;
        }
    }
    let (person, me) = (json!({"user_ids": [ben.user_id]}), ben.user_id.clone());
    let together = json!({"user_ids": [ben.user_id], "text": "hello", "client_message_id": uuid::Uuid::now_v7()});
    let password = json!({"old_password": PASSWORD, "new_password": PASSWORD});
    let calls: Vec<(Method, &'static str, Value)> = vec![
        (Method::GET, "/v1/users?query=anna&limit=20", Value::Null),
        (Method::GET, "/v1/users?query=anna%20c4ca&limit=20", Value::Null),
        (Method::GET, "/v1/users?query=ben", Value::Null),
        (Method::GET, "/v1/users?query=zo", Value::Null),
        (Method::POST, "/v1/users/lookup", person.clone()),
        (Method::GET, "/v1/users/{user_id}", Value::Null),
        (Method::GET, "/v1/sessions", Value::Null),
        (Method::DELETE, "/v1/sessions/{session_id}", Value::Null),
        (Method::GET, "/v1/route", Value::Null),
        (Method::GET, "/v1/me", Value::Null),
        (Method::PATCH, "/v1/me", json!({"display_name": format!("Anna {round}")})),
        (Method::PUT, "/v1/me/password", password),
        (Method::DELETE, "/v1/me/image", Value::Null),
        (Method::PUT, "/v1/me/blocks/{user_id}", Value::Null),
        (Method::GET, "/v1/me/blocks", Value::Null),
        (Method::DELETE, "/v1/me/blocks/{user_id}", Value::Null),
        (Method::POST, "/v1/conversations", json!({"kind": "group", "title": "more", "user_ids": [ben.user_id]})),
        (Method::GET, "/v1/conversations", Value::Null),
        (Method::GET, "/v1/conversations/{id}", Value::Null),
        (Method::PATCH, "/v1/conversations/{id}", json!({"title": "another"})),
        (Method::GET, "/v1/conversations/{id}/messages", Value::Null),
        (Method::GET, "/v1/conversations/{id}/messages?before=3", Value::Null),
        (Method::GET, "/v1/conversations/{id}/messages?after=1", Value::Null),
        (Method::POST, "/v1/conversations/{id}/messages", message()),
        (Method::PUT, "/v1/conversations/{id}/read", json!({"seq": 2})),
        (Method::GET, "/v1/conversations/{id}/members?limit=1", Value::Null),
        (Method::POST, "/v1/conversations/{id}/members", person.clone()),
        (Method::PATCH, "/v1/conversations/{id}/members/{user_id}", json!({"role": "admin"})),
        (Method::GET, "/v1/conversations/{id}/link", Value::Null),
        (Method::GET, "/v1/links/{code}", Value::Null),
        (Method::POST, "/v1/links/{code}/join", Value::Null),
        (Method::POST, "/v1/conversations/{id}/link", Value::Null),
        (Method::DELETE, "/v1/conversations/{id}/members/{user_id}", Value::Null),
        (Method::POST, "/v1/messages", together),
    ];
    for (method, path, body) in calls {
        let real = path.replace("{id}", &channel).replace("{user_id}", &me).replace("{code}", &code);
        let real = real.replace("{session_id}", session["session_id"].as_str().unwrap());
        let body = (!body.is_null()).then_some(body);
        let asker: &Person = if path.contains("/join") { &ben } else { &anna };
        let reply = asker.call(method.clone(), &real, body).await;
        assert!(!reply.status.is_server_error(), "{method} {real}: {}", reply.body);
        note(&method, path.split('?').next().unwrap());
    }
    // What a socket asks.
    let (mut socket, token) = anna.online().await;
    let id = uuid::Uuid::now_v7();
    socket
        .send(json!({"type": "send", "ref": 1, "conversation_id": group, "client_message_id": id, "text": "x"}))
        .await;
    socket.until("sent").await;
    socket.send(json!({"type": "history", "ref": 2, "conversation_id": group, "before": 3})).await;
    socket.until("history").await;
    socket.send(json!({"type": "read", "ref": 3, "conversation_id": direct, "seq": 3})).await;
    socket.until("read").await;
    drop(socket);
    let mut socket = anna.hello(Some(&token)).await;
    socket.until("synced").await;
    made.into_inner().unwrap()
}

/// Where the picture is that they show from here on.
async fn picture_of(hive: &Deployment, person: &Person) -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::new(8, 8).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let request = Request::put(format!("{}/v1/me/image", hive.url))
        .header(header::AUTHORIZATION, format!("Bearer {}", person.token))
        .header(header::CONTENT_TYPE, "image/png")
        .body(Full::new(Bytes::from(png.into_inner())));
    let reply = hive.request(request.unwrap()).await.expect(200);
    reply["image_url"].as_str().unwrap().to_owned()
}

/// The calls that the server has.
fn calls() -> BTreeSet<Call> {
    let mut calls = BTreeSet::new();
    for line in SERVER.lines() {
        let Some((path, handlers)) = line.trim().strip_prefix(".route(\"").and_then(|rest| rest.split_once('"')) else {
            continue;
        };
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let name = format!("{}(", method.as_str().to_lowercase());
            if handlers.contains(&format!(" {name}")) || handlers.contains(&format!(".{name}")) {
                calls.insert((method.to_string(), path));
            }
        }
    }
    assert!(calls.len() > 20, "the server's table of calls is read: {calls:?}");
    calls
}

/// Statements with plans that read whole tables that grow, by table.
fn whole_reads(log: &str, grown: &BTreeSet<String>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in log.split("  plan:\n").skip(1) {
        // An entry's own lines are indented.
        let plan = entry.lines().take_while(|line| line.starts_with('\t'));
        // Long lists of ids tell nothing.
        let plan: Vec<String> = plan.map(|line| line.chars().take(200).collect()).collect();
        for line in &plan {
            let table = line.split_once("Seq Scan on ").map(|(_, rest)| rest.split(' ').next().unwrap());
            if let Some(table) = table.filter(|table| grown.contains(*table)) {
                found.insert(table.to_owned(), plan.join("\n"));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_reads_a_whole_table_that_grows() {
    let hive = Deployment::start(1).await;
    let client = database(&hive).await;
    run(&client, &filled(PEOPLE)).await;
    let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND reltuples > $1
        AND relnamespace = 'public'::regnamespace";
    let grown: BTreeSet<String> = client.query(tables, &[&GROWN]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert!(grown.len() >= 13, "{grown:?}");

    let explain = [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_nested_statements = on",
    ];
    settings(&hive, &client, &explain).await;
    let made = every_call(&hive, "one").await;
    // Once more with the plans that PostgreSQL makes for any parameters.
    settings(&hive, &client, &["plan_cache_mode = 'force_generic_plan'"]).await;
    every_call(&hive, "two").await;

    let forgotten: Vec<_> = calls().into_iter().filter(|call| !made.contains(call)).collect();
    assert!(forgotten.is_empty(), "make these calls too, so that their queries are looked at: {forgotten:?}");
    let log = hive.cells[0].postgres.lock().unwrap().folder().join("log");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.matches("  plan:\n").count() > 200, "PostgreSQL writes plans down");
    let whole = whole_reads(&log, &grown);
    let told: Vec<String> = whole.iter().map(|(table, plan)| format!("{table}:\n{plan}")).collect();
    assert!(told.is_empty(), "these read a whole table:\n{}", told.join("\n\n"));
}

/// `SKEP_PEOPLE=1000000 SKEP_KNOWN=1000 cargo test --release -p skep-tests --test contract -- --ignored --nocapture a_search`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, by hand"]
async fn a_search_among_a_million_people() {
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (people, acquaintances) = (number("SKEP_PEOPLE", 100_000), number("SKEP_KNOWN", 10_000));
    let hive = Deployment::start(1).await;
    let client = database(&hive).await;
    run(&client, &filled(people)).await;
    let asker = hive.sign_up("asker").await;
    let known = format!(
        "INSERT INTO known SELECT (SELECT user_id FROM users WHERE username = 'asker'),
        ('00002' || right(user_id::text, 31))::uuid, user_id, username || E'\\n' || lower(display_name), false
        FROM users WHERE username <> 'asker' LIMIT {acquaintances}"
    );
    run(&client, &known).await;
    run(&client, "VACUUM ANALYZE").await;
    println!("{people} people, {acquaintances} of them known to the asker");
    for query in ["user77777", "ann", "mar", "zo", "zoe", "anna c4", "c4c anna", "er7", "e", "李明"] {
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let path = format!("/v1/users?query={query}");
        let mut times = Vec::new();
        for _ in 0..500 {
            let begun = Instant::now();
            asker.get(&path).await.expect(200);
            times.push(begun.elapsed());
        }
        times.sort();
        println!("{path}: p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
    }
    let begun = Instant::now();
    for _ in 0..2_000 {
        asker.get("/v1/route").await.expect(200);
    }
    println!("a call that only checks the token: {:?} on average, through the router", begun.elapsed() / 2_000);
}
