use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use skep_tests::{Hive, PASSWORD, Person, eventually};

use crate::{
    SKEP,
    tool::{Said, about},
};

const PATIENCE: Duration = Duration::from_secs(60);
const PEOPLE: usize = 40;

fn account(name: &str) -> Value {
    json!({"type": "account", "username": name, "display_name": format!("Imported {name}"), "email": format!("{name}@example.org")})
}

fn text(lines: &[Value]) -> String {
    lines.iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

/// Forty people, a channel with all of them, a group, a direct conversation.
fn file() -> String {
    let names: Vec<String> = (0..PEOPLE).map(|i| format!("imp.{i}")).collect();
    let mut lines = vec![json!({"type": "header", "password": PASSWORD})];
    lines.extend(names.iter().map(|name| account(name)));
    lines.extend([
        json!({"type": "channel", "key": "news", "creator": "imp.0", "title": "News", "topic": "what is new", "members": ["imp.1", "Imp.2"]}),
        json!({"type": "group", "key": "team", "creator": "imp.1", "members": ["imp.2"]}),
        json!({"type": "direct", "users": ["imp.0", "imp.1"]}),
        json!({"type": "members", "channel": "news", "users": &names[3..]}),
        json!({"type": "members", "channel": "news", "users": ["imp.3"], "role": "admin"}),
    ]);
    text(&lines)
}

async fn log_in(hive: &Hive, login: &str, password: &str) -> Person {
    let body = json!({"login": login, "password": password});
    Person::of(hive, &hive.call(Method::POST, "/v1/sessions", None, Some(body)).await.expect(201))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_imported_is_there_once_and_works_like_everything_else() {
    let hive = Hive::start(SKEP, 2).await;
    let path = hive.data.join("people.jsonl");
    std::fs::write(&path, file()).unwrap();
    let import = |more: &[&str]| about(&hive, &[&["import", path.to_str().unwrap(), "--json"][..], more].concat(), "");

    let first = import(&[]).json(0);
    assert_eq!(first["accounts"], json!({"made": PEOPLE, "existed": 0, "failed": 0}));
    assert_eq!(first["conversations"], json!({"made": 3, "existed": 0, "failed": 0}));
    assert_eq!(first["members"], json!({"made": PEOPLE, "existed": 1, "failed": 0}));
    assert_eq!(first["bad_lines"], 0);

    // Whoever was imported is a person like all others, in whichever cell.
    let (anna, ben) = (log_in(&hive, "imp.0@example.org", PASSWORD).await, log_in(&hive, "imp.7", PASSWORD).await);
    let mine = anna.get("/v1/conversations").await.expect(200);
    let titles: Vec<&str> =
        mine["conversations"].as_array().unwrap().iter().filter_map(|c| c["title"].as_str()).collect();
    assert_eq!(titles, ["News"]);
    assert_eq!(mine["conversations"].as_array().unwrap().len(), 2, "and the direct one");
    let news = mine["conversations"].as_array().unwrap().iter().find(|c| c["title"] == "News").unwrap();
    assert_eq!((news["member_count"].as_u64(), &news["role"]), (Some(PEOPLE as u64), &json!("admin")));
    let news = news["conversation_id"].as_str().unwrap();
    assert!(anna.get(&format!("/v1/conversations/{news}/link")).await.expect(200)["code"].is_string());
    eventually(PATIENCE, "everybody finds the channel, whatever their cell", async || {
        let mut found = 0;
        for i in 0..PEOPLE {
            let somebody = log_in(&hive, &format!("imp.{i}@example.org"), PASSWORD).await;
            found += usize::from(somebody.get(&format!("/v1/conversations/{news}")).await.status == 200);
        }
        found == PEOPLE
    })
    .await;
    let (mut socket, _) = ben.online().await;
    anna.say(news, "to all").await;
    assert_eq!(socket.until("messages").await["messages"][0]["text"], "to all");
    let members = anna.get(&format!("/v1/conversations/{news}/members?limit=100")).await.expect(200);
    let admins = members["members"].as_array().unwrap().iter().filter(|m| m["role"] == "admin").count();
    assert_eq!((members["members"].as_array().unwrap().len(), admins), (PEOPLE, 2));
    eventually(PATIENCE, "they are found by a word of their names", async || {
        let found = anna.get("/v1/users?query=imported&limit=100").await.expect(200);
        found["users"].as_array().unwrap().len() == PEOPLE - 1
    })
    .await;

    // What people did since stays as they did it.
    ben.delete(&format!("/v1/conversations/{news}/members/me")).await.expect(204);
    let again = import(&[]).json(0);
    assert_eq!(again["accounts"], json!({"made": 0, "existed": PEOPLE, "failed": 0}));
    assert_eq!(again["conversations"], json!({"made": 0, "existed": 3, "failed": 0}));
    assert_eq!(again["members"], json!({"made": 0, "existed": PEOPLE + 1, "failed": 0}));
    let now = anna.get(&format!("/v1/conversations/{news}")).await.expect(200);
    assert_eq!(now["member_count"], PEOPLE - 1);

    bad_lines(&hive).await;
    tokens(&hive).await;
}

/// Each is told with its number, and does not stop the others.
async fn bad_lines(hive: &Hive) {
    let header = json!({"type": "header", "password": PASSWORD}).to_string();
    let with = |of: &str, key: &str, value: Value| {
        let mut line = account(of);
        line[key] = value;
        line.to_string()
    };
    let channel = |key: &str, creator: &str| {
        json!({"type": "channel", "key": key, "creator": creator, "title": "Mine"}).to_string()
    };
    let members = |mut line: Value| {
        line["type"] = json!("members");
        line.to_string()
    };
    let bad: Vec<(String, &str)> = vec![
        ("{\"type\":\"account\",".to_owned(), "EOF"),
        (header.clone(), "a header comes first"),
        (with("x", "display_name", json!("X")), "a username has 3 to 32 characters"),
        (with("imp.0", "email", json!("else@example.org")), "somebody else has this username"),
        (with("new.1", "email", json!("IMP.1@example.org")), "somebody else has this e-mail address"),
        (with("new.2", "email", json!("nowhere")), "name@example.org"),
        (with("new.3", "display_name", json!(" ")), "a display name"),
        (with("new.4", "password_hash", json!("$2b$12$abcdefghijklmnopqrstuv")), "argon2id"),
        (channel("x", "nobody.1"), "nobody has the username nobody.1"),
        (channel("news", "imp.1"), "made by somebody else"),
        (json!({"type": "direct", "users": ["imp.0", "imp.0"]}).to_string(), "with somebody else"),
        (members(json!({"channel": "none", "users": ["imp.0"]})), "there is no such conversation"),
        (members(json!({"users": ["imp.0"]})), "of a channel or of a group"),
        (members(json!({"group": "team", "users": ["imp.9", "nobody.2"]})), "nobody has the username nobody.2"),
        ("x".repeat(2 * 1024 * 1024), "longer than"),
    ];
    let good = account("good.1").to_string();
    let mut lines = vec![header.as_str()];
    lines.extend(bad.iter().map(|(line, _)| line.as_str()));
    lines.push(&good);
    let said = about(hive, &["import", "-", "--json"], &lines.join("\n"));
    for (number, (line, reason)) in (2..).zip(&bad) {
        let begins = format!("line {number}: ");
        let told: Vec<&str> = said.err.lines().filter(|told| told.starts_with(&begins)).collect();
        assert!(told.iter().any(|told| told.contains(reason)), "{number}: {line:.80}: {told:?}\n{}", said.err);
    }
    let report = said.json(1);
    assert_eq!(report["bad_lines"], bad.len());
    assert_eq!(report["accounts"]["made"], 1);
    assert_eq!(report["members"], json!({"made": 1, "existed": 0, "failed": 3}), "the known one of a line is added");
    log_in(hive, "good.1@example.org", PASSWORD).await;

    // No password for anybody; and a strict run stops, with what came before done.
    let said = about(hive, &["import", "-", "--json"], &account("new.5").to_string());
    assert!(said.err.contains("line 1: new.5: an account needs a password_hash"), "{said:?}");
    let lines =
        [header.clone(), account("good.2").to_string(), "{".to_owned(), account("new.6").to_string()].join("\n");
    let said = about(hive, &["import", "-", "--json", "--strict"], &lines);
    assert_eq!(said.json(1)["accounts"]["made"], 1);
    assert!(said.err.contains("stopped at line 3"), "{said:?}");
    log_in(hive, "good.2", PASSWORD).await;
    assert_eq!(about(hive, &["user", "show", "new.6"], "").code, 1);
}

/// New people can be logged in with their making, for load runs.
async fn tokens(hive: &Hive) {
    let path = hive.data.join("tokens.json");
    let hash = json!({"type": "header", "password": PASSWORD});
    let import = || -> Said {
        let lines = text(&[hash.clone(), account("load.1"), account("load.2")]);
        about(hive, &["import", "-", "--json", "--tokens", path.to_str().unwrap()], &lines)
    };
    assert_eq!(import().json(0)["accounts"]["made"], 2);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(kept["router"], hive.url);
    for person in kept["people"].as_array().unwrap() {
        let me = hive.call(Method::GET, "/v1/me", person["token"].as_str(), None).await.expect(200);
        assert_eq!((&me["user_id"], &me["username"]), (&person["user_id"], &person["username"]));
    }
    assert_eq!(kept["people"].as_array().unwrap().len(), 2);
    assert_eq!(import().code, 64, "a file of tokens is not written over");
}
