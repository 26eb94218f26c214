//! VMware snapshots of ours that may be there.

use rusqlite::Row;

use super::Store;
use super::error::StoreError;
use super::values::{nanos, parsed, time};
use crate::domain::ids::VcenterId;
use crate::domain::moref::VmRef;
use crate::domain::vm_snapshot::NotedVmSnapshot;

impl Store {
    /// Notes that one is about to be made, or was found. Noting it again changes nothing.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn note_vm_snapshot(&self, one: &NotedVmSnapshot) -> Result<(), StoreError> {
        let one = one.clone();
        self.write(format!("note a VMware snapshot of {:?}", one.name), move |c| {
            c.prepare_cached(
                "INSERT INTO vm_snapshots (vcenter, vm, snapshot, instance_uuid, name, group_id, job, noted_at) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
            )?
            .execute((
                one.vcenter.to_string(),
                one.vm.id(),
                &one.snapshot,
                &one.instance_uuid,
                &one.name,
                one.group.to_string(),
                one.job.to_string(),
                nanos(one.noted_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// Forgets one that was seen to be gone.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn forget_vm_snapshot(
        &self,
        vcenter: VcenterId,
        vm: &VmRef,
        snapshot: &str,
    ) -> Result<(), StoreError> {
        let (vm, snapshot) = (vm.clone(), snapshot.to_owned());
        self.write(format!("forget a VMware snapshot of {vm}"), move |c| {
            c.prepare_cached("DELETE FROM vm_snapshots WHERE vcenter = ?1 AND vm = ?2 AND snapshot = ?3")?
                .execute((vcenter.to_string(), vm.id(), snapshot))?;
            Ok(())
        })
        .await
    }

    /// Counts that its removal has failed.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn vm_snapshot_stays(&self, one: &NotedVmSnapshot, why: &str) -> Result<(), StoreError> {
        let (one, why) = (one.clone(), why.to_owned());
        self.write(format!("note why a VMware snapshot of {:?} stays", one.name), move |c| {
            c.prepare_cached(
                "UPDATE vm_snapshots SET tries = tries + 1, why = ?4 WHERE vcenter = ?1 AND vm = ?2 AND snapshot = ?3",
            )?
            .execute((one.vcenter.to_string(), one.vm.id(), &one.snapshot, why))?;
            Ok(())
        })
        .await
    }

    /// All that may be there, the oldest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vm_snapshots(&self) -> Result<Vec<NotedVmSnapshot>, StoreError> {
        self.read("list our VMware snapshots", |c| {
            let mut statement =
                c.prepare_cached("SELECT * FROM vm_snapshots ORDER BY noted_at, vcenter, vm")?;
            Ok(statement.query_map([], noted_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}

fn noted_of(row: &Row<'_>) -> rusqlite::Result<NotedVmSnapshot> {
    Ok(NotedVmSnapshot {
        vcenter: parsed(row, "vcenter")?,
        vm: VmRef::new(row.get::<_, String>("vm")?),
        snapshot: row.get("snapshot")?,
        instance_uuid: row.get("instance_uuid")?,
        name: row.get("name")?,
        group: parsed(row, "group_id")?,
        job: parsed(row, "job")?,
        noted_at: time(row, "noted_at")?,
        tries: row.get("tries")?,
        why: row.get("why")?,
    })
}
