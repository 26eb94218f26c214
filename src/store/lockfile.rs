//! One process per data directory.
//!
//! The lock is the operating system's (`flock`), so it ends with the process however that ends; the file only
//! says who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use jiff::Timestamp;

use super::open_error::OpenError;

/// Its name in the data directory.
const NAME: &str = "zerfaux.lock";

/// The lock on a data directory, until it is dropped.
#[derive(Debug)]
pub(in crate::store) struct LockFile(#[allow(dead_code)] File);

/// Takes the lock on `directory`, or says at once who has it.
pub(in crate::store) fn take(directory: &Path) -> Result<LockFile, OpenError> {
    let path = directory.join(NAME);
    let failed = |source| OpenError::Directory { path: path.clone(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(OpenError::Held { directory: directory.to_owned(), holder: holder(&mut file) });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    if let Err(error) = sign(&mut file) {
        // The lock holds without its inscription; on a full disk Zerfaux must still start.
        tracing::warn!(error = %error, path = %path.display(), "could not write who holds the data directory");
    }
    Ok(LockFile(file))
}

fn sign(file: &mut File) -> std::io::Result<()> {
    let program = std::env::args().next().unwrap_or_default();
    let program = Path::new(&program).file_name().unwrap_or_default().to_string_lossy().into_owned();
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {} ({program}) since {:.0}", std::process::id(), Timestamp::now())
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.take(1000).read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => "another process".to_owned(),
    }
}
