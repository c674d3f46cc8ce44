//! The files that a configuration names, and what is made of their contents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::{
    RootCertStore,
    client::verify_server_name,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use serde::Deserialize;

use crate::TlsError;

/// What a listener shows.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate, and after it those between it and the authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

/// What the processes of a deployment show one another.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MutualFiles {
    /// The authority whose certificates are accepted (PEM; several while it is replaced).
    pub ca: PathBuf,
    /// This process's certificate, in the name of `skep.internal` (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

impl TlsFiles {
    /// Why they cannot be used.
    pub fn check(&self) -> Result<(), TlsError> {
        Pem::read(&self.certificate)?.pair(&Pem::read(&self.key)?).map(|_| ())
    }
}

impl MutualFiles {
    /// Why they cannot be used.
    pub fn check(&self) -> Result<(), TlsError> {
        crate::mutual::build(&Pem::read(&self.ca)?, &Pem::read(&self.certificate)?, &Pem::read(&self.key)?).map(|_| ())
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A file as it was read.
#[derive(PartialEq, Eq)]
pub(crate) struct Pem {
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Pem {
    pub fn read(file: &Path) -> Result<Self, TlsError> {
        let bytes = std::fs::read(file).map_err(|source| TlsError::Unreadable { file: file.into(), source })?;
        Ok(Self { file: file.into(), bytes })
    }

    /// All certificates in it: one at least.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        let found = found.map_err(|error| self.malformed("certificate", &error))?;
        if found.is_empty() { Err(TlsError::Empty { file: self.file.clone() }) } else { Ok(found) }
    }

    /// As authorities.
    pub fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates()? {
            roots.add(certificate).map_err(|error| self.unfit(&error))?;
        }
        Ok(roots)
    }

    /// This chain with its key, if they belong together.
    pub fn pair(&self, key: &Self) -> Result<CertifiedKey, TlsError> {
        let chain = self.certificates()?;
        let secret = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|error| key.malformed("private key", &error))?;
        CertifiedKey::from_der(chain, secret, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Strangers { certificate: self.file.clone(), key: key.file.clone() }
            }
            error => self.unfit(&error),
        })
    }

    /// Whether its first certificate is in this name.
    pub fn is_named(&self, name: &ServerName<'_>) -> Result<(), TlsError> {
        let chain = self.certificates()?;
        let first = ParsedCertificate::try_from(&chain[0]).map_err(|error| self.unfit(&error))?;
        verify_server_name(&first, name).map_err(|_| TlsError::Name { file: self.file.clone() })
    }

    pub fn unfit(&self, error: &dyn std::error::Error) -> TlsError {
        TlsError::Unfit { file: self.file.clone(), reason: error.to_string() }
    }

    /// The parser's own words may quote the file, and it may be the key's.
    fn malformed(&self, what: &'static str, error: &rustls::pki_types::pem::Error) -> TlsError {
        use rustls::pki_types::pem::Error;
        let reason = match error {
            Error::NoItemsFound => "there is none",
            Error::MissingSectionEnd { .. } => "it breaks off",
            _ => "it is no PEM",
        };
        TlsError::Malformed { file: self.file.clone(), what, reason }
    }
}
