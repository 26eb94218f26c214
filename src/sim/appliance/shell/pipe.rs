//! A pipe between two commands. A reader that leaves breaks it for the writer, as on a host; and unlike the system's
//! own, one that waits can be killed.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::process;

/// As much as Linux keeps.
const ROOM: usize = 64 << 10;
/// How often one that waits looks whether it was killed.
const LOOK: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Inner {
    bytes: VecDeque<u8>,
    no_writer: bool,
    no_reader: bool,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change; the error is that of one who was killed meanwhile.
    fn wait<'a>(&self, inner: MutexGuard<'a, Inner>) -> io::Result<MutexGuard<'a, Inner>> {
        let (inner, _) = self.changed.wait_timeout(inner, LOOK).unwrap_or_else(PoisonError::into_inner);
        if process::is_killed() { Err(io::Error::other("killed")) } else { Ok(inner) }
    }
}

/// The end that is read from.
pub(crate) struct Reader(Arc<Shared>);

/// The end that is written to.
pub(crate) struct Writer(Arc<Shared>);

pub(crate) fn pipe() -> (Reader, Writer) {
    let shared = Arc::<Shared>::default();
    (Reader(Arc::clone(&shared)), Writer(shared))
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.lock();
        while inner.bytes.is_empty() && !inner.no_writer && !buffer.is_empty() {
            inner = self.0.wait(inner)?;
        }
        let count = inner.bytes.read(buffer)?;
        drop(inner);
        self.0.changed.notify_all();
        Ok(count)
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut inner = self.0.lock();
        while inner.bytes.len() >= ROOM && !inner.no_reader {
            inner = self.0.wait(inner)?;
        }
        if inner.no_reader {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = bytes.len().min(ROOM - inner.bytes.len());
        inner.bytes.extend(&bytes[..count]);
        drop(inner);
        self.0.changed.notify_all();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.lock().no_reader = true;
        self.0.changed.notify_all();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.lock().no_writer = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_each_end_notices_that_the_other_left() {
        let (mut reader, mut writer) = pipe();
        let sender = std::thread::spawn(move || {
            writer.write_all(&vec![7; 3 * ROOM]).unwrap();
        });
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        sender.join().unwrap();
        assert_eq!((all.len(), all[ROOM]), (3 * ROOM, 7));
        let (reader, mut writer) = pipe();
        drop(reader);
        assert_eq!(writer.write(b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
