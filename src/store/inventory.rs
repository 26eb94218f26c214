//! Writing the inventory: what a reading saw, and what is gone. Reading it is in `inventory_read.rs`.
//!
//! Each row knows when its vCenter was asked for it (`seen`). An older reading never replaces a newer one,
//! whichever is written last; and after a full reading, what is older than its beginning is gone.

use jiff::Timestamp;
use rusqlite::{Connection, named_params};

use super::Store;
use super::error::{Problem, StoreError};
use super::values::{json, nanos};
use crate::domain::hardware::Disk;
use crate::domain::ids::VcenterId;
use crate::domain::inventory::{Datastore, Inventory, Network, Place, Vm};
use crate::domain::moref::ManagedRef;

/// Virtual machines per transaction: the writer serves others in between.
const CHUNK: usize = 250;

impl Store {
    /// Keeps what was read of a vCenter at `seen` (when it was asked), and makes it new or changed.
    ///
    /// # Errors
    /// If the database cannot be written, also because the connection was deleted meanwhile.
    pub async fn put_inventory(
        &self,
        vcenter: VcenterId,
        inventory: Inventory,
        seen: Timestamp,
    ) -> Result<(), StoreError> {
        let what = || format!("keep the inventory of vCenter connection {vcenter}");
        let Inventory { places, datastores, networks, vms } = inventory;
        self.write(what(), move |c| {
            places.iter().try_for_each(|one| put_place(c, vcenter, one, seen))?;
            datastores.iter().try_for_each(|one| put_datastore(c, vcenter, one, seen))?;
            networks.iter().try_for_each(|one| put_network(c, vcenter, one, seen))
        })
        .await?;
        let mut vms = vms.into_iter().peekable();
        while vms.peek().is_some() {
            let chunk: Vec<_> = vms.by_ref().take(CHUNK).collect();
            self.write(what(), move |c| chunk.iter().try_for_each(|one| put_vm(c, vcenter, one, seen)))
                .await?;
        }
        Ok(())
    }

    /// Marks as gone what no reading has seen since `began`: right after a full reading that began then.
    /// Returns how many there were.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn mark_unseen_gone(
        &self,
        vcenter: VcenterId,
        began: Timestamp,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        self.write(format!("mark what left vCenter connection {vcenter}"), move |c| {
            let mut gone = 0;
            for table in TABLES {
                let sql = format!(
                    "UPDATE {table} SET gone_at = ?3 WHERE vcenter = ?1 AND seen < ?2 AND gone_at IS NULL"
                );
                gone += c.prepare_cached(&sql)?.execute((vcenter.to_string(), nanos(began), nanos(now)))?;
            }
            Ok(gone)
        })
        .await
    }

    /// Marks these objects as gone, as the vCenter says at `seen`.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn mark_gone(
        &self,
        vcenter: VcenterId,
        objects: Vec<ManagedRef>,
        seen: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(format!("mark what left vCenter connection {vcenter}"), move |c| {
            for object in &objects {
                let (table, by_kind) = match object.kind.as_str() {
                    "VirtualMachine" => ("inventory_vms", false),
                    "Datastore" => ("inventory_datastores", false),
                    "Network" | "DistributedVirtualPortgroup" | "OpaqueNetwork" => {
                        ("inventory_networks", true)
                    }
                    _ => ("inventory_places", true),
                };
                let kind = if by_kind { " AND kind = ?4" } else { " AND ?4 = ?4" };
                let sql = format!(
                    "UPDATE {table} SET gone_at = ?3, seen = ?3 WHERE vcenter = ?1 AND id = ?2{kind} \
                     AND seen <= ?3 AND gone_at IS NULL"
                );
                c.prepare_cached(&sql)?.execute((
                    vcenter.to_string(),
                    &object.id,
                    nanos(seen),
                    &object.kind,
                ))?;
            }
            Ok(())
        })
        .await
    }
}

const TABLES: [&str; 4] = ["inventory_places", "inventory_datastores", "inventory_networks", "inventory_vms"];

