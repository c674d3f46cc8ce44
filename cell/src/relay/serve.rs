//! H's side: what a subscriber is sent, in batches, from its cursors on.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use skep_core::{
    Answer, Cursor, Origin, StreamId,
    peers::{Step, Subscription},
};
use skep_protocol::{CellId, Epoch, Lane, Pos, RequestId, limits, wire};
use tokio::sync::mpsc;
use tokio_stream::{Stream, StreamExt, wrappers::ReceiverStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};
use wire::{from_home::Frame as Out, from_subscriber::Frame as In};

use super::{convert, replay};
use crate::{shell::Hub, storage::Shard};

/// Answers in words that wait for a peer's stream.
pub struct Answers {
    pub stream: StreamId,
    waiting: Mutex<Vec<(RequestId, Answer)>>,
}

impl Answers {
    pub fn push(&self, request_id: RequestId, answer: Answer) {
        self.waiting.lock().push((request_id, answer));
    }

    fn take(&self) -> Vec<(RequestId, Answer)> {
        std::mem::take(&mut self.waiting.lock())
    }
}

/// The gRPC service that peers dial.
pub struct RelayService {
    pub hub: Arc<Hub>,
    pub shard: Arc<Shard>,
}

/// A subscriber's stream.
pub(super) type Frames = mpsc::Sender<Result<wire::FromHome, Status>>;

#[tonic::async_trait]
impl wire::relay_server::Relay for RelayService {
    type LinkStream = Pin<Box<dyn Stream<Item = Result<wire::FromHome, Status>> + Send>>;

