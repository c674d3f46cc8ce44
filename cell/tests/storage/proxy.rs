//! A Unix socket before a PostgreSQL that loses what it is told to lose, or stands still.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use skep_children::Postgres;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

/// In which phase a connection breaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// The request does not arrive.
    Request,
    /// The first half of it does.
    HalfRequest,
    /// It arrives and is carried out; the answer is lost.
    Answer,
}

pub struct Proxy {
    folder: PathBuf,
    shared: Arc<Shared>,
}

struct Shared {
    server: PathBuf,
    /// What to do to the connection that sends this text. Once.
    armed: Mutex<Option<(Cut, String)>>,
    frozen: watch::Sender<bool>,
}

const SOCKET: &str = ".s.PGSQL.5432";

impl Proxy {
    pub async fn before(postgres: &Postgres) -> Self {
        let folder = postgres.folder().join("proxy");
        std::fs::create_dir(&folder).unwrap();
        let server = postgres.folder().join("socket").join(SOCKET);
        let shared = Arc::new(Shared { server, armed: Mutex::new(None), frozen: watch::Sender::new(false) });
        let listener = UnixListener::bind(folder.join(SOCKET)).unwrap();
        let accepting = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, Arc::clone(&accepting)));
            }
        });
        Self { folder, shared }
    }

    pub fn conninfo(&self) -> String {
        format!("host={} user=skep dbname=shard", Path::display(&self.folder))
    }

    pub fn cut(&self, cut: Cut, at: &str) {
        *self.shared.armed.lock().unwrap() = Some((cut, at.to_owned()));
    }

    /// Nothing passes, in neither direction, and nothing is closed.
    pub fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    pub fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }
}

async fn serve(mut client: UnixStream, shared: Arc<Shared>) {
    let mut server = UnixStream::connect(&shared.server).await.unwrap();
    let mut frozen = shared.frozen.subscribe();
    let (mut request, mut answer) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        _ = frozen.wait_for(|frozen| !frozen).await;
        let n = tokio::select! {
            n = client.read(&mut request) => n.unwrap_or(0),
            n = server.read(&mut answer) => {
                let n = n.unwrap_or(0);
                _ = frozen.wait_for(|frozen| !frozen).await;
                if n == 0 || client.write_all(&answer[..n]).await.is_err() {
                    return;
                }
                continue;
            }
        };
        _ = frozen.wait_for(|frozen| !frozen).await;
        let request = &request[..n];
        let cut = {
            let mut armed = shared.armed.lock().unwrap();
            let hits = armed.as_ref().is_some_and(|(_, at)| request.windows(at.len()).any(|w| w == at.as_bytes()));
            if hits { armed.take().map(|(cut, _)| cut) } else { None }
        };
        match cut {
            _ if n == 0 => return,
            None if server.write_all(request).await.is_err() => return,
            None => {}
            Some(Cut::Request) => return,
            Some(Cut::HalfRequest) => {
                _ = server.write_all(&request[..n / 2]).await;
                return;
            }
            Some(Cut::Answer) => {
                server.write_all(request).await.unwrap();
                // The last thing that the server says to it is that it is ready again.
                let mut said = Vec::new();
                while !said.ends_with(b"Z\0\0\0\x05I") {
                    let n = server.read(&mut answer).await.unwrap();
                    assert!(n > 0, "the server ends nothing by itself");
                    said.extend_from_slice(&answer[..n]);
                }
                return;
            }
        }
    }
}
