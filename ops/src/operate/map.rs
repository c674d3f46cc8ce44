//! `skep map`: which cell owns what.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::Args;
use serde_json::{Value, json};
use skep_protocol::{CellId, ConversationId, SLOTS, Slot, SlotMap, UserId, canonical_email, canonical_username};

use super::{
    Saying,
    cluster::{Cluster, Where},
    text,
};
use crate::exit::Failure;

pub(crate) const EXAMPLES: &str = "\
Examples:
  skep map                              all cells with their addresses and their share
  skep map --of anna                    whose a username is
  skep map --of c_016ztk9r40fa1xqh8m3v7c2bny --json

Exit codes: 0 done, 64 usage, 69 the directory cannot be reached";

#[derive(Debug, Args)]
pub(crate) struct Map {
    /// Only whose this is: a username, an e-mail address, a user id (u_...) or a conversation id (d_, g_, c_...).
    #[arg(long, value_name = "WHAT")]
    of: Option<String>,
    #[command(flatten)]
    at: Where,
    #[command(flatten)]
    saying: Saying,
}

impl Map {
    pub fn run(self) -> Result<(), Failure> {
        super::run(async {
            // What cannot be anybody's is said before anybody is asked.
            let named = self.of.as_deref().map(|of| Ok::<_, Failure>((of, slot_of(of)?))).transpose()?;
            let cluster = Cluster::open(&self.at).await?;
            match named {
                Some((of, (what, slot))) => {
                    let cell = cluster.owner(slot)?;
                    let document = json!({ "of": of, "kind": what, "slot": slot.0, "cell_id": cell.0 });
                    self.saying.answer(&document, || format!("{of} ({what}) has slot {}, of cell {cell}.\n", slot.0));
                }
                None => self.saying.answer(&document(&cluster.map), || page(&cluster.map)),
            }
            Ok(())
        })
    }
}

/// What it is, and its slot.
fn slot_of(text: &str) -> Result<(&'static str, Slot), Failure> {
    if let Ok(user) = text.parse::<UserId>() {
        return Ok(("user", user.slot()));
    }
    if let Ok(conversation) = text.parse::<ConversationId>() {
        return Ok(("conversation", conversation.slot()));
    }
    if text.contains('@') {
        let email = canonical_email(text).map_err(|issue| Failure::usage(format!("--of {text}: {}", issue.detail)))?;
        return Ok(("e-mail address", Slot::of_email(&email)));
    }
    let username =
        canonical_username(text).map_err(|issue| Failure::usage(format!("--of {text}: {}", issue.detail)))?;
    Ok(("username", Slot::of_username(&username)))
}

fn slots(map: &SlotMap) -> BTreeMap<CellId, u64> {
    let mut slots: BTreeMap<CellId, u64> = map.cells.keys().map(|cell| (*cell, 0)).collect();
    for owner in map.owners().iter().filter(|owner| **owner != CellId::ZERO) {
        *slots.entry(*owner).or_default() += 1;
    }
    slots
}

fn document(map: &SlotMap) -> Value {
    let slots = slots(map);
    let cells = map.cells.values().map(|cell| {
        let owned = slots.get(&cell.cell_id).copied().unwrap_or_default();
        json!({
            "cell_id": cell.cell_id.0,
            "slots": owned,
            "share": owned as f64 / SLOTS as f64,
            "socket_url": cell.socket_url,
            "http_address": cell.http_address,
            "relay_address": cell.relay_address,
            "process_epoch": cell.process_epoch.0,
        })
    });
    let unowned = SLOTS as u64 - slots.values().sum::<u64>();
    json!({ "epoch": map.epoch.0, "cells": cells.collect::<Vec<_>>(), "unowned": unowned })
}

fn page(map: &SlotMap) -> String {
    let slots = slots(map);
    let mut page = format!("Map epoch {}, {}\n", map.epoch, text::counted(map.cells.len() as u64, "cell"));
    for cell in map.cells.values() {
        let owned = slots.get(&cell.cell_id).copied().unwrap_or_default();
        let share = owned as f64 * 100.0 / SLOTS as f64;
        _ = write!(
            page,
            "\n  cell {:<4} {} slots ({share:.1} %), process epoch {}\n    people     {}\n    routers    {}\n    cells      {}\n",
            cell.cell_id.0,
            text::count(owned),
            cell.process_epoch,
            cell.socket_url,
            cell.http_address,
            cell.relay_address,
        );
    }
    let unowned = SLOTS as u64 - slots.values().sum::<u64>();
    if unowned > 0 {
        _ = write!(page, "\n  {} are nobody's yet: not all cells have come.\n", text::counted(unowned, "slot"));
    }
    page
}
