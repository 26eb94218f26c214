//! What was done in a recovery: its virtual machines, and each step with when and on what evidence.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::error::StoreError;
use super::values::{json, maybe_json, maybe_parsed, maybe_time, nanos, parsed, time, unreadable};
use crate::domain::dataset::Guid;
use crate::domain::ids::{GroupId, RecoveryRunId};
use crate::domain::moref::VmRef;
use crate::domain::recovery_run::{Before, RunStep, RunVm, RunVmState, Verdict};

/// How a virtual machine of a run stands now. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct RunVmChange {
    /// How far it is.
    pub state: Option<RunVmState>,
    /// Which one was made, and its instance UUID.
    pub made: Option<(VmRef, Option<String>)>,
    /// What went wrong, and what to do; `Some(None)`: nothing.
    pub failure: Option<Option<(String, Option<String>)>>,
}

/// That a checkpoint was tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// The run.
    pub run: RecoveryRunId,
    /// When everything that could be started was.
    pub at: Timestamp,
    /// What a person said of it.
    pub verdict: Option<Verdict>,
}

impl Store {
    /// Keeps how a virtual machine of a run stands.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn change_run_vm(
        &self,
        run: RecoveryRunId,
        source_uuid: &str,
        change: RunVmChange,
    ) -> Result<(), StoreError> {
        let source = source_uuid.to_owned();
        self.write(format!("keep how {source} stands in recovery run {run}"), move |c| {
            let key = (run.to_string(), source);
            if let Some(state) = change.state {
                c.prepare_cached("UPDATE recovery_run_vms SET state = ?3 WHERE run = ?1 AND source_uuid = ?2")?
                    .execute((&key.0, &key.1, state.as_str()))?;
            }
            if let Some((vm, uuid)) = &change.made {
                c.prepare_cached(
                    "UPDATE recovery_run_vms SET vm = ?3, instance_uuid = ?4 WHERE run = ?1 AND source_uuid = ?2",
                )?
                .execute((&key.0, &key.1, vm.id(), uuid))?;
            }
            if let Some(failure) = &change.failure {
                let (why, advice) = match failure {
                    Some((why, advice)) => (Some(why), advice.as_ref()),
                    None => (None, None),
                };
                c.prepare_cached(
                    "UPDATE recovery_run_vms SET failure = ?3, advice = ?4 WHERE run = ?1 AND source_uuid = ?2",
                )?
                .execute((&key.0, &key.1, why, advice))?;
            }
            Ok(())
        })
        .await
    }

    /// Keeps how a virtual machine was before a failover touches it. What was kept before stays: it was seen earlier.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_run_vm_before(
        &self,
        run: RecoveryRunId,
        source_uuid: &str,
        seen: &Before,
    ) -> Result<(), StoreError> {
        let (key, seen) = ((run.to_string(), source_uuid.to_owned()), seen.clone());
        self.write(format!("keep how {source_uuid} was before recovery run {run}"), move |c| {
            let kept = c
                .prepare_cached("SELECT before FROM recovery_run_vms WHERE run = ?1 AND source_uuid = ?2")?
                .query_row((&key.0, &key.1), before_of)
                .optional()?;
            let Some(kept) = kept else { return Ok(()) };
            let before = Before {
                shell_hardware: kept.shell_hardware.or(seen.shell_hardware),
                shell_boot_order: kept.shell_boot_order.or(seen.shell_boot_order),
                shell_bios_uuid: kept.shell_bios_uuid.or(seen.shell_bios_uuid),
                source_was_on: kept.source_was_on.or(seen.source_was_on),
            };
            c.prepare_cached("UPDATE recovery_run_vms SET before = ?3 WHERE run = ?1 AND source_uuid = ?2")?
                .execute((&key.0, &key.1, json(&before)?))?;
            Ok(())
        })
        .await
    }

    /// The virtual machines of a run, in its order.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_vms(&self, run: RecoveryRunId) -> Result<Vec<RunVm>, StoreError> {
        self.read(format!("list the virtual machines of recovery run {run}"), move |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM recovery_run_vms WHERE run = ?1 ORDER BY place")?;
            Ok(statement.query_map([run.to_string()], vm_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Keeps that a step begins; one that began before keeps its time, one that had ended begins anew.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn begin_run_step(
        &self,
        run: RecoveryRunId,
        source_uuid: Option<&str>,
        step: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (source, step) = (source_uuid.unwrap_or_default().to_owned(), step.to_owned());
        self.write(format!("keep that {step} of recovery run {run} begins"), move |c| {
            c.prepare_cached(
                "INSERT INTO recovery_run_steps (run, source_uuid, step, begun_at, evidence) VALUES (?1, ?2, ?3, ?4, '') \
                 ON CONFLICT (run, source_uuid, step) DO UPDATE SET \
                     begun_at = iif(ended_at IS NULL, begun_at, ?4), ended_at = NULL, ok = NULL, evidence = ''",
            )?
            .execute((run.to_string(), source, step, nanos(at)))?;
            Ok(())
        })
        .await
    }

    /// Keeps that a step ended, and what was seen.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn end_run_step(
        &self,
        run: RecoveryRunId,
        source_uuid: Option<&str>,
        step: &str,
        (at, ok, evidence): (Timestamp, bool, &str),
    ) -> Result<(), StoreError> {
        let (source, step) = (source_uuid.unwrap_or_default().to_owned(), step.to_owned());
        let evidence = evidence.to_owned();
        self.write(format!("keep that {step} of recovery run {run} ended"), move |c| {
            c.prepare_cached(
                "INSERT INTO recovery_run_steps (run, source_uuid, step, begun_at, ended_at, ok, evidence) \
                 VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6) \
                 ON CONFLICT (run, source_uuid, step) DO UPDATE SET ended_at = ?4, ok = ?5, evidence = ?6",
            )?
            .execute((run.to_string(), source, step, nanos(at), ok, evidence))?;
            Ok(())
        })
        .await
    }

    /// The steps of a run, in the order in which they began.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn run_steps(&self, run: RecoveryRunId) -> Result<Vec<RunStep>, StoreError> {
        self.read(format!("list the steps of recovery run {run}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT * FROM recovery_run_steps WHERE run = ?1 ORDER BY begun_at, source_uuid, step",
            )?;
            Ok(statement.query_map([run.to_string()], step_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Which checkpoints of a group were tested: the newest test of each.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn tested_checkpoints(&self, group: GroupId) -> Result<HashMap<Guid, Tested>, StoreError> {
        self.read(format!("list the tests of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT guid, id, up_at, verdict FROM recovery_runs \
                 WHERE group_id = ?1 AND guid IS NOT NULL AND up_at IS NOT NULL ORDER BY up_at",
            )?;
            let rows = statement.query_map([group.to_string()], |row| {
                let guid: String = row.get("guid")?;
                let guid = guid.parse().map_err(|error| unreadable(rusqlite::types::Type::Text, error))?;
                let verdict = maybe_parsed(row, "verdict")?;
                Ok((Guid(guid), Tested { run: parsed(row, "id")?, at: time(row, "up_at")?, verdict }))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The newest test in which each virtual machine of a group came up, by the instance UUIDs of the protected ones.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn tested_vms(&self, group: GroupId) -> Result<HashMap<String, Tested>, StoreError> {
        self.read(format!("list the tested virtual machines of protection group {group}"), move |c| {
            let mut statement = c.prepare_cached(
                "SELECT v.source_uuid, r.id, r.up_at, r.verdict FROM recovery_run_vms v \
                 JOIN recovery_runs r ON r.id = v.run \
                 JOIN recovery_run_steps s ON s.run = v.run AND s.source_uuid = v.source_uuid AND s.step = 'check' AND s.ok \
                 WHERE r.group_id = ?1 AND r.up_at IS NOT NULL ORDER BY r.up_at",
            )?;
            let rows = statement.query_map([group.to_string()], |row| {
                let verdict = maybe_parsed(row, "verdict")?;
                let tested = Tested { run: parsed(row, "id")?, at: time(row, "up_at")?, verdict };
                Ok((row.get("source_uuid")?, tested))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn vm_of(row: &Row<'_>) -> rusqlite::Result<RunVm> {
    Ok(RunVm {
        source_uuid: row.get("source_uuid")?,
        name: row.get("name")?,
        test_name: row.get("test_name")?,
        tier: row.get("tier")?,
        state: parsed(row, "state")?,
        vm: row.get::<_, Option<String>>("vm")?.map(VmRef::new),
        instance_uuid: row.get("instance_uuid")?,
        failure: row.get("failure")?,
        advice: row.get("advice")?,
        before: before_of(row)?,
    })
}

fn before_of(row: &Row<'_>) -> rusqlite::Result<Before> {
    Ok(maybe_json(row, "before")?.unwrap_or_default())
}

fn step_of(row: &Row<'_>) -> rusqlite::Result<RunStep> {
    Ok(RunStep {
        source_uuid: Some(row.get::<_, String>("source_uuid")?).filter(|uuid| !uuid.is_empty()),
        step: row.get("step")?,
        begun_at: time(row, "begun_at")?,
        ended_at: maybe_time(row, "ended_at")?,
        ok: row.get("ok")?,
        evidence: row.get("evidence")?,
    })
}
