//! Somebody with an account.

use hyper::Method;
use serde_json::{Value, json};

use crate::{Door, Reply, Socket};

/// Somebody who has signed up and holds a token.
#[derive(Clone)]
pub struct Person {
    door: Door,
    pub username: String,
    pub user_id: String,
    pub token: String,
    pub cell_id: u64,
    pub socket_url: String,
    /// Sent with every call, when there is one.
    pub idempotency_key: Option<String>,
}

/// Everybody's password.
pub const PASSWORD: &str = "a bee in the hive";

impl Person {
    /// Of the answer to a sign-up or a log-in.
    pub fn of(door: &Door, body: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Self {
            door: door.clone(),
            username: text(&body["user"]["username"]),
            user_id: text(&body["user"]["user_id"]),
            token: text(&body["token"]),
            cell_id: body["route"]["cell_id"].as_u64().unwrap(),
            socket_url: text(&body["route"]["socket_url"]),
            idempotency_key: None,
        }
    }

    /// The same person, whose calls carry this key.
    pub fn with_key(&self, key: &str) -> Self {
        Self { idempotency_key: Some(key.to_owned()), ..self.clone() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Reply {
        self.door.call_with(method, path, Some(&self.token), body, self.idempotency_key.as_deref()).await
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PUT, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, None).await
    }

    /// The direct conversation with somebody.
    pub async fn direct(&self, other: &Self) -> String {
        let reply = self.post("/v1/conversations", json!({"kind": "direct", "user_id": other.user_id})).await;
        assert!(reply.status.is_success(), "{}", reply.body);
        reply.body["conversation"]["conversation_id"].as_str().unwrap().to_owned()
    }

    /// A group with these people.
    pub async fn group(&self, others: &[&Self]) -> String {
        let ids: Vec<&str> = others.iter().map(|person| person.user_id.as_str()).collect();
        let made = self.post("/v1/conversations", json!({"kind": "group", "user_ids": ids})).await.expect(201);
        assert_eq!(made["not_added"], json!([]));
        made["conversation"]["conversation_id"].as_str().unwrap().to_owned()
    }

    /// Sends over HTTP.
    pub async fn say(&self, conversation: &str, text: &str) -> Value {
        let body = json!({"client_message_id": uuid::Uuid::now_v7(), "text": text});
        self.post(&format!("/v1/conversations/{conversation}/messages"), body).await.expect(201)
    }

    /// The texts of the newest messages.
    pub async fn texts(&self, conversation: &str) -> Vec<String> {
        let page = self.get(&format!("/v1/conversations/{conversation}/messages?limit=100")).await.expect(200);
        page["messages"].as_array().unwrap().iter().map(|m| m["text"].as_str().unwrap().to_owned()).collect()
    }

    /// A socket that has said hello. `welcome`, the sync pages and `synced` are still to be read.
    pub async fn hello(&self, sync_token: Option<&str>) -> Socket {
        let mut socket = Socket::connect(&self.socket_url).await;
        socket.send(json!({"type": "hello", "token": self.token, "sync_token": sync_token})).await;
        socket
    }

    /// A socket past `synced`, and its sync token.
    pub async fn online(&self) -> (Socket, String) {
        let mut socket = self.hello(None).await;
        let synced = socket.until("synced").await;
        (socket, synced["sync_token"].as_str().unwrap().to_owned())
    }
}
