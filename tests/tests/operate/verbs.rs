use hyper::Method;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use skep_children::HeldPort;
use skep_tests::{Hive, PASSWORD, Person, signal};

use crate::{
    SKEP,
    tool::{about, skep},
};

/// Revoked, and not to come back as it is.
const REVOKED: Option<u16> = Some(4100);

async fn try_log_in(hive: &Hive, login: &str, password: &str) -> Result<Person, Value> {
    let body = json!({"login": login, "password": password});
    let reply = hive.call(Method::POST, "/v1/sessions", None, Some(body)).await;
    if reply.status == 201 { Ok(Person::of(hive, &reply.body)) } else { Err(reply.refused(401, "unauthenticated")) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_does_to_an_account_is_felt_at_once() {
    let hive = Hive::start(SKEP, 2).await;
    let (anna, ben) = (hive.sign_up_in(1, "anna").await, hive.sign_up_in(2, "ben").await);
    anna.direct(&ben).await;
    let (mut socket, _) = anna.online().await;
    let name = anna.username.as_str();
    let user = |arguments: &[&str]| about(&hive, &[&["user"][..], arguments, &["--json"]].concat(), "");

    // By whatever names her.
    let shown = user(&["show", name]).json(0);
    assert_eq!(shown["user_id"], anna.user_id);
    let email = format!("{name}@example.org");
    for who in [anna.user_id.as_str(), email.as_str(), &name.to_uppercase()] {
        assert_eq!(user(&["show", who]).json(0)["user_id"], anna.user_id, "{who}");
    }
    assert_eq!((&shown["email"], &shown["cell_id"]), (&json!(email), &json!(1)));
    assert_eq!((&shown["sockets"], &shown["disabled"]), (&json!(1), &json!(false)));
    assert_eq!((&shown["conversations"], &shown["blocks"]), (&json!(1), &json!(0)));
    assert_eq!(shown["sessions"].as_array().unwrap().len(), 1);
    let page = about(&hive, &["user", "show", name], "");
    assert!(page.out.contains(&anna.user_id) && page.out.lines().all(|line| line.len() <= 80), "{page:?}");

    // Shut out: sockets, tokens, log-ins.
    let wrong = try_log_in(&hive, name, "not her password").await.err().unwrap();
    assert_eq!(user(&["disable", name]).json(0)["sessions_ended"], 1);
    assert_eq!(socket.closed().await, REVOKED);
    anna.get("/v1/me").await.refused(401, "unauthenticated");
    let refused = try_log_in(&hive, &email, PASSWORD).await.err().unwrap();
    assert_eq!(refused["detail"], wrong["detail"], "like a wrong password");
    assert_eq!(user(&["show", name]).json(0)["disabled"], true);
    assert_eq!(user(&["disable", name]).json(0)["sessions_ended"], 0);
    ben.get("/v1/me").await.expect(200);

    assert_eq!(user(&["enable", name]).json(0)["sessions_ended"], 0);
    anna.get("/v1/me").await.refused(401, "unauthenticated");
    let anna = try_log_in(&hive, name, PASSWORD).await.unwrap();
    let (mut socket, _) = anna.online().await;

    assert_eq!(user(&["end-sessions", &anna.user_id]).json(0)["sessions_ended"], 1);
    assert_eq!(socket.closed().await, REVOKED);
    let anna = try_log_in(&hive, name, PASSWORD).await.unwrap();
    let (mut socket, _) = anna.online().await;

    let reset = user(&["reset-password", &email]).json(0);
    assert_eq!(socket.closed().await, REVOKED);
    assert!(try_log_in(&hive, name, PASSWORD).await.is_err());
    assert!(try_log_in(&hive, name, reset["password"].as_str().unwrap()).await.is_ok());
    let chosen = about(&hive, &["user", "reset-password", name, "--stdin"], "bees do not knock\n");
    assert_eq!(chosen.code, 0, "{chosen:?}");
    assert!(!chosen.out.contains("knock"), "{chosen:?}");
    assert!(try_log_in(&hive, name, "bees do not knock").await.is_ok());
    assert_eq!(about(&hive, &["user", "reset-password", name, "--stdin"], "password\n").code, 64);

    whole(&hive, &anna);
    refusals(&hive);
}

/// The deployment as a whole.
fn whole(hive: &Hive, anna: &Person) {
    let map = about(hive, &["map", "--json"], "").json(0);
    let cells = map["cells"].as_array().unwrap();
    assert_eq!(cells.iter().map(|cell| cell["slots"].as_u64().unwrap()).sum::<u64>(), 65_536);
    assert_eq!(cells[0]["socket_url"], anna.socket_url);
    assert!(about(hive, &["map"], "").out.contains(&anna.socket_url));
    for of in [anna.username.as_str(), &anna.user_id] {
        assert_eq!(about(hive, &["map", "--json", "--of", of], "").json(0)["cell_id"], anna.cell_id);
    }

    let address = hive.parts().directory.address;
    let secret = format!("file:{}", hive.data.join("cluster-secret").display());
    let by_address = ["status", "--json", "--directory", &address, "--cluster-secret"];
    let status = skep(&[&by_address[..], &[&secret]].concat(), "").json(0);
    assert_eq!((&status["well"], &status["directory"]["serves"]), (&json!(true), &json!(true)));
    let refused = skep(&[&by_address[..], &[&"x".repeat(40)]].concat(), "");
    assert!(refused.code == 69 && refused.err.contains("cluster secret does not match"), "{refused:?}");
    let unnamed = skep(&by_address[..4], "");
    assert!(unnamed.code == 64 && unnamed.err.contains("--cluster-secret"), "{unnamed:?}");
    let status = about(hive, &["status", "--json"], "").json(0);
    assert_eq!(status["routers"][0]["serves"], true);
    for (cell, id) in status["cells"].as_array().unwrap().iter().zip(1..) {
        assert_eq!((&cell["cell_id"], &cell["state"], &cell["lease"]), (&json!(id), &json!("well"), &json!("held")));
        assert_eq!(cell["lanes"].as_array().unwrap().len(), 3, "{cell}");
        assert_eq!(cell["peers"][0]["connected"], true, "{cell}");
        assert!(cell["postgres_us"].is_u64() && cell["redis_us"].is_u64(), "{cell}");
    }
    let page = about(hive, &["status"], "");
    assert!(page.out.contains("All is well.") && page.out.lines().all(|line| line.len() <= 80), "{}", page.out);

    // A part that hangs is told, by word and by code.
    let redis = hive.parts().cells[0].redis.pid;
    signal(redis, Signal::SIGSTOP);
    let status = about(hive, &["status", "--json"], "");
    signal(redis, Signal::SIGCONT);
    assert!(status.err.contains("cell 1: its Redis does not answer"), "{status:?}");
    assert_eq!(status.json(1)["cells"][0]["state"], "no cache");
}

/// What cannot be is said with its code, and help has examples.
fn refusals(hive: &Hive) {
    for (code, arguments) in [
        (1, &["user", "show", "nobody.at.all"][..]),
        (1, &["user", "show", "nobody@example.org"]),
        (1, &["user", "disable", "u_00000000000000000000000000"]),
        (64, &["user", "show", "a b"]),
        (64, &["user", "show"]),
        (64, &["map", "--of", "?"]),
        (64, &["import", "/nowhere.jsonl"]),
    ] {
        let said = about(hive, arguments, "");
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        assert!(said.out.is_empty() && !said.err.is_empty(), "{said:?}");
    }
    let nowhere = skep(&["status", "--data", "/nowhere"], "");
    assert_eq!(nowhere.code, 69, "{nowhere:?}");
    let closed = HeldPort::any().unwrap();
    let secret = "x".repeat(40);
    for (address, code) in [(format!("http://{}", closed.address()).as_str(), 69), ("not an address", 64)] {
        assert_eq!(skep(&["map", "--cluster-secret", &secret, "--directory", address], "").code, code, "{address}");
    }
    for verb in [&["user"][..], &["status"], &["map"], &["import"]] {
        let help = skep(&[verb, &["--help"][..]].concat(), "");
        assert!(help.code == 0 && help.out.contains("Examples:") && help.out.contains("Exit codes:"), "{help:?}");
    }
}
