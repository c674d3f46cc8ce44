//! HTTP as a plain client speaks it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, StatusCode, header};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use skep_authority::Authority;
use skep_inside::{Inside, Proof, Speaks};
use skep_tls::Connector;

use crate::agreement::{Answered, check_answer};

/// A client that keeps its connections.
#[derive(Clone)]
pub struct Http {
    client: Client<Connector, Full<Bytes>>,
    /// What routers show to cells.
    proof: Option<Proof>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The JSON body; null when there is none.
    pub body: Value,
    /// The body as it came.
    pub bytes: Bytes,
}

impl Http {
    /// Somebody's, who calls this address.
    pub fn of(url: &str) -> Self {
        let connector = if url.starts_with("https") { Authority::known().connector() } else { Connector::bare() };
        Self { client: Client::builder(TokioExecutor::new()).build(connector), proof: None }
    }

    /// A router's.
    pub fn inside(inside: &Inside) -> Self {
        let connector = inside.connector(Speaks::Http1);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), proof: Some(inside.proof().clone()) }
    }

    /// One call, which may find nobody.
    pub async fn call(
        &self,
        method: Method,
        url: &str,
        token: Option<&str>,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(url);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.request(request.body(Full::new(body)).unwrap()).await
    }

    /// Any request. What comes back is held to the contract.
    pub async fn request(&self, mut request: Request<Full<Bytes>>) -> Result<Reply, String> {
        if let Some(proof) = &self.proof {
            proof.show(request.headers_mut());
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.client.request(request).await.map_err(|e| e.to_string())?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
        let (status, headers) = (parts.status, &parts.headers);
        check_answer(&Answered { method: &method, path: &path, status, headers, body: &bytes });
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into())
        };
        Ok(Reply { status: parts.status, headers: parts.headers, body, bytes })
    }
}

impl Reply {
    /// Checks the status; says what came instead.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        self.body
    }

    /// Checks for a problem document of this code.
    #[track_caller]
    pub fn refused(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(self.body["code"], code, "{}", self.body);
        assert_eq!(self.body["request_id"].as_str().unwrap(), self.headers["x-request-id"]);
        self.body
    }
}
