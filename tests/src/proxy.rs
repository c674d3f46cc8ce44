//! A way between two parts that a test can cut.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Carries connections to an address, until it is cut.
pub struct Proxy {
    pub address: SocketAddr,
    /// Connections of an older number are cut; while it is odd, new ones are refused.
    state: watch::Sender<u64>,
}

impl Proxy {
    /// A way to this address.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = watch::Sender::new(0_u64);
        let states = state.subscribe();
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut states = states.clone();
                let begun = *states.borrow_and_update();
                if begun % 2 == 1 {
                    continue;
                }
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    _ = near.set_nodelay(true);
                    _ = far.set_nodelay(true);
                    tokio::select! {
                        _ = copy_bidirectional(&mut near, &mut far) => {}
                        _ = states.wait_for(|state| *state != begun) => {}
                    }
                });
            }
        });
        Self { address, state }
    }

    /// Cuts what is there; new connections are taken.
    pub fn cut(&self) {
        self.state.send_modify(|state| *state += 2);
    }

    /// Cuts what is there, and refuses everything until it is opened.
    pub fn close(&self) {
        self.state.send_modify(|state| *state |= 1);
    }

    /// Takes connections again.
    pub fn open(&self) {
        self.state.send_modify(|state| *state = (*state | 1) + 1);
    }
}
