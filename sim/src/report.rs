//! What a run has shown: `report.json` for programs, `summary.txt` for people.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::{
    audit::Audited,
    cpu::Used,
    crossing::Crossings,
    measure::{Counts, Summary},
    scenario::Scenario,
    violation::Violation,
};

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub scenario_name: String,
    pub scenario: Scenario,
    pub router: String,
    pub run: String,
    pub began_unix_ms: u64,
    /// How long messages were sent.
    pub seconds: f64,
    pub settle_seconds: f64,
    pub acknowledged_per_s: f64,
    pub delivered_per_s: f64,
    /// Messages without an answer at the end.
    pub unanswered: u64,
    /// Messages whose time came and went while too many were unanswered.
    pub never_sent: u64,
    pub not_whole: u64,
    pub counts: Counts,
    pub http_repeats: u64,
    pub latency: Latencies,
    pub crossings: Crossings,
    pub cpu: Vec<Used>,
    pub audit: Option<Audited>,
    pub violations_count: u64,
    pub violations: Vec<Violation>,
    pub verdict: Verdict,
}

/// Milliseconds, from the intended time of sending.
#[derive(Clone, Debug, Serialize)]
pub struct Latencies {
    pub acknowledged: Summary,
    pub delivered: Summary,
    /// From coming back until nothing is missing.
    pub returned: Summary,
    /// From the loss of a connection until nothing is missing.
    pub recovered: Summary,
}

/// How the run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Passed,
    /// Violations were found, or somebody was not whole in time.
    Failed,
    /// Faults were expected, and none was felt: the run proves nothing about them.
    ProvesNothing,
    /// Nothing was acknowledged, so that there was nothing to audit.
    NothingSent,
}

impl Verdict {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::ProvesNothing => 2,
            Self::NothingSent => 3,
        }
    }
}

/// What a fault that reached the clients leaves behind. Retries, gap fetches and replays are not among it: people who
/// go and come back by plan cause them as well.
pub fn faults_felt(counts: &Counts) -> u64 {
    counts.disconnects + counts.unknown_outcomes + counts.resyncs + counts.moved + counts.byes
}

impl Report {
    /// Writes both files.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(folder)?;
            std::fs::write(folder.join("report.json"), serde_json::to_vec_pretty(self)?)?;
            std::fs::write(folder.join("summary.txt"), self.summary())
        };
        write().with_context(|| format!("cannot write to {}", folder.display()))
    }

    /// For people.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        self.write_summary(&mut out).expect("writing to a string does not fail");
        out
    }

    fn write_summary(&self, out: &mut String) -> std::fmt::Result {
        let (c, l) = (&self.counts, &self.latency);
        writeln!(out, "{} at {}, run {}: {:?}", self.scenario_name, self.router, self.run, self.verdict)?;
        writeln!(out, "\nMessages, {:.1} s at {} per second", self.seconds, self.scenario.rate)?;
        writeln!(
            out,
            "  sent {}, acknowledged {} ({:.0}/s), refused {}, unanswered {}, delayed {}, late {}, never sent {}",
            c.sent,
            c.acknowledged,
            self.acknowledged_per_s,
            c.refused,
            self.unanswered,
            c.delayed,
            c.late,
            self.never_sent
        )?;
        writeln!(
            out,
            "  delivered: pushed {} ({:.0}/s), by sync {}, by history {}; by HTTP sent {}",
            c.pushed, self.delivered_per_s, c.synced, c.fetched, c.by_http
        )?;
        writeln!(out, "\nLatency in ms            count      p50      p90      p99    p99.9      max")?;
        for (name, s) in [
            ("acknowledged", &l.acknowledged),
            ("delivered", &l.delivered),
            ("whole after a return", &l.returned),
            ("whole after a loss", &l.recovered),
        ] {
            if s.count > 0 {
                writeln!(
                    out,
                    "  {name:<20} {:>9} {:>8.1} {:>8.1} {:>8.1} {:>8.1} {:>8.1}",
                    s.count, s.p50_ms, s.p90_ms, s.p99_ms, s.p999_ms, s.max_ms
                )?;
            }
        }
        writeln!(
            out,
            "\nFaults: disconnects {}, reconnects {}, unknown outcomes {} (+{} by plan), retries {}, resyncs {}, moved {}, bye {}",
            c.disconnects, c.reconnects, c.unknown_outcomes, c.unknown_by_plan, c.retries, c.resyncs, c.moved, c.byes
        )?;
        writeln!(
            out,
            "  gap fetches {}, replays {}, resumes from nothing {}, HTTP repeats {}",
            c.gap_fetches, c.replays, c.full_resumes, self.http_repeats
        )?;
        writeln!(
            out,
            "Beside: departures {}, member changes {} (+{} unknown), reads {}, renames {}",
            c.departures, c.member_changes, c.member_changes_unknown, c.reads, c.renames
        )?;
        writeln!(out, "{}", self.crossings)?;
        if self.cpu.len() > 1 {
            writeln!(out, "\nCPU                    seconds  us/message  us/copy")?;
            for used in &self.cpu {
                let note = if used.was_restarted { "  (restarted)" } else { "" };
                writeln!(
                    out,
                    "  {:<20} {:>7.2} {:>11.1} {:>8.1}{note}",
                    used.process, used.seconds, used.us_per_message, used.us_per_copy
                )?;
            }
        }
        if let Some(a) = &self.audit {
            writeln!(
                out,
                "\nAudit: {} copies expected, {} missing; {} stints not judged; {} people not whole",
                a.copies_expected, a.copies_missing, a.stints_unjudged, self.not_whole
            )?;
            writeln!(
                out,
                "  fresh log-ins: {} of {} people; history: {} messages in {} of {} conversations",
                a.fresh_people, a.people, a.history_messages, a.history_conversations, a.conversations
            )?;
        }
        writeln!(out, "  violations: {}", self.violations_count)?;
        for violation in self.violations.iter().take(20) {
            writeln!(out, "    {}: {}", violation.kind, violation.detail)?;
        }
        if self.violations_count > 20 {
            writeln!(out, "    ... all of the first thousand in report.json")?;
        }
        match self.verdict {
            Verdict::ProvesNothing => {
                writeln!(out, "\nFaults were expected, and no client felt any: this run proves nothing about them.")
            }
            Verdict::NothingSent => writeln!(out, "\nNothing was acknowledged: there was nothing to audit."),
            Verdict::Passed | Verdict::Failed => Ok(()),
        }
    }
}
