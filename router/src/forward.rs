//! Bringing a call to the cell that owns its slot, and back. The map may be older than the cells', a cell may be
//! restarting: what is known not to have been done is tried again, what is not known is for the caller to repeat.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Request, Response, Uri, body::Incoming, http::uri::Scheme};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use skep_directory::MapWatch;
use skep_gate::Places;
use skep_inside::{Connector, Inside, Proof, Seldom, Speaks};
use skep_protocol::{CellId, Code, Refusal, Slot};
use tokio::time::{Instant, sleep, timeout};

use crate::{Patience, headers, limits, metrics::Metrics};

const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// How often it is said that cells refuse this router.
const REFUSED_PERIOD: Duration = Duration::from_secs(10);

/// A call on its way.
pub(crate) struct Errand {
    pub slot: Slot,
    pub method: Method,
    pub path_and_query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// The way to the cells.
pub(crate) struct Cells {
    client: Client<Connector, Full<Bytes>>,
    scheme: Scheme,
    proof: Proof,
    refused: Seldom,
    patience: Patience,
    places: Places<Option<CellId>>,
}

/// Why an attempt brought no answer.
#[derive(Debug)]
enum Missed {
    /// No cell owns the slot, as far as is known here.
    Nobody,
    /// No connection: nothing was sent.
    NotReached,
    /// The cell does not take this router for one of its deployment's: nothing was done.
    Refused,
    /// It broke after something was sent: whether it was done is not known.
    BrokeOff,
}

impl Cells {
    pub fn new(inside: &Inside, patience: Patience, places_per_cell: usize) -> Self {
        let connector = inside.connector(Speaks::Http1).connect_timeout(patience.connect);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(limits::IDLE)
            .pool_max_idle_per_host(limits::IDLE_PER_CELL)
            .build(connector);
        Self {
            client,
            scheme: inside.scheme(),
            proof: inside.proof().clone(),
            refused: Seldom::new(REFUSED_PERIOD),
            patience,
            places: Places::new(Some(places_per_cell)),
        }
    }

    /// The answer of the cell that owns the slot, whichever it is in the end.
    pub async fn carry_out(
        &self,
        errand: &Errand,
        map: &MapWatch,
        metrics: &Metrics,
    ) -> Result<Response<Incoming>, Refusal> {
        let busy = || Refusal::new(Code::Busy, "too many calls for that cell; nothing was done, try again soon");
        let _place = self.places.take(map.current().owner(errand.slot)).ok_or_else(busy)?;
        match timeout(self.patience.answer, self.try_until_answered(errand, map, metrics)).await {
            Ok(answered) => answered,
            Err(_) => Err(unavailable(
                "the cell has not answered in time; whether it was done is not known, trying again is safe",
            )),
        }
    }

    async fn try_until_answered(
        &self,
        errand: &Errand,
        map: &MapWatch,
        metrics: &Metrics,
    ) -> Result<Response<Incoming>, Refusal> {
        let mut away_since: Option<Instant> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            let known = map.current();
            let cell = known.owner_entry(errand.slot).ok_or(Missed::Nobody);
            let attempt = match cell {
                Ok(cell) => self.attempt(errand, &cell.http_address).await,
                Err(nobody) => Err(nobody),
            };
            match attempt {
                Ok(response) => match headers::wrong_cell(response.headers()) {
                    None => return Ok(response),
                    Some(epoch) => {
                        metrics.wrong_cell();
                        away_since = None;
                        // The cell's map may be the older one: then it fetches ours, and we wait.
                        map.refresh_beyond(epoch).await;
                    }
                },
                Err(missed) => {
                    metrics.cell_away();
                    let since = *away_since.get_or_insert_with(Instant::now);
                    tracing::debug!(?missed, slot = ?errand.slot, "a cell is away");
                    if !missed.may_be_repeated(&errand.method) || since.elapsed() >= self.patience.away {
                        return Err(missed.into());
                    }
                }
            }
            tokio::select! {
                () = sleep(pause) => {}
                _ = map.changed_since(known.epoch) => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self, errand: &Errand, address: &str) -> Result<Response<Incoming>, Missed> {
        let uri = Uri::builder()
            .scheme(self.scheme.clone())
            .authority(address)
            .path_and_query(&*errand.path_and_query)
            .build();
        // An address that is none reaches nobody.
        let uri = uri.map_err(|_| Missed::NotReached)?;
        let mut request = Request::new(Full::new(errand.body.clone()));
        *request.method_mut() = errand.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = errand.headers.clone();
        self.proof.show(request.headers_mut());
        let response = self.client.request(request).await.map_err(|error| {
            tracing::debug!(address, error = ?error, "no answer");
            if error.is_connect() { Missed::NotReached } else { Missed::BrokeOff }
        })?;
        // What is wrong between this router and the cell is not told to the client as if it were theirs.
        let Some(reason) = headers::refusal(response.headers()) else { return Ok(response) };
        if let Some(times) = self.refused.happened() {
            tracing::error!(address, times, reason, "a cell refuses this router");
        }
        Err(Missed::Refused)
    }
}

// === impl Missed ===

impl Missed {
    /// Whether to try again by ourselves: nothing was sent, or doing it twice is doing it once. Others are for the
    /// caller, whose own ids make a repeat safe.
    fn may_be_repeated(&self, method: &Method) -> bool {
        match self {
            Self::Nobody | Self::NotReached | Self::Refused => true,
            Self::BrokeOff => method.is_safe(),
        }
    }
}

impl From<Missed> for Refusal {
    fn from(missed: Missed) -> Self {
        unavailable(match missed {
            Missed::Nobody => "no cell serves this yet; nothing was done, try again soon",
            Missed::NotReached => "the cell cannot be reached at the moment; nothing was done, try again soon",
            Missed::Refused => "the cell cannot be asked at the moment; nothing was done, try again later",
            Missed::BrokeOff => "the cell broke off; whether it was done is not known, trying again is safe",
        })
    }
}

fn unavailable(detail: &str) -> Refusal {
    Refusal::new(Code::Unavailable, detail)
}
