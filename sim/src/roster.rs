//! Who is in which conversation, as far as answers to the run's own calls tell.

use std::collections::HashMap;

use parking_lot::Mutex;
use rand::{Rng, RngExt};
use skep_client::Seqs;

use crate::clock::Micros;

/// One time of being a member.
#[derive(Clone, Debug)]
pub struct Stint {
    /// When joining was answered; `None`: since before the run.
    pub joined: Option<Micros>,
    /// When leaving was asked for.
    pub leaving: Option<Micros>,
    /// Whether both outcomes are known. What is not known cannot be judged.
    pub is_certain: bool,
}

/// Members of one conversation.
#[derive(Debug, Default)]
struct Members {
    /// Those who are in for certain and not about to leave.
    present: Vec<u32>,
    /// Those who left or were removed, or never were in, and may be added.
    absent: Vec<u32>,
    stints: HashMap<u32, Vec<Stint>>,
    /// What clients held when they were told to forget it.
    forgotten: HashMap<u32, Vec<Seqs>>,
}

/// Members of all conversations of a run.
#[derive(Debug)]
pub struct Roster {
    talks: Vec<Mutex<Members>>,
}

impl Roster {
    /// Of conversations with these members. `outsiders`: who may join each later.
    pub fn new<'a>(talks: impl Iterator<Item = (&'a [u32], Vec<u32>)>) -> Self {
        let members = |(members, absent): (&[u32], Vec<u32>)| {
            let stint = Stint { joined: None, leaving: None, is_certain: true };
            let stints = members.iter().map(|m| (*m, vec![stint.clone()])).collect();
            Mutex::new(Members { present: members.to_vec(), absent, stints, forgotten: HashMap::new() })
        };
        Self { talks: talks.map(members).collect() }
    }

    /// A member for whom `fits`, in a few tries; the conversation's first member is tried as well.
    pub fn pick(&self, talk: u32, random: &mut impl Rng, fits: impl Fn(u32) -> bool) -> Option<u32> {
        let members = self.talks[talk as usize].lock();
        let count = members.present.len();
        (0..8).map(|_| members.present[random.random_range(0..count)]).find(|m| fits(*m))
    }

    /// Takes somebody other than the first member out of those who write; the call to remove them is about to be made.
    pub fn begin_leaving(&self, talk: u32, random: &mut impl Rng, now: Micros) -> Option<u32> {
        let mut members = self.talks[talk as usize].lock();
        if members.present.len() < 3 {
            return None;
        }
        let at = random.random_range(1..members.present.len());
        let who = members.present.swap_remove(at);
        members.last_stint(who)?.leaving = Some(now);
        Some(who)
    }

    /// The removal was answered, or its outcome is not known.
    pub fn has_left(&self, talk: u32, who: u32, outcome: Known) {
        let mut members = self.talks[talk as usize].lock();
        if outcome == Known::Yes {
            members.absent.push(who);
        } else if let Some(stint) = members.last_stint(who) {
            // Left alone from here on: in or out, nobody can tell.
            stint.is_certain = false;
        }
    }

    /// Takes somebody from outside; the call to add them is about to be made.
    pub fn begin_joining(&self, talk: u32, random: &mut impl Rng) -> Option<u32> {
        let mut members = self.talks[talk as usize].lock();
        let count = members.absent.len();
        (count > 0).then(|| members.absent.swap_remove(random.random_range(0..count)))
    }

    /// The addition was answered, or its outcome is not known.
    pub fn has_joined(&self, talk: u32, who: u32, now: Micros, outcome: Known) {
        let mut members = self.talks[talk as usize].lock();
        let is_certain = outcome == Known::Yes;
        let stint = Stint { joined: Some(now), leaving: None, is_certain };
        members.stints.entry(who).or_default().push(stint);
        if is_certain {
            members.present.push(who);
        }
    }

    /// Whether somebody has left, is about to, or is not known to be in: then a message of theirs may be refused.
    pub fn is_leaving(&self, talk: u32, who: u32) -> bool {
        let members = self.talks[talk as usize].lock();
        // A message from before a re-join may be answered after it: anybody who ever left may be refused.
        let has_left = |s: &Stint| s.leaving.is_some() || !s.is_certain;
        members.stints.get(&who).is_none_or(|stints| stints.iter().any(has_left))
    }

    /// A client was told to forget what it held.
    pub fn forgot(&self, talk: u32, who: u32, seqs: Seqs) {
        self.talks[talk as usize].lock().forgotten.entry(who).or_default().push(seqs);
    }

    /// Everybody who ever was in, with their stints and what their clients had to forget.
    pub fn all(&self, talk: u32) -> Vec<(u32, Vec<Stint>, Vec<Seqs>)> {
        let members = self.talks[talk as usize].lock();
        let forgotten = |who| members.forgotten.get(who).cloned().unwrap_or_default();
        members.stints.iter().map(|(who, stints)| (*who, stints.clone(), forgotten(who))).collect()
    }
}

/// Whether a change is known to have happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    Yes,
    Unknown,
}

impl Members {
    fn last_stint(&mut self, who: u32) -> Option<&mut Stint> {
        self.stints.get_mut(&who)?.last_mut()
    }
}