fn kind_of(object: &Option<ManagedRef>) -> Option<&str> {
    object.as_ref().map(|one| one.kind.as_str())
}

fn id_of(object: &Option<ManagedRef>) -> Option<&str> {
    object.as_ref().map(|one| one.id.as_str())
}

/// Sizes beyond what SQLite counts become the largest that it does.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn put_place(c: &Connection, vcenter: VcenterId, place: &Place, seen: Timestamp) -> Result<(), Problem> {
    c.prepare_cached(
        "INSERT INTO inventory_places (vcenter, kind, id, sort, name, parent_kind, parent_id, facts, seen) \
         VALUES (:vcenter, :kind, :id, :sort, :name, :parent_kind, :parent_id, :facts, :seen) \
         ON CONFLICT DO UPDATE SET sort = :sort, name = :name, parent_kind = :parent_kind, \
             parent_id = :parent_id, facts = :facts, seen = :seen, gone_at = NULL WHERE seen <= :seen",
    )?
    .execute(named_params! {
        ":vcenter": vcenter.to_string(), ":kind": place.object.kind, ":id": place.object.id,
        ":sort": place.kind.as_str(), ":name": place.name, ":parent_kind": kind_of(&place.parent),
        ":parent_id": id_of(&place.parent), ":facts": json(&place.facts)?, ":seen": nanos(seen),
    })?;
    Ok(())
}

fn put_datastore(
    c: &Connection,
    vcenter: VcenterId,
    one: &Datastore,
    seen: Timestamp,
) -> Result<(), Problem> {
    c.prepare_cached(
        "INSERT INTO inventory_datastores (vcenter, id, name, parent_kind, parent_id, kind, capacity_bytes, \
             free_bytes, accessible, nfs_host, nfs_path, hosts, seen) \
         VALUES (:vcenter, :id, :name, :parent_kind, :parent_id, :kind, :capacity, :free, :accessible, :nfs_host, \
             :nfs_path, :hosts, :seen) \
         ON CONFLICT DO UPDATE SET name = :name, parent_kind = :parent_kind, parent_id = :parent_id, \
             kind = :kind, capacity_bytes = :capacity, free_bytes = :free, accessible = :accessible, \
             nfs_host = :nfs_host, nfs_path = :nfs_path, hosts = :hosts, seen = :seen, gone_at = NULL \
             WHERE seen <= :seen",
    )?
    .execute(named_params! {
        ":vcenter": vcenter.to_string(), ":id": one.object.id(), ":name": one.name,
        ":parent_kind": kind_of(&one.parent), ":parent_id": id_of(&one.parent), ":kind": one.kind,
        ":capacity": signed(one.capacity_bytes), ":free": signed(one.free_bytes), ":accessible": one.accessible,
        ":nfs_host": one.nfs.as_ref().map(|nfs| &nfs.host), ":nfs_path": one.nfs.as_ref().map(|nfs| &nfs.path),
        ":hosts": json(&one.hosts)?, ":seen": nanos(seen),
    })?;
    Ok(())
}

fn put_network(c: &Connection, vcenter: VcenterId, one: &Network, seen: Timestamp) -> Result<(), Problem> {
    // A standard network's VLAN is the hosts' to say, so a reading of the network alone does not know it.
    c.prepare_cached(
        "INSERT INTO inventory_networks (vcenter, kind, id, name, parent_kind, parent_id, vlan, portgroup_key, \
             switch_kind, switch_id, seen) \
         VALUES (:vcenter, :kind, :id, :name, :parent_kind, :parent_id, :vlan, :key, :switch_kind, :switch_id, :seen) \
         ON CONFLICT DO UPDATE SET name = :name, parent_kind = :parent_kind, parent_id = :parent_id, \
             vlan = iif(:kind = 'Network', coalesce(:vlan, vlan), :vlan), portgroup_key = :key, \
             switch_kind = :switch_kind, switch_id = :switch_id, seen = :seen, gone_at = NULL \
             WHERE seen <= :seen",
    )?
    .execute(named_params! {
        ":vcenter": vcenter.to_string(), ":kind": one.object.kind, ":id": one.object.id, ":name": one.name,
        ":parent_kind": kind_of(&one.parent), ":parent_id": id_of(&one.parent), ":vlan": one.vlan,
        ":key": one.portgroup_key, ":switch_kind": kind_of(&one.switch), ":switch_id": id_of(&one.switch),
        ":seen": nanos(seen),
    })?;
    Ok(())
}

