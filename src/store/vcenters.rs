//! Connections to vCenters.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::Store;
use super::audit::append;
use super::error::{Problem, Refusal, StoreError};
use super::references;
use super::values::{json, maybe_json, maybe_parsed, maybe_time, nanos, parsed, time, unreadable};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::VcenterId;
use crate::domain::thumbprint::{ServerCertificate, Thumbprint};
use crate::domain::vcenter::{About, Trust, Vcenter, VcenterAddress};

impl Store {
    /// Keeps a connection: a new one, or the new form of the one with this id. What the server said and when
    /// it was read last are kept by other calls.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if another connection has this name or address; or if the database cannot be
    /// written.
    pub async fn put_vcenter(&self, vcenter: &Vcenter) -> Result<(), StoreError> {
        let vcenter = vcenter.clone();
        self.write(format!("keep the vCenter connection {:?}", vcenter.name), move |c| put(c, &vcenter)).await
    }

    /// The same with what the server said about itself, its certificate, and the line of the audit log. A password
    /// that is in use no longer is deleted.
    ///
    /// # Errors
    /// As [`put_vcenter`](Self::put_vcenter).
    pub async fn save_vcenter(
        &self,
        vcenter: &Vcenter,
        certificate: Option<&ServerCertificate>,
        audit: AuditEntry,
    ) -> Result<(), StoreError> {
        let (vcenter, certificate) = (vcenter.clone(), certificate.cloned());
        self.write(format!("keep the vCenter connection {:?}", vcenter.name), move |c| {
            let id = vcenter.id.to_string();
            let before: Option<String> = c
                .prepare_cached("SELECT password FROM vcenters WHERE id = ?1")?
                .query_row([&id], |row| row.get(0))
                .optional()?;
            put(c, &vcenter)?;
            let about = vcenter.about.as_ref().map(json).transpose()?;
            c.prepare_cached("UPDATE vcenters SET about = ?2, last_error = NULL WHERE id = ?1")?
                .execute((&id, about))?;
            super::vcenter_certificates::accept(c, &id, certificate.as_ref())?;
            if let Some(before) = before.filter(|before| *before != vcenter.password.to_string()) {
                c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([before])?;
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// Deletes a connection with its inventory, its password and the drafts that would change it.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Needed`] while a job that has not ended, or anything else, refers to it.
    pub async fn remove_vcenter(&self, vcenter: &Vcenter, audit: AuditEntry) -> Result<(), StoreError> {
        let (id, name) = (vcenter.id.to_string(), vcenter.name.clone());
        self.write(format!("delete the vCenter connection {name:?}"), move |c| {
            if let Some(by) = references::to(c, "vcenters", &id)? {
                return Err(Refusal::Needed(format!("in use by {by}")).into());
            }
            let drafts: Vec<String> = c
                .prepare_cached("DELETE FROM vcenter_drafts WHERE vcenter = ?1 RETURNING password")?
                .query_map([&id], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let password: Option<String> = c
                .prepare_cached("DELETE FROM vcenters WHERE id = ?1 RETURNING password")?
                .query_row([&id], |row| row.get(0))
                .optional()?;
            let Some(password) = password else {
                return Err(Refusal::NotFound(format!("vCenter connection {name:?}")).into());
            };
            for secret in drafts.iter().chain([&password]) {
                c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([secret])?;
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The connection with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vcenter(&self, id: VcenterId) -> Result<Option<Vcenter>, StoreError> {
        self.read(format!("read vCenter connection {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM vcenters WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], vcenter_of).optional()?)
        })
        .await
    }

    /// All connections, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vcenters(&self) -> Result<Vec<Vcenter>, StoreError> {
        self.read("list the vCenter connections", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM vcenters ORDER BY name")?;
            Ok(statement.query_map([], vcenter_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Notes a good contact: what the server said, and when its inventory was read in full, if it was now.
    /// Nothing if the connection was deleted meanwhile.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn vcenter_answered(
        &self,
        id: VcenterId,
        about: &About,
        synced_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let about = about.clone();
        self.write(format!("note what vCenter connection {id} answered"), move |c| {
            c.prepare_cached(
                "UPDATE vcenters SET about = ?2, synced_at = coalesce(?3, synced_at), last_error = NULL WHERE id = ?1",
            )?
            .execute((id.to_string(), json(&about)?, synced_at.map(nanos)))?;
            super::vcenter_certificates::refuse(c, &id.to_string(), None)?;
            Ok(())
        })
        .await
    }

    /// Notes why the last contact failed.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn vcenter_failed(&self, id: VcenterId, error: &str) -> Result<(), StoreError> {
        let error = error.to_owned();
        self.write(format!("note why vCenter connection {id} failed"), move |c| {
            c.prepare_cached("UPDATE vcenters SET last_error = ?2 WHERE id = ?1")?
                .execute((id.to_string(), error))?;
            Ok(())
        })
        .await
    }

    /// Deletes a connection with its inventory and its password. Whether there was one is the result.
    ///
    /// # Errors
    /// If the database cannot be written, also because something still refers to it.
    pub async fn delete_vcenter(&self, id: VcenterId) -> Result<bool, StoreError> {
        self.write(format!("delete vCenter connection {id}"), move |c| {
            let user: Option<String> = c
                .prepare_cached("SELECT name FROM targets WHERE vcenter = ?1 ORDER BY name LIMIT 1")?
                .query_row([id.to_string()], |row| row.get(0))
                .optional()?;
            if let Some(appliance) = user {
                return Err(Refusal::Needed(format!("the vCenter of the appliance {appliance:?}")).into());
            }
            let secret: Option<String> = c
                .prepare_cached("DELETE FROM vcenters WHERE id = ?1 RETURNING password")?
                .query_row([id.to_string()], |row| row.get(0))
                .optional()?;
            if let Some(secret) = &secret {
                c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([secret])?;
            }
            Ok(secret.is_some())
        })
        .await
    }
}

fn put(c: &Connection, vcenter: &Vcenter) -> Result<(), Problem> {
    let clash: Option<(String, String, u16)> = c
        .prepare_cached(
            "SELECT name, host, port FROM vcenters WHERE id <> ?1 AND (name = ?2 OR (host = ?3 AND port = ?4))",
        )?
        .query_row(
            (vcenter.id.to_string(), &vcenter.name, &vcenter.address.host, vcenter.address.port),
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    if let Some((name, host, port)) = clash {
        return Err(Refusal::AlreadyExists(format!("a vCenter connection {name:?} to {host}:{port}")).into());
    }
    let pinned = match vcenter.trust {
        Trust::Pinned(thumbprint) => Some(thumbprint.to_string()),
        Trust::System => None,
    };
    c.prepare_cached(
        "INSERT INTO vcenters (id, name, host, port, username, password, pinned, created_at) \
         VALUES (:id, :name, :host, :port, :username, :password, :pinned, :created) \
         ON CONFLICT (id) DO UPDATE SET name = :name, host = :host, port = :port, username = :username, \
             password = :password, pinned = :pinned",
    )?
    .execute(named_params! {
        ":id": vcenter.id.to_string(), ":name": vcenter.name, ":host": vcenter.address.host,
        ":port": vcenter.address.port, ":username": vcenter.username,
        ":password": vcenter.password.to_string(), ":pinned": pinned, ":created": nanos(vcenter.created_at),
    })?;
    Ok(())
}

fn vcenter_of(row: &Row<'_>) -> rusqlite::Result<Vcenter> {
    let host: String = row.get("host")?;
    let address =
        VcenterAddress::new(&host, row.get("port")?).map_err(|error| unreadable(Type::Text, error))?;
    let pinned: Option<Thumbprint> = maybe_parsed(row, "pinned")?;
    Ok(Vcenter {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        address,
        username: row.get("username")?,
        password: parsed(row, "password")?,
        trust: pinned.map_or(Trust::System, Trust::Pinned),
        about: maybe_json(row, "about")?,
        synced_at: maybe_time(row, "synced_at")?,
        last_error: row.get("last_error")?,
        created_at: time(row, "created_at")?,
    })
}
