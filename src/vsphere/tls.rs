//! Which server certificates are accepted: the pinned one alone, or those that this machine trusts.
//!
//! A pinned certificate is compared as a whole, and the handshake's signature is still verified: having seen
//! the certificate is not enough to be the server.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::error::CertificateProblem;
use crate::domain::vcenter::Trust;
use crate::domain::x509;

/// What the last handshake that failed was about.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<Option<CertificateProblem>>);

impl Findings {
    /// What was found since the last call.
    pub(crate) fn take(&self) -> Option<CertificateProblem> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, problem: CertificateProblem) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(problem);
    }
}

/// What is asked of a server.
enum Accept {
    As(Trust),
    /// Nothing: its certificate is only looked at, and no request follows.
    Whatever,
}

/// A configuration that accepts what `trust` says, and notes in `findings` what it refused.
pub(crate) fn config(trust: Trust, findings: Arc<Findings>) -> Result<ClientConfig, Error> {
    build(Accept::As(trust), findings)
}

/// A configuration that accepts every certificate, to look at it.
pub(crate) fn looking() -> Result<ClientConfig, Error> {
    build(Accept::Whatever, Arc::default())
}

fn build(accept: Accept, findings: Arc<Findings>) -> Result<ClientConfig, Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let system = match accept {
        Accept::As(Trust::System) => system_roots(&provider)?,
        _ => None,
    };
    let verifier = Verifier { accept, system, findings, provider: Arc::clone(&provider) };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// None if this machine trusts nobody.
fn system_roots(provider: &Arc<CryptoProvider>) -> Result<Option<Arc<WebPkiServerVerifier>>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Ok(None);
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map(Some)
        .map_err(|error| Error::General(error.to_string()))
}

struct Verifier {
    accept: Accept,
    system: Option<Arc<WebPkiServerVerifier>>,
    findings: Arc<Findings>,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    fn refuse(&self, problem: CertificateProblem) -> Error {
        self.findings.put(problem);
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
    }

    fn proved(
        &self,
        outcome: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        outcome.inspect_err(|error| {
            self.findings.put(CertificateProblem::NotProved { reason: error.to_string() });
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.accept {
            Accept::Whatever => Ok(ServerCertVerified::assertion()),
            Accept::As(Trust::Pinned(pinned)) => {
                if x509::thumbprint(end_entity) == pinned {
                    return Ok(ServerCertVerified::assertion());
                }
                let found = x509::describe(end_entity);
                Err(self.refuse(CertificateProblem::Changed { pinned, found }))
            }
            Accept::As(Trust::System) => {
                let outcome = match &self.system {
                    Some(system) => system
                        .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                        .map_err(|error| error.to_string()),
                    None => Err("this machine has no trusted roots".to_owned()),
                };
                outcome.map_err(|reason| {
                    let found = x509::describe(end_entity);
                    self.refuse(CertificateProblem::Unknown { reason, found })
                })
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.proved(verify_tls12_signature(message, cert, dss, algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        self.proved(verify_tls13_signature(message, cert, dss, algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
