use std::sync::Arc;

use hyper::Method;
use serde_json::{Value, json};
use skep_protocol::{Millis, UserId};
use skep_tests::{Deployment, PASSWORD, Reply};

fn form(username: &str, email: &str) -> Value {
    json!({"username": username, "display_name": "Anna B", "email": email, "password": PASSWORD})
}

async fn sign_up(hive: &Deployment, username: &str, email: &str) -> Reply {
    hive.call(Method::POST, "/v1/users", None, Some(form(username, email))).await
}

async fn log_in(hive: &Deployment, login: &str) -> Reply {
    hive.call(Method::POST, "/v1/sessions", None, Some(json!({"login": login, "password": PASSWORD}))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_sign_up_at_once_with_one_address_or_name_one_does() {
    let hive = Deployment::start(2).await;
    for (round, same) in ["address", "name", "address", "name"].into_iter().enumerate() {
        let names = move |i: usize| match same {
            "name" => (format!("one{round}"), format!("one{round}.{i}@example.org")),
            _ => (format!("one{round}.{i}"), format!("one{round}@example.org")),
        };
        let attempts: Vec<_> = (0..6)
            .map(|i| {
                let hive = Arc::clone(&hive);
                tokio::spawn(async move {
                    let (username, email) = names(i);
                    loop {
                        let reply = sign_up(&hive, &username, &email).await;
                        if reply.status != 503 {
                            return reply;
                        }
                        // While it is undecided, or too many passwords are hashed, one is told to come back.
                        assert!(reply.headers.contains_key("retry-after"), "{}", reply.body);
                    }
                })
            })
            .collect();
        let mut made = 0;
        for attempt in attempts {
            let reply = attempt.await.unwrap();
            if reply.status == 201 {
                made += 1;
            } else {
                let field = if same == "name" { "username" } else { "email" };
                assert_eq!(reply.refused(409, "conflict")["errors"][0]["field"], field);
            }
        }
        assert_eq!(made, 1);
        // Whoever it was can log in by both; those who failed hold nothing back.
        let (username, email) = names(0);
        log_in(&hive, if same == "name" { &username } else { &email }).await.expect(201);
        let taken = if same == "name" {
            let me = log_in(&hive, &username).await.expect(201);
            me["user"]["email"].as_str().unwrap().to_owned()
        } else {
            email
        };
        for i in 0..6 {
            let (_, email) = names(i);
            if same == "name" && email != taken {
                sign_up(&hive, &format!("other{round}.{i}"), &email).await.expect(201);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_up_that_broke_off_is_settled_by_whoever_asks() {
    let hive = Deployment::start(2).await;
    for i in 0..4 {
        // Before the claim was made active: the account stands.
        let (name, email) = (format!("anna{i}"), format!("anna{i}@example.org"));
        sign_up(&hive, &name, &email).await.expect(201);
        let pending = format!("UPDATE email_claims SET active = false WHERE email = '{email}'");
        hive.sql(&pending).await;
        log_in(&hive, &email).await.expect(201);
        hive.sql(&pending).await;
        let taken = sign_up(&hive, &format!("ben{i}"), &email).await.refused(409, "conflict");
        assert_eq!(taken["errors"][0]["field"], "email");
        log_in(&hive, &email).await.expect(201);

        // Before the account was made: the address is free, and the account can never come.
        let (email, ghost) = (format!("ghost{i}@example.org"), UserId::new(&format!("ghost{i}"), Millis(1), 7));
        hive.sql(&format!(
            "INSERT INTO email_claims (email, user_id, active, claimed_at_ms) VALUES ('{email}', '{}', false, 0)",
            ghost.uuid()
        ))
        .await;
        if i % 2 == 0 {
            log_in(&hive, &email).await.refused(401, "unauthenticated");
        }
        let made = sign_up(&hive, &format!("carol{i}"), &email).await.expect(201);
        let again = log_in(&hive, &email).await.expect(201);
        assert_eq!(made["user"]["user_id"], again["user"]["user_id"]);
    }
}
