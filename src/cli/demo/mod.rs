//! `zerfaux demo`: the whole of Zerfaux over two simulated sites in this process.

mod deployment;
mod drill;
mod protection;
mod seed;
mod sites;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Trouble};
use super::options::absolute;
use super::output;
use super::serve::{Options, listen_to_signals, tls};
use crate::app::App;
use crate::app::jobs::JobUpdate;
use crate::config::Settings;
use crate::domain::job::{Job, JobState};
use crate::domain::listen::ListenAddress;
use crate::server::{Bound, Options as ServerOptions, ServeError, Tls};

pub(super) use seed::{key, seed};
pub(super) use sites::Sites;

/// Try Zerfaux on two simulated sites inside this process, until Ctrl-C. Nothing real is touched.
///
/// It prints an address to open in a browser, and how to sign in. Everything is gone afterwards, unless --data-dir
/// names a directory for what Zerfaux itself keeps.
#[derive(Debug, Args)]
pub(super) struct Demo {
    #[command(flatten)]
    pub(super) options: Options,
    /// Seconds from one replication to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Run the story in the terminal instead, and check every step against what the simulated systems say themselves
    #[arg(long)]
    drill: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// How often the company at the primary site works.
const WORKS_EVERY: Duration = Duration::from_secs(2);
/// Where it listens unless said otherwise: for a browser on this machine only.
const LISTEN: &str = "127.0.0.1:8443";

impl Demo {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        if self.drill {
            return drill::run(self.json).await;
        }
        let place = Place::new(settings.data_dir.as_deref())?;
        let stubs = settings.use_stubs.unwrap_or(true);
        let app = crate::boot::serving(&place.path, None).await.map_err(|error| {
            let trouble =
                if error.protects_data() { Trouble::refused(&error) } else { Trouble::failed(&error) };
            trouble.advise(error.advice())
        })?;
        let password = admin(&app).await?;
        let sites = match stubs {
            true => {
                let key = key(&app, &crate::app::Principal::command_line()).await?;
                let sites = Sites::start(&key.public_key).await?;
                seed(&app, &sites, Duration::from_secs(self.every)).await?;
                Some(sites)
            }
            false => None,
        };
        let tls = tls(settings, &place.path)?;
        let bound = self.bind(&app, settings, tls, stubs).await?;
        let address = bound.address().map_err(|error| Trouble::failed(&error))?;
        let shutdown = CancellationToken::new();
        listen_to_signals(&shutdown, bound.certificate().cloned())
            .map_err(|error| Trouble::failed(&error))?;
        self.introduce(&address, password.as_deref(), sites.as_ref(), place.is_temporary);
        let mut updates = app.watch_all();
        let server = tokio::spawn(bound.run(shutdown.clone()));
        let mut works = tokio::time::interval(WORKS_EVERY);
        let (mut day, mut runs) = (0, 0_u64);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                _ = works.tick() => {
                    day += 1;
                    if let Some(sites) = &sites {
                        sites.work(day);
                    }
                }
                Some(update) = updates.next() => {
                    if let JobUpdate::State { job, state } = update && (state.is_final() || state == JobState::Waiting) {
                        let job = app.job(job).await?;
                        // Runs of the group are its own.
                        if job.kind == "replicate" && job.input["group"].is_null() {
                            runs += 1;
                            self.tell(&job, runs, sites.as_ref());
                        }
                    }
                }
            }
        }
        let ended = server.await.map_err(|error| Trouble::failed(&error))?;
        ended.map_err(|error| Trouble::failed(&error))?;
        match self.json {
            true => output::json(&json!({ "event": "ended", "runs": runs })),
            false => output::line("Ended. The simulated sites are gone."),
        }
        Ok(Exit::Done)
    }

    /// Takes the port that was asked for; without one the usual port, or any free one if that is taken.
    async fn bind(
        &self,
        app: &App,
        settings: &Settings,
        tls: Tls,
        simulated: bool,
    ) -> Result<Bound, Trouble> {
        let named = self.options.listen.is_some() || settings.listen != ListenAddress::default();
        let usual = LISTEN
            .parse()
            .map_err(|error: crate::domain::listen::BadListenAddress| Trouble::failed(&error))?;
        let wanted: ListenAddress = if named { settings.listen } else { usual };
        let mut options = ServerOptions { listen: wanted.0, tls, simulated };
        let trouble = |error: ServeError| Trouble::failed(&error).advise(error.advice());
        match Bound::new(app.clone(), &options).await {
            Err(ServeError::Listen { .. }) if !named => {
                options.listen.set_port(0);
                Bound::new(app.clone(), &options).await.map_err(trouble)
            }
            bound => bound.map_err(trouble),
        }
    }

    fn introduce(&self, address: &str, password: Option<&str>, sites: Option<&Sites>, temporary: bool) {
        if self.json {
            let names = |pick: fn(&sites::Site) -> &'static str| {
                sites.iter().flat_map(|sites| [pick(&sites.primary), pick(&sites.dr)]).collect::<Vec<_>>()
            };
            output::json(&json!({
                "event": "started", "simulated": sites.is_some(), "address": address, "username": "admin",
                "password": password, "vcenters": names(|site| site.vcenter_name),
                "appliances": names(|site| site.appliance_name), "every_seconds": self.every,
            }));
            return;
        }
        let stays =
            if temporary { "nothing stays" } else { "what Zerfaux keeps stays in the data directory" };
        match sites {
            Some(_) => output::line(format_args!(
                "SIMULATED: no real system is touched. Ctrl-C ends it, and {stays}."
            )),
            None => output::line(format_args!("Without simulated sites. Ctrl-C ends it, and {stays}.")),
        }
        output::line("");
        output::line(format_args!("  Open       {address}"));
        match password {
            Some(password) => output::line(format_args!("  Sign in    admin, password {password}")),
            None => output::line("  Sign in    as before"),
        }
        if address.starts_with("https") {
            output::line("             The certificate was made just now, so the browser warns once: go on.");
        }
        output::line("");
        if let Some(Sites { primary, dr, .. }) = sites {
            for (role, site) in [("Berlin ", primary), ("Potsdam", dr)] {
                output::line(format_args!(
                    "  {role}    {} ({} VMs and templates), {} (pool {})",
                    site.vcenter_name,
                    site.vcenter.count("VirtualMachine"),
                    site.appliance_name,
                    site.pool
                ));
            }
            output::line(format_args!(
                "  Every {} s {} of {} is replicated to {} of {}.",
                self.every,
                sites::SOURCE,
                primary.appliance_name,
                sites::DESTINATION,
                dr.appliance_name
            ));
            output::line("");
        }
        output::line(format_args!("zerfaux: listening on {address}"));
    }

    fn tell(&self, job: &Job, run: u64, sites: Option<&Sites>) {
        if !self.json {
            return;
        }
        let list = format!("zfs list -H -o name -t snapshot {}", sites::DESTINATION);
        let kept = sites.map(|sites| sites.dr.appliance.run(&list).stdout).unwrap_or_default();
        let kept = kept.iter().filter(|byte| **byte == b'\n').count();
        output::json(&json!({
            "event": "run", "run": run, "state": job.state, "result": job.result, "error": job.failure,
            "snapshots_at_destination": kept,
        }));
    }
}

