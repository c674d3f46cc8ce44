//! The web app: its files, built into this program (`build.rs`), and the policy that its pages are under.

use hyper::{
    HeaderMap, Method, StatusCode,
    header::{self, HeaderValue},
};
use skep_protocol::{Code, Refusal, SlotMap};

use crate::answer::{Answer, page, problem};

/// A file of the app, also as it was packed when it was built.
#[derive(Debug)]
pub(crate) struct File {
    path: &'static str,
    bytes: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

const SHELL: &str = "/index.html";
/// What keeps the shell for when there is no network. It is under a policy of its own, not under its page's.
const WORKER: &str = "/sw.js";
const WORKERS_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; connect-src 'self'");
/// Names of these files change with what is in them.
const HASHED: &str = "/assets/";
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_EACH_TIME: HeaderValue = HeaderValue::from_static("no-cache");

/// What a path of the web app leads to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WebPage {
    /// The page that all screens are in.
    Shell,
    File(&'static File),
}

// === impl WebPage ===

impl WebPage {
    pub fn of(path: &str) -> Option<Self> {
        let is_link = path.strip_prefix("/c/").is_some_and(|code| !code.is_empty() && !code.contains('/'));
        if path == "/" || is_link {
            return Some(Self::Shell);
        }
        let file = FILES.iter().find(|file| file.path == path && path != SHELL)?;
        Some(Self::File(file))
    }

    /// The name in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Shell => "/",
            Self::File(file) if file.path.starts_with(HASHED) => "/assets/{file}",
            Self::File(file) => file.path,
        }
    }

    pub fn answer(&self, method: &Method, asked: &HeaderMap, map: &SlotMap, request_id: &HeaderValue) -> Answer {
        if *method != Method::GET && *method != Method::HEAD {
            let mut refused = problem(Refusal::new(Code::Method, "this page can only be read"), request_id);
            refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let mut answer = match self {
            Self::File(file) => file.answer(asked),
            Self::Shell => match FILES.iter().find(|file| file.path == SHELL) {
                Some(shell) => shell.answer(asked),
                None => page(StatusCode::NOT_FOUND, "text/html; charset=utf-8", NOT_BUILT),
            },
        };
        let headers = answer.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        match self {
            Self::Shell => {
                headers.insert(header::CONTENT_SECURITY_POLICY, policy(map));
                headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
                headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
                let none = HeaderValue::from_static("camera=(), geolocation=(), microphone=()");
                headers.insert("permissions-policy", none);
            }
            Self::File(file) if file.path == WORKER => {
                headers.insert(header::CONTENT_SECURITY_POLICY, WORKERS_POLICY);
            }
            Self::File(_) => {}
        }
        answer
    }
}

// === impl File ===

impl File {
    fn answer(&self, asked: &HeaderMap) -> Answer {
        let accepts = |coding| accepts(asked, coding);
        let (bytes, coding) = match (self.brotli, self.gzip) {
            (Some(bytes), _) if accepts("br") => (bytes, Some("br")),
            (_, Some(bytes)) if accepts("gzip") => (bytes, Some("gzip")),
            _ => (self.bytes, None),
        };
        let mut answer = page(StatusCode::OK, media_type(self.path), bytes);
        let headers = answer.headers_mut();
        if let Some(coding) = coding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        let keep = if self.path.starts_with(HASHED) { FOR_EVER } else { ASK_EACH_TIME };
        headers.insert(header::CACHE_CONTROL, keep);
        answer
    }
}

/// Whether an answer may come in this coding: named, and not with the weight of nothing.
fn accepts(asked: &HeaderMap, coding: &str) -> bool {
    let named =
        asked.get_all(header::ACCEPT_ENCODING).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(','));
    named.into_iter().any(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(1.0, |q| q.parse().unwrap_or(0.0));
        name.trim().eq_ignore_ascii_case(coding) && weight > 0.0
    })
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => "application/octet-stream",
    }
}

/// Nothing but our own files runs, and the page speaks to nobody but us: this router, and the cells there are now. A
/// page that is older than a cell loads itself anew when it meets it.
fn policy(map: &SlotMap) -> HeaderValue {
    let mut cells: Vec<&str> = map.cells.values().filter_map(|cell| origin(&cell.socket_url)).collect();
    cells.sort_unstable();
    cells.dedup();
    let text = format!(
        "default-src 'self'; connect-src 'self' {}; img-src 'self' blob:; object-src 'none'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
        cells.join(" ")
    );
    // Origins have been looked at letter by letter.
    HeaderValue::from_str(&text).expect("only visible letters")
}

/// Scheme, host and port. None for what would not be one word of a policy.
fn origin(url: &str) -> Option<&str> {
    let host = url.find("://")? + 3;
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    let origin = &url[..end];
    let is_word = origin.bytes().all(|b| b.is_ascii_alphanumeric() || b":/.-[]".contains(&b));
    is_word.then_some(origin)
}

const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Skep</title>\n\
     <p>This router was built without the web app. With Node.js 20 or newer: <code>cd router/web &amp;&amp; npm ci \
     &amp;&amp; npm run build</code>, then build the router again. <code>ops/up</code> does both.</p></html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_found_and_nothing_else() {
        for path in ["/", "/c/00ffABCDEFGHIJKLMNOPQR_-"] {
            assert!(matches!(WebPage::of(path), Some(WebPage::Shell)), "{path}");
        }
        for path in ["/c/", "/c/a/b", "/index.html", "/v1/me", "/assets/", "/assets/../index.html", ""] {
            assert!(WebPage::of(path).is_none(), "{path}");
        }
    }

    #[test]
    fn the_policy_names_cells_and_no_more() {
        let cases = [
            ("ws://127.0.0.1:7711/v1/socket", Some("ws://127.0.0.1:7711")),
            ("wss://c1.example.org/v1/socket", Some("wss://c1.example.org")),
            ("wss://[::1]:7711", Some("wss://[::1]:7711")),
            ("wss://a; script-src *//v1", None),
            ("nothing", None),
        ];
        for (url, expected) in cases {
            assert_eq!(origin(url), expected, "{url}");
        }
    }

    #[test]
    fn codings_are_taken_by_name_and_weight() {
        let cases = [
            ("br, gzip", true),
            ("gzip;q=1.0, br;q=0.5", true),
            ("BR", true),
            ("gzip, br;q=0", false),
            ("gzip", false),
            ("", false),
            ("br;q=x", false),
        ];
        for (given, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(given));
            assert_eq!(accepts(&headers, "br"), expected, "{given}");
        }
    }
}
