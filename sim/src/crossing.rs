//! How much went between cells.
//!
//! The cell of a person is known from their route. A direct conversation lives in the slot of one of its two people,
//! which its id tells; the cell of a group's or channel's slot is known only where somebody of the run lives in it.

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;
use skep_protocol::{CellId, Slot};

use crate::{accounts::Person, ledger::Ledger, talks::Talk};

/// Shares of messages, 0 to 1.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Crossings {
    /// Messages whose sender's cell is not the home of the conversation, among those whose home is known.
    pub sent_share: f64,
    /// Messages whose home is known.
    pub home_known: u64,
    /// Messages whose home is not known.
    pub home_unknown: u64,
    /// Receivers whose cell is not the sender's, among all.
    pub delivered_share: f64,
    /// Cells of the run's people.
    pub cells: usize,
}

impl Crossings {
    /// Of all messages that were sent.
    pub fn of(ledger: &Ledger, people: &[Person], talks: &[Talk]) -> Self {
        let cells: HashMap<Slot, CellId> = people.iter().map(|p| (p.user_id.slot(), p.cell_id)).collect();
        let (mut crossed, mut known, mut unknown, mut far, mut receivers) = (0_u64, 0_u64, 0_u64, 0_u64, 0_u64);
        for (number, talk) in talks.iter().enumerate() {
            let home = cells.get(&talk.id.slot());
            let mut members: HashMap<CellId, u64> = HashMap::new();
            talk.members.iter().for_each(|m| *members.entry(people[*m as usize].cell_id).or_default() += 1);
            let count = talk.members.len() as u64;
            ledger.look(number as u32, |log| {
                for sent in &log.sent {
                    let from = people[sent.sender as usize].cell_id;
                    match home {
                        Some(home) => {
                            known += 1;
                            crossed += u64::from(*home != from);
                        }
                        None => unknown += 1,
                    }
                    receivers += count.saturating_sub(1);
                    far += count - members.get(&from).copied().unwrap_or(0).min(count);
                }
            });
        }
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        let mut seen: Vec<CellId> = people.iter().map(|p| p.cell_id).collect();
        seen.sort_unstable();
        seen.dedup();
        Self {
            sent_share: share(crossed, known),
            home_known: known,
            home_unknown: unknown,
            delivered_share: share(far, receivers),
            cells: seen.len(),
        }
    }
}

impl fmt::Display for Crossings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Between the {} cells: ", self.cells)?;
        if self.home_known > 0 {
            let percent = 100.0 * self.sent_share;
            write!(f, "{percent:.0} % of {} messages sent to another cell, ", self.home_known)?;
        }
        if self.home_unknown > 0 {
            write!(f, "{} with a home that clients cannot know, ", self.home_unknown)?;
        }
        write!(f, "{:.0} % of receivers at another cell than the sender", 100.0 * self.delivered_share)
    }
}
