//! Where the servers' programs are.

use std::path::{Path, PathBuf};

/// A PostgreSQL program: from `SKEP_POSTGRES_BIN`, Debian's folders (newest first), or the PATH.
pub(crate) fn postgres(program: &str) -> anyhow::Result<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("SKEP_POSTGRES_BIN").map(PathBuf::from).into_iter().collect();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|e| e.path().join("bin")))
        .collect();
    debian.sort();
    folders.extend(debian.into_iter().rev());
    find(program, folders).ok_or_else(|| {
        anyhow::anyhow!("PostgreSQL's `{program}` was not found: install it (apt-get install postgresql), or set SKEP_POSTGRES_BIN to its folder")
    })
}

/// `redis-server`: from `SKEP_REDIS_SERVER` or the PATH.
pub(crate) fn redis() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("SKEP_REDIS_SERVER") {
        return Ok(PathBuf::from(path));
    }
    find("redis-server", Vec::new()).ok_or_else(|| {
        anyhow::anyhow!(
            "`redis-server` was not found: install it (apt-get install redis-server), or set SKEP_REDIS_SERVER"
        )
    })
}

fn find(program: &str, mut folders: Vec<PathBuf>) -> Option<PathBuf> {
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().map(|f| f.join(program)).find(|p: &PathBuf| Path::is_file(p))
}
