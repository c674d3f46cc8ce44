//! Making a connection: the WebSocket handshake, after which the bare socket is ours.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{Request, Response, StatusCode, Uri, body::Incoming, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The subprotocol that is spoken.
const PROTOCOL: &str = "skep.v1.json";
/// From the first packet to the end of the handshake.
const WITHIN: Duration = Duration::from_secs(10);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("{0} is not a ws:// URL")]
    Url(String),
    #[error("cannot connect")]
    Connect(#[from] std::io::Error),
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
pub(crate) async fn dial(socket_url: &str) -> Result<(TcpStream, Bytes), DialError> {
    tokio::time::timeout(WITHIN, connect(socket_url)).await.unwrap_or(Err(DialError::Slow))
}

async fn connect(socket_url: &str) -> Result<(TcpStream, Bytes), DialError> {
    let bad_url = || DialError::Url(socket_url.to_owned());
    let uri: Uri = socket_url.parse().map_err(|_| bad_url())?;
    let authority = uri.authority().filter(|_| uri.scheme_str() == Some("ws")).ok_or_else(bad_url)?;
    let stream = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    stream.set_nodelay(true)?;
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
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let mut response = sender.send_request(request).await?;
    check(&response)?;
    let socket = hyper::upgrade::on(&mut response).await?;
    // hyper gives the bare socket back; what it had read already comes with it.
    let parts = socket.downcast::<TokioIo<TcpStream>>().map_err(|_| DialError::Protocol)?;
    Ok((parts.io.into_inner(), parts.read_buf))
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
