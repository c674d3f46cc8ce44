//! What has been done so far: for people a bar, in the end numbers; bad lines as they are met.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::Strictness;
use crate::{
    exit::{Exit, Failure},
    operate::text,
};

/// Of one kind of thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub made: u64,
    pub existed: u64,
    pub failed: u64,
}

/// The kinds of things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Account,
    Conversation,
    Member,
}

pub(super) struct Progress {
    strictness: Strictness,
    bar: ProgressBar,
    begun: Instant,
    accounts: Tally,
    conversations: Tally,
    members: Tally,
    bad_lines: u64,
    last_bad: u64,
}

/// All of it, in the end.
pub(super) struct Report {
    tallies: [(&'static str, Tally); 3],
    bad_lines: u64,
    took: Duration,
}

impl Progress {
    /// Of a file of so many bytes, where that is known.
    pub fn new(bytes: Option<u64>, strictness: Strictness) -> Self {
        let template = match bytes {
            Some(_) => "[{elapsed_precise}] {bar:20} {percent:>3} %  {msg}",
            None => "[{elapsed_precise}] {spinner}  {msg}",
        };
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::stderr_with_hz(5));
        bar.set_style(ProgressStyle::with_template(template).expect("a constant template that is allowed"));
        Self {
            strictness,
            bar,
            begun: Instant::now(),
            accounts: Tally::default(),
            conversations: Tally::default(),
            members: Tally::default(),
            bad_lines: 0,
            last_bad: 0,
        }
    }

    pub fn tally(&mut self, kind: Kind) -> &mut Tally {
        match kind {
            Kind::Account => &mut self.accounts,
            Kind::Conversation => &mut self.conversations,
            Kind::Member => &mut self.members,
        }
    }

    /// Says what is wrong with a line. In a strict run that is the end.
    pub fn bad(&mut self, line: u64, reason: &str) -> Result<(), Failure> {
        self.bar.suspend(|| eprintln!("line {line}: {reason}"));
        // A line may have several faults, which are met together.
        if self.last_bad != line {
            self.bad_lines += 1;
            self.last_bad = line;
        }
        match self.strictness {
            Strictness::Lenient => Ok(()),
            Strictness::Strict => {
                Err(Failure { exit: Exit::Refused, reason: format!("stopped at line {line}, as --strict asks") })
            }
        }
    }

    /// Read up to here.
    pub fn read(&self, bytes: u64) {
        self.bar.set_position(bytes);
        let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
        let mut message = String::new();
        for (name, tally) in [("accounts", self.accounts), ("members", self.members)] {
            let done = tally.made + tally.existed;
            if done > 0 {
                _ = write!(
                    message,
                    "{} {name} ({}/s)  ",
                    text::count(done),
                    text::count((done as f64 / seconds) as u64)
                );
            }
        }
        if self.bad_lines > 0 {
            _ = write!(message, "{}", text::counted(self.bad_lines, "bad line"));
        }
        self.bar.set_message(message);
    }

    pub fn report(&self) -> Report {
        self.bar.finish_and_clear();
        let tallies = [("accounts", self.accounts), ("conversations", self.conversations), ("members", self.members)];
        Report { tallies, bad_lines: self.bad_lines, took: self.begun.elapsed() }
    }
}

impl Report {
    pub fn bad_lines(&self) -> u64 {
        self.bad_lines
    }

    pub fn document(&self) -> Value {
        let mut document = json!({ "bad_lines": self.bad_lines, "seconds": self.took.as_secs_f64() });
        for (name, Tally { made, existed, failed }) in self.tallies {
            document[name] = json!({ "made": made, "existed": existed, "failed": failed });
        }
        document
    }

    pub fn text(&self) -> String {
        let mut page = String::new();
        let seconds = self.took.as_secs_f64().max(0.001);
        for (name, tally) in self.tallies.into_iter().filter(|(_, tally)| *tally != Tally::default()) {
            let Tally { made, existed, failed } = tally;
            let [made, existed, failed] = [made, existed, failed].map(text::count);
            let rate = text::count(((tally.made + tally.existed) as f64 / seconds) as u64);
            _ = writeln!(page, "{name:<14} {made:>11} new {existed:>11} there already {failed:>9} failed {rate:>8}/s");
        }
        _ = writeln!(page, "in {:.1} s", self.took.as_secs_f64());
        page
    }
}
