//! A set of seqs as ranges: a whole conversation costs sixteen bytes, however long it is.

use skep_protocol::Seq;

/// Seqs as ascending, disjoint, non-touching ranges, both ends included.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seqs {
    ranges: Vec<(u64, u64)>,
}

impl Seqs {
    /// Adds one; `false` when it was there.
    pub fn insert(&mut self, seq: Seq) -> bool {
        let seq = seq.0;
        // The usual case first: the next one of the last range.
        if let Some(last) = self.ranges.last_mut()
            && last.1 + 1 == seq
        {
            last.1 = seq;
            return true;
        }
        let after = self.ranges.partition_point(|r| r.0 <= seq);
        if after > 0 && self.ranges[after - 1].1 >= seq {
            return false;
        }
        let touches_before = after > 0 && self.ranges[after - 1].1 + 1 == seq;
        let touches_after = self.ranges.get(after).is_some_and(|r| r.0 == seq + 1);
        match (touches_before, touches_after) {
            (true, true) => {
                self.ranges[after - 1].1 = self.ranges[after].1;
                self.ranges.remove(after);
            }
            (true, false) => self.ranges[after - 1].1 = seq,
            (false, true) => self.ranges[after].0 = seq,
            (false, false) => self.ranges.insert(after, (seq, seq)),
        }
        true
    }

    /// Whether it is there.
    pub fn contains(&self, seq: Seq) -> bool {
        let after = self.ranges.partition_point(|r| r.0 <= seq.0);
        after > 0 && self.ranges[after - 1].1 >= seq.0
    }

    /// Drops all that lies below.
    pub fn drop_below(&mut self, first: Seq) {
        self.ranges.retain(|r| r.1 >= first.0);
        if let Some(lowest) = self.ranges.first_mut() {
            lowest.0 = lowest.0.max(first.0);
        }
    }

    /// The highest one.
    pub fn last(&self) -> Option<Seq> {
        self.ranges.last().map(|r| Seq(r.1))
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.ranges.iter().map(|r| r.1 - r.0 + 1).sum()
    }

    /// The first hole from `from` up to `to`, both included: its first and last seq.
    pub fn hole(&self, from: Seq, to: Seq) -> Option<(Seq, Seq)> {
        if from > to {
            return None;
        }
        let at = self.ranges.partition_point(|r| r.1 < from.0);
        let start = match self.ranges.get(at) {
            Some(range) if range.0 <= from.0 => range.1 + 1,
            _ => from.0,
        };
        if start > to.0 {
            return None;
        }
        let next = self.ranges.partition_point(|r| r.0 < start);
        let end = self.ranges.get(next).map_or(to.0, |r| (r.0 - 1).min(to.0));
        Some((Seq(start), Seq(end)))
    }

    /// Ascending ranges, both ends included.
    pub fn ranges(&self) -> impl Iterator<Item = (Seq, Seq)> + '_ {
        self.ranges.iter().map(|r| (Seq(r.0), Seq(r.1)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    /// Against a plain set, over many orders of arrival.
    #[test]
    fn ranges_say_what_a_plain_set_says() {
        for seed in 0..300 {
            let mut random = StdRng::seed_from_u64(seed);
            let (mut seqs, mut plain) = (Seqs::default(), BTreeSet::new());
            for _ in 0..60 {
                let seq = random.random_range(1..40_u64);
                assert_eq!(seqs.insert(Seq(seq)), plain.insert(seq), "seed {seed}");
                if random.random_ratio(1, 30) {
                    let below = random.random_range(1..20);
                    seqs.drop_below(Seq(below));
                    plain = plain.split_off(&below);
                }
                let (from, to) = (random.random_range(1..40), random.random_range(1..40));
                let start = (from..=to).find(|s| !plain.contains(s));
                let hole = start.map(|s| {
                    let end = (s..=to).take_while(|x| !plain.contains(x)).last().unwrap();
                    (Seq(s), Seq(end))
                });
                assert_eq!(seqs.hole(Seq(from), Seq(to)), hole, "seed {seed}: {from}..={to} of {plain:?}");
                assert_eq!(seqs.count(), plain.len() as u64);
                assert_eq!(seqs.last(), plain.last().map(|s| Seq(*s)));
                (1..42).for_each(|s| assert_eq!(seqs.contains(Seq(s)), plain.contains(&s)));
                let mut previous = 0;
                for (low, high) in seqs.ranges() {
                    assert!(low <= high && (previous == 0 || low.0 > previous + 1), "ranges do not touch");
                    previous = high.0;
                }
            }
        }
    }
}
