//! `zerfaux serve`

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::demo::{Sites, key, seed};
use super::exit::{Exit, Trouble};
use super::options::{absolute, data_dir, passphrase};
use super::output;
use crate::app::{App, Principal};
use crate::config::Settings;
use crate::domain::causes::with_causes;
use crate::domain::listen::{ListenAddress, TlsMode};
use crate::server::{Bound, Certificate, Options as ServerOptions, Tls};

/// Run Zerfaux as a service: web interface, API, jobs.
///
/// At the first start, a one-time link on standard error creates the first administrator. If the environment
/// variable ZERFAUX_ADMIN_PASSWORD is set then, the user `admin` is created with it instead. SIGHUP reads the
/// certificate again.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) options: Options,
}

/// How the service is reached.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Options {
    /// Where to listen; port 0 takes any free one. Default: 0.0.0.0:8443
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) listen: Option<ListenAddress>,
    /// auto: TLS with a certificate that is made at the first start, or the one given. off: plain HTTP, for a proxy
    /// on this machine
    #[arg(long, value_name = "MODE")]
    pub(super) tls: Option<TlsMode>,
    /// Certificate chain for TLS (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) tls_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) tls_key: Option<PathBuf>,
}

impl Serve {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        let directory = absolute(&data_dir(settings))?;
        let tls = tls(settings, &directory)?;
        let app = crate::boot::serving(&directory, passphrase()).await.map_err(|error| {
            let trouble =
                if error.protects_data() { Trouble::refused(&error) } else { Trouble::failed(&error) };
            trouble.advise(error.advice())
        })?;
        let sites = stubs(&app, settings).await?;
        let options = ServerOptions { listen: settings.listen.0, tls, simulated: sites.is_some() };
        let bound = Bound::new(app.clone(), &options)
            .await
            .map_err(|error| Trouble::failed(&error).advise(error.advice()))?;
        let address = bound.address().map_err(|error| Trouble::failed(&error))?;
        if options.tls == Tls::Off && !options.listen.ip().is_loopback() {
            output::remark("zerfaux: without TLS, passwords and cookies cross the network in clear.");
        }
        if let Some(certificate) = bound.certificate() {
            tracing::info!(fingerprint = certificate.fingerprint(), "the certificate in use (SHA-256)");
        }
        first_admin(&app, &address).await?;
        let shutdown = CancellationToken::new();
        listen_to_signals(&shutdown, bound.certificate().cloned())
            .map_err(|error| Trouble::failed(&error))?;
        output::line(format_args!("zerfaux: listening on {address}"));
        // Nobody who waits for it, no error.
        let _no_systemd = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        bound.run(shutdown).await.map_err(|error| Trouble::failed(&error))?;
        drop(sites);
        Ok(Exit::Done)
    }
}

/// How often the simulated sites replicate.
const STUBS_REPLICATE: Duration = Duration::from_secs(300);

/// The built-in simulated sites, where ZERFAUX_USE_STUBS asks for them: never by accident.
async fn stubs(app: &App, settings: &Settings) -> Result<Option<Sites>, Trouble> {
    if settings.use_stubs != Some(true) {
        return Ok(None);
    }
    output::remark(
        "zerfaux: ZERFAUX_USE_STUBS is on: the simulated sites are connected, and every page says so.",
    );
    let key = key(app, &Principal::command_line()).await?;
    let sites = Sites::start(&key.public_key).await?;
    seed(app, &sites, STUBS_REPLICATE).await?;
    Ok(Some(sites))
}

pub(super) fn tls(settings: &Settings, directory: &std::path::Path) -> Result<Tls, Trouble> {
    match (settings.tls, &settings.tls_cert, &settings.tls_key) {
        (TlsMode::Off, None, None) => Ok(Tls::Off),
        (TlsMode::Off, ..) => Err(Trouble::misuse("A certificate was given together with --tls off.")
            .advise("Leave one of the two out.")),
        (TlsMode::Auto, None, None) => Ok(Tls::SelfSigned(directory.join("tls"))),
        (TlsMode::Auto, Some(certificate), Some(key)) => {
            Ok(Tls::Own { certificate: absolute(certificate)?, key: absolute(key)? })
        }
        (TlsMode::Auto, ..) => Err(Trouble::misuse("A certificate needs both --tls-cert and --tls-key.")
            .advise("Give the two files, or neither: then a self-signed certificate is made.")),
    }
}

/// Sees to it that somebody can sign in: by the environment, or by a link that works once.
async fn first_admin(app: &App, address: &str) -> Result<(), Trouble> {
    if !app.needs_setup().await? {
        return Ok(());
    }
    let password = std::env::var("ZERFAUX_ADMIN_PASSWORD").ok().filter(|text| !text.is_empty());
    if let Some(password) = password.map(SecretString::from) {
        app.admin_from_environment(&password).await.map_err(|error| {
            Trouble::from(error).advise("This is about ZERFAUX_ADMIN_PASSWORD: set another one, or none.")
        })?;
        output::remark("zerfaux: the user admin was created with the password from ZERFAUX_ADMIN_PASSWORD.");
        return Ok(());
    }
    let code = app.new_setup_code().await?;
    let address = address.replace("://0.0.0.0:", "://localhost:").replace("://[::]:", "://localhost:");
    output::remark(format_args!(
        "zerfaux: nobody can sign in yet. Open this link once to create the first administrator:\n\
         \n    {address}/setup?code={}\n\n\
         From another machine, put this machine's name in the place of the address. The next start prints a new one.",
        code.reveal()
    ));
    Ok(())
}

/// SIGTERM and SIGINT end the service; SIGHUP reads the certificate again.
pub(super) fn listen_to_signals(
    shutdown: &CancellationToken,
    certificate: Option<Certificate>,
) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => reload(certificate.as_ref()),
            }
        }
        let _no_systemd = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        shutdown.cancel();
    });
    Ok(())
}

fn reload(certificate: Option<&Certificate>) {
    let Some(certificate) = certificate else { return };
    match certificate.reload() {
        Ok(()) => tracing::info!(fingerprint = certificate.fingerprint(), "the certificate was read again"),
        Err(error) => {
            tracing::error!("the old certificate stays in use: {}", with_causes(&error));
        }
    }
}
