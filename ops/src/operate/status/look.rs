//! One look at everything.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use skep_protocol::{CellId, Epoch, wire};
use wire::cell_report::Lease;

use crate::{
    operate::cluster::{Cluster, within},
    up::probe,
};

/// A cell that takes longer is not there.
const PATIENCE: Duration = Duration::from_secs(4);

/// What was seen.
pub(super) struct Look {
    at: Instant,
    pub epoch: Epoch,
    pub directory: Directory,
    /// Admin addresses of routers, and whether they serve.
    pub routers: Vec<(String, bool)>,
    pub cells: Vec<Cell>,
    /// What is not well, a sentence each.
    pub troubles: Vec<String>,
}

/// Whether the directory could be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Directory {
    Serves,
    /// The map is the last one that a router kept.
    Away,
}

/// A cell of the map.
pub(super) struct Cell {
    pub id: CellId,
    /// `None`: it does not answer.
    pub report: Option<wire::CellReport>,
    pub rates: Option<Rates>,
    /// How far it is behind each of the others, in batches.
    pub behind: BTreeMap<CellId, u64>,
}

/// What a cell did between two looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    pub messages_per_s: f64,
    pub deliveries_per_s: f64,
}

pub(super) async fn look(cluster: &Cluster, routers: &[String], before: Option<&Look>) -> Look {
    let ids: Vec<CellId> = cluster.map.cells.keys().copied().collect();
    let own = cluster.deployment.iter().map(|deployment| deployment.router.admin_url.clone());
    let routers: Vec<String> = own.chain(routers.iter().cloned()).collect();
    let (reports, routers) = tokio::join!(
        join_all(ids.iter().map(|id| report(cluster, *id))),
        join_all(routers.into_iter().map(async |url| {
            let asked = url.clone();
            let serves = tokio::task::spawn_blocking(move || probe::is_ready_at(&asked)).await;
            (url, serves.unwrap_or(false))
        })),
    );
    let at = Instant::now();
    let heads: BTreeMap<(u32, u32), u64> = reports
        .iter()
        .flatten()
        .flat_map(|report| report.lanes.iter().map(|lane| ((report.cell_id, lane.lane), lane.pos)))
        .collect();
    let cells: Vec<Cell> = ids
        .into_iter()
        .zip(reports)
        .map(|(id, report)| {
            let former = before.and_then(|look| Some((look.at, look.cells.iter().find(|cell| cell.id == id)?)));
            Cell {
                id,
                rates: former.and_then(|(then, cell)| rates(cell.report.as_ref()?, report.as_ref()?, at - then)),
                behind: report.iter().flat_map(|report| behind(report, &heads)).collect(),
                report,
            }
        })
        .collect();
    let directory = if cluster.directory_away.is_some() { Directory::Away } else { Directory::Serves };
    let mut look = Look { at, epoch: cluster.map.epoch, directory, routers, cells, troubles: Vec::new() };
    look.troubles = look.find_troubles(cluster);
    look
}

async fn report(cluster: &Cluster, cell: CellId) -> Option<wire::CellReport> {
    let mut operator = cluster.operator(cell).ok()?;
    within(PATIENCE, operator.report(wire::ReportRequest {})).await.ok()
}

/// Counters begin at nothing when a cell is started again.
fn rates(then: &wire::CellReport, now: &wire::CellReport, time: Duration) -> Option<Rates> {
    let rate = |then: u64, now: u64| now.saturating_sub(then) as f64 / time.as_secs_f64().max(0.001);
    (then.process_epoch == now.process_epoch).then(|| Rates {
        messages_per_s: rate(then.messages, now.messages),
        deliveries_per_s: rate(then.deliveries, now.deliveries),
    })
}

/// Only approximate while messages flow: the cells are not asked at one moment.
fn behind(report: &wire::CellReport, heads: &BTreeMap<(u32, u32), u64>) -> Vec<(CellId, u64)> {
    let of_peer = |peer: &wire::PeerReport| {
        let lanes = heads.range((peer.cell_id, 1)..=(peer.cell_id, u32::MAX));
        let arrived = |lane: u32| peer.lanes.iter().find(|l| l.lane == lane).map_or(0, |l| l.pos);
        (CellId(peer.cell_id), lanes.map(|((_, lane), head)| head.saturating_sub(arrived(*lane))).sum())
    };
    report.peers.iter().map(of_peer).collect()
}

impl Look {
    /// Whether every part answers.
    pub fn is_all_there(&self) -> bool {
        self.directory == Directory::Serves
            && self.cells.iter().all(|cell| cell.report.is_some())
            && self.routers.iter().all(|(_, serves)| *serves)
    }

    fn find_troubles(&self, cluster: &Cluster) -> Vec<String> {
        let mut troubles = Vec::from_iter(cluster.directory_away.clone());
        if !cluster.map.is_whole() {
            troubles.push("some slots have no owner yet".to_owned());
        }
        for (url, _) in self.routers.iter().filter(|(_, serves)| !serves) {
            troubles.push(format!("the router at {url} does not serve"));
        }
        for cell in &self.cells {
            let id = cell.id;
            let Some(report) = &cell.report else {
                troubles.push(format!("cell {id} does not answer"));
                continue;
            };
            match report.lease() {
                Lease::Held => {}
                Lease::Doubtful => troubles.push(format!("cell {id}: its lease on the shard is in doubt")),
                Lease::Lost => troubles.push(format!("cell {id}: another process has its shard")),
            }
            if report.postgres_us.is_none() {
                troubles.push(format!("cell {id}: its PostgreSQL does not answer"));
            }
            if report.has_redis && report.redis_us.is_none() {
                troubles.push(format!("cell {id}: its Redis does not answer"));
            }
            let unheard: Vec<String> =
                report.peers.iter().filter(|peer| !peer.connected).map(|peer| peer.cell_id.to_string()).collect();
            if !unheard.is_empty() {
                troubles.push(format!("cell {id} does not hear cell {}", unheard.join(", ")));
            }
        }
        troubles
    }
}
