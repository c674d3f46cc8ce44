//! A look, as people and programs read it. Eighty columns are enough.

use std::fmt::Write as _;

use console::style;
use serde_json::{Value, json};
use skep_protocol::wire;
use wire::cell_report::Lease;

use super::look::{Cell, Directory, Look};
use crate::operate::text;

const WELL: &str = "well";

pub(super) fn page(look: &Look) -> String {
    let mut page = format!("Skep, {}, map epoch {}\n\n", cells(look), look.epoch);
    let heads = ["part", "state", "PostgreSQL", "Redis", "sockets", "sent/s", "delivered/s"];
    let [part, state, postgres, redis, sockets, sent, delivered] = heads;
    _ = writeln!(page, "  {part:<10} {state:<12} {postgres:>10} {redis:>8} {sockets:>9} {sent:>9} {delivered:>12}");
    _ = writeln!(page, "  {:<10} {}", "directory", colored(serving(look.directory == Directory::Serves), 12));
    for (at, (_, serves)) in look.routers.iter().enumerate() {
        let name = if look.routers.len() == 1 { "router".to_owned() } else { format!("router {}", at + 1) };
        _ = writeln!(page, "  {name:<10} {}", colored(serving(*serves), 12));
    }
    for cell in &look.cells {
        page.push_str(&row(cell));
    }
    let heads = ["", "process", "era", "mirror lane", "home lanes", "behind"];
    let [part, process, era, mirror, homes, behind] = heads;
    _ = writeln!(page, "\n  {part:<10} {process:>7} {era:>4} {mirror:>12}   {homes:<24} {behind}");
    for (cell, report) in look.cells.iter().filter_map(|cell| Some((cell, cell.report.as_ref()?))) {
        let mirror = report.lanes.iter().find(|lane| lane.lane == 0).map_or(0, |lane| lane.pos);
        let homes: Vec<String> =
            report.lanes.iter().filter(|lane| lane.lane > 0).map(|lane| text::count(lane.pos)).collect();
        _ = writeln!(
            page,
            "  {:<10} {:>7} {:>4} {:>12}   {:<24} {}",
            format!("cell {}", cell.id),
            report.process_epoch,
            report.era,
            text::count(mirror),
            homes.join(" "),
            behind_text(cell),
        );
    }
    page.push('\n');
    if look.troubles.is_empty() {
        page.push_str("All is well.\n");
    }
    for trouble in &look.troubles {
        _ = writeln!(page, "{}", style(format!("Not well: {trouble}.")).red());
    }
    page
}

fn serving(serves: bool) -> &'static str {
    if serves { WELL } else { "away" }
}

fn cells(look: &Look) -> String {
    text::counted(look.cells.len() as u64, "cell")
}

fn row(cell: &Cell) -> String {
    let name = format!("cell {}", cell.id);
    let Some(report) = &cell.report else { return format!("  {name:<10} {}\n", colored("away", 12)) };
    let latency = |us: Option<u64>| us.map_or_else(|| "away".to_owned(), text::latency);
    let redis = if report.has_redis { latency(report.redis_us) } else { "none".to_owned() };
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| text::count(rate.round() as u64));
    format!(
        "  {name:<10} {} {:>10} {redis:>8} {:>9} {:>9} {:>12}\n",
        colored(state(report), 12),
        latency(report.postgres_us),
        text::count(report.sockets),
        rate(cell.rates.map(|rates| rates.messages_per_s)),
        rate(cell.rates.map(|rates| rates.deliveries_per_s)),
    )
}

/// The worst of it, in a word or two.
fn state(report: &wire::CellReport) -> &'static str {
    match (report.lease(), report.postgres_us, report.redis_us) {
        (Lease::Lost, ..) => "superseded",
        (Lease::Doubtful, ..) => "in doubt",
        (_, None, _) => "no shard",
        (_, _, None) if report.has_redis => "no cache",
        _ if report.peers.iter().any(|peer| !peer.connected) => "apart",
        _ => WELL,
    }
}

/// Those of the others that it has not all of.
fn behind_text(cell: &Cell) -> String {
    let behind = cell.behind.iter().filter(|(_, batches)| **batches > 0);
    let behind: Vec<String> = behind.map(|(peer, batches)| format!("{peer}: {}", text::count(*batches))).collect();
    if behind.is_empty() { "no".to_owned() } else { behind.join("  ") }
}

fn colored(word: &str, width: usize) -> String {
    let padded = format!("{word:<width$}");
    match word {
        WELL => style(padded).green().to_string(),
        _ => style(padded).red().to_string(),
    }
}

pub(super) fn document(look: &Look) -> Value {
    let routers = look.routers.iter().map(|(url, serves)| json!({ "admin_url": url, "serves": serves }));
    json!({
        "well": look.troubles.is_empty(),
        "troubles": look.troubles,
        "directory": { "serves": look.directory == Directory::Serves },
        "map_epoch": look.epoch.0,
        "routers": routers.collect::<Vec<_>>(),
        "cells": look.cells.iter().map(cell_document).collect::<Vec<_>>(),
    })
}

fn cell_document(cell: &Cell) -> Value {
    let Some(report) = &cell.report else { return json!({ "cell_id": cell.id.0, "answers": false }) };
    let lanes = report.lanes.iter().map(|lane| json!({ "lane": lane.lane, "pos": lane.pos }));
    let peers = report.peers.iter().map(|peer| {
        let behind = cell.behind.get(&skep_protocol::CellId(peer.cell_id)).copied().unwrap_or_default();
        json!({ "cell_id": peer.cell_id, "connected": peer.connected, "batches_behind": behind })
    });
    let lease = match report.lease() {
        Lease::Held => "held",
        Lease::Doubtful => "doubtful",
        Lease::Lost => "lost",
    };
    json!({
        "cell_id": cell.id.0,
        "answers": true,
        "state": state(report),
        "process_epoch": report.process_epoch,
        "era": report.era,
        "map_epoch": report.map_epoch,
        "lease": lease,
        "lanes": lanes.collect::<Vec<_>>(),
        "peers": peers.collect::<Vec<_>>(),
        "sockets": report.sockets,
        "people_online": report.people_online,
        "messages_committed": report.messages,
        "deliveries": report.deliveries,
        "messages_per_s": cell.rates.map(|rates| rates.messages_per_s),
        "deliveries_per_s": cell.rates.map(|rates| rates.deliveries_per_s),
        "postgres_us": report.postgres_us,
        "redis_us": report.redis_us,
        "has_redis": report.has_redis,
    })
}
