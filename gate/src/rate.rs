//! Rates as people write them: `60 then 1/s`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use governor::Quota;

/// So many at once, and then one more each time this has passed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    burst: NonZeroU32,
    every: Duration,
}

/// More at once is no limit, and times stay far from what 64 bits of nanoseconds hold.
const MOST_BURST: u32 = 100_000;
const SECOND: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// A text that is no rate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotARate(String);

impl Rate {
    pub fn burst(&self) -> u32 {
        self.burst.get()
    }

    /// From one to the next.
    pub fn every(&self) -> Duration {
        self.every
    }

    pub(crate) fn every_ns(&self) -> u64 {
        u64::try_from(self.every.as_nanos()).expect("a day at most")
    }

    pub(crate) fn quota(&self) -> Quota {
        Quota::with_period(self.every).expect("more than nothing").allow_burst(self.burst)
    }
}

impl FromStr for Rate {
    type Err = NotARate;

    fn from_str(text: &str) -> Result<Self, NotARate> {
        parse(text).ok_or_else(|| NotARate(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Rate> {
    let (burst, refill) = text.split_once(" then ")?;
    let (count, period) = refill.split_once('/')?;
    let burst = burst.trim().parse::<NonZeroU32>().ok().filter(|burst| burst.get() <= MOST_BURST)?;
    let count = count.trim().parse::<NonZeroU32>().ok()?;
    let period = period.trim();
    let (number, unit) = period.split_at(period.find(|c: char| c.is_ascii_alphabetic())?);
    let number = if number.is_empty() { 1 } else { number.trim().parse::<u32>().ok()? };
    let unit = match unit {
        "ms" => Duration::from_millis(1),
        "s" => SECOND,
        "min" => SECOND * 60,
        "h" => SECOND * 3_600,
        _ => return None,
    };
    let every = unit.checked_mul(number)? / count.get();
    (Duration::from_micros(1)..=LONGEST).contains(&every).then_some(Rate { burst, every })
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} then ", self.burst)?;
        let (s, ms) = (self.every.as_secs(), self.every.as_millis());
        let per_s = (SECOND.as_nanos() / self.every.as_nanos()) as u32;
        match () {
            () if self.every < SECOND && SECOND / per_s == self.every => write!(f, "{per_s}/s"),
            () if self.every.subsec_nanos() > 0 => write!(f, "1/{ms}ms"),
            () if s == 3_600 => write!(f, "1/h"),
            () if s == 60 => write!(f, "1/min"),
            () if s == 1 => write!(f, "1/s"),
            () => write!(f, "1/{s}s"),
        }
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for NotARate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no rate; one looks like \"60 then 1/s\" or \"5 then 1/2min\", or is \"off\"", self.0)
    }
}

impl std::error::Error for NotARate {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written() {
        for (text, burst, every_ms, written) in [
            ("60 then 1/s", 60, 1_000, "60 then 1/s"),
            ("5 then 1/min", 5, 60_000, "5 then 1/min"),
            ("30 then 1/2s", 30, 2_000, "30 then 1/2s"),
            ("30 then 1/2 s", 30, 2_000, "30 then 1/2s"),
            ("100 then 10/s", 100, 100, "100 then 10/s"),
            ("1 then 120/min", 1, 500, "1 then 2/s"),
            ("1 then 1/h", 1, 3_600_000, "1 then 1/h"),
            ("1 then 1/1500ms", 1, 1_500, "1 then 1/1500ms"),
        ] {
            let rate: Rate = text.parse().unwrap();
            assert_eq!((rate.burst(), rate.every()), (burst, Duration::from_millis(every_ms)), "{text}");
            assert_eq!(rate.to_string(), written);
            assert_eq!(written.parse(), Ok(rate));
        }
        for bad in [
            "",
            "60",
            "60 then",
            "60 then 1",
            "0 then 1/s",
            "1 then 0/s",
            "1 then 1/0s",
            "1 then 1/fortnight",
            "-1 then 1/s",
            "1000000 then 1/s",
            "1 then 1/25h",
            "1 then 2000000/s",
        ] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
