//! `health_check`: looks at an appliance now, and keeps what was found.
//!
//! Active appliances are looked at by themselves through [`super::target_watch`]; this is for a person who wants to
//! know now, and to see each finding. That an appliance is not well is a finding, and no failure of the job.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::failure::{not_kept, recorded};
use super::targets::{Targets, shown};
use crate::domain::health::{Export, Health, HealthFacts, PoolFacts, Rights, Trouble, Verdict};
use crate::domain::ids::TargetId;
use crate::domain::job::{Failure, Level};
use crate::domain::location::HostRef;
use crate::domain::target::Target;
use crate::engine::{Definition, Step, StepContext, UndoKind};
use crate::plan::capacity::{Forecast, forecast};
use crate::plan::health::{PERMISSIONS, judge};
use crate::ssh::ConnectError;
use crate::zfs::{Privilege, Zfs, ZfsError};

/// The kind's name.
pub const KIND: &str = "health_check";
/// A look that takes longer is a finding by itself.
const LONGEST: Duration = Duration::from_secs(60);
/// How far back measurements count.
const MEASURED: SignedDuration = SignedDuration::from_hours(15 * 24);

/// What the job is given.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HealthInput {
    /// The appliance.
    pub target: TargetId,
}

/// The kind.
pub fn definition(targets: Targets) -> Definition {
    Definition::new(KIND, vec![Box::new(Look(targets.clone())), Box::new(Keep(targets))])
}

/// Looks at an appliance, and says what it means. What cannot be looked at is a finding.
///
/// # Errors
/// If there is no such appliance, its key cannot be read, or the database does not answer.
pub(super) async fn examine(targets: &Targets, id: TargetId) -> Result<(Target, Health), Failure> {
    let (target, host) = targets.any_host_ref(id).await?;
    let facts = match tokio::time::timeout(LONGEST, look(targets, &target, &host)).await {
        Ok(facts) => facts?,
        Err(_late) => {
            let message =
                format!("{} did not answer all questions within {} s.", target.name, LONGEST.as_secs());
            let advice =
                Some("Look there whether it is overloaded, or a disk hangs (zpool status).".to_owned());
            HealthFacts { no_contact: Some(Trouble { message, advice }), ..HealthFacts::default() }
        }
    };
    let now = Timestamp::now();
    let forecasts = forecasts(targets, id, &facts.pools, now).await?;
    let health = judge(facts, target.zfs_pool.as_str(), &forecasts, now);
    Ok((target, health))
}

/// Looks at an appliance and keeps nothing.
///
/// # Errors
/// As for the look itself.
pub async fn look_now(targets: &Targets, id: TargetId) -> Result<Health, Failure> {
    examine(targets, id).await.map(|(_, health)| health)
}

/// Looks at an appliance and keeps what was found.
///
/// # Errors
/// As for the look itself; or if the database cannot be written.
pub async fn check_now(targets: &Targets, id: TargetId) -> Result<Health, Failure> {
    let (_, health) = examine(targets, id).await?;
    targets.store().put_target_health(id, &health).await.map_err(not_kept)?;
    Ok(health)
}

async fn forecasts(
    targets: &Targets,
    id: TargetId,
    pools: &[PoolFacts],
    now: Timestamp,
) -> Result<Vec<(String, Forecast)>, Failure> {
    let since = now.saturating_sub(MEASURED).unwrap_or(Timestamp::MIN);
    let mut all = Vec::with_capacity(pools.len());
    for pool in pools {
        let samples = targets.store().target_capacity(id, &pool.name, since).await.map_err(not_kept)?;
        all.push((pool.name.clone(), forecast(&samples)));
    }
    Ok(all)
}

