//! Certificates for tests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use skep_tls::{MutualFiles, TlsFiles};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// Issues certificates, and keeps files in a folder of its own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub folder: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("skep-tls-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Authorities of one name are told apart only by their signatures.
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate in this name, beside this machine's own, and its key, as text.
    pub fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned(), "localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// The same, in files.
    pub fn files(&self, name: &str) -> TlsFiles {
        let files = TlsFiles {
            certificate: self.folder.join(format!("{name}.pem")),
            key: self.folder.join(format!("{name}.key")),
        };
        self.renew(&files, name);
        files
    }

    pub fn renew(&self, files: &TlsFiles, name: &str) {
        let (certificate, key) = self.issue(name);
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
    }

    /// What a process inside has.
    pub fn mutual(&self, name: &str) -> MutualFiles {
        let TlsFiles { certificate, key } = self.files(name);
        MutualFiles { ca: self.ca(), certificate, key }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Two ends of a connection over loopback.
pub async fn ends() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Says a word and hears it back.
pub async fn echoes(wire: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) -> std::io::Result<()> {
    wire.write_all(b"hello").await?;
    wire.flush().await?;
    let mut heard = [0; 5];
    wire.read_exact(&mut heard).await?;
    assert_eq!(&heard, b"hello");
    Ok(())
}

/// Serves a word back to everybody, until the test ends.
pub async fn echo(acceptor: skep_tls::Acceptor) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut wire) = acceptor.accept(tcp).await else { return };
                let mut word = [0; 5];
                while wire.read_exact(&mut word).await.is_ok() {
                    wire.write_all(&word).await.unwrap();
                    wire.flush().await.unwrap();
                }
            });
        }
    });
    address
}

pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The file's own name for this one.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
