//! Requests' bodies: read whole, so that they can be sent again; bounded in bytes, in time, and all together.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use skep_protocol::{Code, Refusal};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Duration, timeout},
};

use crate::limits;

/// What one permit stands for.
const UNIT: usize = 1024;

/// The room that all bodies share.
pub(crate) struct BodyRoom(Arc<Semaphore>);

/// A whole body, and its share of the room.
#[derive(Debug)]
pub(crate) struct HeldBody {
    pub bytes: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

/// How much of a body, and by when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyBounds {
    pub bytes: usize,
    pub within: Duration,
}

impl Default for BodyRoom {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limits::BODIES_BYTES / UNIT)))
    }
}

impl BodyRoom {
    /// Reads a body to its end. One that says that it is too large is refused before a byte of it is read.
    pub async fn read(&self, body: Incoming, bounds: BodyBounds) -> Result<HeldBody, Refusal> {
        if body.size_hint().lower() > bounds.bytes as u64 {
            return Err(too_large(bounds));
        }
        match timeout(bounds.within, self.collect(body, bounds)).await {
            Ok(read) => read,
            Err(_) => Err(Refusal::new(
                Code::Unavailable,
                format!("the body did not arrive within {:?}; nothing was done, trying again is safe", bounds.within),
            )),
        }
    }

    async fn collect(&self, mut body: Incoming, bounds: BodyBounds) -> Result<HeldBody, Refusal> {
        let mut bytes = BytesMut::new();
        let mut share: Option<OwnedSemaphorePermit> = None;
        while let Some(frame) = body.frame().await {
            // Whoever breaks off does not read this.
            let frame = frame.map_err(|_| Refusal::new(Code::Invalid, "the body ended before its end"))?;
            // Trailers mean nothing here.
            let Ok(more) = frame.into_data() else { continue };
            if bytes.len() + more.len() > bounds.bytes {
                return Err(too_large(bounds));
            }
            bytes.extend_from_slice(&more);
            let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let lacking = u32::try_from(bytes.len().div_ceil(UNIT) - held).unwrap_or(u32::MAX);
            if lacking == 0 {
                continue;
            }
            let more = Arc::clone(&self.0).try_acquire_many_owned(lacking).map_err(|_| {
                Refusal::new(Code::Busy, "too many large requests at the moment; nothing was done, try again soon")
            })?;
            match &mut share {
                Some(share) => share.merge(more),
                None => share = Some(more),
            }
        }
        Ok(HeldBody { bytes: bytes.freeze(), _share: share })
    }
}

fn too_large(bounds: BodyBounds) -> Refusal {
    let detail = match bounds.bytes {
        limits::BODY_BYTES => "a body has at most 256 KiB",
        _ => "a body with an image has at most 6 MiB",
    };
    Refusal::new(Code::TooLarge, detail)
}