fn put_vm(c: &Connection, vcenter: VcenterId, vm: &Vm, seen: Timestamp) -> Result<(), Problem> {
    let words: Vec<_> =
        [Some(&vm.name), vm.guest_host_name.as_ref(), vm.guest_ip.as_ref()].into_iter().flatten().collect();
    let words = words.iter().map(|word| word.to_lowercase()).collect::<Vec<_>>().join("\n");
    let disk_bytes = vm.hardware.disks.iter().fold(0u64, |sum, disk| sum.saturating_add(disk.capacity_bytes));
    let changed = c
        .prepare_cached(
            "INSERT INTO inventory_vms (vcenter, id, name, template, instance_uuid, power, guest, guest_ip, cpus, \
                 memory_bytes, disk_bytes, host_id, has_snapshot, words, whole, seen) \
             VALUES (:vcenter, :id, :name, :template, :instance, :power, :guest, :ip, :cpus, :memory, :disk, :host, \
                 :snapshot, :words, :whole, :seen) \
             ON CONFLICT DO UPDATE SET name = :name, template = :template, instance_uuid = :instance, \
                 power = :power, guest = :guest, guest_ip = :ip, cpus = :cpus, memory_bytes = :memory, \
                 disk_bytes = :disk, host_id = :host, has_snapshot = :snapshot, words = :words, whole = :whole, \
                 seen = :seen, gone_at = NULL WHERE seen <= :seen",
        )?
        .execute(named_params! {
            ":vcenter": vcenter.to_string(), ":id": vm.object.id(), ":name": vm.name, ":template": vm.template,
            ":instance": vm.instance_uuid, ":power": vm.power.as_str(), ":guest": vm.guest, ":ip": vm.guest_ip,
            ":cpus": vm.cpus, ":memory": signed(vm.memory_bytes), ":disk": signed(disk_bytes),
            ":host": id_of(&vm.host), ":snapshot": vm.has_snapshot, ":words": words, ":whole": json(vm)?,
            ":seen": nanos(seen),
        })?;
    if changed == 0 {
        return Ok(());
    }
    c.prepare_cached("DELETE FROM inventory_disks WHERE vcenter = ?1 AND vm = ?2")?
        .execute((vcenter.to_string(), vm.object.id()))?;
    vm.hardware.disks.iter().try_for_each(|disk| put_disk(c, vcenter, vm, disk))?;
    put_nics(c, vcenter, vm)
}

fn put_nics(c: &Connection, vcenter: VcenterId, vm: &Vm) -> Result<(), Problem> {
    c.prepare_cached("DELETE FROM inventory_nics WHERE vcenter = ?1 AND vm = ?2")?
        .execute((vcenter.to_string(), vm.object.id()))?;
    for nic in &vm.hardware.nics {
        let Some(network) = nic.network.key() else { continue };
        c.prepare_cached(
            "INSERT OR REPLACE INTO inventory_nics (vcenter, vm, key, network) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((vcenter.to_string(), vm.object.id(), nic.key, network))?;
    }
    Ok(())
}

fn put_disk(c: &Connection, vcenter: VcenterId, vm: &Vm, disk: &Disk) -> Result<(), Problem> {
    c.prepare_cached(
        "INSERT OR REPLACE INTO inventory_disks (vcenter, vm, key, label, file, datastore, capacity_bytes) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute((
        vcenter.to_string(),
        vm.object.id(),
        disk.key,
        &disk.label,
        &disk.file,
        disk.datastore.as_ref().map(|one| one.id()),
        signed(disk.capacity_bytes),
    ))?;
    Ok(())
}
