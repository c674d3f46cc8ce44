//! Certificates for tests: an authority that issues them into files of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::OnceLock;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use skep_tls::{Connector, INNER_NAME, MutualFiles, TlsFiles, Trust};

/// This machine, as tests name it.
const THIS_MACHINE: [&str; 2] = ["localhost", "127.0.0.1"];

/// Issues certificates. Its folder goes with it.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub folder: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let name = format!("skep-authority-{:x}", rand::random::<u64>());
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

    /// The one that all clients of a test's deployment trust.
    pub fn known() -> &'static Self {
        static KNOWN: OnceLock<Authority> = OnceLock::new();
        KNOWN.get_or_init(Self::new)
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What listeners of this machine show.
    pub fn public(&self) -> TlsFiles {
        self.files(&THIS_MACHINE)
    }

    /// What a process inside has. In this machine's names too, so that a stranger who trusts the authority gets as far
    /// as to be refused.
    pub fn inner(&self) -> MutualFiles {
        self.mutual(&[INNER_NAME, "localhost", "127.0.0.1"])
    }

    /// What a process in these names has.
    pub fn mutual(&self, names: &[&str]) -> MutualFiles {
        let TlsFiles { certificate, key } = self.files(names);
        MutualFiles { ca: self.ca(), certificate, key }
    }

    /// A new pair for this machine, in the same files.
    pub fn renew(&self, files: &TlsFiles) {
        self.write(files, &THIS_MACHINE);
    }

    /// Accepts certificates of this authority.
    pub fn connector(&self) -> Connector {
        Connector::trusting(&Trust::in_file(&self.ca()).unwrap())
    }

    /// A certificate and its key, as text.
    pub fn issue(&self, names: &[&str]) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A new pair in these names.
    pub fn files(&self, names: &[&str]) -> TlsFiles {
        let file = self.folder.join(format!("{:x}", rand::random::<u64>()));
        let files = TlsFiles { certificate: file.with_extension("pem"), key: file.with_extension("key") };
        self.write(&files, names);
        files
    }

    fn write(&self, files: &TlsFiles, names: &[&str]) {
        let (certificate, key) = self.issue(names);
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
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
