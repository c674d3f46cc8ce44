//! A request from its first header to its answer.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::{
    Request, StatusCode,
    body::{Body as _, Incoming},
    header::{self, HeaderValue},
};
use skep_directory::MapWatch;
use skep_gate::{Kind, Standing};
use skep_inside::Inside;
use skep_protocol::{Code, Refusal};
use tokio::{sync::Semaphore, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    Options, Patience,
    answer::{Answer, AnswerBody, problem},
    body::{BodyBounds, BodyRoom},
    calls::{BodySize, Call, Key, Target},
    entrance::Entrance,
    forward::{Cells, Errand},
    headers::{self, REQUEST_ID},
    limits,
    metrics::{Held, Metrics},
    multipart,
    own::Readiness,
    owner,
    policy::{Asked, Policy},
};

/// All that connections share.
pub(crate) struct Door {
    pub metrics: Metrics,
    pub patience: Patience,
    pub entrance: Entrance,
    policy: Policy,
    map: Arc<MapWatch>,
    cells: Cells,
    /// Sign-ups and log-ins have their own, so that they cannot take all.
    hashing: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    bodies: BodyRoom,
    stop: CancellationToken,
}

/// Who asks, and by which name the request goes.
struct Asker {
    client: IpAddr,
    id: HeaderValue,
}

impl Door {
    pub fn new(map: Arc<MapWatch>, inside: &Inside, options: Options, stop: CancellationToken) -> Self {
        let Options { public_url, rate_limits, trusted_proxies, allowed_origins, patience, room } = options;
        Self {
            metrics: Metrics::default(),
            patience,
            entrance: Entrance::new(&rate_limits, trusted_proxies),
            policy: Policy::new(&public_url, &allowed_origins),
            map,
            cells: Cells::new(inside, patience, room.calls_per_cell),
            hashing: Arc::new(Semaphore::new(room.hashing)),
            calls: Arc::new(Semaphore::new(room.calls)),
            bodies: BodyRoom::default(),
            stop,
        }
    }

    pub fn readiness(&self) -> Readiness {
        if self.stop.is_cancelled() {
            Readiness::Stopping
        } else if self.map.current().is_whole() {
            Readiness::Ready
        } else {
            Readiness::NoMap
        }
    }

