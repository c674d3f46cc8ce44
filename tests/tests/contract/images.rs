use std::io::Cursor;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, header};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use skep_tests::{Deployment, Door, PASSWORD, Person, Reply, eventually};

const SOON: Duration = Duration::from_secs(20);

/// A picture of two colours, so that its middle is known.
fn picture(format: ImageFormat, shade: u8) -> Vec<u8> {
    let image = RgbImage::from_fn(90, 60, |x, _| if x < 45 { Rgb([shade, 0, 0]) } else { Rgb([0, 0, shade]) });
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

async fn put(hive: &Door, person: &Person, content_type: &str, bytes: &[u8]) -> Reply {
    let request = Request::put(format!("{}/v1/me/image", hive.url))
        .header(header::AUTHORIZATION, format!("Bearer {}", person.token))
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::new(Bytes::copy_from_slice(bytes)));
    hive.request(request.unwrap()).await
}

/// A picture's address, asked for without a token.
async fn get(hive: &Door, url: &str, known: Option<&str>) -> Reply {
    let mut request = Request::get(format!("{}{url}", hive.url));
    if let Some(tag) = known {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    hive.request(request.body(Full::default()).unwrap()).await
}

fn url_in(user: &Value) -> String {
    user["image_url"].as_str().unwrap().to_owned()
}

/// A part of a form: what follows its name in its head, and its bytes.
type Part<'a> = (&'a str, &'a str, &'a [u8]);

