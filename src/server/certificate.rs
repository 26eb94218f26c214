//! The server's certificate: made where there is none, read where there is one, exchanged without a restart.

use std::fmt;
use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::Tls;
use crate::domain::thumbprint::Presented;
use crate::domain::x509;

/// Days that a self-signed certificate is good for: the most that browsers accept of one that a person trusted.
const GOOD_DAYS: u64 = 825;
/// It is made anew when it has fewer days left than this.
const RENEW_DAYS: u64 = 60;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file.
    #[error("could not {attempted} {}", path.display())]
    File {
        /// What was attempted.
        attempted: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its content.
    #[error("{} cannot be used: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Making one.
    #[error("could not make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

impl CertificateError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::File { .. } => "Check the path, and that the user that Zerfaux runs as may read the file.",
            Self::Content { .. } => {
                "Give a PEM file with the certificate chain, and one with its unencrypted private key."
            }
            Self::Make(_) => "This is a bug in Zerfaux: please report it with the log.",
        }
    }
}

/// The certificate in use. Clones share it; [`Certificate::reload`] exchanges it for new connections.
#[derive(Clone)]
pub struct Certificate {
    tls: Tls,
    names: Vec<String>,
    current: Arc<RwLock<Arc<CertifiedKey>>>,
}

impl Certificate {
    /// Reads the certificate that `tls` names; makes it where that is wanted and there is none, or it is about to
    /// expire. None with [`Tls::Off`]. `addresses` are put into one that is made, beside the names of this machine.
    ///
    /// # Errors
    /// If a file cannot be read or written, or does not hold what it should.
    pub fn open(tls: &Tls, addresses: &[IpAddr]) -> Result<Option<Self>, CertificateError> {
        let names = names(addresses);
        let Some(key) = load(tls, &names)? else { return Ok(None) };
        Ok(Some(Self { tls: tls.clone(), names, current: Arc::new(RwLock::new(Arc::new(key))) }))
    }

    /// Reads the files again. Connections that are open stay as they are; if it fails, so do new ones.
    ///
    /// # Errors
    /// As [`Certificate::open`]; the old certificate then stays in use.
    pub fn reload(&self) -> Result<(), CertificateError> {
        if let Some(key) = load(&self.tls, &self.names)? {
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
        }
        Ok(())
    }

    /// SHA-256 of the certificate, as browsers show it.
    pub fn fingerprint(&self) -> String {
        self.presented().certificate.thumbprint.to_string()
    }

    /// What the certificate in use says.
    pub fn presented(&self) -> Presented {
        let key = self.key();
        let certificate = x509::describe(key.cert.first().map(|one| one.as_ref()).unwrap_or_default());
        Presented { certificate, self_signed: matches!(self.tls, Tls::SelfSigned(_)) }
    }

    fn key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What rustls needs to accept connections: TLS 1.2 and 1.3, HTTP/2 preferred.
    pub(super) fn server_config(&self) -> Result<rustls::ServerConfig, rustls::Error> {
        let provider = Arc::new(ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("tls", &self.tls).finish_non_exhaustive()
    }
}

fn load(tls: &Tls, names: &[String]) -> Result<Option<CertifiedKey>, CertificateError> {
    match tls {
        Tls::Off => Ok(None),
        Tls::Own { certificate, key } => read(certificate, key).map(Some),
        Tls::SelfSigned(directory) => {
            let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
            if is_old(&certificate) || !key.exists() {
                make(directory, &certificate, &key, names)?;
            }
            read(&certificate, &key).map(Some)
        }
    }
}

/// Whether there is none, or it was made so long ago that it is about to expire.
fn is_old(certificate: &Path) -> bool {
    let age = fs::metadata(certificate).and_then(|file| file.modified()).ok();
    let age = age.and_then(|made| made.elapsed().ok()).unwrap_or_default();
    !certificate.exists() || age > Duration::from_secs((GOOD_DAYS - RENEW_DAYS) * 86_400)
}

fn make(directory: &Path, certificate: &Path, key: &Path, names: &[String]) -> Result<(), CertificateError> {
    let pair = KeyPair::generate()?;
    let mut params = CertificateParams::new(names.to_vec())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, names.first().map_or("zerfaux", String::as_str));
    subject.push(DnType::OrganizationName, "Zerfaux (self-signed)");
    params.distinguished_name = subject;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = std::time::SystemTime::now();
    params.not_before = (now - Duration::from_secs(86_400)).into();
    params.not_after = (now + Duration::from_secs(GOOD_DAYS * 86_400)).into();
    let made = params.self_signed(&pair)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|source| {
        CertificateError::File { attempted: "make the directory", path: directory.to_owned(), source }
    })?;
    // The key first: a certificate without its key would look finished.
    write(key, pair.serialize_pem().as_bytes())?;
    write(certificate, made.pem().as_bytes())
}

fn write(path: &Path, content: &[u8]) -> Result<(), CertificateError> {
    let failed = |source| CertificateError::File { attempted: "write", path: path.to_owned(), source };
    let unfinished = path.with_extension("unfinished");
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&unfinished).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, CertificateError> {
    let bytes = |path: &Path| {
        fs::read(path).map_err(|source| CertificateError::File {
            attempted: "read",
            path: path.to_owned(),
            source,
        })
    };
    let wrong = |path: &Path, why: String| CertificateError::Content { path: path.to_owned(), why };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&bytes(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(certificate, "it holds no certificate".to_owned()));
    }
    let private =
        PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(|error| wrong(key, error.to_string()))?;
    CertifiedKey::from_der(chain, private, &ring::default_provider())
        .map_err(|error| wrong(key, format!("it does not fit {}: {error}", certificate.display())))
}

/// What this machine may be called: its name, localhost, and its addresses.
fn names(addresses: &[IpAddr]) -> Vec<String> {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let mut names: Vec<String> = vec![host.trim().to_owned(), "localhost".into()];
    names.retain(|name| !name.is_empty() && name.is_ascii());
    names.extend(["127.0.0.1".to_owned(), "::1".to_owned()]);
    names.extend(addresses.iter().filter(|address| !address.is_unspecified()).map(ToString::to_string));
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
