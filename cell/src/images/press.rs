//! Decoding, bounded: a few calls with a picture at once, and of those a very few on a processor. Threads of their own, so
//! that pictures take none from password hashes and files.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use skep_protocol::{Code, Refusal, limits};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{Picture, Unfit};

/// The name of threads that decode. One that panics ends its picture and nothing else.
pub const IMAGE_THREAD: &str = "skep-image";

/// For a place, before the picture's bytes are read.
const PLACE_WITHIN: Duration = Duration::from_secs(2);
/// For a turn and the decoding, together.
const MADE_WITHIN: Duration = Duration::from_secs(5);

/// Room for one call with a picture.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

/// What somebody sent as a picture, in its place.
#[derive(Debug)]
pub struct Sent {
    pub bytes: Bytes,
    pub place: Place,
}

/// Makes pictures.
pub struct Press {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

impl Press {
    /// A quarter of the processors, and one at least: each takes up to 200 MiB.
    pub fn new() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            places: Arc::new(Semaphore::new(limits::IMAGES_AT_ONCE)),
            turns: Arc::new(Semaphore::new((processors / 4).clamp(1, 4))),
        }
    }

    /// A place for a call that brings a picture, to be had before its body is read.
    pub async fn place(&self) -> Result<Place, Refusal> {
        match tokio::time::timeout(PLACE_WITHIN, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(Place(place)),
            _ => Err(busy()),
        }
    }

    /// A picture of what somebody sent.
    pub async fn make(&self, sent: Sent) -> Result<Picture, Refusal> {
        let make = move || {
            let Sent { bytes, place } = sent;
            let made = Picture::of(&bytes);
            drop(place);
            made
        };
        self.run(make).await
    }

    /// Whoever stops waiting leaves the thread to end by itself, in its turn.
    async fn run(&self, make: impl FnOnce() -> Result<Picture, Unfit> + Send + 'static) -> Result<Picture, Refusal> {
        let made = async {
            let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else { return Err(busy()) };
            let (done, made) = oneshot::channel();
            let thread = std::thread::Builder::new().name(IMAGE_THREAD.to_owned()).spawn(move || {
                let made = make();
                drop(turn);
                // Nobody may be waiting any more.
                _ = done.send(made);
            });
            thread.map_err(|_| busy())?;
            match made.await {
                Ok(made) => made.map_err(Refusal::from),
                Err(_) => {
                    tracing::error!("the decoder panicked over a picture");
                    Err(Unfit::Damaged.into())
                }
            }
        };
        tokio::time::timeout(MADE_WITHIN, made).await.unwrap_or_else(|_| Err(busy()))
    }
}

fn busy() -> Refusal {
    Refusal::new(Code::Busy, "too many people are changing their pictures at the moment; try again soon").after(2_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_decoder_that_panics_costs_its_picture_and_no_turn() {
        let press = Press::new();
        // More of them than there are turns.
        for _ in 0..5 {
            let refusal = press.run(|| panic!("as a decoder might")).await.unwrap_err();
            assert_eq!(refusal.code, Code::Invalid);
        }
        let refusal = press.run(|| Err(Unfit::Format)).await.unwrap_err();
        assert_eq!(refusal.code, Code::Unsupported);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_too_long_for_a_place_or_a_turn_is_told_to_come_back() {
        let press = Press::new();
        let mut places = Vec::new();
        for _ in 0..limits::IMAGES_AT_ONCE {
            places.push(press.place().await.unwrap());
        }
        assert_eq!(press.place().await.unwrap_err().code, Code::Busy);
        places.pop();
        press.place().await.unwrap();

        let turns = u32::try_from(press.turns.available_permits()).unwrap();
        let slow = Arc::clone(&press.turns).acquire_many_owned(turns).await.unwrap();
        assert_eq!(press.run(|| Err(Unfit::Format)).await.unwrap_err().code, Code::Busy);
        drop(slow);
        // A clock that stands still runs ahead of a thread of its own.
        tokio::time::resume();
        assert_eq!(press.run(|| Err(Unfit::Format)).await.unwrap_err().code, Code::Unsupported);
    }
}