async fn look(targets: &Targets, target: &Target, host: &HostRef) -> Result<HealthFacts, Failure> {
    let mut facts = HealthFacts::default();
    let reached = targets.hosts().host(host).await?;
    let began = Instant::now();
    if let Some(link) = reached.link()
        && let Err(error) = link.connect().await
    {
        if let ConnectError::HostKeyChanged { presented, .. } = &error {
            facts.other_host_key = Some(shown(presented));
        }
        facts.no_contact = Some(trouble(error.into()));
        return Ok(facts);
    }
    let zfs = match targets.hosts().zfs_anew(host).await {
        Ok(zfs) => zfs,
        Err(failure) => {
            facts.no_zfs = Some(trouble(failure));
            return Ok(facts);
        }
    };
    facts.answer_ms = u64::try_from(began.elapsed().as_millis()).ok();
    facts.release = zfs.version().map(ToString::to_string);
    facts.module = zfs.kernel_version().map(ToString::to_string);
    facts.release_is_old = zfs.version().is_some_and(|release| !release.at_least(2, 0));
    let asked = Timestamp::now();
    let around = match zfs.surroundings().await {
        Ok(around) => around,
        Err(error) => {
            facts.no_contact = Some(trouble(error.into()));
            return Ok(facts);
        }
    };
    let middle = (asked.as_second() + Timestamp::now().as_second()) / 2;
    facts.clock_ahead = around.now.map(|there| there - middle);
    facts.nfs_running = around.nfs_running;
    let export = |(path, clients)| Export { path, clients };
    facts.exports = around.exports.clone().map(|all| all.into_iter().map(export).collect());
    let (pools, rights) = tokio::join!(zfs.pools(around.utc_offset), rights(&zfs, target, &around.groups));
    facts.rights = Some(rights);
    match pools {
        Ok(pools) => facts.pools = pools,
        Err(error) => facts.no_pools = Some(trouble(error.into())),
    }
    Ok(facts)
}

async fn rights(zfs: &Zfs, target: &Target, groups: &[String]) -> Rights {
    match zfs.privilege() {
        Privilege::Root => Rights::Root,
        Privilege::Sudo => Rights::Sudo,
        Privilege::Delegated => {
            let allowed: Result<_, ZfsError> = zfs.allowed(&target.zfs_pool, groups).await;
            let missing = allowed.ok().map(|allowed| {
                PERMISSIONS
                    .iter()
                    .filter(|one| !allowed.contains(**one))
                    .map(|one| (*one).to_owned())
                    .collect()
            });
            Rights::Delegated { user: zfs.user().to_owned(), missing }
        }
    }
}

fn trouble(failure: Failure) -> Trouble {
    Trouble { message: failure.message, advice: failure.advice }
}

const WANTED_ANYWAY: UndoKind = UndoKind::Nothing("what was seen is true whatever becomes of the job");

struct Look(Targets);

#[async_trait]
impl Step for Look {
    fn name(&self) -> &'static str {
        "look"
    }
    fn percent(&self) -> (u8, u8) {
        (0, 90)
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let HealthInput { target } = cx.input()?;
        let stopped = cx.cancelled();
        let (target, health) = tokio::select! {
            biased;
            () = stopped.cancelled() => return Err(Failure::cancelled("The look was stopped; what was known before stays.")),
            found = examine(&self.0, target) => found?,
        };
        cx.details(json!({ "target_id": target.id, "target": target.name }));
        cx.info(format!("Looked at {} ({}).", target.name, target.endpoint));
        for check in &health.checks {
            let advice = check.advice.as_ref().map(|advice| format!(" {advice}")).unwrap_or_default();
            let told = format!("{}: {}{advice}", check.name, check.found);
            match check.verdict {
                Verdict::Ok => cx.console(Level::Success, told),
                Verdict::Unknown => cx.info(told),
                Verdict::Warn | Verdict::Fail => cx.warn(told),
            }
        }
        recorded(&health)
    }
    fn undo_kind(&self) -> UndoKind {
        WANTED_ANYWAY
    }
}

struct Keep(Targets);

#[async_trait]
impl Step for Keep {
    fn name(&self) -> &'static str {
        "keep"
    }
    fn percent(&self) -> (u8, u8) {
        (90, 100)
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let HealthInput { target } = cx.input()?;
        let health: Health = cx.need("look")?;
        self.0.store().put_target_health(target, &health).await.map_err(not_kept)?;
        Ok(json!({ "target_id": target, "health_status": health.state, "checks": health.checks }))
    }
    fn undo_kind(&self) -> UndoKind {
        WANTED_ANYWAY
    }
}
