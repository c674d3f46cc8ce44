//! A client: well-behaved ones by hyper, others byte by byte.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

use crate::world::PATIENCE;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// A request to be sent.
pub fn request(method: Method, url: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(url).body(Full::default()).unwrap()
}

/// The same with a token.
pub fn with_token(mut request: Request<Full<Bytes>>, token: &str) -> Request<Full<Bytes>> {
    request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap());
    request
}

/// The same with a body.
pub fn with_body(
    mut request: Request<Full<Bytes>>,
    content_type: &str,
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    request.headers_mut().insert(header::CONTENT_TYPE, content_type.parse().unwrap());
    *request.body_mut() = Full::new(body.into());
    request
}

/// Sends it, on a connection of its own.
pub async fn send<B>(request: Request<B>) -> Reply
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let client: Client<HttpConnector, B> = Client::builder(TokioExecutor::new()).build_http();
    let answered = async {
        let response: Response<_> = client.request(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    };
    timeout(PATIENCE, answered).await.unwrap()
}

impl Reply {
    /// Checks for a problem document of this code, as documented.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        let problem: Value = serde_json::from_str(&self.text).unwrap();
        assert_eq!(problem["code"], code);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/errors/{code}"));
        assert!(!problem["title"].as_str().unwrap().is_empty() && !problem["detail"].as_str().unwrap().is_empty());
        assert_eq!(problem["request_id"].as_str().unwrap(), self.headers["x-request-id"]);
        let later = problem["retry_after_ms"].as_u64().map(|ms| ms.div_ceil(1_000).to_string());
        let header = self.headers.get(header::RETRY_AFTER).map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(later, header);
        problem
    }
}

/// A connection of which every byte is the test's.
pub struct Wire(TcpStream);

impl Wire {
    pub async fn to(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// The same from another address of this machine.
    pub async fn from(from: [u8; 4], address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    /// Writes to who may have closed already, and reads until they have. What came of an answer.
    pub async fn try_to_the_end(&mut self, bytes: &str) -> String {
        let mut read = Vec::new();
        if self.0.write_all(bytes.as_bytes()).await.is_ok() {
            _ = timeout(PATIENCE, self.0.read_to_end(&mut read)).await.expect("the router closes");
        }
        String::from_utf8(read).unwrap()
    }

    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// All that comes until the router closes. Panics when it does not.
    pub async fn read_to_end(&mut self) -> String {
        let mut bytes = Vec::new();
        let read = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the router closes");
        read.expect("the router closes in good order");
        String::from_utf8(bytes).unwrap()
    }

    /// All that comes until this text has come.
    pub async fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.contains(end) {
            let mut bytes = [0; 4096];
            let read = timeout(PATIENCE, self.0.read(&mut bytes)).await.expect("something comes").unwrap();
            assert_ne!(read, 0, "closed after {text:?}");
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
        text
    }
}
