//! Answers: a cell's, on its way through, and the router's own.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::{
    Response, StatusCode,
    body::{Body, Frame, Incoming, SizeHint},
    header::{self, HeaderValue},
};
use skep_protocol::{Code, Problem, Refusal};
use tokio::time::{Instant, Sleep, sleep};

use crate::metrics::Held;

pub(crate) type Answer = Response<AnswerBody>;

/// Why an answer could not be given to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenAnswer {
    #[error("the cell broke off: {0}")]
    Cell(#[from] hyper::Error),
    #[error("the cell paused in the middle of its answer")]
    Stalled,
}

/// The body of an answer. While it lives, its call counts as under way.
pub(crate) struct AnswerBody {
    source: Source,
    held: Option<Held>,
}

enum Source {
    Own(Option<Bytes>),
    Cell { body: Incoming, patience: Duration, pause: Pin<Box<Sleep>> },
}

// === impl AnswerBody ===

impl AnswerBody {
    pub fn own(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { source: Source::Own((!bytes.is_empty()).then_some(bytes)), held: None }
    }

    /// A cell's, which may pause for so long at most.
    pub fn of_cell(body: Incoming, patience: Duration) -> Self {
        Self { source: Source::Cell { body, patience, pause: Box::pin(sleep(patience)) }, held: None }
    }

    /// Keeps a call's place until the body is gone.
    pub fn holding(mut self, held: Held) -> Self {
        self.held = Some(held);
        self
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        match &mut self.source {
            Source::Own(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Source::Cell { body, patience, pause } => match Pin::new(body).poll_frame(cx) {
                Poll::Ready(frame) => {
                    pause.as_mut().reset(Instant::now() + *patience);
                    Poll::Ready(frame.map(|f| f.map_err(BrokenAnswer::from)))
                }
                Poll::Pending => pause.as_mut().poll(cx).map(|()| Some(Err(BrokenAnswer::Stalled))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Own(bytes) => bytes.is_none(),
            Source::Cell { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Source::Cell { body, .. } => body.size_hint(),
        }
    }
}

// === the router's own ===

/// A refusal as a problem document.
pub(crate) fn problem(refusal: Refusal, request_id: &HeaderValue) -> Answer {
    let problem = Problem::new(refusal, request_id.to_str().unwrap_or_default());
    // Strings and numbers: this cannot fail.
    let mut answer = Response::new(AnswerBody::own(serde_json::to_vec(&problem).unwrap_or_default()));
    *answer.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(Problem::MEDIA_TYPE));
    if let Some(seconds) = problem.retry_after_s() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if problem.code == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// A page of the router's own.
pub(crate) fn page(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(AnswerBody::own(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}
