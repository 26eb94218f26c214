//! What is known of protection groups when it is decided which of them start a run.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;

use super::failure::not_kept;
use crate::domain::checkpoint::{Checkpoint, GroupRun};
use crate::domain::ids::GroupId;
use crate::domain::job::Failure;
use crate::domain::protection_group::{ProtectionGroup, Rhythm};
use crate::domain::recovery_run::RunKind;
use crate::engine::due::Rule;
use crate::plan::schedule::{GroupFacts, Want, expected};
use crate::plan::timetable::next_allowed;
use crate::store::Store;

/// A group with what is known of it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The group.
    pub group: ProtectionGroup,
    /// What the scheduler judges by.
    pub facts: GroupFacts,
    /// Its newest checkpoint at the DR side.
    pub newest: Option<Checkpoint>,
    /// Its recent runs, newest first.
    pub runs: Vec<GroupRun>,
}

/// All groups, by name.
///
/// # Errors
/// If the database does not answer.
pub async fn known(store: &Store, now: Timestamp) -> Result<Vec<Known>, Failure> {
    let groups = store.protection_groups().await.map_err(not_kept)?;
    let mut newest = store.newest_checkpoints().await.map_err(not_kept)?;
    let mut runs = store.recent_group_runs().await.map_err(not_kept)?;
    let findings = store.group_findings().await.map_err(not_kept)?;
    let recoveries = store.unfinished_recovery_runs().await.map_err(not_kept)?;
    let leaving: HashSet<GroupId> = recoveries
        .into_iter()
        .filter(|run| run.plan.kind == RunKind::PlannedFailover)
        .map(|run| run.plan.group_id)
        .collect();
    let one = |group: ProtectionGroup| {
        let newest = newest.remove(&group.id);
        let runs = runs.remove(&group.id).unwrap_or_default();
        let mut facts = facts(&group, newest.as_ref(), &runs, now);
        // Its datasets contradict what is known of it: a person is asked first.
        facts.runs &= !findings.contains_key(&group.id);
        // Its source was left by a planned failover, which makes the last run itself, until that is committed or taken back.
        facts.runs &= !leaving.contains(&group.id);
        Known { group, facts, newest, runs }
    };
    Ok(groups.into_iter().map(one).collect())
}

fn facts(
    group: &ProtectionGroup,
    newest: Option<&Checkpoint>,
    runs: &[GroupRun],
    now: Timestamp,
) -> GroupFacts {
    // Runs that lie ahead were dated by a clock that has been put back since.
    let past = || runs.iter().filter(|run| run.started_at <= now);
    let ended = || past().filter(|run| run.finished_at.is_some());
    let good = || ended().filter(|run| run.succeeded == Some(true));
    let failures = ended().take_while(|run| run.succeeded != Some(true)).count();
    let took = good().filter_map(|run| run.took_ms).map(Duration::from_millis).collect();
    let last_start = past().next().map(|run| run.started_at);
    GroupFacts {
        id: group.id,
        want: want(group, last_start, now),
        runs: group.runs(),
        busy: runs.iter().any(|run| run.finished_at.is_none()),
        newest: newest.map(|one| one.taken_at),
        last_good_start: good().next().map(|run| run.started_at),
        last_start,
        failures: u32::try_from(failures).unwrap_or(u32::MAX),
        expected: expected(took),
        allowed_from: next_allowed(group.policy.timetable.as_ref(), now),
        priority: group.policy.priority,
        appliances: [group.source.target, group.dr.target],
        vcenter: group.source.vcenter,
    }
}

/// By a calendar: the first slot after the last run, or after the group was made. Slots that were missed make one run.
fn want(group: &ProtectionGroup, last_start: Option<Timestamp>, now: Timestamp) -> Want {
    match &group.policy.rhythm {
        Rhythm::Rpo { minutes } => Want::Rpo(Duration::from_secs(u64::from(*minutes) * 60)),
        Rhythm::Calendar { pattern, time_zone } => {
            // A start that lies ahead was dated by a clock that has been put back since.
            let from = last_start.unwrap_or(group.created_at).min(now);
            let rule = Rule::parse(None, Some(pattern), time_zone).ok();
            Want::At(rule.and_then(|rule| rule.next_due(from)))
        }
    }
}
