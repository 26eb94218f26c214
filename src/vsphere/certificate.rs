//! First contact: fetch a server's certificate, so that a person can compare it. Nothing else is sent.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error::{CertificateProblem, VsphereError};
use super::tls;
use crate::domain::thumbprint::ServerCertificate;
use crate::domain::vcenter::VcenterAddress;
use crate::domain::x509;

/// How long the whole look may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The certificate that this server shows now.
///
/// # Errors
/// If it cannot be reached, speaks no TLS, or cannot prove that the certificate is its own.
pub async fn fetch_certificate(address: &VcenterAddress) -> Result<ServerCertificate, VsphereError> {
    let attempted = || "fetch the certificate".to_owned();
    let server = address.to_string();
    match tokio::time::timeout(PATIENCE, look(address)).await {
        Err(_elapsed) => Err(VsphereError::TimedOut { attempted: attempted(), server }),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(Look::Io(source))) => {
            Err(VsphereError::Unreachable { attempted: attempted(), server, source: Box::new(source) })
        }
        Ok(Err(Look::Weak(reason))) => Err(VsphereError::Certificate {
            attempted: attempted(),
            server,
            problem: Box::new(CertificateProblem::NotProved { reason }),
        }),
    }
}

enum Look {
    Io(std::io::Error),
    Weak(String),
}

async fn look(address: &VcenterAddress) -> Result<ServerCertificate, Look> {
    let other = |text: String| Look::Io(std::io::Error::other(text));
    let config = tls::looking().map_err(|error| other(error.to_string()))?;
    let name = ServerName::try_from(address.host.clone()).map_err(|error| other(error.to_string()))?;
    let stream = TcpStream::connect((address.host.as_str(), address.port)).await.map_err(Look::Io)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match tls {
            Some(rustls::Error::InvalidCertificate(reason)) => Look::Weak(reason.to_string()),
            Some(rustls::Error::PeerIncompatible(reason)) => Look::Weak(format!("{reason:?}")),
            _ => Look::Io(error),
        }
    })?;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    shown.map(|der| x509::describe(der)).ok_or_else(|| other("the server showed no certificate".to_owned()))
}
