//! Appliances.

use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::Store;
use super::audit::append;
use super::error::{Problem, Refusal, StoreError};
use super::values::{maybe_parsed, nanos, parsed, time, unreadable};
use crate::domain::audit::AuditEntry;
use crate::domain::endpoint::Endpoint;
use crate::domain::ids::{SshKeyId, TargetId};
use crate::domain::target::{Deployed, Target};

impl Store {
    /// Keeps an appliance: a new one, or the new form of the one with this id.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if another one has this name, or this address and pool; [`Refusal::NotFound`] if its
    /// key or vCenter is gone; or if the database cannot be written.
    pub async fn put_target(&self, target: &Target, audit: AuditEntry) -> Result<(), StoreError> {
        let target = target.clone();
        self.write(format!("keep the appliance {:?}", target.name), move |c| {
            put(c, &target)?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The appliance with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn target(&self, id: TargetId) -> Result<Option<Target>, StoreError> {
        self.read(format!("read appliance {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM targets WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], target_of).optional()?)
        })
        .await
    }

    /// The appliance of this name, if there is one. Names that differ in case only are one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn target_named(&self, name: &str) -> Result<Option<Target>, StoreError> {
        let name = name.to_owned();
        self.read(format!("read the appliance {name:?}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM targets WHERE name = ?1")?;
            Ok(statement.query_row([name], target_of).optional()?)
        })
        .await
    }

    /// All appliances, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn targets(&self) -> Result<Vec<Target>, StoreError> {
        self.read("list the appliances", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM targets ORDER BY name")?;
            Ok(statement.query_map([], target_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// The names of the appliances that are logged in to with this key.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn targets_with_key(&self, key: SshKeyId) -> Result<Vec<Target>, StoreError> {
        self.read(format!("list the appliances with SSH key {key}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM targets WHERE ssh_key = ?1 ORDER BY name")?;
            Ok(statement.query_map([key.to_string()], target_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Forgets an appliance; what is on it stays.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Needed`] while something refers to it.
    pub async fn delete_target(&self, target: &Target, audit: AuditEntry) -> Result<(), StoreError> {
        let target = target.clone();
        self.write(format!("remove the appliance {:?}", target.name), move |c| {
            if let Some(needed) = needed_by(c, &target)? {
                return Err(Refusal::Needed(needed).into());
            }
            match c.prepare_cached("DELETE FROM targets WHERE id = ?1")?.execute([target.id.to_string()]) {
                Ok(0) => return Err(Refusal::NotFound(format!("appliance {:?}", target.name)).into()),
                Ok(_) => {}
                Err(rusqlite::Error::SqliteFailure(failure, _))
                    if failure.code == rusqlite::ErrorCode::ConstraintViolation =>
                {
                    return Err(Refusal::Needed("still referred to".to_owned()).into());
                }
                Err(error) => return Err(error.into()),
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

/// What stands in the way of removing it, to follow "it is".
fn needed_by(c: &Connection, target: &Target) -> Result<Option<String>, Problem> {
    // Jobs and schedules name either the appliance or how it is reached.
    let (id, endpoint) = (target.id.to_string(), format!("\"{}\"", target.endpoint));
    let job: Option<(String, String)> = c
        .prepare_cached(
            "SELECT kind, id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') \
             AND (instr(input, ?1) > 0 OR instr(input, ?2) > 0) LIMIT 1",
        )?
        .query_row((&id, &endpoint), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((kind, job)) = job {
        return Ok(Some(format!("in use by the {kind} job {job}, which has not ended")));
    }
    let schedule: Option<String> = c
        .prepare_cached(
            "SELECT name FROM schedules WHERE instr(input, ?1) > 0 OR instr(input, ?2) > 0 LIMIT 1",
        )?
        .query_row((&id, &endpoint), |row| row.get(0))
        .optional()?;
    Ok(schedule.map(|name| format!("in use by the schedule {name:?}")))
}

fn put(c: &Connection, target: &Target) -> Result<(), Problem> {
    let Endpoint { user, host, port } = &target.endpoint;
    let clash: Option<String> = c
        .prepare_cached(
            "SELECT name FROM targets WHERE id <> ?1 \
             AND (name = ?2 OR (hostname = ?3 AND port = ?4 AND zfs_pool = ?5))",
        )?
        .query_row((target.id.to_string(), &target.name, host, port, target.zfs_pool.as_str()), |row| {
            row.get(0)
        })
        .optional()?;
    if let Some(name) = clash {
        let what = match name.to_lowercase() == target.name.to_lowercase() {
            true => format!("an appliance {name:?}"),
            false => format!("an appliance for the pool {} at {host}:{port}: {name:?}", target.zfs_pool),
        };
        return Err(Refusal::AlreadyExists(what).into());
    }
    let there = |sql: &str, id: String| c.prepare_cached(sql)?.exists([id]);
    if !there("SELECT 1 FROM ssh_keys WHERE id = ?1", target.ssh_key.to_string())? {
        return Err(Refusal::NotFound(format!("SSH key {}", target.ssh_key)).into());
    }
    if let Some(vcenter) = target.vcenter
        && !there("SELECT 1 FROM vcenters WHERE id = ?1", vcenter.to_string())?
    {
        return Err(Refusal::NotFound(format!("vCenter connection {vcenter}")).into());
    }
    c.prepare_cached(
        "INSERT INTO targets (id, name, hostname, port, ssh_username, ssh_key, host_key, zfs_pool, nfs_network, \
             nfs_address, replication_address, vcenter, is_active, appdata_path, source_template, deployed_job, \
             deployed_vm, deployed_ip_source, created_by, created_at) \
         VALUES (:id, :name, :host, :port, :user, :key, :host_key, :pool, :networks, :nfs, :replication, :vcenter, \
             :active, :appdata, :template, :job, :vm, :source, :by, :created) \
         ON CONFLICT (id) DO UPDATE SET name = :name, hostname = :host, port = :port, ssh_username = :user, \
             ssh_key = :key, host_key = :host_key, zfs_pool = :pool, nfs_network = :networks, nfs_address = :nfs, \
             replication_address = :replication, vcenter = :vcenter, is_active = :active, appdata_path = :appdata, \
             source_template = :template, deployed_job = :job, deployed_vm = :vm, deployed_ip_source = :source",
    )?
    .execute(named_params! {
        ":id": target.id.to_string(), ":name": target.name, ":host": host, ":port": port, ":user": user,
        ":key": target.ssh_key.to_string(), ":host_key": target.host_key, ":pool": target.zfs_pool.as_str(),
        ":networks": target.nfs_networks.to_string(), ":nfs": target.nfs_address,
        ":replication": target.replication_address.as_ref().map(ToString::to_string),
        ":vcenter": target.vcenter.map(|id| id.to_string()), ":active": target.is_active,
        ":appdata": target.appdata_path, ":template": target.deployed.template,
        ":job": target.deployed.job.map(|id| id.to_string()), ":vm": target.deployed.vm_moref,
        ":source": target.deployed.ip_source.map(|source| source.as_str()), ":by": target.created_by,
        ":created": nanos(target.created_at),
    })?;
    Ok(())
}

fn target_of(row: &Row<'_>) -> rusqlite::Result<Target> {
    let (user, host): (String, String) = (row.get("ssh_username")?, row.get("hostname")?);
    let endpoint = Endpoint::new(&user, &host, row.get("port")?)
        .map_err(|error| unreadable(rusqlite::types::Type::Text, error))?;
    Ok(Target {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        endpoint,
        ssh_key: parsed(row, "ssh_key")?,
        host_key: row.get("host_key")?,
        zfs_pool: parsed(row, "zfs_pool")?,
        nfs_networks: parsed(row, "nfs_network")?,
        nfs_address: row.get("nfs_address")?,
        replication_address: maybe_parsed(row, "replication_address")?,
        vcenter: maybe_parsed(row, "vcenter")?,
        is_active: row.get("is_active")?,
        appdata_path: row.get("appdata_path")?,
        deployed: Deployed {
            template: row.get("source_template")?,
            job: maybe_parsed(row, "deployed_job")?,
            vm_moref: row.get("deployed_vm")?,
            ip_source: maybe_parsed(row, "deployed_ip_source")?,
        },
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
    })
}
