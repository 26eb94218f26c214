//! Templates from which appliances are deployed.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::Store;
use super::audit::append;
use super::error::{Problem, Refusal, StoreError};
use super::values::{from_json, json, maybe_parsed, maybe_time, nanos, parsed, time};
use crate::domain::audit::AuditEntry;
use crate::domain::ids::{JobId, TemplateId};
use crate::domain::moref::VmRef;
use crate::domain::template::{Deployments, Template};

impl Store {
    /// Keeps a template: a new one, or the new form of the one with this id.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`] if another one has this name; [`Refusal::NotFound`] if its key or vCenter is gone;
    /// or if the database cannot be written.
    pub async fn put_template(&self, template: &Template, audit: AuditEntry) -> Result<(), StoreError> {
        let template = template.clone();
        self.write(format!("keep the template {:?}", template.name), move |c| {
            put(c, &template)?;
            append(c, &audit)?;
            Ok(())
        })
        .await
    }

    /// The template with this id, if there is one.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn template(&self, id: TemplateId) -> Result<Option<Template>, StoreError> {
        self.read(format!("read template {id}"), move |c| {
            let mut statement = c.prepare_cached("SELECT * FROM templates WHERE id = ?1")?;
            Ok(statement.query_row([id.to_string()], template_of).optional()?)
        })
        .await
    }

    /// All templates, by name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn templates(&self) -> Result<Vec<Template>, StoreError> {
        self.read("list the templates", |c| {
            let mut statement = c.prepare_cached("SELECT * FROM templates ORDER BY name")?;
            Ok(statement.query_map([], template_of)?.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// How often each template was used; those that never were are left out.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub async fn deployments(&self) -> Result<HashMap<TemplateId, Deployments>, StoreError> {
        self.read("count the deployments", |c| {
            let mut statement = c.prepare_cached(
                "SELECT template, count(*) AS n, max(at) AS last FROM template_deployments GROUP BY template",
            )?;
            let rows = statement.query_map([], |row| {
                let count = row.get::<_, i64>("n")?.unsigned_abs();
                Ok((parsed(row, "template")?, Deployments { count, last: maybe_time(row, "last")? }))
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// Counts an appliance that a job made from a template. Once for each job.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn count_deployment(
        &self,
        template: TemplateId,
        job: JobId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write("count a deployment", move |c| {
            // A template that was removed meanwhile is counted no more.
            c.prepare_cached(
                "INSERT INTO template_deployments (job, template, at) \
                 SELECT ?1, id, ?3 FROM templates WHERE id = ?2 ON CONFLICT (job) DO NOTHING",
            )?
            .execute((job.to_string(), template.to_string(), nanos(at)))?;
            Ok(())
        })
        .await
    }

    /// Takes back that a job's deployment was counted.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn forget_deployment(&self, job: JobId) -> Result<(), StoreError> {
        self.write("count a deployment no more", move |c| {
            c.prepare_cached("DELETE FROM template_deployments WHERE job = ?1")?
                .execute([job.to_string()])?;
            Ok(())
        })
        .await
    }

    /// Forgets a template; what was deployed from it stays.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]; [`Refusal::Needed`] while a job that has not ended uses it.
    pub async fn delete_template(&self, template: &Template, audit: AuditEntry) -> Result<(), StoreError> {
        let template = template.clone();
        self.write(format!("remove the template {:?}", template.name), move |c| {
            let id = template.id.to_string();
            let job: Option<(String, String)> = c
                .prepare_cached(
                    "SELECT kind, id FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled') \
                     AND instr(input, ?1) > 0 LIMIT 1",
                )?
                .query_row([&id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            if let Some((kind, job)) = job {
                let needed = format!("in use by the {kind} job {job}, which has not ended");
                return Err(Refusal::Needed(needed).into());
            }
            if c.prepare_cached("DELETE FROM templates WHERE id = ?1")?.execute([&id])? == 0 {
                return Err(Refusal::NotFound(format!("template {:?}", template.name)).into());
            }
            append(c, &audit)?;
            Ok(())
        })
        .await
    }
}

fn put(c: &Connection, template: &Template) -> Result<(), Problem> {
    let id = template.id.to_string();
    let clash = c
        .prepare_cached("SELECT 1 FROM templates WHERE id <> ?1 AND name = ?2")?
        .exists((&id, &template.name))?;
    if clash {
        return Err(Refusal::AlreadyExists(format!("a template {:?}", template.name)).into());
    }
    let there = |sql: &str, id: String| c.prepare_cached(sql)?.exists([id]);
    if !there("SELECT 1 FROM vcenters WHERE id = ?1", template.vcenter.to_string())? {
        return Err(Refusal::NotFound(format!("vCenter connection {}", template.vcenter)).into());
    }
    if let Some(key) = template.ssh_key
        && !there("SELECT 1 FROM ssh_keys WHERE id = ?1", key.to_string())?
    {
        return Err(Refusal::NotFound(format!("SSH key {key}")).into());
    }
    c.prepare_cached(
        "INSERT INTO templates (id, name, description, vcenter, moref, vm_name, defaults, ssh_key, is_active, \
             created_by, created_at) \
         VALUES (:id, :name, :description, :vcenter, :moref, :vm, :defaults, :key, :active, :by, :created) \
         ON CONFLICT (id) DO UPDATE SET name = :name, description = :description, vcenter = :vcenter, \
             moref = :moref, vm_name = :vm, defaults = :defaults, ssh_key = :key, is_active = :active",
    )?
    .execute(named_params! {
        ":id": id, ":name": template.name, ":description": template.description,
        ":vcenter": template.vcenter.to_string(), ":moref": template.moref.id(), ":vm": template.vm_name,
        ":defaults": json(&template.defaults)?, ":key": template.ssh_key.map(|key| key.to_string()),
        ":active": template.is_active, ":by": template.created_by, ":created": nanos(template.created_at),
    })?;
    Ok(())
}

fn template_of(row: &Row<'_>) -> rusqlite::Result<Template> {
    Ok(Template {
        id: parsed(row, "id")?,
        name: row.get("name")?,
        description: row.get("description")?,
        vcenter: parsed(row, "vcenter")?,
        moref: VmRef::new(row.get::<_, String>("moref")?),
        vm_name: row.get("vm_name")?,
        defaults: from_json(row, "defaults")?,
        ssh_key: maybe_parsed(row, "ssh_key")?,
        is_active: row.get("is_active")?,
        created_by: row.get("created_by")?,
        created_at: time(row, "created_at")?,
    })
}
