//! Certificates for deployments that speak TLS.

use std::path::PathBuf;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use skep_tls::{Connector, INNER_NAME, MutualFiles, TlsFiles, Trust};

/// Issues certificates into files of its own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let name = format!("skep-authority-{:x}", rand::random::<u64>());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// The one that all clients here trust.
    pub fn known() -> &'static Self {
        static KNOWN: OnceLock<Authority> = OnceLock::new();
        KNOWN.get_or_init(Self::new)
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What listeners at this machine's address show.
    pub fn public(&self) -> TlsFiles {
        self.files("127.0.0.1")
    }

    /// What a process inside has.
    pub fn inner(&self) -> MutualFiles {
        let TlsFiles { certificate, key } = self.files(INNER_NAME);
        MutualFiles { ca: self.ca(), certificate, key }
    }

    /// A new pair in the name of this machine's address.
    pub fn renew(&self, files: &TlsFiles) {
        self.write(files, "127.0.0.1");
    }

    /// Accepts certificates of this authority.
    pub fn connector(&self) -> Connector {
        Connector::trusting(&Trust::in_file(&self.ca()).unwrap())
    }

    fn files(&self, name: &str) -> TlsFiles {
        let file = self.folder.join(format!("{:x}", rand::random::<u64>()));
        let files = TlsFiles { certificate: file.with_extension("pem"), key: file.with_extension("key") };
        self.write(&files, name);
        files
    }

    fn write(&self, files: &TlsFiles, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        std::fs::write(&files.certificate, params.signed_by(&key, &self.issuer).unwrap().pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.folder);
    }
}
