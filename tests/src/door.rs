//! A router as people reach it.

use hyper::{Method, Request, header};
use serde_json::{Value, json};
use skep_inside::Inside;

use crate::{Person, Reply, http::Http, person::PASSWORD};

/// Where calls go.
#[derive(Clone)]
pub struct Door {
    pub url: String,
    http: Http,
}

impl Door {
    pub fn new(url: String) -> Self {
        Self { http: Http::of(&url), url }
    }

    /// A cell's, as routers reach it.
    pub fn of_cell(url: String, inside: &Inside) -> Self {
        Self { url, http: Http::inside(inside) }
    }

    /// One call. Panics when nobody answers.
    pub async fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Reply {
        self.call_with(method, path, token, body, None).await
    }

    /// The same, with an Idempotency-Key.
    pub async fn call_with(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Reply {
        let reply = self.try_call(method, path, token, body, key).await;
        reply.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The same, which may find nobody.
    pub async fn try_call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Result<Reply, String> {
        self.http.call(method, &format!("{}{path}", self.url), token, body.as_ref(), key).await
    }

    /// Any request.
    pub async fn request(&self, request: Request<http_body_util::Full<bytes::Bytes>>) -> Reply {
        self.http.request(request).await.unwrap()
    }

    /// A call of somebody at this address, as a proxy of ours tells it.
    pub async fn call_from(
        &self,
        address: &str,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("x-forwarded-for", address).header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = body.map(|body| bytes::Bytes::from(body.to_string())).unwrap_or_default();
        self.request(request.body(http_body_util::Full::new(body)).unwrap()).await
    }

    /// A counter of the admin port that this leads to.
    pub async fn counter(&self, name: &str) -> f64 {
        let reply = self.try_call(Method::GET, "/metrics", None, None, None).await;
        let text = reply.map(|reply| reply.body.as_str().unwrap_or_default().to_owned()).unwrap_or_default();
        let count = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        count.unwrap_or(0.0)
    }

    /// Somebody new of this name.
    pub async fn sign_up(&self, username: &str) -> Person {
        let body = json!({
            "username": username, "display_name": format!("{username} of the hive"),
            "email": format!("{username}@example.org"), "password": PASSWORD
        });
        let made = self.call(Method::POST, "/v1/users", None, Some(body)).await.expect(201);
        Person::of(self, &made)
    }

    /// Somebody new whose cell is this one.
    pub async fn sign_up_in(&self, cell_id: u64, prefix: &str) -> Person {
        for i in 0..100 {
            let person = self.sign_up(&format!("{prefix}{i}")).await;
            if person.cell_id == cell_id {
                return person;
            }
        }
        panic!("none of a hundred names belongs to cell {cell_id}");
    }
}