/// The user `admin`, where there is nobody yet: with the password of the environment, or one that is made up and
/// returned to be shown.
async fn admin(app: &App) -> Result<Option<String>, Trouble> {
    if !app.needs_setup().await? {
        return Ok(None);
    }
    let given = std::env::var("ZERFAUX_ADMIN_PASSWORD").ok().filter(|text| !text.is_empty());
    let password = given.unwrap_or_else(|| {
        // The last six bytes of a new id are drawn at random (RFC 9562).
        let id = crate::domain::ids::SecretId::new();
        let drawn = id.as_bytes()[10..].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        format!("{}-{}-{}", &drawn[..4], &drawn[4..8], &drawn[8..])
    });
    app.admin_from_environment(&SecretString::from(password.as_str())).await?;
    Ok(Some(password))
}

/// Where the database lies: in the directory that was named, or in one of its own that is gone with the demo.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) is_temporary: bool,
}

impl Place {
    pub(super) fn new(named: Option<&Path>) -> Result<Self, Trouble> {
        use std::os::unix::fs::DirBuilderExt;
        if let Some(named) = named {
            return Ok(Self { path: absolute(named)?, is_temporary: false });
        }
        let path = std::env::temp_dir().join(format!("zerfaux-demo-{}", crate::domain::ids::JobId::new()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| Trouble::failed(&error))?;
        Ok(Self { path, is_temporary: true })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_temporary {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
