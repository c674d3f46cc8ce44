//! One part as a process: configuration, logs, signals, exit code.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{self, Part},
    exit::{Exit, Failure},
    logging,
};

/// A part that was asked to stop and has not by then is ended: whoever asked waits for it.
const STOP: Duration = Duration::from_secs(20);

/// Runs a part until a signal stops it. A part that ends without having been asked has failed, whatever it says: its
/// supervisor is to start it again.
pub(crate) fn run<C, R, F>(file: &Path, serve: R) -> Result<(), Failure>
where
    C: Part,
    R: FnOnce(C, CancellationToken) -> F,
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let config = config::load::<C>(file)?;
    logging::start()?;
    end_on_panic();
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format!("starting threads: {error}")))?;
    let ended = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|error| Failure::unavailable(error.to_string()))?;
        let stop = CancellationToken::new();
        let mut part = tokio::spawn(serve(config, stop.clone()));
        let ended = tokio::select! {
            ended = &mut part => Ended::ByItself(ended),
            () = signals.next() => {
                tracing::info!("stopping");
                stop.cancel();
                tokio::select! {
                    ended = &mut part => Ended::Asked(ended),
                    () = tokio::time::sleep(STOP) => {
                        return Err(Failure { exit: Exit::Bug, reason: format!("{}: not stopped in {STOP:?}", C::NAME) });
                    }
                    () = signals.next() => return Err(Failure::unavailable("asked twice: ended at once")),
                }
            }
        };
        ended.outcome(C::NAME)
    });
    // Connections that are still being written to are no reason to stay.
    runtime.shutdown_timeout(Duration::from_millis(200));
    if ended.is_ok() {
        tracing::info!("stopped");
    }
    ended
}

/// Does one thing with a part's configuration, and ends. What it says is for the person who asked.
pub(crate) fn once<C, R, F>(file: &Path, act: R) -> Result<(), Failure>
where
    C: Part,
    R: FnOnce(C) -> F,
    F: Future<Output = anyhow::Result<String>>,
{
    let config = config::load::<C>(file)?;
    logging::start()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unavailable(format!("starting threads: {error}")))?;
    let said =
        runtime.block_on(act(config)).map_err(|error| Failure::unavailable(format!("{}: {error:#}", C::NAME)))?;
    println!("{said}");
    Ok(())
}

type Joined = Result<anyhow::Result<()>, tokio::task::JoinError>;

enum Ended {
    Asked(Joined),
    ByItself(Joined),
}

impl Ended {
    fn outcome(self, name: &str) -> Result<(), Failure> {
        let (Self::Asked(joined) | Self::ByItself(joined)) = &self;
        match joined {
            Err(error) => Err(Failure { exit: Exit::Bug, reason: format!("{name}: {error}") }),
            Ok(Err(error)) => Err(Failure::unavailable(format!("{name}: {error:#}"))),
            Ok(Ok(())) if matches!(self, Self::ByItself(_)) => {
                Err(Failure::unavailable(format!("{name}: it can go on no longer; the log says why")))
            }
            Ok(Ok(())) => Ok(()),
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// After a panic, what is in memory can be trusted no longer, and a lost task would leave a part that only looks
/// alive. Ending is safe: what was acknowledged is in the shard.
fn end_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        // A decoder that stumbles over somebody's picture holds nothing but that picture.
        if std::thread::current().name() == Some(skep_cell::IMAGE_THREAD) {
            return;
        }
        std::process::exit(Exit::Bug as i32);
    }));
}

/// A socket per connected person: the soft limit of 1,024 files is for another kind of program.
fn raise_open_files() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, "the limit of open files could not be raised");
    }
}
