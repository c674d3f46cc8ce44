//! Logs of the parts: the former run's is kept as `.1`, and none grows without bound.

use std::fs::File;
use std::path::Path;

/// All logs of a part take at most twice this.
const LOG_BYTES: u64 = 32 * 1024 * 1024;

/// Begins a part's log anew.
pub(crate) fn rotate(log: &Path) {
    // There may be none yet.
    _ = std::fs::rename(log, log.with_extension("log.1"));
}

/// Cuts logs that have grown too large. Their writers append, so they go on at the new end; what they write between the
/// copy and the cut is lost, which a log can bear.
pub(crate) fn bound(logs: &Path) {
    for entry in std::fs::read_dir(logs).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "log")
            && entry.metadata().is_ok_and(|metadata| metadata.len() > LOG_BYTES)
            && std::fs::copy(&path, path.with_extension("log.1")).is_ok()
        {
            _ = File::options().write(true).open(&path).and_then(|file| file.set_len(0));
        }
    }
}

/// The end of a log, to say why a part could not start.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| format!("\n  {line}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_has_grown_too_large_is_cut_and_kept_once() {
        let folder = std::env::temp_dir().join(format!("skep-logs-{}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let (large, small) = (folder.join("large.log"), folder.join("small.log"));
        File::create(&large).unwrap().set_len(LOG_BYTES + 1).unwrap();
        std::fs::write(&small, "one\n\ntwo\nthree\n").unwrap();
        bound(&folder);
        assert_eq!(std::fs::metadata(&large).unwrap().len(), 0);
        assert_eq!(std::fs::metadata(folder.join("large.log.1")).unwrap().len(), LOG_BYTES + 1);
        assert_eq!(tail(&small, 2), "\n  two\n  three");
        rotate(&small);
        assert!(!small.exists() && folder.join("small.log.1").exists());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