    /// The answer to a request of this peer. Always one: what goes wrong becomes a problem document.
    pub async fn answer(&self, peer: IpAddr, request: Request<Incoming>) -> Answer {
        let begun = Instant::now();
        let asker =
            Asker { client: self.entrance.client(peer, request.headers()), id: headers::request_id(request.headers()) };
        let (id, method) = (asker.id.clone(), request.method().clone());
        let brings_body = !request.body().is_end_stream();
        let (asked, target) = (Asked::of(&request), Target::of(&request));
        let (path, label) = (request.uri().path(), target.label());
        let span = tracing::info_span!("http", request_id = id.to_str().unwrap_or_default(), %method, path);
        let (standing, answered) = self.respond(&asked, target, asker, request).instrument(span.clone()).await;
        let mut answer = answered.unwrap_or_else(|refusal| {
            span.in_scope(|| tracing::debug!(%refusal, "refused"));
            match refusal.code {
                Code::RateLimited => self.metrics.limited(target.kind(&method)),
                Code::Busy => self.metrics.shed(target.kind(&method)),
                _ => {}
            }
            let mut refused = problem(refusal, &id);
            if brings_body {
                // It may not have been read to its end: what follows on this connection could be the rest of it.
                refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            refused
        });
        let (status, took) = (answer.status(), begun.elapsed());
        let headers = answer.headers_mut();
        if let Some(standing) = standing {
            standing.tighter(Standing::read(headers)).write(headers);
        }
        self.policy.complete(&asked, headers);
        headers.insert(REQUEST_ID, id);
        span.in_scope(|| tracing::debug!(call = label, status = status.as_u16(), ms = took.as_millis(), "answered"));
        self.metrics.answered(&method, label, status, took);
        answer
    }

    /// The answer, and how the caller's address stands.
    async fn respond(
        &self,
        asked: &Asked,
        target: Target,
        asker: Asker,
        request: Request<Incoming>,
    ) -> (Option<Standing>, Result<Answer, Refusal>) {
        let (client, kind) = (asker.client, target.kind(request.method()));
        if let Target::Own(page) = target
            && page.is_health()
        {
            let answer = page.answer(request.method(), self.readiness(), &asker.id);
            return (self.entrance.standing(client), Ok(answer));
        }
        let standing = match self.entrance.admit(kind, client) {
            Ok(standing) => standing,
            Err(limited) => {
                let what = format!("{} from your address", kind.plural());
                return (Some(limited.standing), Err(limited.refusal(&what)));
            }
        };
        if let Err(refusal) = headers::check_head(&request) {
            return (standing, Err(refusal));
        }
        let answered = match target {
            Target::Own(page) => Ok(page.answer(request.method(), self.readiness(), &asker.id)),
            Target::Web(page) => Ok(page.answer(request.method(), request.headers(), &self.map.current(), &asker.id)),
            Target::Preflight => self.policy.preflight(asked),
            Target::Call(call) => self.carry_out(call, asker, request).await,
            Target::Nothing => Err(Refusal::new(Code::NotFound, "there is no such call")),
        };
        let is_nobodys = match &answered {
            Ok(answer) => answer.status() == StatusCode::UNAUTHORIZED,
            Err(refusal) => refusal.code == Code::Unauthenticated,
        };
        let uncounted = standing.is_none() && is_nobodys;
        (if uncounted { self.entrance.nobodys(client) } else { standing }, answered)
    }

    async fn carry_out(&self, call: &Call, asker: Asker, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let kind = Kind::of(request.method(), call.template);
        // Whoever has no place now is told before anything is read; a place is held only once the body is here, so
        // that slow senders hold none.
        drop(self.place(kind)?);
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        // What can be refused without its body is.
        let known = match call.key {
            Key::Token => Some(owner::of_token(&parts.headers)?),
            Key::Link => Some(owner::of_link(path)?),
            Key::Image => Some(owner::of_image(path)?),
            Key::SignUp | Key::LogIn => None,
        };
        let body = self.bodies.read(body, self.bounds(call, owner::content_type(&parts.headers))).await?;
        let held = self.place(kind)?;
        let slot = known.unwrap_or_else(|| match call.key {
            Key::SignUp => owner::of_sign_up(&parts.headers, &body.bytes),
            _ => owner::of_log_in(&body.bytes),
        });
        let errand = Errand {
            slot,
            path_and_query: parts.uri.path_and_query().map_or(path, |p| p.as_str()).to_owned(),
            method: parts.method,
            headers: headers::for_cell(parts.headers, asker.client, &asker.id),
            body: body.bytes.clone(),
        };
        let (mut parts, answered) = self.cells.carry_out(&errand, &self.map, &self.metrics).await?.into_parts();
        headers::for_client(&mut parts.headers);
        Ok(Answer::from_parts(parts, AnswerBody::of_cell(answered, self.patience.stall).holding(held)))
    }

    fn place(&self, kind: Kind) -> Result<Held, Refusal> {
        let room = if kind.hashes() { &self.hashing } else { &self.calls };
        let place = Arc::clone(room).try_acquire_owned();
        let busy = |_| Refusal::new(Code::Busy, "too many calls at the moment; nothing was done, try again soon");
        Ok(self.metrics.call(place.map_err(busy)?))
    }

    fn bounds(&self, call: &Call, content_type: &str) -> BodyBounds {
        let image = match call.body {
            BodySize::Json => false,
            BodySize::Image => true,
            BodySize::Either => multipart::is_form(content_type),
        };
        if image {
            BodyBounds { bytes: limits::IMAGE_BODY_BYTES, within: self.patience.image_body }
        } else {
            BodyBounds { bytes: limits::BODY_BYTES, within: self.patience.body }
        }
    }
}
