//! From options to a server that answers, and to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::certificate::{Certificate, CertificateError};
use super::listener::Accepting;
use super::{Options, Routes, serving};
use crate::app::App;

/// How long requests under way may take at the end.
const GRACE: Duration = Duration::from_secs(10);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port.
    #[error("could not listen on {address}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// TLS.
    #[error("could not set up TLS")]
    Tls(#[from] rustls::Error),
}

impl ServeError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Listen { .. } => {
                "Another program may have the port: choose another one with --listen ADDRESS:PORT. Ports below 1024 \
                 need the right to bind them."
            }
            Self::Certificate(error) => error.advice(),
            Self::Tls(_) => "This is a bug in Zerfaux: please report it with the log.",
        }
    }
}

/// A server that has its port and does not answer yet.
pub struct Bound {
    listener: Accepting,
    router: Router,
    app: App,
    certificate: Option<Certificate>,
    closing: CancellationToken,
    scheme: &'static str,
}

impl std::fmt::Debug for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bound").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Bound {
    /// Takes the port, reads the certificate, puts the router together.
    ///
    /// # Errors
    /// If the port is taken or may not be, or the certificate cannot be used.
    pub async fn new(app: App, options: &Options) -> Result<Self, ServeError> {
        let certificate = Certificate::open(&options.tls, &[options.listen.ip()])?;
        let app = match certificate.clone() {
            Some(shown) => app.with_certificate(move || shown.presented()),
            None => app,
        };
        let acceptor = match &certificate {
            Some(certificate) => Some(TlsAcceptor::from(Arc::new(certificate.server_config()?))),
            None => None,
        };
        let failed = |source| ServeError::Listen { address: options.listen, source };
        let socket = TcpListener::bind(options.listen).await.map_err(failed)?;
        let listener = Accepting::start(socket, acceptor).map_err(failed)?;
        let closing = CancellationToken::new();
        let Routes { router, .. } = super::router(app.clone(), options, closing.clone());
        Ok(Self { listener, router, app, certificate, closing, scheme: options.tls.scheme() })
    }

    /// The address that people type, for example `https://127.0.0.1:8443`.
    ///
    /// # Errors
    /// If the system does not say which port it gave.
    pub fn address(&self) -> std::io::Result<String> {
        Ok(format!("{}://{}", self.scheme, self.listener.local_addr()?))
    }

    /// The certificate in use, if any.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Answers requests and runs jobs until `shutdown` fires; then requests under way are finished, jobs stop at a
    /// boundary (they go on at the next start), and the data directory is let go.
    ///
    /// # Errors
    /// If the system takes the listener away.
    pub async fn run(self, shutdown: CancellationToken) -> std::io::Result<()> {
        let Self { listener, router, app, closing, .. } = self;
        let engine = tokio::spawn({
            let (app, stop) = (app.clone(), closing.clone());
            async move { app.serve_jobs(stop).await }
        });
        let server = tokio::spawn(serving::serve(listener, router, closing.clone()));
        let abort = server.abort_handle();
        shutdown.cancelled().await;
        tracing::info!("stopping: requests under way are finished, jobs go on at the next start");
        closing.cancel();
        let ended = tokio::time::timeout(GRACE, server).await;
        if ended.is_err() {
            abort.abort();
            tracing::warn!("some requests did not end in time and were cut off");
        }
        if let Err(error) = engine.await {
            tracing::error!(%error, "the job engine was lost");
        }
        app.close().await;
        Ok(())
    }
}
