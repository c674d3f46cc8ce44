//! TLS between the processes of a deployment: both sides show a certificate of its authority.

use std::fmt;
use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
    client::{Resumption, danger::HandshakeSignatureValid, verify_server_name},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ParsedCertificate, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};

use crate::{
    Acceptor, Connector, MutualFiles, TlsError,
    files::{Pem, provider},
    follow::Followed,
};

/// The name in which all certificates inside are: whose a certificate is does not matter, only that the process is one
/// of the deployment's. So addresses may change, and an authority may also serve others under other names.
pub const INNER_NAME: &str = "skep.internal";

/// What is spoken over a wire, as both sides say in the handshake (ALPN).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speaks {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, which gRPC needs.
    Http2,
}

/// What a process has of its deployment's TLS. The files are followed.
#[derive(Clone)]
pub struct Mutual(Arc<Followed<Both>>);

/// What is made of the files: a set for each side and each of what is spoken.
pub(crate) struct Both {
    server: [Arc<ServerConfig>; 2],
    client: [Arc<ClientConfig>; 2],
}

/// Lets clients in whose certificate is of the authority, and in the name that all have.
#[derive(Debug)]
struct OneOfUs {
    of_the_authority: Arc<dyn ClientCertVerifier>,
    name: ServerName<'static>,
}

// === impl Mutual ===

impl Mutual {
    /// Reads the files, and follows them as long as something that was made here is there.
    pub fn start(files: &MutualFiles) -> Result<Self, TlsError> {
        let paths = vec![files.ca.clone(), files.certificate.clone(), files.key.clone()];
        let followed = Followed::start(paths, |pems| {
            let [ca, certificate, key] = pems else { unreachable!("as many contents as files") };
            build(ca, certificate, key)
        })?;
        Ok(Self(followed))
    }

    /// Of a listener inside.
    pub fn acceptor(&self, speaks: Speaks) -> Acceptor {
        let followed = Arc::clone(&self.0);
        Acceptor::of(move || Arc::clone(&followed.current().server[speaks as usize]))
    }

    /// To listeners inside.
    pub fn connector(&self, speaks: Speaks) -> Connector {
        let followed = Arc::clone(&self.0);
        Connector::inside(inner_name(), move || Arc::clone(&followed.current().client[speaks as usize]))
    }
}

impl fmt::Debug for Mutual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutual")
    }
}

// === impl Speaks ===

impl Speaks {
    const ALL: [Self; 2] = [Self::Http1, Self::Http2];

    pub(crate) fn protocols(self) -> Vec<Vec<u8>> {
        vec![match self {
            Self::Http1 => b"http/1.1".to_vec(),
            Self::Http2 => b"h2".to_vec(),
        }]
    }
}

pub(crate) fn build(ca: &Pem, certificate: &Pem, key: &Pem) -> Result<Both, TlsError> {
    let (roots, pair) = (Arc::new(ca.roots()?), Arc::new(certificate.pair(key)?));
    // A process whose own certificate nobody would accept is told at once.
    certificate.is_named(&inner_name())?;
    let (server, client) = (server(&roots, &pair, ca)?, client(&roots, &pair));
    let server = Speaks::ALL.map(|speaks| {
        let mut server = server.clone();
        server.alpn_protocols = speaks.protocols();
        Arc::new(server)
    });
    let client = Speaks::ALL.map(|speaks| {
        let mut client = client.clone();
        client.alpn_protocols = speaks.protocols();
        Arc::new(client)
    });
    Ok(Both { server, client })
}

fn server(roots: &Arc<RootCertStore>, pair: &Arc<CertifiedKey>, ca: &Pem) -> Result<ServerConfig, TlsError> {
    let of_the_authority = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider())
        .build()
        .map_err(|error| ca.unfit(&error))?;
    Ok(ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has ciphers for TLS 1.3")
        .with_client_cert_verifier(Arc::new(OneOfUs { of_the_authority, name: inner_name() }))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(pair)))))
}

fn client(roots: &Arc<RootCertStore>, pair: &Arc<CertifiedKey>) -> ClientConfig {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("ring has ciphers for TLS 1.3")
        .with_root_certificates(Arc::clone(roots))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(pair))));
    // Certificates are looked at with every connection.
    config.resumption = Resumption::disabled();
    config
}

fn inner_name() -> ServerName<'static> {
    ServerName::try_from(INNER_NAME).expect("it is a name")
}

// === impl OneOfUs ===

impl ClientCertVerifier for OneOfUs {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.of_the_authority.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.of_the_authority.verify_client_cert(certificate, intermediates, now)?;
        verify_server_name(&ParsedCertificate::try_from(certificate)?, &self.name)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_the_authority.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.of_the_authority.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.of_the_authority.supported_verify_schemes()
    }
}
