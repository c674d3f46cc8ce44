//! Files that are followed: what is made of them is made anew when they change.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::{TlsError, files::Pem};

/// How often the files are looked at. Their contents are read: times and inodes say nothing sure of what is mounted.
const EVERY: Duration = Duration::from_secs(2);

/// What was made of the files when they were last right.
pub(crate) struct Followed<T> {
    current: ArcSwap<T>,
}

impl<T: Send + Sync + 'static> Followed<T> {
    /// Made of these files now, and again whenever their contents change, as long as somebody has it. What cannot be
    /// used is said once, and the former one goes on.
    pub fn start(
        files: Vec<PathBuf>,
        build: impl Fn(&[Pem]) -> Result<T, TlsError> + Send + Sync + 'static,
    ) -> Result<Arc<Self>, TlsError> {
        let seen = read(&files)?;
        let this = Arc::new(Self { current: ArcSwap::from_pointee(build(&seen)?) });
        tokio::spawn(follow(Arc::downgrade(&this), files, seen, build));
        Ok(this)
    }

    pub fn current(&self) -> Arc<T> {
        self.current.load_full()
    }
}

async fn follow<T, B>(followed: Weak<Followed<T>>, files: Vec<PathBuf>, seen: Vec<Pem>, build: B)
where
    T: Send + Sync + 'static,
    B: Fn(&[Pem]) -> Result<T, TlsError> + Send + Sync + 'static,
{
    // `None`: they could not be read.
    let mut seen = Some(seen);
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(followed) = followed.upgrade() else { return };
        let looked = files.clone();
        let Ok(now) = tokio::task::spawn_blocking(move || read(&looked)).await else { continue };
        let (now, built) = match now {
            Ok(now) if seen.as_ref() == Some(&now) => continue,
            Ok(now) => {
                let built = build(&now);
                (Some(now), built)
            }
            Err(_) if seen.is_none() => continue,
            Err(error) => (None, Err(error)),
        };
        seen = now;
        match built {
            Ok(built) => {
                followed.current.store(Arc::new(built));
                tracing::info!(?files, "the files have changed: new connections use what they have now");
            }
            Err(error) => tracing::error!(%error, "the files have changed and cannot be used: the former ones go on"),
        }
    }
}

fn read(files: &[PathBuf]) -> Result<Vec<Pem>, TlsError> {
    files.iter().map(|file| Pem::read(file)).collect()
}
