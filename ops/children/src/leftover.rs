//! Processes that a killed parent left running: remembered in a file by pid and start time, since pids are used again.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Writes down a process, for whoever comes after this one's death.
pub fn remember(file: &Path, pid: u32) -> anyhow::Result<()> {
    let started = started(pid as i32).unwrap_or_default();
    std::fs::write(file, format!("{pid} {started}\n")).with_context(|| format!("writing {}", file.display()))
}

/// Ends the process that is remembered in a file, if it still runs and its command line holds `marker`: asked by
/// `signal` first, then killed. Forgets it.
pub fn end(file: &Path, marker: &str, signal: Signal, patience: Duration) {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut words = text.split_whitespace();
    if let Some(pid) = words.next().and_then(|word| word.parse().ok())
        && let Some(known) = words.next().and_then(|word| word.parse().ok())
        && started(pid) == Some(known)
    {
        terminate(pid, marker, signal, patience);
    }
    _ = std::fs::remove_file(file);
}

/// Ends a process that is no child of this one, if its command line holds `marker`.
pub(crate) fn terminate(pid: i32, marker: &str, signal: Signal, patience: Duration) {
    let Some(known) = started(pid) else { return };
    let begun = Instant::now();
    let mut next = signal;
    while started(pid) == Some(known) && command_line(pid).contains(marker) {
        _ = kill(Pid::from_raw(pid), next);
        std::thread::sleep(Duration::from_millis(20));
        if begun.elapsed() > patience + Duration::from_secs(5) {
            return;
        }
        if begun.elapsed() > patience {
            next = Signal::SIGKILL;
        }
    }
}

/// When a process began, in clock ticks since the machine's start; `None` when it has ended (a zombie has).
fn started(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so the fields are counted from its end.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" { None } else { fields.nth(18)?.parse().ok() }
}

fn command_line(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}
