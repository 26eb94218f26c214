//! HTTP: the listener, TLS, the layers around every request, and the one router of pages and API.
//!
//! In: who asks ([`identify`]), whether they may ([`guard`], by the table in `auth`), where a form came from
//! ([`forms`]), headers, limits, errors drawn as a page or as a problem document ([`draw`]), numbers for monitoring.
//! Out: what is asked for; that is in `web` and `api`.

mod certificate;
mod draw;
mod forms;
mod guard;
mod headers;
mod identify;
mod listener;
mod metrics;
mod monitor;
mod record;
mod routes;
mod run;
mod serving;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use certificate::{Certificate, CertificateError};
pub use routes::{Routes, router};
pub use run::{Bound, ServeError};

/// How the server is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address and port; port 0 means any free one.
    pub listen: SocketAddr,
    /// How connections are secured.
    pub tls: Tls,
    /// Whether what is behind the pages is simulated.
    pub simulated: bool,
}

/// How connections are secured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// By a certificate that is made at the first start and kept in this directory.
    SelfSigned(PathBuf),
    /// By this certificate chain and this key, both PEM.
    Own {
        /// The chain, the server's own certificate first.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Not at all: for a proxy on the same machine that does it.
    Off,
}

impl Tls {
    /// The scheme of addresses.
    pub fn scheme(&self) -> &'static str {
        if *self == Self::Off { "http" } else { "https" }
    }
}
