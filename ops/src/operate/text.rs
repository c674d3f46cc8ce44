//! Words and numbers as people read them.

use std::io::Write;

use skep_protocol::{Millis, format_rfc3339};

/// To standard output. Whoever reads it may have read enough.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    _ = out.write_all(text.as_bytes());
    _ = out.flush();
}

/// 1234567 as 1,234,567.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// One session, three sessions.
pub(super) fn counted(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// A time, to the second.
pub(super) fn time(ms: i64) -> String {
    let text = format_rfc3339(Millis(ms));
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", rest.split('.').next().unwrap_or_default())
}

/// A duration in microseconds, as a table has it.
pub(super) fn latency(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!(["0", "999", "1,000", "1,234,567"], [0, 999, 1_000, 1_234_567].map(count).each_ref().map(|t| &**t));
        assert_eq!(counted(1, "session"), "1 session");
        assert_eq!(counted(2_000, "session"), "2,000 sessions");
        assert_eq!(time(1_764_153_000_123), "2025-11-26 10:30:00 UTC");
        assert_eq!([latency(340), latency(12_345), latency(1_500_000)], ["0.3 ms", "12 ms", "1.5 s"]);
    }
}
