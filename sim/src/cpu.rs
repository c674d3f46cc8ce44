//! Processor time of the server's processes, where they run on this machine.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Ticks of `/proc/PID/stat` in a second: 100 on every Linux that is met today.
const TICKS_PER_S: f64 = 100.0;

#[derive(Deserialize)]
struct Deployment {
    router: Process,
    directory: Directory,
    cells: Vec<Cell>,
}

#[derive(Deserialize)]
struct Process {
    pid: u32,
}

#[derive(Deserialize)]
struct Directory {
    pid: u32,
    postgres: Process,
}

#[derive(Deserialize)]
struct Cell {
    cell_id: u32,
    pid: u32,
    postgres: Process,
    redis: Process,
}

/// The processes and the seconds each has used, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    seconds: Vec<(String, u32, f64)>,
}

/// What one process used.
#[derive(Clone, Debug, Serialize)]
pub struct Used {
    pub process: String,
    pub seconds: f64,
    pub us_per_message: f64,
    /// For each copy that came to a receiver.
    pub us_per_copy: f64,
    /// Its process was another at the end: what the former one used is not in here.
    pub was_restarted: bool,
}

impl Sample {
    /// Of the deployment that this file describes, and of this process. Without the file only of this process.
    pub fn take(deployment: &Path) -> Self {
        let mut seconds = vec![("load generator".to_owned(), std::process::id(), 0.0)];
        let described = std::fs::read(deployment).ok().and_then(|b| serde_json::from_slice::<Deployment>(&b).ok());
        if let Some(Deployment { router, directory, cells }) = described {
            seconds.push(("router".to_owned(), router.pid, 0.0));
            seconds.push(("directory".to_owned(), directory.pid, 0.0));
            seconds.push(("directory postgres".to_owned(), directory.postgres.pid, 0.0));
            for cell in cells {
                seconds.push((format!("cell {}", cell.cell_id), cell.pid, 0.0));
                seconds.push((format!("cell {} postgres", cell.cell_id), cell.postgres.pid, 0.0));
                seconds.push((format!("cell {} redis", cell.cell_id), cell.redis.pid, 0.0));
            }
        }
        let all = processes();
        for (name, pid, used) in &mut seconds {
            *used = if name.ends_with("postgres") { family(&all, *pid) } else { all.get(pid).map_or(0.0, |p| p.own) };
        }
        Self { seconds }
    }

    /// What was used since an earlier moment, and for each of so many messages and received copies.
    pub fn since(&self, earlier: &Self, messages: u64, copies: u64) -> Vec<Used> {
        let each = |seconds: f64, count: u64| if count == 0 { 0.0 } else { seconds * 1e6 / count as f64 };
        let before: HashMap<&str, (u32, f64)> =
            earlier.seconds.iter().map(|(n, p, s)| (n.as_str(), (*p, *s))).collect();
        self.seconds
            .iter()
            .map(|(name, pid, seconds)| {
                let (former, used) = before.get(name.as_str()).copied().unwrap_or((0, 0.0));
                let was_restarted = former != *pid;
                let seconds = if was_restarted { *seconds } else { (seconds - used).max(0.0) };
                let (us_per_message, us_per_copy) = (each(seconds, messages), each(seconds, copies));
                Used { process: name.clone(), seconds, us_per_message, us_per_copy, was_restarted }
            })
            .collect()
    }
}

#[derive(Debug)]
struct Times {
    parent: u32,
    /// Of the process itself.
    own: f64,
    /// Of children that have ended.
    reaped: f64,
}

fn processes() -> HashMap<u32, Times> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))).collect()
}

/// The process, its living children, and those that have ended: PostgreSQL has one per connection.
fn family(all: &HashMap<u32, Times>, pid: u32) -> f64 {
    let children = all.values().filter(|p| p.parent == pid).map(|p| p.own + p.reaped).sum::<f64>();
    all.get(&pid).map_or(0.0, |p| p.own + p.reaped) + children
}

/// Fields 4, 14 to 17 of `/proc/PID/stat`; the second one, the name, may hold anything up to its last bracket.
fn parse(stat: &str) -> Option<Times> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    let parent = fields.get(1)?.parse().ok()?;
    Some(Times {
        parent,
        own: (ticks(11)? + ticks(12)?) / TICKS_PER_S,
        reaped: (ticks(13)? + ticks(14)?) / TICKS_PER_S,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_past_any_name() {
        let times = parse("7 (a ) b) S 3 7 7 0 -1 0 1 2 3 4 250 50 30 20 20 0 1 0").unwrap();
        assert_eq!((times.parent, times.own, times.reaped), (3, 3.0, 0.5));
    }

    #[test]
    fn a_missing_file_leaves_this_process_alone() {
        let sample = Sample::take(Path::new("/nowhere/deployment.json"));
        let used = sample.since(&sample, 10, 10);
        assert_eq!(used.len(), 1);
        assert!(!used[0].was_restarted);
    }
}
