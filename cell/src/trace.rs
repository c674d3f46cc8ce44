//! How a request is followed from part to part: by its id, in the spans of all that is logged about it.

use hyper::Request as HttpRequest;
use tonic::{Request, Status, metadata::MetadataValue};
use tracing::Span;

const REQUEST_ID: &str = "x-request-id";

tokio::task_local! {
    /// The id of the request that this task answers.
    pub static REQUEST: String;
}

/// Names the request in a call to another cell that is made for it.
pub fn name(mut call: Request<()>) -> Result<Request<()>, Status> {
    if let Ok(Ok(id)) = REQUEST.try_with(|id| MetadataValue::try_from(id)) {
        call.metadata_mut().insert(REQUEST_ID, id);
    }
    Ok(call)
}

/// What is logged of another cell's call.
pub fn span(call: &HttpRequest<()>) -> Span {
    let id = call.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let span = tracing::debug_span!("peer", request_id = id, path = call.uri().path());
    span.in_scope(|| tracing::debug!("another cell asks"));
    span
}
