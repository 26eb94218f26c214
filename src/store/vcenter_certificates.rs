//! Certificates of vCenters, and the drafts of connections that wait for one to be compared.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};

use super::Store;
use super::error::StoreError;
use super::values::{from_json, json, maybe_json, maybe_parsed, nanos, parsed, time, unreadable};
use crate::domain::ids::{VcenterDraftId, VcenterId};
use crate::domain::thumbprint::ServerCertificate;
use crate::domain::vcenter::{Certificates, InventoryCounts, VcenterAddress, VcenterDraft};

/// Notes the accepted certificate; the refused one is forgotten.
pub(super) fn accept(
    c: &Connection,
    vcenter: &str,
    certificate: Option<&ServerCertificate>,
) -> rusqlite::Result<()> {
    let accepted = certificate.map(json).transpose()?;
    c.prepare_cached(
        "INSERT INTO vcenter_certificates (vcenter, accepted) VALUES (?1, ?2) \
         ON CONFLICT DO UPDATE SET accepted = ?2, refused = NULL",
    )?
    .execute((vcenter, accepted))?;
    Ok(())
}

/// Notes the certificate that was refused; none: a contact worked.
pub(super) fn refuse(
    c: &Connection,
    vcenter: &str,
    certificate: Option<&ServerCertificate>,
) -> rusqlite::Result<()> {
    let refused = certificate.map(json).transpose()?;
    // Of a connection that was deleted meanwhile nothing is noted.
    c.prepare_cached(
        "INSERT INTO vcenter_certificates (vcenter, refused) SELECT id, ?2 FROM vcenters WHERE id = ?1 \
         ON CONFLICT DO UPDATE SET refused = ?2",
    )?
    .execute((vcenter, refused))?;
    Ok(())
}

impl Store {
    /// Notes the certificate that was refused last.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn vcenter_refused(
        &self,
        id: VcenterId,
        certificate: &ServerCertificate,
    ) -> Result<(), StoreError> {
        let certificate = certificate.clone();
        self.write(format!("note the certificate of vCenter connection {id}"), move |c| {
            Ok(refuse(c, &id.to_string(), Some(&certificate))?)
        })
        .await
    }

    /// What is known of the certificates of all connections.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vcenter_certificates(&self) -> Result<BTreeMap<VcenterId, Certificates>, StoreError> {
        self.read("list the certificates of the vCenters", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM vcenter_certificates")?;
            let rows = statement.query_map([], |row| {
                let known = Certificates {
                    accepted: maybe_json(row, "accepted")?,
                    refused: maybe_json(row, "refused")?,
                };
                Ok((parsed(row, "vcenter")?, known))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// How many objects each vCenter has; those without any are left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn inventory_counts(&self) -> Result<BTreeMap<VcenterId, InventoryCounts>, StoreError> {
        self.read("count what the vCenters have", |c| {
            let mut counts = BTreeMap::<VcenterId, InventoryCounts>::new();
            let mut statement = c.prepare_cached(
                "SELECT vcenter, iif(template, 'template', 'vm') AS what, count(*) AS n FROM inventory_vms \
                     WHERE gone_at IS NULL GROUP BY vcenter, template \
                 UNION ALL SELECT vcenter, 'host', count(*) FROM inventory_places \
                     WHERE sort = 'host' AND gone_at IS NULL GROUP BY vcenter \
                 UNION ALL SELECT vcenter, 'datastore', count(*) FROM inventory_datastores \
                     WHERE gone_at IS NULL GROUP BY vcenter \
                 UNION ALL SELECT vcenter, 'network', count(*) FROM inventory_networks \
                     WHERE gone_at IS NULL GROUP BY vcenter",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let of = counts.entry(parsed(row, "vcenter")?).or_default();
                let n = row.get::<_, i64>("n")?.unsigned_abs();
                match row.get::<_, String>("what")?.as_str() {
                    "vm" => of.vms = n,
                    "template" => of.templates = n,
                    "host" => of.hosts = n,
                    "datastore" => of.datastores = n,
                    _ => of.networks = n,
                }
            }
            Ok(counts)
        })
        .await
    }

    /// Keeps a draft, and forgets those that were begun before `oldest`, with their passwords.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn put_vcenter_draft(&self, draft: &VcenterDraft, oldest: Timestamp) -> Result<(), StoreError> {
        let draft = draft.clone();
        self.write("keep the draft of a vCenter connection", move |c| {
            let old: Vec<String> = c
                .prepare_cached("DELETE FROM vcenter_drafts WHERE created_at < ?1 RETURNING password")?
                .query_map([nanos(oldest)], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            for secret in old {
                c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([secret])?;
            }
            c.prepare_cached(
                "INSERT INTO vcenter_drafts (id, owner, vcenter, name, host, port, username, password, certificate, \
                 created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute((
                draft.id.to_string(),
                &draft.owner,
                draft.vcenter.map(|id| id.to_string()),
                &draft.name,
                &draft.address.host,
                draft.address.port,
                &draft.username,
                draft.password.to_string(),
                json(&draft.certificate)?,
                nanos(draft.created_at),
            ))?;
            Ok(())
        })
        .await
    }

    /// The draft with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn vcenter_draft(&self, id: VcenterDraftId) -> Result<Option<VcenterDraft>, StoreError> {
        self.read(format!("read the draft {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM vcenter_drafts WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], draft_of).optional()?)
        })
        .await
    }

    /// Forgets a draft with its password.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn delete_vcenter_draft(&self, id: VcenterDraftId) -> Result<(), StoreError> {
        self.write(format!("forget the draft {id}"), move |c| {
            let secret: Option<String> = c
                .prepare_cached("DELETE FROM vcenter_drafts WHERE id = ?1 RETURNING password")?
                .query_row([id.to_string()], |row| row.get(0))
                .optional()?;
            if let Some(secret) = secret {
                c.prepare_cached("DELETE FROM secrets WHERE id = ?1")?.execute([secret])?;
            }
            Ok(())
        })
        .await
    }
}

fn draft_of(row: &Row<'_>) -> rusqlite::Result<VcenterDraft> {
    let host: String = row.get("host")?;
    let address =
        VcenterAddress::new(&host, row.get("port")?).map_err(|error| unreadable(Type::Text, error))?;
    Ok(VcenterDraft {
        id: parsed(row, "id")?,
        owner: row.get("owner")?,
        vcenter: maybe_parsed(row, "vcenter")?,
        name: row.get("name")?,
        address,
        username: row.get("username")?,
        password: parsed(row, "password")?,
        certificate: from_json(row, "certificate")?,
        created_at: time(row, "created_at")?,
    })
}
