//! Making a connection: the WebSocket handshake, after which the wire is ours.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use skep_tls::{ConnectError, Connector, Line, Wire};

/// The subprotocol that is spoken.
const PROTOCOL: &str = "skep.v1.json";
/// From the first packet to the end of the handshake.
const WITHIN: Duration = Duration::from_secs(10);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("{0} is neither a ws:// nor a wss:// URL")]
    Url(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the handshake failed")]
    Handshake(#[from] hyper::Error),
    #[error("the handshake was answered with {0}")]
    Refused(StatusCode),
    #[error("the server does not speak {PROTOCOL}")]
    Protocol,
    #[error("no connection within {WITHIN:?}")]
    Slow,
}

/// A socket past the handshake, and what was read with it already.
pub(crate) async fn dial(connector: &Connector, socket_url: &str) -> Result<(Line, Bytes), DialError> {
    tokio::time::timeout(WITHIN, connect(connector, socket_url)).await.unwrap_or(Err(DialError::Slow))
}

async fn connect(connector: &Connector, socket_url: &str) -> Result<(Line, Bytes), DialError> {
    let bad_url = || DialError::Url(socket_url.to_owned());
    let uri: Uri = socket_url.parse().map_err(|_| bad_url())?;
    let authority = uri.authority().ok_or_else(bad_url)?;
    let scheme = match uri.scheme_str() {
        Some("ws") => "http",
        Some("wss") => "https",
        _ => return Err(bad_url()),
    };
    let address = Uri::builder().scheme(scheme).authority(authority.clone()).path_and_query("/").build();
    let wire = connector.connect(address.map_err(|_| bad_url())?).await?;
    let request = Request::builder()
        .uri(uri.path_and_query().map_or("/", |p| p.as_str()))
        .header(header::HOST, authority.as_str())
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "upgrade")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, fastwebsockets::handshake::generate_key())
        .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
        .body(Empty::<Bytes>::new())
        .map_err(|_| bad_url())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(wire)).await?;
    tokio::spawn(connection.with_upgrades());
    let mut response = sender.send_request(request).await?;
    check(&response)?;
    let socket = hyper::upgrade::on(&mut response).await?;
    // hyper gives the wire back; what it had read already comes with it.
    let parts = socket.downcast::<TokioIo<Wire>>().map_err(|_| DialError::Protocol)?;
    Ok((Line::new(parts.io.into_inner()), parts.read_buf))
}

/// Own checks: the ones of `fastwebsockets::handshake` take no `connection: upgrade, close`, which is allowed.
fn check(response: &Response<Incoming>) -> Result<(), DialError> {
    let has = |name, wanted: &str| {
        let values = response.headers().get_all(name).iter().filter_map(|v| v.to_str().ok());
        values.flat_map(|v| v.split(',')).any(|v| v.trim().eq_ignore_ascii_case(wanted))
    };
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(DialError::Refused(response.status()));
    }
    if !has(header::UPGRADE, "websocket")
        || !has(header::CONNECTION, "upgrade")
        || !has(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
    {
        return Err(DialError::Protocol);
    }
    Ok(())
}
