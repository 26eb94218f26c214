//! The key file: the data keys in clear, the one in use first. Beside the database, never in it.
//!
//! ```text
//! zerfaux-keys-1
//! <key id> <key in base64>
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::error::VaultError;
use super::key::{DataKey, KEY, hex};

/// Its name in the data directory.
const NAME: &str = "zerfaux.key";

/// First line, with the version of what follows.
const HEADER: &str = "zerfaux-keys-1";

pub(super) fn path(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// The keys in the file, the one in use first: at least one.
pub(super) fn read(path: &Path) -> Result<Vec<DataKey>, VaultError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => VaultError::Missing { path: path.to_owned() },
        _ => VaultError::File { attempted: "read", path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that it is the same one that is read.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(VaultError::Exposed { path: path.to_owned(), mode });
    }
    let text = Zeroizing::new(io::read_to_string(file).map_err(failed)?);
    parse(&text).map_err(|line| VaultError::Malformed { path: path.to_owned(), line })
}

/// The keys, or the number of the line that is wrong.
fn parse(text: &str) -> Result<Vec<DataKey>, usize> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    if lines.next().is_none_or(|(_, line)| line != HEADER) {
        return Err(1);
    }
    let mut keys = Vec::new();
    for (number, line) in lines {
        let key = line.split_once(' ').and_then(|(id, key)| {
            let bytes = Zeroizing::new(STANDARD.decode(key).ok()?);
            let key = DataKey::from_bytes(<&[u8; KEY]>::try_from(bytes.as_slice()).ok()?);
            (hex(key.id()) == id).then_some(key)
        });
        keys.push(key.ok_or(number)?);
    }
    if keys.is_empty() { Err(2) } else { Ok(keys) }
}

/// Writes a key file where there is none.
pub(super) fn create(path: &Path, keys: &[DataKey]) -> Result<(), VaultError> {
    write(path, keys, |unfinished| match fs::hard_link(unfinished, path) {
        Ok(()) => fs::remove_file(unfinished),
        Err(error) => Err(error),
    })
    .map_err(|error| match error {
        VaultError::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
            VaultError::Exists { path: path.to_owned() }
        }
        other => other,
    })
}

/// Puts other keys in its place: after a crash, the file holds the old ones or the new ones.
pub(super) fn replace(path: &Path, keys: &[DataKey]) -> Result<(), VaultError> {
    write(path, keys, |unfinished| fs::rename(unfinished, path))
}

fn write(
    path: &Path,
    keys: &[DataKey],
    place: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), VaultError> {
    let unfinished = path.with_extension("key.unfinished");
    let written = write_unfinished(&unfinished, keys).and_then(|()| {
        place(&unfinished)?;
        // The name must survive a power cut as well as the content.
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    });
    written.map_err(|source| {
        // Keys in clear must not stay behind; the error in hand says more than a second one.
        let _removed = fs::remove_file(&unfinished);
        VaultError::File { attempted: "write", path: path.to_owned(), source }
    })
}

fn write_unfinished(path: &Path, keys: &[DataKey]) -> io::Result<()> {
    let mut text = Zeroizing::new(format!("{HEADER}\n"));
    for key in keys {
        let encoded = Zeroizing::new(STANDARD.encode(key.bytes()));
        text.push_str(&format!("{} {}\n", hex(key.id()), *encoded));
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
