//! The paths of the public contract, and where in each call its slot is found. Which methods a path takes, and what
//! they mean, is for the cell to say.

use hyper::{Method, Request};
use skep_gate::Kind;

use crate::{own::OwnPage, policy::Policy, web::WebPage};

/// What a request is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Own(OwnPage),
    Web(WebPage),
    /// A browser asks whether a page may make a call.
    Preflight,
    Call(&'static Call),
    Nothing,
}

/// Where the slot of a call is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    /// In the caller's token.
    Token,
    /// In the username of a sign-up.
    SignUp,
    /// In the username or e-mail address of a log-in.
    LogIn,
    /// In the code of a link, the last segment.
    Link,
    /// In the user id of an image, the third segment.
    Image,
}

/// How large a body may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodySize {
    Json,
    Image,
    /// Of a form with an image or of JSON: the content type tells.
    Either,
}

/// A path of the contract.
#[derive(Debug)]
pub(crate) struct Call {
    /// Segments in braces stand for anything, `*` for one or more segments.
    pub template: &'static str,
    /// The method that this line is about; `None`: all that no line above has named.
    method: Option<Method>,
    pub key: Key,
    pub body: BodySize,
}

const fn by_token(template: &'static str) -> Call {
    by(Key::Token, BodySize::Json, template)
}

const fn by(key: Key, body: BodySize, template: &'static str) -> Call {
    Call { template, method: None, key, body }
}

const fn post_by(key: Key, body: BodySize, template: &'static str) -> Call {
    Call { template, method: Some(Method::POST), key, body }
}

static CALLS: &[Call] = &[
    post_by(Key::SignUp, BodySize::Either, "/v1/users"),
    by_token("/v1/users"),
    // What is named comes before what stands for anything.
    by_token("/v1/users/lookup"),
    by_token("/v1/users/{user_id}"),
    post_by(Key::LogIn, BodySize::Json, "/v1/sessions"),
    by_token("/v1/sessions"),
    by_token("/v1/sessions/{session_id}"),
    by_token("/v1/route"),
    by_token("/v1/me"),
    by_token("/v1/me/password"),
    by(Key::Token, BodySize::Image, "/v1/me/image"),
    by_token("/v1/me/blocks"),
    by_token("/v1/me/blocks/{user_id}"),
    by_token("/v1/conversations"),
    by_token("/v1/conversations/{id}"),
    by_token("/v1/conversations/{id}/messages"),
    by_token("/v1/conversations/{id}/read"),
    by_token("/v1/conversations/{id}/members"),
    by_token("/v1/conversations/{id}/members/{user_id}"),
    by_token("/v1/conversations/{id}/link"),
    by_token("/v1/messages"),
    by(Key::Link, BodySize::Json, "/v1/links/{code}"),
    by_token("/v1/links/{code}/join"),
    by(Key::Image, BodySize::Json, "/v1/images/{user_id}/*"),
];

// === impl Target ===

impl Target {
    pub fn of<B>(request: &Request<B>) -> Self {
        let (method, path) = (request.method(), request.uri().path());
        if Policy::is_preflight(method, request.headers()) {
            return Self::Preflight;
        }
        let own = OwnPage::of(path).map(Self::Own).or_else(|| WebPage::of(path).map(Self::Web));
        own.or_else(|| Call::of(method, path).map(Self::Call)).unwrap_or(Self::Nothing)
    }

    /// The name in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Own(page) => page.label(),
            Self::Web(page) => page.label(),
            Self::Preflight => "preflight",
            Self::Call(call) => call.template,
            Self::Nothing => "none",
        }
    }

    /// The limit that it counts against.
    pub fn kind(self, method: &Method) -> Kind {
        match self {
            Self::Call(call) => Kind::of(method, call.template),
            Self::Own(_) | Self::Web(_) | Self::Preflight | Self::Nothing => Kind::Other,
        }
    }
}

// === impl Call ===

impl Call {
    /// The line of the contract that a request falls under.
    pub fn of(method: &Method, path: &str) -> Option<&'static Self> {
        CALLS.iter().find(|call| call.method.as_ref().is_none_or(|named| named == method) && call.matches(path))
    }

    fn matches(&self, path: &str) -> bool {
        let mut segments = path.split('/');
        for expected in self.template.split('/') {
            match (expected, segments.next()) {
                (_, None) => return false,
                ("*", Some(rest)) => return !rest.is_empty(),
                (named, Some(segment)) if named.starts_with('{') => {
                    if segment.is_empty() {
                        return false;
                    }
                }
                (fixed, Some(segment)) => {
                    if fixed != segment {
                        return false;
                    }
                }
            }
        }
        segments.next().is_none()
    }
}

#[cfg(test)]
mod tests {
    use skep_contract::Group;

    use super::*;

    /// What stands for anything, whatever it is called.
    fn template(path: &str) -> String {
        let any = |segment: &str| {
            if segment.starts_with('{') || segment == "*" { "*".to_owned() } else { segment.to_owned() }
        };
        path.split('/').map(any).collect::<Vec<_>>().join("/")
    }

    #[test]
    fn every_call_of_the_contract_has_a_line_here_and_no_line_is_without() {
        let of_cells = || skep_contract::calls().iter().filter(|call| call.group != Group::Router);
        for call in of_cells() {
            let method = Method::from_bytes(call.method.as_str().as_bytes()).unwrap();
            let line = Call::of(&method, call.path).unwrap_or_else(|| panic!("{}: no line", call.path));
            assert_eq!(template(line.template), template(call.path));
        }
        for line in CALLS {
            let is_known = of_cells().any(|call| template(call.path) == template(line.template));
            assert!(is_known, "{} is not documented", line.template);
        }
    }

    #[test]
    fn a_path_finds_its_call() {
        let cases = [
            (Method::POST, "/v1/users", Some(("/v1/users", Key::SignUp))),
            (Method::GET, "/v1/users", Some(("/v1/users", Key::Token))),
            (Method::POST, "/v1/sessions", Some(("/v1/sessions", Key::LogIn))),
            (Method::DELETE, "/v1/sessions/current", Some(("/v1/sessions/{session_id}", Key::Token))),
            (Method::GET, "/v1/links/00ab", Some(("/v1/links/{code}", Key::Link))),
            (Method::POST, "/v1/links/00ab/join", Some(("/v1/links/{code}/join", Key::Token))),
            (Method::GET, "/v1/images/u_1/v7.webp", Some(("/v1/images/{user_id}/*", Key::Image))),
            (Method::GET, "/v1/images/u_1/a/b", Some(("/v1/images/{user_id}/*", Key::Image))),
            (Method::GET, "/v1/images/u_1", None),
            (Method::GET, "/v1/images/u_1/", None),
            (Method::GET, "/v1/conversations/", None),
            (Method::GET, "/v1/conversations//messages", None),
            (Method::GET, "/v1/me/", None),
            (Method::GET, "/v1", None),
            (Method::GET, "/", None),
            (Method::OPTIONS, "*", None),
            (Method::GET, "/v2/me", None),
        ];
        for (method, path, expected) in cases {
            let found = Call::of(&method, path).map(|call| (call.template, call.key));
            assert_eq!(found, expected, "{method} {path}");
        }
    }
}
