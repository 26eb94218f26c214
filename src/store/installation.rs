//! Which installation this is. The appliances know it by this, so that two never drive the same ones.

use rusqlite::{Connection, OptionalExtension};

use super::Store;
use super::error::StoreError;
use super::values::parsed;
use crate::domain::ids::InstallationId;

/// Who drives the appliances: an installation, and how often it was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation {
    /// Drawn once, and kept by restores.
    pub id: InstallationId,
    /// From 1. Each restore raises it; of two installations with one id, the lower one turns read-only.
    pub generation: i64,
}

impl Store {
    /// The installation, which is drawn at the first call. Once returned, it is on the disk.
    ///
    /// # Errors
    /// If the database cannot be read or written.
    pub async fn installation(&self) -> Result<Installation, StoreError> {
        if let Some(installation) = self.read("read the installation's id", |c| Ok(find(c)?)).await? {
            return Ok(installation);
        }
        self.write("give the installation its id", |c| {
            draw(c)?;
            Ok(find(c)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
        })
        .await
    }

    /// Raises the generation, after a restore on another machine.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub async fn raise_generation(&self) -> Result<Installation, StoreError> {
        self.write("raise the installation's generation", |c| Ok(raise(c)?)).await
    }
}

/// Raises the generation of a database; one that had no installation yet has one afterwards.
pub(in crate::store) fn raise(connection: &Connection) -> rusqlite::Result<Installation> {
    draw(connection)?;
    connection.execute("UPDATE installation SET generation = generation + 1", [])?;
    find(connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn draw(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO installation (only_row, id, generation) VALUES (1, ?1, 1)")?
        .execute([InstallationId::new().to_string()])
        .map(drop)
}

fn find(connection: &Connection) -> rusqlite::Result<Option<Installation>> {
    connection
        .prepare_cached("SELECT id, generation FROM installation")?
        .query_row([], |row| Ok(Installation { id: parsed(row, "id")?, generation: row.get("generation")? }))
        .optional()
}
