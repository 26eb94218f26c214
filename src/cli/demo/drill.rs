//! `zerfaux demo --drill`: the story in the terminal. Each scene does what an operator does, and then checks facts
//! against what the simulated systems say themselves. One wrong fact makes the whole drill fail.
//!
//! Scenes so far: connect, sync, appliances, deploy, datastore, replicate, replicate again, protect, DR shells, test failover, failover,
//! rollback.

mod deploy;
mod failover;
mod group;
mod rehearsal;

use std::fmt::Display;
use std::io::IsTerminal;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use super::super::exit::{Exit, Trouble};
use super::super::output;
use super::Place;
use super::seed::{add, connect, key, replication, target_wish, vcenter_wish};
use super::sites::{DESTINATION, SOURCE, Site, Sites};
use crate::app::inventory::VmFilter;
use crate::app::targets::Saved as SavedTarget;
use crate::app::vcenters::Saved;
use crate::app::{App, Principal};
use crate::domain::ids::JobId;
use crate::domain::job::{Job, JobState};
use crate::domain::size::format_bytes;

/// How many scenes there are.
const SCENES: u64 = 12;

/// Runs every scene on sites of its own, which are gone afterwards.
pub(super) async fn run(json: bool) -> Result<Exit, Trouble> {
    let place = Place::new(None)?;
    let app = crate::boot::serving(&place.path, None).await.map_err(|error| Trouble::failed(&error))?;
    let who = Principal::command_line();
    let key = key(&app, &who).await?;
    let sites = Sites::start(&key.public_key).await?;
    let mut stage = Stage::new(json);
    let both = [&sites.primary, &sites.dr];

    stage.scene("connect");
    let mut vcenters = Vec::new();
    for site in both {
        vcenters.push(stage.connects(&app, &who, site).await?);
    }
    stage.end();

    stage.scene("sync");
    for (site, vcenter) in both.into_iter().zip(&vcenters) {
        let job = app.vcenters()?.sync(&who, *vcenter).await?;
        stage.job(&app, job).await?;
        let known = app.vcenters()?.vms(&VmFilter { vcenter: Some(*vcenter), ..VmFilter::default() }).await?;
        let there = site.vcenter.count("VirtualMachine") as u64;
        stage.fact(
            format!(
                "{} has {there} VMs and templates, and the inventory knows {}",
                site.vcenter_name, known.total
            ),
            known.total == there,
        );
        let stores = app.vcenters()?.datastores(*vcenter).await?.len();
        let there = site.vcenter.count("Datastore");
        stage.fact(
            format!("{} has {there} datastores, and the inventory knows {stores}", site.vcenter_name),
            stores == there,
        );
    }
    stage.end();

    stage.scene("appliances");
    let mut targets = Vec::new();
    for (site, vcenter) in both.into_iter().zip(&vcenters) {
        let asked = app.create_target(&who, &target_wish(site, &key, *vcenter, "")).await?;
        let shown = match &asked {
            SavedTarget::Compare(found) => found.fingerprint.clone(),
            _ => "none".to_owned(),
        };
        let right = shown == site.appliance.host_key_fingerprint();
        stage.fact(format!("{} shows its host key before anything is kept", site.appliance_name), right);
        targets.push(add(&app, &who, site, &key, *vcenter).await?);
    }
    let known = app.targets().await?.len();
    stage.fact(format!("{known} appliances are known"), known == 2);
    stage.end();

    stage.scene("deploy");
    let deployed = stage.deploys(&app, &who, &sites.dr, &key, vcenters[1]).await?;
    stage.end();

    stage.scene("datastore");
    stage.makes_datastore(&app, &who, &sites, &deployed, vcenters[1]).await?;
    stage.end();

    let input = replication(&targets[0], &targets[1], &key)?;
    stage.scene("replicate");
    let first = app.start_replication(&input, &who.actor()).await?;
    let first = stage.job(&app, first).await?;
    stage.compares(&sites, SOURCE, DESTINATION);
    stage.end();

    stage.scene("replicate again");
    (1..=5).for_each(|day| sites.work(day));
    let again = app.start_replication(&input, &who.actor()).await?;
    let again = stage.job(&app, again).await?;
    stage.compares(&sites, SOURCE, DESTINATION);
    let bytes = |job: &Job| job.result.as_ref().and_then(|result| result["bytes"].as_u64()).unwrap_or(0);
    let (all, changed) = (bytes(&first), bytes(&again));
    stage.fact(
        format!("only what changed was sent: {} after {}", format_bytes(changed), format_bytes(all)),
        changed > 0 && changed < all,
    );
    let checkpoints = snapshots(&sites.dr, DESTINATION).len();
    stage.fact(format!("{checkpoints} checkpoints to go back to"), checkpoints >= 2);
    stage.end();

    stage.scene("protect");
    let protected = stage.protects(&app, &who, &sites, &vcenters, &targets).await?;
    stage.end();

    stage.scene("DR shells");
    stage.makes_shells(&app, &who, &sites, &protected).await?;
    stage.end();

    stage.scene("test failover");
    stage.rehearses(&app, &who, &sites, &protected).await?;
    stage.end();

    stage.scene("failover");
    let over = stage.fails_over(&app, &who, &sites, &protected).await?;
    stage.end();

    stage.scene("rollback");
    stage.rolls_back(&app, &who, &sites, &protected, &over).await?;
    stage.end();
    let verdict = app.verify_audit().await?;
    stage.fact(format!("the audit log has {} lines, unbroken", verdict.lines), verdict.broken.is_none());
    app.close().await;
    Ok(stage.verdict())
}

