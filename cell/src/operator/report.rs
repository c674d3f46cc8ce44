//! How this cell is, in numbers.

use std::time::{Duration, Instant};

use skep_core::Cursor;
use skep_protocol::{Pos, wire};
use wire::cell_report::Lease;

use crate::{context::Context, storage::LeaseState};

/// A database that takes longer for a small question is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// The whole report.
pub(super) async fn report(context: &Context) -> wire::CellReport {
    let hub = &context.hub;
    let (postgres_us, redis_us, mirror) = tokio::join!(postgres(context), redis(context), hub.mirror_stand());
    let (mirror_pos, cursors) = mirror.unwrap_or_default();
    let mirror_lane = wire::LaneReport { lane: 0, pos: mirror_pos.0 };
    let (sockets, people_online) = hub.presence();
    let (messages, deliveries) = hub.metrics.totals();
    wire::CellReport {
        cell_id: context.cell.0,
        process_epoch: context.shard.epoch().0,
        era: context.shard.era().0,
        map_epoch: context.map.current().epoch.0,
        lease: lease(context).into(),
        lanes: std::iter::once(mirror_lane).chain(home_lanes(context)).collect(),
        sockets,
        people_online,
        messages,
        deliveries,
        postgres_us,
        redis_us,
        has_redis: context.config.redis.is_some(),
        peers: peers(context, &cursors),
    }
}

fn lease(context: &Context) -> Lease {
    match context.shard.lease().state() {
        LeaseState::Held => Lease::Held,
        LeaseState::Doubtful => Lease::Doubtful,
        LeaseState::Lost => Lease::Lost,
    }
}

fn home_lanes(context: &Context) -> impl Iterator<Item = wire::LaneReport> {
    let pos = |ring: &parking_lot::Mutex<skep_core::peers::Ring>| -> Pos { ring.lock().head() };
    context.hub.rings.iter().zip(1..).map(move |(ring, lane)| wire::LaneReport { lane, pos: pos(ring).0 })
}

fn peers(context: &Context, cursors: &[Cursor]) -> Vec<wire::PeerReport> {
    let map = context.map.current();
    let others = map.cells.keys().filter(|cell| **cell != context.cell);
    let report = |cell: &skep_protocol::CellId| {
        let of_peer = cursors.iter().filter(|cursor| cursor.peer == *cell);
        let lanes = of_peer.map(|cursor| wire::LaneReport { lane: u32::from(cursor.lane.0), pos: cursor.pos.0 });
        wire::PeerReport { cell_id: cell.0, connected: context.hub.hears(*cell), lanes: lanes.collect() }
    };
    others.map(report).collect()
}

async fn postgres(context: &Context) -> Option<u64> {
    let asked = async { context.shard.connection().await.ok()?.simple_query("SELECT 1").await.ok() };
    timed(asked).await
}

async fn redis(context: &Context) -> Option<u64> {
    timed(context.cache.ping()).await
}

/// How long it took, in microseconds; `None`: it gave nothing, or not in time.
async fn timed<T>(asked: impl Future<Output = Option<T>>) -> Option<u64> {
    let begun = Instant::now();
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()?;
    u64::try_from(begun.elapsed().as_micros()).ok()
}
