//! A directory that answers when asked, and never says anything by itself: so a test decides when the router learns.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use parking_lot::Mutex;
use skep_protocol::{SlotMap, wire};
use tokio::net::TcpListener;
use tokio_stream::{Stream, wrappers::TcpListenerStream};
use tonic::{Request, Response, Status};
use wire::directory_server::{Directory, DirectoryServer};

#[derive(Clone)]
pub struct FakeDirectory {
    pub address: SocketAddr,
    map: Arc<Mutex<SlotMap>>,
}

impl FakeDirectory {
    pub async fn serve(map: SlotMap) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { address: listener.local_addr().unwrap(), map: Arc::new(Mutex::new(map)) };
        let server = tonic::transport::Server::builder().add_service(DirectoryServer::new(this.clone()));
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        this
    }

    pub fn set(&self, map: SlotMap) {
        *self.map.lock() = map;
    }
}

#[tonic::async_trait]
impl Directory for FakeDirectory {
    async fn register(&self, _: Request<wire::RegisterRequest>) -> Result<Response<wire::Map>, Status> {
        Err(Status::unimplemented("routers do not register"))
    }

    async fn get_map(&self, _: Request<wire::GetMapRequest>) -> Result<Response<wire::Map>, Status> {
        Ok(Response::new(wire::Map::from(&*self.map.lock())))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<wire::MapUpdate, Status>> + Send>>;

    async fn watch(&self, _: Request<wire::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::pending())))
    }
}
