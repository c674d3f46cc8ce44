//! A cell as a router sees it: takes calls, remembers them, and does what it is told.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, StreamBody, combinators::BoxBody};
use hyper::{
    HeaderMap, Method, Request, Response,
    body::{Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use skep_children::HeldPort;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;

type Body = BoxBody<Bytes, Infallible>;

/// A call that has arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: Method,
    pub path_and_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// What the cell does with a call. Without orders it answers 200 with its number.
pub enum Order {
    Answer(Response<Full<Bytes>>),
    WrongCell(u64),
    BreakOff,
    NeverAnswer,
    /// Begins its answer, and never ends it.
    Pause,
    /// Answers when the sender sends.
    Wait(tokio::sync::oneshot::Receiver<()>),
}

#[derive(Clone)]
pub struct FakeCell {
    pub number: u32,
    pub address: SocketAddr,
    _port: Arc<HeldPort>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    orders: Mutex<VecDeque<Order>>,
}

impl FakeCell {
    /// A cell with an address at which nobody serves yet.
    pub fn away(number: u32) -> Self {
        let port = HeldPort::any().unwrap();
        Self { number, address: port.address(), _port: Arc::new(port), shared: Arc::default() }
    }

    pub async fn serve(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let cell = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let cell = cell.clone();
                let service = service_fn(move |request| cell.clone().take(request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
    }

    pub fn order(&self, order: Order) {
        self.shared.orders.lock().push_back(order);
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().clone()
    }

    async fn take(self, request: Request<Incoming>) -> Result<Response<Body>, &'static str> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| "broken")?.to_bytes();
        self.shared.seen.lock().push(Seen {
            method: parts.method,
            path_and_query: parts.uri.to_string(),
            headers: parts.headers,
            body,
        });
        let order = self.shared.orders.lock().pop_front();
        let own = Response::new(Full::from(format!("cell {}", self.number)).boxed());
        match order {
            None => Ok(own),
            Some(Order::Answer(answer)) => Ok(answer.map(BodyExt::boxed)),
            Some(Order::WrongCell(epoch)) => {
                let refused = Response::builder().status(503).header("x-skep-wrong-cell", epoch);
                Ok(refused.body(Empty::new().boxed()).unwrap())
            }
            Some(Order::BreakOff) => Err("told to"),
            Some(Order::NeverAnswer) => std::future::pending().await,
            Some(Order::Pause) => {
                let beginning = tokio_stream::once(Ok(Frame::data("beginning".into())));
                Ok(Response::new(StreamBody::new(beginning.chain(tokio_stream::pending())).boxed()))
            }
            Some(Order::Wait(go)) => {
                go.await.unwrap();
                Ok(own)
            }
        }
    }
}
