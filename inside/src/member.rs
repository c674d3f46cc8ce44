//! A process as one of the deployment's: how it calls the others, and how they find that it may.

use http::HeaderValue;
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Error},
};

use crate::{Door, Secrets, door::SHOWN};

/// A way to another process on which every call shows the secret.
pub type ProvenChannel = InterceptedService<Channel, Proof>;

/// What a process has of the deployment it belongs to.
#[derive(Clone, Debug)]
pub struct Inside {
    proof: Proof,
    door: Door,
}

/// Shows the secret with calls.
#[derive(Clone, Debug)]
pub struct Proof {
    header: HeaderValue,
    metadata: AsciiMetadataValue,
}

impl Inside {
    pub fn new(secrets: &Secrets) -> Self {
        let letters = "secrets were checked to be visible ASCII letters";
        let mut header = HeaderValue::from_str(secrets.shown()).expect(letters);
        // Not shown by Debug, and not kept in the tables of HTTP/2.
        header.set_sensitive(true);
        let mut metadata: AsciiMetadataValue = secrets.shown().parse().expect(letters);
        metadata.set_sensitive(true);
        Self { proof: Proof { header, metadata }, door: Door::new(secrets.clone()) }
    }

    /// What this process's listeners look through.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// What HTTP calls to cells show.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// An address of another process's gRPC port: host:port, or a URL.
    pub fn endpoint(&self, address: &str) -> Result<Endpoint, Error> {
        let authority = address.split_once("://").map_or(address, |(_, authority)| authority);
        Endpoint::from_shared(format!("http://{authority}"))
    }

    /// A way that is made, and made again, when it is needed.
    pub fn connect_lazily(&self, endpoint: &Endpoint) -> ProvenChannel {
        InterceptedService::new(endpoint.connect_lazy(), self.proof.clone())
    }

    pub async fn connect(&self, endpoint: &Endpoint) -> Result<ProvenChannel, Error> {
        Ok(InterceptedService::new(endpoint.connect().await?, self.proof.clone()))
    }
}

impl Proof {
    /// Puts the secret beside the other headers of a call.
    pub fn show(&self, headers: &mut http::HeaderMap) {
        headers.insert(SHOWN, self.header.clone());
    }
}

impl Interceptor for Proof {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(SHOWN, self.metadata.clone());
        Ok(request)
    }
}
