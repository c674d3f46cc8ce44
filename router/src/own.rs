//! What the router answers by itself: its health, the documents of the contract, and the pages to read it by.

use std::sync::LazyLock;

use bytes::Bytes;
use hyper::{Method, StatusCode, header, header::HeaderValue};
use skep_protocol::{Code, Refusal};

use crate::answer::{Answer, page, problem};

const TEXT_AND_STYLE: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Whether calls can be brought to their cells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    Ready,
    /// The map is not known, or not every slot has an owner.
    NoMap,
    Stopping,
}

/// A path that is the router's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OwnPage {
    Healthz,
    Readyz,
    OpenApi,
    AsyncApi,
    Docs,
    SocketDocs,
    Style,
    Error(Code),
}

impl Readiness {
    pub fn status(self) -> StatusCode {
        match self {
            Self::Ready => StatusCode::OK,
            Self::NoMap | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub fn sentence(self) -> &'static str {
        match self {
            Self::Ready => "ok\n",
            Self::NoMap => "the map of slots to cells is not known, or not whole\n",
            Self::Stopping => "stopping\n",
        }
    }
}

impl OwnPage {
    pub fn of(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Healthz),
            "/readyz" => Some(Self::Readyz),
            "/v1/openapi.json" => Some(Self::OpenApi),
            "/v1/asyncapi.json" => Some(Self::AsyncApi),
            "/docs" => Some(Self::Docs),
            "/docs/socket" => Some(Self::SocketDocs),
            "/docs/style.css" => Some(Self::Style),
            _ => {
                let name = path.strip_prefix("/errors/")?;
                Code::ALL.iter().find(|code| code.as_str() == name).map(|code| Self::Error(*code))
            }
        }
    }

    /// Whether load balancers ask for it, at any time.
    pub fn is_health(self) -> bool {
        matches!(self, Self::Healthz | Self::Readyz)
    }

    /// The name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Healthz => "/healthz",
            Self::Readyz => "/readyz",
            Self::OpenApi => "/v1/openapi.json",
            Self::AsyncApi => "/v1/asyncapi.json",
            Self::Docs => "/docs",
            Self::SocketDocs => "/docs/socket",
            Self::Style => "/docs/style.css",
            Self::Error(_) => "/errors/{code}",
        }
    }

    pub fn answer(self, method: &Method, readiness: Readiness, request_id: &HeaderValue) -> Answer {
        if *method != Method::GET && *method != Method::HEAD {
            let refusal = Refusal::new(Code::Method, "this page can only be read");
            let mut refused = problem(refusal, request_id);
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        match self {
            Self::Healthz => page(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
            Self::Readyz => page(readiness.status(), "text/plain; charset=utf-8", readiness.sentence()),
            Self::OpenApi => page(StatusCode::OK, "application/json", OPENAPI.clone()),
            Self::AsyncApi => page(StatusCode::OK, "application/json", ASYNCAPI.clone()),
            Self::Docs => to_read(skep_contract::http_page()),
            Self::SocketDocs => to_read(skep_contract::socket_page()),
            Self::Style => page(StatusCode::OK, "text/css; charset=utf-8", skep_contract::STYLE),
            Self::Error(code) => to_read(skep_contract::error_page(code)),
        }
    }
}

/// A page for people. It has a style sheet of its own, and nothing that runs or loads.
fn to_read(text: impl Into<Bytes>) -> Answer {
    let mut answer = page(StatusCode::OK, "text/html; charset=utf-8", text);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, TEXT_AND_STYLE);
    answer
}

static OPENAPI: LazyLock<Bytes> = LazyLock::new(|| document(skep_contract::openapi()));
static ASYNCAPI: LazyLock<Bytes> = LazyLock::new(|| document(skep_contract::asyncapi()));

fn document(document: &serde_json::Value) -> Bytes {
    document.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_of_the_contract_is_here_and_no_other() {
        let named = |call: &&skep_contract::Call| call.group == skep_contract::Group::Router;
        let documented: Vec<&str> = skep_contract::calls().iter().filter(named).map(|call| call.path).collect();
        for path in &documented {
            let path = path.replace("{code}", "not_found");
            assert!(OwnPage::of(&path).is_some(), "{path} is documented and not served");
        }
        let pages = [
            OwnPage::Healthz,
            OwnPage::Readyz,
            OwnPage::OpenApi,
            OwnPage::AsyncApi,
            OwnPage::Docs,
            OwnPage::SocketDocs,
            OwnPage::Style,
            OwnPage::Error(Code::Invalid),
        ];
        assert_eq!(pages.map(OwnPage::label).to_vec(), documented, "served and documented are the same");
    }
}
