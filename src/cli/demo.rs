//! `zerfaux demo`: two simulated appliances in this process, and Zerfaux replicating between them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Trouble};
use super::output;
use super::sim::wait_for_the_end;
use crate::app::jobs::JobUpdate;
use crate::app::replications::{History, OnConflict, ReplicateInput};
use crate::domain::endpoint::Endpoint;
use crate::domain::job::{Job, JobState};
use crate::domain::location::{HostKeysRef, HostRef, IdentityRef, Location};
use crate::domain::retention::Retention;
use crate::domain::size::format_bytes;
use crate::domain::transport::{Dial, Transport};
use crate::sim::appliance::{Appliance, ApplianceOptions, POOL_SIZE, login_key};

/// Show Zerfaux at work between two simulated storage appliances, until Ctrl-C. Nothing real is touched.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Seconds from one replication to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Run the whole story in the terminal: not in this version
    #[arg(long)]
    drill: bool,
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

/// How often the company at the source works.
const WORKS_EVERY: Duration = Duration::from_secs(1);
const SOURCE: &str = "tank/company";
const DESTINATION: &str = "vault/replicas/company";

impl Demo {
    pub(super) async fn run(self) -> Result<Exit, Trouble> {
        if self.drill {
            return Err(Trouble::misuse("The drill is not in this version: it needs simulated vCenters.")
                .advise("Leave --drill out to see replication between two simulated appliances."));
        }
        let place = Place::new()?;
        let (private, public) = login_key().map_err(|error| Trouble::failed(&error))?;
        place.keep_key(&private)?;
        let site = |name: &str, pool: &str| {
            let options = ApplianceOptions {
                hostname: name.to_owned(),
                pools: vec![(pool.to_owned(), POOL_SIZE)],
                authorized_keys: Some(public.clone()),
                latency: Duration::from_millis(5),
                ..ApplianceOptions::default()
            };
            Appliance::start(options).map_err(|error| Trouble::failed(&error).advise(error.advice()))
        };
        let (here, there) = (site("site-a", "tank")?, site("site-b", "vault")?);
        found(&here)?;
        self.introduce(&here, &there);
        let app = crate::boot::passing(None).map_err(|error| Trouble::failed(&error))?;
        let mut updates = app.watch_all();
        let input = ReplicateInput {
            source: place.location(&here, SOURCE)?,
            destination: place.location(&there, DESTINATION)?,
            group: None,
            recursive: true,
            snapshot: true,
            history: History::All,
            keep_source: Retention { last: 2, ..Retention::default() },
            keep_destination: Retention { last: 12, ..Retention::default() },
            bandwidth_limit: None,
            transport: Transport::Auto,
            // Loopback would mean the dialling site itself; here both are on it.
            replication_address: Some(Dial {
                host: there.address().ip().to_string(),
                port: there.address().port(),
            }),
            on_conflict: OnConflict::Stop,
        };
        app.schedule_replication("demo", &input, Duration::from_secs(self.every)).await?;
        let shutdown = CancellationToken::new();
        let engine = tokio::spawn({
            let (app, shutdown) = (app.clone(), shutdown.clone());
            async move { app.serve_jobs(shutdown).await }
        });
        let mut show = Show { json: self.json, runs: 0 };
        let mut works = tokio::time::interval(WORKS_EVERY);
        let mut day = 0;
        let end = wait_for_the_end();
        tokio::pin!(end);
        loop {
            tokio::select! {
                () = &mut end => break,
                _ = works.tick() => {
                    day += 1;
                    work(&here, day);
                }
                Some(update) = updates.next() => {
                    if let JobUpdate::State { job, state } = update && (state.is_final() || state == JobState::Waiting) {
                        show.run(&app.job(job).await?, &there);
                    }
                }
            }
        }
        shutdown.cancel();
        // What runs stops at once, as in a crash; it is not worth more than a moment.
        let _ = tokio::time::timeout(Duration::from_secs(5), engine).await;
        show.farewell();
        Ok(Exit::Done)
    }

    fn introduce(&self, here: &Appliance, there: &Appliance) {
        let addresses = [here, there].map(|site| format!("ssh://root@{}", site.address()));
        if self.json {
            output::json(&json!({
                "event": "started", "simulated": true, "source": addresses[0], "destination": addresses[1],
                "every_seconds": self.every,
            }));
            return;
        }
        output::line("SIMULATED: no real system is touched. Ctrl-C ends it, and nothing stays.");
        output::line(format_args!("Site A  {}  {SOURCE}: a small company at work", addresses[0]));
        output::line(format_args!("Site B  {}  {DESTINATION}: its replica", addresses[1]));
        output::line(format_args!(
            "Replicated every {} seconds, straight from A to B over SSH, snapshot by snapshot.",
            self.every
        ));
    }
}

