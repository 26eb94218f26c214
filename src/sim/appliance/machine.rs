//! The machine under the commands: its pools, its files, its faults.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::fault::Faults;
use super::model::{State, Target};

/// One simulated machine.
#[derive(Debug)]
pub(crate) struct Machine {
    state: Mutex<State>,
    pub(crate) faults: Faults,
    pub(crate) hostname: String,
    /// How long a command takes to come and go.
    pub(crate) latency: Duration,
    /// Whether users other than root may use sudo.
    pub(crate) sudo: bool,
    /// The newest commands, for those who watch.
    log: Mutex<Vec<String>>,
}

/// The most commands that are remembered.
const REMEMBERED: usize = 10_000;

/// Where a path leads.
pub(crate) enum Place {
    /// A file in a dataset, or in a snapshot of it.
    Inside {
        dataset: String,
        tag: Option<String>,
        path: String,
    },
    /// A file of the machine's own.
    Plain(String),
    Nowhere,
}

impl Machine {
    pub(crate) fn new(hostname: &str, latency: Duration, sudo: bool) -> Self {
        Self {
            state: Mutex::default(),
            faults: Faults::default(),
            hostname: hostname.to_owned(),
            latency,
            sudo,
            log: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note(&self, line: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= REMEMBERED {
            log.drain(..REMEMBERED / 2);
        }
        log.push(line.to_owned());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The content of a file; the error is what a shell says.
    pub(crate) fn read_file(&self, path: &str) -> Result<Vec<u8>, String> {
        let missing = || format!("{path}: No such file or directory");
        let state = self.state();
        match state.locate(path) {
            Place::Nowhere if path == "/dev/null" => Ok(Vec::new()),
            Place::Nowhere => Err(missing()),
            Place::Plain(plain) => state.files.get(&plain).cloned().ok_or_else(missing),
            Place::Inside { dataset, tag, path: inside } => {
                let found = state.datasets.get(&dataset).ok_or_else(missing)?;
                let tree = match &tag {
                    Some(tag) => &found.snapshot(tag).ok_or_else(missing)?.tree,
                    None => &found.head,
                };
                tree.read(&inside, found.key()).ok_or_else(missing)
            }
        }
    }

    /// A file to write to; the error is what a shell says.
    pub(crate) fn open_file(
        self: &Arc<Self>,
        path: &str,
        append: bool,
    ) -> Result<Box<dyn Write + Send>, String> {
        if path == "/dev/null" {
            return Ok(Box::new(io::sink()));
        }
        let mut at = 0;
        if append {
            at = self.read_file(path).map_or(0, |bytes| bytes.len() as u64);
        } else {
            self.write_file(path, None, &[]).map_err(|error| format!("{path}: {error}"))?;
        }
        Ok(Box::new(OpenFile { machine: Arc::clone(self), path: path.to_owned(), at }))
    }

    /// Writes at an offset; at none the file is cut to nothing first.
    pub(crate) fn write_file(&self, path: &str, offset: Option<u64>, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        match state.locate(path) {
            Place::Plain(plain) => {
                let file = state.files.entry(plain).or_default();
                let start = usize::try_from(offset.unwrap_or(0)).unwrap_or(usize::MAX);
                file.truncate(start);
                file.extend_from_slice(bytes);
                Ok(())
            }
            Place::Inside { dataset, tag: None, path } => state.write(&dataset, &path, offset, bytes),
            Place::Inside { .. } => Err(io::Error::other("Read-only file system")),
            Place::Nowhere if path == "/dev/null" => Ok(()),
            Place::Nowhere => Err(io::Error::other("No such file or directory")),
        }
    }
}

struct OpenFile {
    machine: Arc<Machine>,
    path: String,
    at: u64,
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.machine.write_file(&self.path, Some(self.at), bytes)?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl State {
    /// Where a path leads: the mounted dataset whose mount point is nearest above it, a volume's device, or the
    /// machine's own disk.
    pub(crate) fn locate(&self, path: &str) -> Place {
        if let Some(name) = path.strip_prefix("/dev/zvol/") {
            let volume = self.datasets.get(name).is_some_and(|dataset| dataset.is_volume());
            let inside = || Place::Inside { dataset: name.to_owned(), tag: None, path: String::new() };
            return if volume { inside() } else { Place::Nowhere };
        }
        if path.starts_with("/dev/") || path.is_empty() {
            return Place::Nowhere;
        }
        let mut best: Option<(String, String)> = None;
        for (name, dataset) in self.datasets.iter().filter(|(_, dataset)| dataset.mounted) {
            let Some((point, _)) = self.property(Target::Dataset(name), "mountpoint") else { continue };
            let inside = path.strip_prefix(&point).filter(|rest| rest.is_empty() || rest.starts_with('/'));
            let nearer = best.as_ref().is_none_or(|(before, _)| point.len() > before.len());
            if inside.is_some() && nearer && !dataset.is_locked() {
                best = Some((point, name.clone()));
            }
        }
        let Some((point, dataset)) = best else { return Place::Plain(path.to_owned()) };
        let inside = path[point.len()..].trim_matches('/').to_owned();
        match inside.strip_prefix(".zfs/snapshot/") {
            Some(rest) => {
                let (tag, path) = rest.split_once('/').unwrap_or((rest, ""));
                Place::Inside { dataset, tag: Some(tag.to_owned()), path: path.to_owned() }
            }
            None => Place::Inside { dataset, tag: None, path: inside },
        }
    }

    /// Writes into a dataset, if there is room.
    pub(crate) fn write(
        &mut self,
        name: &str,
        path: &str,
        offset: Option<u64>,
        bytes: &[u8],
    ) -> io::Result<()> {
        if self.property(Target::Dataset(name), "readonly").is_some_and(|(value, _)| value == "on") {
            return Err(io::Error::other("Read-only file system"));
        }
        let (room, quota) = self.room(name);
        if bytes.len() as u64 > room {
            let why = if quota { "Disk quota exceeded" } else { "No space left on device" };
            return Err(io::Error::other(why));
        }
        let txg = self.next_txg();
        let Some(dataset) = self.datasets.get_mut(name) else { return Err(io::ErrorKind::NotFound.into()) };
        let (key, volume) = (dataset.key(), dataset.is_volume());
        let tree = Arc::make_mut(&mut dataset.head);
        if offset.is_none() && !volume {
            tree.truncate(path);
        }
        if !bytes.is_empty() || offset.is_none() {
            tree.write(path, offset.unwrap_or(0), bytes, txg, key);
        }
        dataset.changed = txg;
        Ok(())
    }
}