async fn post_form(hive: &Door, parts: &[Part<'_>]) -> Reply {
    let mut body = Vec::new();
    for (name, more, bytes) in parts {
        body.extend_from_slice(
            format!("--bee\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--bee--\r\n");
    let request = Request::post(format!("{}/v1/users", hive.url))
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=bee")
        .body(Full::new(Bytes::from(body)));
    hive.request(request.unwrap()).await
}

/// Rows of pictures in all cells for which a condition holds.
async fn rows(hive: &Deployment, condition: &str) -> i64 {
    let mut count = 0;
    for cell in &hive.cells {
        count += sql(cell, &format!("SELECT count(*) FROM images WHERE {condition}")).await.unwrap();
    }
    count
}

/// The number that a statement gives, if it gives one.
async fn sql(cell: &skep_tests::CellParts, statement: &str) -> Option<i64> {
    let conninfo = cell.postgres.lock().unwrap().conninfo("cell");
    let (client, connection) = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.query(statement, &[]).await.unwrap().first().map(|row| row.get(0))
}

/// Files in the folders where all cells keep pictures.
fn files(hive: &Deployment) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    hive.cells.iter().map(|cell| count(&cell.postgres.lock().unwrap().folder().join("cell/images"))).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_is_put_seen_by_all_changed_and_taken_away() {
    let hive = Deployment::start(2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    let first = put(&hive, &anna, "image/png", &picture(ImageFormat::Png, 200)).await.expect(200);
    assert_eq!(first["email"], format!("{}@example.org", anna.username));
    let url = url_in(&first);
    assert!(url.starts_with('/'));

    // In both sizes, without a token, for ever.
    for (query, side) in [("", 256), ("?size=256", 256), ("?size=64", 64)] {
        let reply = get(&hive, &format!("{url}{query}"), None).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers[header::CONTENT_TYPE], "image/webp");
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(reply.headers[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        let kept = image::load_from_memory_with_format(&reply.bytes, ImageFormat::WebP).unwrap().into_rgb8();
        assert_eq!(kept.dimensions(), (side, side));
        assert!(kept.get_pixel(side / 4, side / 2).0[0] > 190 && kept.get_pixel(side * 3 / 4, side / 2).0[2] > 190);
        let tag = reply.headers[header::ETAG].to_str().unwrap();
        for known in [tag.to_owned(), format!("\"x\", W/{tag}")] {
            let again = get(&hive, &format!("{url}{query}"), Some(&known)).await;
            assert_eq!((again.status.as_u16(), again.bytes.len()), (304, 0));
            assert_eq!(again.headers[header::ETAG], tag);
        }
        assert_eq!(get(&hive, &format!("{url}{query}"), Some("\"x\"")).await.status, 200);
    }
    for query in ["?size=128", "?size=", "?size=64&size=256", "?size=%ff"] {
        get(&hive, &format!("{url}{query}"), None).await.refused(400, "invalid");
    }
    let (folder, name) = url.rsplit_once('/').unwrap();
    let turned: String = name.chars().rev().collect();
    for nothing in [format!("{folder}/{turned}"), format!("{folder}/x"), format!("{url}/x"), url.replace("/u_", "/c_")]
    {
        get(&hive, &nothing, None).await.refused(404, "not_found");
    }

    // Wherever she is seen, by somebody of another cell.
    let everywhere = async || {
        let seen = ben.get(&format!("/v1/users/{}", anna.user_id)).await.expect(200);
        let looked = ben.post("/v1/users/lookup", json!({"user_ids": [anna.user_id]})).await.expect(200);
        let exact = ben.get(&format!("/v1/users?query={}", anna.username)).await.expect(200);
        [anna.get("/v1/me").await.expect(200), seen, looked["users"][0].clone(), exact["users"][0].clone()]
            .map(|user| user["image_url"].clone())
    };
    let found = async || {
        let found = ben.get("/v1/users?query=ann").await.expect(200);
        let her = found["users"].as_array().unwrap().iter().find(|user| user["user_id"] == anna.user_id);
        her.map(|user| user["image_url"].clone())
    };
    assert_eq!(everywhere().await, [json!(url), json!(url), json!(url), json!(url)]);
    eventually(SOON, "search shows it", async || found().await == Some(json!(url))).await;
    // Another name is found with the same picture.
    anna.patch("/v1/me", json!({"display_name": "Annabel"})).await.expect(200);
    eventually(SOON, "the new name", async || {
        let found = ben.get("/v1/users?query=annabel").await.expect(200);
        found["users"][0]["image_url"] == url
    })
    .await;

    // The same again changes nothing; another one has another address, and the old one stays for a day.
    let again = put(&hive, &anna, "image/png", &picture(ImageFormat::Png, 200)).await.expect(200);
    assert_eq!(url_in(&again), url);
    let second = url_in(&put(&hive, &anna, "image/webp", &picture(ImageFormat::WebP, 100)).await.expect(200));
    assert_ne!(second, url);
    eventually(SOON, "search shows the new one", async || found().await == Some(json!(second))).await;
    assert_eq!(get(&hive, &url, None).await.status, 200);

    // Two at once, and the same from two devices: one stands.
    let (red, blue, grey) =
        (picture(ImageFormat::Jpeg, 250), picture(ImageFormat::Jpeg, 150), picture(ImageFormat::Jpeg, 90));
    let (a, b) = tokio::join!(put(&hive, &anna, "image/jpeg", &red), put(&hive, &anna, "image/jpeg", &blue));
    let stands = url_in(&anna.get("/v1/me").await.expect(200));
    assert!([url_in(&a.expect(200)), url_in(&b.expect(200))].contains(&stands));
    let (a, b) = tokio::join!(put(&hive, &anna, "image/jpeg", &grey), put(&hive, &anna, "image/jpeg", &grey));
    let stands = url_in(&anna.get("/v1/me").await.expect(200));
    assert_eq!([url_in(&a.expect(200)), url_in(&b.expect(200))], [stands.clone(), stands.clone()]);
    // Somebody else with the same picture has their own.
    let bens = url_in(&put(&hive, &ben, "image/jpeg", &grey).await.expect(200));
    assert_ne!(bens, stands);

    // A day later.
    assert_eq!(rows(&hive, "remove_at_ms IS NULL").await, 2);
    assert!(rows(&hive, "remove_at_ms > extract(epoch FROM now()) * 1000 + 23 * 60 * 60 * 1000").await >= 3);
    for cell in &hive.cells {
        sql(cell, "UPDATE images SET remove_at_ms = 1 WHERE remove_at_ms IS NOT NULL").await;
    }
    eventually(SOON, "what is not shown is removed", async || rows(&hive, "true").await == 2).await;
    assert_eq!(files(&hive), 4, "two pictures in two sizes");
    get(&hive, &url, None).await.refused(404, "not_found");
    for shown in [&stands, &bens] {
        assert_eq!(get(&hive, shown, None).await.status, 200);
    }

    // Taken away, twice.
    for _ in 0..2 {
        let without = anna.delete("/v1/me/image").await.expect(200);
        assert_eq!(without["image_url"], Value::Null);
        assert!(without["email"].is_string());
    }
    assert_eq!(everywhere().await, [Value::Null, Value::Null, Value::Null, Value::Null]);
    eventually(SOON, "search shows none", async || found().await == Some(Value::Null)).await;
    assert_eq!(get(&hive, &stands, None).await.status, 200, "it is still on screens");
    hive.call(Method::DELETE, "/v1/me/image", None, None).await.refused(401, "unauthenticated");
    anna.get("/v1/me/image").await.refused(405, "method");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_up_brings_a_picture_and_of_a_bad_one_nothing_is_made() {
    let hive = Deployment::start(2).await;
    let anna = hive.sign_up("anna").await;
    let (png, file) = (picture(ImageFormat::Png, 200), "; filename=\"me.png\"\r\nContent-Type: image/png");
    let mut bomb = png.clone();
    bomb[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let mut line = Cursor::new(Vec::new());
    RgbImage::new(20_000, 1).write_to(&mut line, ImageFormat::Png).unwrap();
    let heavy = [png.clone(), vec![0; 5 * 1024 * 1024]].concat();
    let cases: [(&str, &[u8], u16, &str); 8] = [
        ("empty", b"", 400, "invalid"),
        ("truncated", &png[..png.len() / 2], 400, "invalid"),
        ("a bomb", &bomb, 413, "too_large"),
        ("a line", line.get_ref(), 413, "too_large"),
        ("over 5 MiB", &heavy, 413, "too_large"),
        ("svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>", 415, "unsupported"),
        ("gif", b"GIF89a\x01\0\x01\0\0\0\0;", 415, "unsupported"),
        ("html", b"<!doctype html><script>alert(1)</script>", 415, "unsupported"),
    ];
    let form = |name: &'static str, email: &'static str| -> Vec<Part<'static>> {
        let password = PASSWORD.as_bytes();
        let (name, email) = (name.as_bytes(), email.as_bytes());
        vec![
            ("username", "", name),
            ("display_name", "", "Bén".as_bytes()),
            ("email", "", email),
            ("password", "", password),
        ]
    };
    for (what, bytes, status, code) in cases {
        let reply = put(&hive, &anna, "image/png", bytes).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (status, &json!(code)), "{what}: {}", reply.body);
        let parts = [form("ben", "ben@example.org"), vec![("image", file, bytes)]].concat();
        let reply = post_form(&hive, &parts).await;
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (status, &json!(code)), "{what}: {}", reply.body);
        assert_eq!(reply.body["errors"][0]["field"], "image", "{what}");
    }
    for kind in ["", "text/html", "image/gif", "image/svg+xml", "application/json"] {
        put(&hive, &anna, kind, &png).await.refused(415, "unsupported");
    }
    let with = |more: &[Part<'static>]| [form("ben", "ben@example.org"), more.to_vec()].concat();
    for (wrong, field) in [
        (with(&[("username", "", b"ben2")]), None),
        (with(&[("device", "", b"\xff")]), None),
        (form("b", "ben@example.org"), Some("username")),
        (form("ben", "ben")[..3].to_vec(), Some("email")),
        (vec![("unknown", "", &b"x"[..]); 40], None),
        (Vec::new(), None),
    ] {
        let refused = post_form(&hive, &wrong).await.refused(400, "invalid");
        assert_eq!(refused["errors"][0]["field"].as_str().filter(|_| field.is_some()), field);
    }
    let parts = [with(&[]), vec![("image", file, &png[..]), ("image", file, &png[..])]].concat();
    post_form(&hive, &parts).await.refused(400, "invalid");
    // Whose address is taken brings the store nothing.
    let parts = [form("ben", "anna@example.org"), vec![("image", file, &png[..])]].concat();
    let taken = post_form(&hive, &parts).await.refused(409, "conflict");
    assert_eq!(taken["errors"][0]["field"], "email");
    assert_eq!((rows(&hive, "true").await, files(&hive)), (0, 0));

    // Neither the name nor the address was used up by any of that.
    let parts = [vec![("image", file, &png[..]), ("more", "", b"?")], with(&[("device", "", b"a test")])].concat();
    let made = post_form(&hive, &parts).await.expect(201);
    assert_eq!(made["user"]["display_name"], "Bén");
    let url = url_in(&made["user"]);
    assert_eq!(get(&hive, &url, None).await.status, 200);
    let ben = Person::of(&hive, &made);
    assert_eq!(ben.get("/v1/me").await.expect(200), made["user"]);
    assert_eq!(ben.get("/v1/sessions").await.expect(200)["sessions"][0]["device"], "a test");
    eventually(SOON, "search shows it", async || {
        anna.get("/v1/users?query=b%C3%A9n").await.expect(200)["users"][0]["image_url"] == url
    })
    .await;
    assert_eq!(rows(&hive, "remove_at_ms IS NULL").await, 1);

    // Who changes it all the time waits until an old one is removed.
    for cell in &hive.cells {
        let many = "INSERT INTO images (user_id, name, remove_at_ms) \
             SELECT user_id, lpad(n::text, 32, '0'), extract(epoch FROM now())::bigint * 1000 + 3600000 \
             FROM users, generate_series(1, 100) n WHERE username = 'anna'";
        sql(cell, many).await;
    }
    let refused = put(&hive, &anna, "image/png", &png).await.refused(429, "rate_limited");
    // The rows above say whole seconds, rounded.
    assert!((1_000..=3_601_000).contains(&refused["retry_after_ms"].as_u64().unwrap()));
    for cell in &hive.cells {
        sql(cell, "UPDATE images SET remove_at_ms = 1 WHERE remove_at_ms IS NOT NULL").await;
    }
    eventually(SOON, "there is room again", async || put(&hive, &anna, "image/png", &png).await.status.is_success())
        .await;

    // A form without a picture, or with a file that was not chosen.
    let unchosen = "; filename=\"\"\r\nContent-Type: application/octet-stream";
    for (name, email, more) in
        [("cleo", "cleo@example.org", None), ("dora", "dora@example.org", Some(("image", unchosen, &b""[..])))]
    {
        let parts: Vec<Part<'_>> = form(name, email).into_iter().chain(more).collect();
        assert_eq!(post_form(&hive, &parts).await.expect(201)["user"]["image_url"], Value::Null);
    }
}
