//! Profile pictures: one's own changed, everybody's read.

use std::sync::Arc;

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::IntoResponse,
};
use bytes::Bytes;
use skep_protocol::{Code, FieldCode, OwnUser, Refusal, UserId, limits};

use super::{
    answer::Answer,
    caller::{Caller, NamedPair, must_own},
    me::me,
    page::Asked,
};
use crate::{
    accounts::Reserved,
    context::{Context, failed},
    images::{ImageName, ImageSize, Picture, Sent, Unfit, is_named},
};

/// What a picture's address says never changes: another picture has another address.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

pub(super) async fn put(
    State(context): State<Arc<Context>>,
    caller: Caller,
    request: Request,
) -> Answer<Json<OwnUser>> {
    if !is_named(content_type(request.headers())) {
        let detail = "send the picture itself, with Content-Type: image/png, image/jpeg or image/webp";
        return Err(Refusal::new(Code::Unsupported, detail).into());
    }
    let place = context.press.place().await?;
    let bytes = read(request.into_body()).await?;
    let picture = context.press.make(Sent { bytes, place }).await?;
    let name = store(&context, caller.user, &picture).await?;
    context.accounts.show_image(caller.user, Some(&name)).await?;
    me(State(context), caller).await
}

pub(super) async fn delete(State(context): State<Arc<Context>>, caller: Caller) -> Answer<Json<OwnUser>> {
    context.accounts.show_image(caller.user, None).await?;
    me(State(context), caller).await
}

/// Puts a picture into the store, to be shown next.
pub(super) async fn store(context: &Context, user: UserId, picture: &Picture) -> Result<ImageName, Refusal> {
    let name = ImageName::new(picture, rand::random());
    let name = match context.accounts.reserve_image(user, &name).await.map_err(failed)? {
        Reserved::Yes => name,
        // Written again: a shard restored from an older copy may show what the store has removed since.
        Reserved::Shown(name) => name,
        Reserved::Full { retry_after_ms } => {
            let detail = format!("you have had {} pictures within a day: try again later", limits::IMAGES_PER_USER);
            return Err(Refusal::new(Code::RateLimited, detail).after(retry_after_ms));
        }
    };
    context.images.put(user, &name, picture).await?;
    Ok(name)
}

/// Needs no token. Served from the store alone, whether the picture is shown or was within the last day.
pub(super) async fn get(
    State(context): State<Arc<Context>>,
    NamedPair(user, name): NamedPair<UserId, ImageName>,
    asked: Asked,
    headers: HeaderMap,
) -> Answer {
    must_own(&context, user.slot())?;
    let size = match asked.size.as_deref() {
        None => ImageSize::Large,
        Some(side) => ImageSize::of_side(side).ok_or_else(|| {
            Refusal::field(Code::Invalid, "size", FieldCode::Format, "size is 64 or 256, pixels a side")
        })?,
    };
    let tag = format!("\"{name}-{}\"", size.side());
    let mut response = if is_known(&headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let picture = context
            .images
            .get(user, &name, size)
            .await?
            .ok_or_else(|| Refusal::new(Code::NotFound, "there is no such picture"))?;
        let headers = [(header::CONTENT_TYPE, "image/webp"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
        (headers, picture).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, FOR_EVER);
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Whether the client says that it has this already.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag)
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    to_bytes(body, limits::IMAGE_BYTES).await.map_err(|_| Unfit::TooManyBytes.into())
}

/// The content type as it was sent; empty when there is none.
pub(super) fn content_type(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
