//! What is wrong with files, and with whoever is at the other end, in words for an operator.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use rustls::{AlertDescription, CertificateError, Error as Tls, InvalidMessage};

/// Why files cannot be used. Says nothing of what is in them.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: {source}", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{}: has no {what} that can be read: {reason}", file.display())]
    Malformed { file: PathBuf, what: &'static str, reason: &'static str },
    #[error("{}: has no certificate", file.display())]
    Empty { file: PathBuf },
    #[error("{} is not the key of {}", key.display(), certificate.display())]
    Strangers { certificate: PathBuf, key: PathBuf },
    #[error("{}: the certificate is not in the name of {}, as all inside are", file.display(), crate::INNER_NAME)]
    Name { file: PathBuf },
    #[error("{}: {reason}", file.display())]
    Unfit { file: PathBuf, reason: String },
    #[error("no authority is known on this machine: name a file with one")]
    NoAuthority,
}

/// Why a handshake came to nothing, in a sentence.
pub fn explain(error: &Tls) -> String {
    match error {
        Tls::InvalidMessage(InvalidMessage::InvalidContentType) => "the other side does not speak TLS".to_owned(),
        Tls::NoCertificatesPresented => "the other side shows no certificate".to_owned(),
        // An authority of the same name has another key.
        Tls::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "the other side's certificate is of another authority".to_owned()
        }
        Tls::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "the other side's certificate has expired".to_owned()
        }
        Tls::InvalidCertificate(reason) => format!("the other side's certificate is not accepted: {reason}"),
        Tls::AlertReceived(AlertDescription::CertificateRequired) => {
            "the other side demands a certificate, and this process shows none".to_owned()
        }
        Tls::AlertReceived(AlertDescription::UnknownCA) => {
            "the other side does not accept this process's certificate: it is of another authority".to_owned()
        }
        Tls::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::AccessDenied),
        ) => format!("the other side does not accept this process's certificate: {alert:?}"),
        error => error.to_string(),
    }
}

/// What TLS itself has against the other side, or the other side against us, somewhere in the causes of an error.
/// `None`: it is about something else, such as nobody being there.
pub fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // The causes of an io::Error pass over the very error in it.
        let within =
            error.downcast_ref::<io::Error>().and_then(io::Error::get_ref).map(|inner| inner as &(dyn Error + 'static));
        if let Some(tls) = error.downcast_ref::<Tls>().or_else(|| within?.downcast_ref()) {
            return Some(explain(tls));
        }
        next = error.source();
    }
    None
}