struct Show {
    json: bool,
    runs: u64,
}

impl Show {
    fn run(&mut self, job: &Job, there: &Appliance) {
        self.runs += 1;
        let number =
            |key: &str| job.result.as_ref().and_then(|result| result.get(key)?.as_u64()).unwrap_or(0);
        let kept = there.run(&format!("zfs list -H -o name -t snapshot {DESTINATION}")).stdout;
        let kept = kept.iter().filter(|byte| **byte == b'\n').count();
        if self.json {
            output::json(&json!({
                "event": "run", "run": self.runs, "state": job.state, "result": job.result, "error": job.failure,
                "snapshots_at_destination": kept,
            }));
            return;
        }
        let what = match (&job.failure, number("bytes")) {
            (Some(failure), _) => failure.message.clone(),
            (None, 0) => "nothing new to send, verified".to_owned(),
            (None, bytes) => {
                format!(
                    "{} in {} streams, verified; {kept} snapshots to go back to",
                    format_bytes(bytes),
                    number("streams")
                )
            }
        };
        let time = jiff::Zoned::now().strftime("%H:%M:%S");
        output::line(format_args!("{time}  run {}: {what}", self.runs));
    }

    fn farewell(&self) {
        if self.json {
            output::json(&json!({ "event": "ended", "runs": self.runs }));
        } else {
            output::line(format_args!("Ended after {} runs. Both simulated sites are gone.", self.runs));
        }
    }
}

/// What the company has when the demo begins.
fn found(site: &Appliance) -> Result<(), Trouble> {
    let made = site.run(&format!(
        "zfs create {SOURCE} && zfs create {SOURCE}/files && zfs create {SOURCE}/mail && zfs create -s -V 64M {SOURCE}/erp-disk"
    ));
    let failed = |error: std::io::Error| Trouble::failed(&error);
    if made.status != 0 {
        return Err(failed(std::io::Error::other(made.stderr)));
    }
    let files = [
        ("files", "contracts/2026/framework-agreement.pdf", 700 << 10),
        ("files", "drawings/pump-housing.step", 2 << 20),
        ("mail", "office/inbox.mbox", 900 << 10),
        ("erp-disk", "", 4 << 20),
    ];
    for (number, (dataset, path, size)) in (1..).zip(files) {
        site.write(&format!("{SOURCE}/{dataset}"), path, &bytes(size, number)).map_err(failed)?;
    }
    Ok(())
}

/// A second of work: mail comes in, orders are booked, somebody saves a drawing.
fn work(site: &Appliance, day: u64) {
    let size = usize::try_from(20_000 + day * 7919 % 200_000).unwrap_or(20_000);
    // A full pool ends the company's work, not the demo.
    let _ =
        site.write(&format!("{SOURCE}/mail"), &format!("office/new/{}.eml", day % 40), &bytes(size / 4, day));
    let _ = site.write(&format!("{SOURCE}/erp-disk"), "", &bytes(size, day + 1000));
    if day.is_multiple_of(5) {
        let path = format!("drawings/revision-{}.step", day % 20);
        let _ = site.write(&format!("{SOURCE}/files"), &path, &bytes(size * 2, day + 2000));
    }
}

/// Bytes that do not repeat, the same for the same seed.
fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..count.div_ceil(8)).flat_map(next).take(count).collect()
}

/// A directory of its own for the key, gone with the demo.
struct Place(PathBuf);

impl Place {
    fn new() -> Result<Self, Trouble> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("zerfaux-demo-{}", crate::domain::ids::JobId::new()));
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| Trouble::failed(&error))?;
        Ok(Self(path))
    }

    fn key(&self) -> PathBuf {
        self.0.join("key")
    }

    fn keep_key(&self, text: &str) -> Result<(), Trouble> {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let path: &Path = &self.key();
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| Trouble::failed(&error))
    }

    fn location(&self, site: &Appliance, dataset: &str) -> Result<Location, Trouble> {
        let address = site.address();
        let endpoint = Endpoint::new("root", &address.ip().to_string(), address.port())
            .map_err(|error| Trouble::failed(&error))?;
        let host_keys = HostKeysRef::Pinned(site.host_key_fingerprint());
        let host = HostRef::Ssh { endpoint, identities: vec![IdentityRef::File(self.key())], host_keys };
        Ok(Location {
            host,
            dataset: dataset
                .parse()
                .map_err(|error: crate::domain::names::NameError| Trouble::failed(&error))?,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
