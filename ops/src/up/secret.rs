//! What the parts of this deployment show one another: made at a folder's first start, and kept.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use skep_inside::ClusterSecret;

use crate::{exit::Failure, up::folder::Folder};

/// The file that has it.
pub(crate) fn settle(folder: &Folder) -> Result<PathBuf, Failure> {
    let file = folder.root().join("cluster-secret");
    if !file.exists() {
        let cannot = |error: std::io::Error| Failure::unavailable(format!("{}: {error}", file.display()));
        let unfinished = file.with_extension("new");
        let mut new =
            File::options().create(true).truncate(true).write(true).mode(0o600).open(&unfinished).map_err(cannot)?;
        writeln!(new, "{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>())
            .and_then(|()| new.sync_all())
            .and_then(|()| std::fs::rename(&unfinished, &file))
            .map_err(cannot)?;
    }
    // Of a former start, and perhaps damaged: said here, not by every part in its log.
    ClusterSecret::in_file(&file).load().map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    Ok(file)
}