    async fn link(
        &self,
        request: Request<Streaming<wire::FromSubscriber>>,
    ) -> Result<Response<Self::LinkStream>, Status> {
        let mut incoming = request.into_inner();
        let opening = match next(&mut incoming).await? {
            Some(In::Opening(opening)) => opening,
            _ => return Err(Status::invalid_argument("a stream begins with an opening")),
        };
        let peer = CellId(opening.cell_id);
        if !self.hub.is_newest(peer, Epoch(opening.process_epoch)) {
            return Err(Status::failed_precondition("superseded: a newer process serves this cell"));
        }
        let cursors = match next(&mut incoming).await? {
            Some(In::Subscribe(subscribe)) => subscribe.cursors,
            _ => return Err(Status::invalid_argument("the opening is followed by a subscription")),
        };
        // A small channel: a slow peer is held back by the stream's own flow control, and the ring waits for nobody.
        let (frames, outgoing) = mpsc::channel(2);
        let stream = self.hub.next_connection();
        let answers = Arc::new(Answers { stream, waiting: Mutex::default() });
        self.hub.answers.lock().insert(peer, Arc::clone(&answers));
        let (subscriptions, anew) = self.subscriptions(peer, cursors)?;
        // Each half ends the other: a peer that hears us and is not heard would wait for answers in vain.
        let ended = CancellationToken::new();
        let sender = Sender { hub: Arc::clone(&self.hub), shard: Arc::clone(&self.shard), peer, frames, answers };
        let (sending, reading) = (ended.clone().drop_guard(), ended.clone().drop_guard());
        tokio::spawn({
            let ended = ended.clone();
            async move {
                tokio::select! {
                    () = sender.run(subscriptions, anew) => {}
                    () = ended.cancelled() => {}
                }
                drop(sending);
            }
        });
        let requests = take_requests(Arc::clone(&self.hub), peer, stream, incoming);
        tokio::spawn(async move {
            tokio::select! {
                () = requests => {}
                () = ended.cancelled() => {}
            }
            drop(reading);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }
}

impl RelayService {
    /// Where each lane's sending begins, and of which lanes all rows are sent anew. A cursor that names what this shard
    /// has lost is refused: the peer sets aside what it has of that, and comes back with one that holds. It is of an
    /// earlier era then, in which the peer may have seen newer versions of rows than there are now.
    fn subscriptions(
        &self,
        peer: CellId,
        cursors: Vec<wire::Cursor>,
    ) -> Result<(Vec<Subscription>, Vec<Lane>), Status> {
        let (mut subscriptions, mut anew) = (Vec::new(), Vec::new());
        for lane in (1..=self.hub.home_lanes()).map(Lane) {
            let cursor = cursors.iter().find(|c| c.lane == u32::from(lane.0));
            let cursor = cursor.map(|c| convert::cursor_from_wire(peer, lane, c));
            let cursor = cursor.unwrap_or(Cursor::start(peer, lane, self.hub.era));
            let (era, pos) = (cursor.era, cursor.pos);
            let head = self.hub.rings[usize::from(lane.0) - 1].lock().head();
            if pos > head || !self.shard.cursor_holds(&cursor) {
                tracing::error!(%peer, %lane, %era, %pos, %head, "a peer has more of this cell than this cell has");
                let detail =
                    format!("this cell was restored from an older copy: {lane} stands at {head}, not at {pos}");
                return Err(Status::out_of_range(detail));
            }
            if era < self.hub.era && pos > Pos::ZERO {
                anew.push(lane);
            }
            subscriptions.push(Subscription { peer, lane, pos });
        }
        Ok((subscriptions, anew))
    }
}

async fn next(incoming: &mut Streaming<wire::FromSubscriber>) -> Result<Option<In>, Status> {
    let wait = Duration::from_millis(limits::RELAY_SILENCE_MS);
    match tokio::time::timeout(wait, incoming.next()).await {
        Ok(Some(frame)) => Ok(frame?.frame),
        Ok(None) => Err(Status::cancelled("the stream ended")),
        Err(_) => Err(Status::deadline_exceeded("the subscriber says nothing")),
    }
}

/// Requests of the peer, until its stream ends, says nothing for too long, or is not its newest any more: what was asked
/// here and again on a newer stream must not be carried out after the newer one has refused it.
async fn take_requests(hub: Arc<Hub>, peer: CellId, stream: StreamId, mut incoming: Streaming<wire::FromSubscriber>) {
    let origin = Origin::Peer(peer, stream);
    while let Ok(Some(frame)) = next(&mut incoming).await {
        let In::Requests(requests) = frame else { continue };
        for request in requests.requests {
            match convert::request_from_wire(request, origin) {
                Ok(request) if hub.is_home_of(request.conversation_id) => {
                    let newest = hub.answers.lock();
                    if newest.get(&peer).is_none_or(|a| a.stream != stream) {
                        return;
                    }
                    tracing::debug!(relay_request = %request.request_id, %peer, "asked by another cell");
                    // Into its lane's queue before a newer stream can be entered.
                    hub.request_here(request);
                }
                Ok(request) => {
                    let detail = "this cell is not the conversation's home";
                    let answer = Answer::refused(skep_protocol::Code::Unavailable, detail);
                    hub.answer(request.origin, request.request_id, answer);
                }
                Err(error) => tracing::warn!(%peer, %error, "a request was passed over"),
            }
        }
    }
}

/// What one subscriber is sent.
struct Sender {
    hub: Arc<Hub>,
    shard: Arc<Shard>,
    peer: CellId,
    frames: Frames,
    answers: Arc<Answers>,
}

impl Sender {
    async fn run(self, mut subscriptions: Vec<Subscription>, anew: Vec<Lane>) {
        let opening = wire::Opening {
            cell_id: self.hub.cell.0,
            process_epoch: self.hub.process_epoch.0,
            map_epoch: self.hub.map.load().epoch.0,
            home_lanes: u32::from(self.hub.home_lanes()),
            era: self.hub.era.0,
        };
        if !self.send(Out::Opening(opening)).await {
            return;
        }
        for subscription in subscriptions.iter_mut().filter(|subscription| anew.contains(&subscription.lane)) {
            if self.replay(subscription, Pos::ZERO).await.is_none() {
                return;
            }
        }
        let mut held = Held::default();
        loop {
            // Before looking, so that nothing that comes while we look is missed.
            let moved = self.hub.ring_moved.notified();
            tokio::pin!(moved);
            moved.as_mut().enable();
            if held.answers.is_empty() {
                held = Held { answers: self.answers.take(), heads: self.heads() };
            }
            let Some(mut sent_something) = self.catch_up(&mut subscriptions).await else { return };
            if !held.answers.is_empty() && held.may_go(&subscriptions) {
                sent_something = true;
                let answers = std::mem::take(&mut held.answers).into_iter();
                let answers = answers.map(|(id, a)| convert::answer_to_wire(id, a)).collect();
                if !self.send(Out::Answers(wire::Answers { answers })).await {
                    return;
                }
            }
            if sent_something {
                continue;
            }
            let heartbeat = Duration::from_millis(limits::RELAY_HEARTBEAT_MS);
            tokio::select! {
                () = moved => {}
                () = tokio::time::sleep(heartbeat) => if !self.send(Out::Heartbeat(wire::Heartbeat {})).await {
                    return;
                },
                () = self.frames.closed() => return,
            }
        }
    }

    /// Where the lanes stand: at or beyond what the answers taken before rest on.
    fn heads(&self) -> Vec<Pos> {
        self.hub.rings.iter().map(|ring| ring.lock().head()).collect()
    }

    /// Sends what there is of every lane. `None`: the stream is gone.
    async fn catch_up(&self, subscriptions: &mut [Subscription]) -> Option<bool> {
        let mut sent_something = false;
        for subscription in subscriptions {
            let map = self.hub.map.load_full();
            let ring = &self.hub.rings[usize::from(subscription.lane.0) - 1];
            let step = subscription.next(&ring.lock(), self.hub.era, &map, limits::RELAY_FRAME_BYTES / 4);
            match step {
                Step::Idle => {}
                Step::Frame(change) => {
                    sent_something = true;
                    if !self.send(Out::Changes(convert::changes_to_wire(change))).await {
                        return None;
                    }
                }
                Step::Replay => {
                    sent_something = true;
                    let rows_after = subscription.pos;
                    self.replay(subscription, rows_after).await?;
                }
            }
        }
        Some(sent_something)
    }

    /// Sends what the shard has beyond a subscription, and rows beyond `rows_after`. `None`: the stream is gone.
    async fn replay(&self, subscription: &mut Subscription, rows_after: Pos) -> Option<()> {
        self.hub.metrics.replayed();
        let Subscription { lane, pos, .. } = *subscription;
        tracing::info!(peer = %self.peer, %lane, from = %pos, "replaying from the shard");
        let map = self.hub.map.load_full();
        let replay = replay::Replay {
            shard: &self.shard,
            peer: self.peer,
            era: self.hub.era,
            map: &map,
            frames: &self.frames,
            rows_after,
        };
        // A long way without a row for this peer is no silence.
        let replayed = tokio::select! {
            replayed = replay.run(subscription) => replayed,
            () = self.heartbeats() => return None,
        };
        match replayed {
            Ok(true) => Some(()),
            Ok(false) => None,
            Err(error) => {
                tracing::warn!(peer = %self.peer, %error, "a replay broke off; the peer will come again");
                None
            }
        }
    }

    /// Says that it is there, until the stream is gone.
    async fn heartbeats(&self) {
        let heartbeat = Duration::from_millis(limits::RELAY_HEARTBEAT_MS);
        loop {
            tokio::time::sleep(heartbeat).await;
            if !self.send(Out::Heartbeat(wire::Heartbeat {})).await {
                return;
            }
        }
    }

    async fn send(&self, frame: Out) -> bool {
        self.frames.send(Ok(wire::FromHome { frame: Some(frame) })).await.is_ok()
    }
}

/// Answers that wait until the stream has passed the changes on which they rest.
#[derive(Default)]
struct Held {
    answers: Vec<(RequestId, Answer)>,
    heads: Vec<Pos>,
}

impl Held {
    fn may_go(&self, subscriptions: &[Subscription]) -> bool {
        subscriptions.iter().zip(&self.heads).all(|(subscription, head)| subscription.pos >= *head)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut answers = self.hub.answers.lock();
        if answers.get(&self.peer).is_some_and(|a| Arc::ptr_eq(a, &self.answers)) {
            answers.remove(&self.peer);
        }
    }
}
