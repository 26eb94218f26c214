//! Recovery plans of protection groups.

use rusqlite::{OptionalExtension, Row};

use super::Store;
use super::audit::append;
use super::error::{Refusal, StoreError};
use super::values::{from_json, json, nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::GroupId;
use crate::domain::recovery_plan::{KeptPlan, RecoveryPlan};

impl Store {
    /// The plan that somebody made for a group; none: nobody did, and the default holds.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn recovery_plan(&self, group: GroupId) -> Result<Option<KeptPlan>, StoreError> {
        self.read(format!("read the recovery plan of group {group}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM recovery_plans WHERE group_id = ?1")?;
            Ok(statement.query_row([group.to_string()], plan_of).optional()?)
        })
        .await
    }

    /// Keeps a plan in place of the one with the version `expected`, 0 for none. Answers its own version. Who changed it and
    /// when is as the audit line says.
    ///
    /// # Errors
    /// [`Refusal::Changed`] if another version is there; [`Refusal::NotFound`] if the group is gone; or if the database
    /// cannot be written.
    pub async fn put_recovery_plan(
        &self,
        group: GroupId,
        plan: &RecoveryPlan,
        expected: u32,
        audit: AuditEntry,
    ) -> Result<u32, StoreError> {
        let plan = plan.clone();
        self.write(format!("keep the recovery plan of group {group}"), move |c| {
            let id = group.to_string();
            if !c.prepare_cached("SELECT 1 FROM protection_groups WHERE id = ?1")?.exists([&id])? {
                return Err(Refusal::NotFound(format!("protection group {id}")).into());
            }
            let there: Option<u32> = c
                .prepare_cached("SELECT version FROM recovery_plans WHERE group_id = ?1")?
                .query_row([&id], |row| row.get(0))
                .optional()?;
            if there.unwrap_or(0) != expected {
                return Err(Refusal::Changed("the recovery plan".to_owned()).into());
            }
            let version = expected + 1;
            c.prepare_cached(
                "INSERT INTO recovery_plans (group_id, version, plan, changed_by, changed_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (group_id) DO UPDATE SET version = ?2, plan = ?3, changed_by = ?4, changed_at = ?5",
            )?
            .execute((&id, version, json(&plan)?, &audit.actor, nanos(audit.at)))?;
            append(c, &audit)?;
            Ok(version)
        })
        .await
    }
}

fn plan_of(row: &Row<'_>) -> rusqlite::Result<KeptPlan> {
    Ok(KeptPlan {
        group: parsed(row, "group_id")?,
        version: row.get("version")?,
        plan: from_json(row, "plan")?,
        changed_by: row.get("changed_by")?,
        changed_at: time(row, "changed_at")?,
    })
}