/// Name and GUID of each snapshot of a dataset, as the appliance says it.
fn snapshots(site: &Site, dataset: &str) -> Vec<(String, String)> {
    let listed =
        site.appliance.run(&format!("zfs list -H -p -o name,guid -t snapshot -s creation {dataset}"));
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = |line: &str| {
        let (name, guid) = line.split_once('\t')?;
        Some((name.split_once('@')?.1.to_owned(), guid.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// What is shown, and what was found.
struct Stage {
    json: bool,
    bar: Option<ProgressBar>,
    scene: &'static str,
    number: u64,
    began: Instant,
    facts: Vec<(String, bool)>,
    total: usize,
    wrong: usize,
}

impl Stage {
    fn new(json: bool) -> Self {
        if !json {
            output::line("SIMULATED: no real system is touched.");
        }
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr_with_hz(10));
            if let Ok(style) =
                ProgressStyle::with_template("  {prefix:>16} [{bar:30}] {percent:>3} %  {wide_msg}")
            {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { json, bar, scene: "", number: 0, began: Instant::now(), facts: Vec::new(), total: 0, wrong: 0 }
    }

    fn scene(&mut self, name: &'static str) {
        (self.scene, self.began) = (name, Instant::now());
        self.number += 1;
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("{}/{SCENES} {name}", self.number));
            bar.set_position(0);
            bar.set_message("");
        }
    }

    fn fact(&mut self, what: impl Display, right: bool) {
        self.total += 1;
        self.wrong += usize::from(!right);
        self.facts.push((what.to_string(), right));
    }

    /// The scene is over: what was found is said.
    fn end(&mut self) {
        let facts = std::mem::take(&mut self.facts);
        let seconds = self.began.elapsed().as_secs_f64();
        if self.json {
            let told: Vec<_> =
                facts.iter().map(|(fact, right)| json!({ "fact": fact, "right": right })).collect();
            output::json(
                &json!({ "event": "scene", "scene": self.scene, "seconds": seconds, "facts": told }),
            );
            return;
        }
        let say = |text: String| match &self.bar {
            Some(bar) => bar.suspend(|| output::line(text)),
            None => output::line(text),
        };
        say(format!("{}/{SCENES} {}  ({seconds:.1} s)", self.number, self.scene));
        for (fact, right) in facts {
            say(format!("    {} {fact}", if right { "✓" } else { "✗ NOT TRUE:" }));
        }
    }

    /// Runs a job to its end, its progress on the bar.
    async fn job(&mut self, app: &App, id: JobId) -> Result<Job, Trouble> {
        let mut watcher = app.watch(id);
        let work = app.run_until_idle();
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                update = watcher.next() => {
                    use crate::app::jobs::JobUpdate;
                    match (&self.bar, update) {
                        (Some(bar), Some(JobUpdate::Progress { percent, .. })) => bar.set_position(percent.into()),
                        (Some(bar), Some(JobUpdate::Phase { phase, .. })) => bar.set_message(phase.unwrap_or_default()),
                        _ => {}
                    }
                }
                ended = &mut work => { ended?; break }
            }
        }
        let job = app.job(id).await?;
        let why = job.failure.as_ref().map(|failure| format!(": {}", failure.message)).unwrap_or_default();
        self.fact(format!("the job {} succeeded{why}", job.kind), job.state == JobState::Succeeded);
        Ok(job)
    }

    async fn connects(
        &mut self,
        app: &App,
        who: &Principal,
        site: &Site,
    ) -> Result<crate::domain::ids::VcenterId, Trouble> {
        let (cases, name) = (app.vcenters()?, site.vcenter_name);
        let asked = cases.create(who, vcenter_wish(site, None)?).await?;
        let shown = match &asked {
            Saved::Compare(found) => found.thumbprint.to_string(),
            _ => "none".to_owned(),
        };
        self.fact(format!("{name} shows its certificate first"), shown == site.vcenter.thumbprint());
        let logins = site.vcenter.calls("Login");
        self.fact(format!("no password was sent to {name} before that"), logins == 0);
        let id = connect(app, who, site).await?;
        let about = cases.get(id).await?.about;
        let version = about.map(|about| about.version).unwrap_or_default();
        self.fact(format!("{name} is connected: vCenter {version}"), site.vcenter.calls("Login") > 0);
        Ok(id)
    }

    /// Both sides after a replication: the same snapshot, the same bytes.
    fn compares(&mut self, sites: &Sites, source: &str, replica: &str) {
        let (here, there) = (snapshots(&sites.primary, source), snapshots(&sites.dr, replica));
        let newest = here.last().cloned().unwrap_or_default();
        self.fact(
            format!("{} has the newest snapshot {}", sites.dr.appliance_name, newest.0),
            !newest.0.is_empty() && there.last() == Some(&newest),
        );
        let files = |site: &Site, dataset: &str| site.appliance.files(&format!("{dataset}@{}", newest.0));
        let (sent, arrived) = (files(&sites.primary, source), files(&sites.dr, replica));
        let size: usize = sent.values().flatten().map(Vec::len).sum();
        self.fact(
            format!("its {} files, {}, are the same byte for byte", sent.len(), format_bytes(size as u64)),
            size > 0 && sent == arrived,
        );
    }

    fn verdict(self) -> Exit {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let right = self.wrong == 0;
        if self.json {
            output::json(&json!({
                "event": "ended", "scenes": self.number, "facts": self.total, "wrong": self.wrong, "success": right,
            }));
        } else if right {
            output::line(format_args!("{} scenes, {} facts, every one true.", self.number, self.total));
        } else {
            output::line(format_args!("{} of {} facts are not true.", self.wrong, self.total));
        }
        if right { Exit::Done } else { Exit::Failed }
    }
}
