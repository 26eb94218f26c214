//! The composition root: the only place that knows every type.

use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;

use crate::app::App;
use crate::engine::{Engine, SystemClock};
use crate::jobs::hosts::Hosts;
use crate::store::Store;

pub use crate::store::OpenError;

/// An application that keeps nothing: its database is in memory. What a run leaves behind lies with ZFS
/// itself (resume tokens, holds, bookmarks), so the next one goes on from there.
///
/// # Errors
/// Only if memory or threads run out.
pub fn passing(passphrase: Option<SecretString>) -> Result<App, OpenError> {
    Ok(assemble(Store::open_in_memory()?, passphrase))
}

/// An application over the database in `data_dir`, which is created or migrated if need be.
///
/// # Errors
/// If another process has it, if a newer version wrote it, if it is damaged, or the disk does not allow it.
pub fn lasting(data_dir: &Path, passphrase: Option<SecretString>) -> Result<App, OpenError> {
    Ok(assemble(Store::open(data_dir)?, passphrase))
}

fn assemble(store: Store, passphrase: Option<SecretString>) -> App {
    let hosts = Arc::new(Hosts::new(None, passphrase));
    let engine = Engine::new(store.clone(), crate::jobs::definitions(&hosts), Arc::new(SystemClock::new()));
    App::new(store, engine, hosts)
}
