//! Scenarios: who talks to whom, how much, and what happens meanwhile. TOML files in `sim/scenarios`.

use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// A load. Every key has a default but `people`, `seconds` and `rate`; unknown keys are refused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// How many people take part, each with one socket.
    pub people: usize,
    /// How long messages are sent.
    pub seconds: u64,
    /// Messages per second, all together, whatever becomes of earlier ones.
    pub rate: f64,
    /// Length of a text in bytes.
    #[serde(default = "defaults::text_bytes")]
    pub text_bytes: usize,
    /// Unanswered messages at once; when so many are, the next ones wait, and count as delayed.
    #[serde(default = "defaults::max_in_flight")]
    pub max_in_flight: usize,
    /// How long after the last message everybody must be whole.
    #[serde(default = "defaults::settle_s")]
    pub settle_s: u64,
    /// How many older messages of a conversation a client wants when it first sees it.
    #[serde(default = "defaults::backlog")]
    pub backlog: u64,
    /// The share of messages that go by HTTP instead of the socket, 0 to 1.
    #[serde(default)]
    pub http_share: f64,
    /// The same seed makes the same groups and the same choices.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// Conversations of two.
    #[serde(default)]
    pub direct: Option<Direct>,
    /// Groups.
    #[serde(default)]
    pub group: Option<Many>,
    /// Channels.
    #[serde(default)]
    pub channel: Option<Many>,
    /// People who go away and come back.
    #[serde(default)]
    pub returns: Option<Returns>,
    /// Joins, leaves and removals in groups and channels.
    #[serde(default)]
    pub changes: Option<Often>,
    /// Read marks.
    #[serde(default)]
    pub reads: Option<Often>,
    /// New titles of groups and channels.
    #[serde(default)]
    pub renames: Option<Often>,
    /// How much is audited.
    #[serde(default)]
    pub audit: Audit,
}

/// Conversations of two.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Direct {
    /// How many pairs.
    pub pairs: usize,
    /// Their part of all messages, against the shares of the other kinds.
    #[serde(default = "defaults::share")]
    pub share: f64,
}

/// Groups or channels.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Many {
    /// How many there are.
    pub count: usize,
    /// Members of each.
    pub members: usize,
    /// Their part of all messages, against the shares of the other kinds.
    #[serde(default = "defaults::share")]
    pub share: f64,
}

/// People who go away and come back.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Returns {
    /// How many go away each second.
    pub per_s: f64,
    /// For how long.
    pub away_ms: u64,
    /// How soon after they come back they must have everything.
    #[serde(default = "defaults::whole_within_ms")]
    pub whole_within_ms: u64,
}

/// Something that happens at a rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Often {
    /// Times per second.
    pub per_s: f64,
}

/// How much is audited. What every client holds is always compared with every acknowledged message.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// How many people log in afresh for comparison.
    pub fresh_people: usize,
    /// How many messages are read back from history.
    pub history_messages: u64,
    /// Frames that each client remembers, to list them with what was wrong; each one costs a copy.
    pub trace: usize,
}

impl Default for Audit {
    fn default() -> Self {
        Self { fresh_people: 10_000, history_messages: 500_000, trace: 0 }
    }
}

mod defaults {
    pub fn text_bytes() -> usize {
        150
    }
    pub fn max_in_flight() -> usize {
        100_000
    }
    pub fn settle_s() -> u64 {
        30
    }
    pub fn backlog() -> u64 {
        50
    }
    pub fn seed() -> u64 {
        1
    }
    pub fn share() -> f64 {
        1.0
    }
    pub fn whole_within_ms() -> u64 {
        2_000
    }
}

impl Scenario {
    /// Reads a file; errors name it, the key and the reason.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a scenario", path.display()))
    }

    /// The same with more or fewer people: as many pairs for each of them, and no more members than people.
    pub fn with_people(&mut self, people: usize) {
        if let Some(direct) = &mut self.direct {
            direct.pairs = (direct.pairs * people / self.people.max(1)).max(1);
        }
        for many in [&mut self.group, &mut self.channel].into_iter().flatten() {
            many.members = many.members.min(people);
        }
        self.people = people;
    }

    /// Refuses what cannot be done.
    pub fn check(&self) -> anyhow::Result<()> {
        let per_second = [
            Some(self.rate),
            self.returns.as_ref().map(|r| r.per_s),
            self.changes.as_ref().map(|c| c.per_s),
            self.reads.as_ref().map(|r| r.per_s),
            self.renames.as_ref().map(|r| r.per_s),
        ];
        ensure!(self.people >= 2, "people: at least 2");
        ensure!(self.rate > 0.0, "rate: above 0");
        ensure!(per_second.iter().flatten().all(|r| r.is_finite() && *r >= 0.0), "rates: numbers from 0 on");
        ensure!((64..=10_000).contains(&self.text_bytes), "text_bytes: 64 to 10,000");
        ensure!(self.max_in_flight > 0, "max_in_flight: at least 1");
        ensure!((0.0..=1.0).contains(&self.http_share), "http_share: 0 to 1");
        ensure!(
            self.direct.is_some() || self.group.is_some() || self.channel.is_some(),
            "at least one of [direct], [group] and [channel] is needed"
        );
        if let Some(direct) = &self.direct {
            let even = self.people & !1;
            let most = even * (even - 1) / 2;
            ensure!((1..=most).contains(&direct.pairs), "direct.pairs: 1 to {most} with {} people", self.people);
        }
        for (name, many) in [("group", &self.group), ("channel", &self.channel)] {
            if let Some(many) = many {
                ensure!(many.count > 0, "{name}.count: at least 1");
                ensure!((2..=self.people).contains(&many.members), "{name}.members: 2 to {} (people)", self.people);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_of_the_folder_can_be_run() {
        let mut count = 0;
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap() {
            let path = entry.unwrap().path();
            Scenario::load(&path).unwrap().check().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            count += 1;
        }
        assert!(count >= 6, "all scenarios were read");
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_name() {
        let error = toml::from_str::<Scenario>("people = 2\nseconds = 1\nrate = 1.0\nspeed = 3").unwrap_err();
        assert!(error.to_string().contains("speed"), "{error}");
        let error = toml::from_str::<Scenario>("people = 2\nseconds = 1\nrate = 1.0\n[direct]\npair = 3").unwrap_err();
        assert!(error.to_string().contains("pair"), "{error}");
    }
}
