//! The descriptors of a command.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) type Output = Arc<Mutex<Box<dyn Write + Send>>>;
pub(crate) type Input = Arc<Mutex<Box<dyn Read + Send>>>;

/// A descriptor beyond the three.
#[derive(Clone)]
pub(crate) enum Descriptor {
    In(Input),
    Out(Output),
}

/// The streams of a command: the three, and what a script opened beside them.
#[derive(Clone)]
pub(crate) struct Io {
    pub(crate) stdin: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    more: BTreeMap<u8, Descriptor>,
}

fn guard<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn input(reader: impl Read + Send + 'static) -> Input {
    Arc::new(Mutex::new(Box::new(reader)))
}

pub(crate) fn output(writer: impl Write + Send + 'static) -> Output {
    Arc::new(Mutex::new(Box::new(writer)))
}

impl Io {
    pub(crate) fn new(
        stdin: impl Read + Send + 'static,
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
    ) -> Self {
        Self { stdin: input(stdin), stdout: output(stdout), stderr: output(stderr), more: BTreeMap::new() }
    }

    /// Writes to standard output; a reader that is gone is the next writer's trouble.
    pub(crate) fn say(&self, text: impl AsRef<[u8]>) {
        let _ = guard(&self.stdout).write_all(text.as_ref());
    }

    /// The same; false if nobody reads it.
    pub(crate) fn tells(&self, text: &str) -> bool {
        let written = guard(&self.stdout).write_all(text.as_bytes());
        !written.is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Writes a line to standard error.
    pub(crate) fn complain(&self, text: impl std::fmt::Display) {
        let _ = guard(&self.stderr).write_all(format!("{text}\n").as_bytes());
    }

    /// Writes to standard error without ending the line.
    pub(crate) fn mutter(&self, text: &str) {
        let _ = guard(&self.stderr).write_all(text.as_bytes());
    }

    pub(crate) fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        guard(&self.stdout).write_all(bytes)
    }

    pub(crate) fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
        guard(&self.stdin).read(buffer)
    }

    /// All of standard input.
    pub(crate) fn read_all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        // What came before the input broke is what the command sees.
        let _ = guard(&self.stdin).read_to_end(&mut all);
        all
    }

    /// A line of standard input without its end, and whether it had one. Not a byte more is read.
    pub(crate) fn read_line(&self) -> (String, bool) {
        let (mut line, mut byte) = (Vec::new(), [0]);
        loop {
            match self.read(&mut byte) {
                Ok(1) if byte[0] == b'\n' => return (String::from_utf8_lossy(&line).into_owned(), true),
                Ok(1) => line.push(byte[0]),
                _ => return (String::from_utf8_lossy(&line).into_owned(), false),
            }
        }
    }

    /// `to>&from`, `to<&from`. False if `from` is not open.
    pub(crate) fn copy(&mut self, to: u8, from: u8) -> bool {
        let found = match from {
            0 => Some(Descriptor::In(Arc::clone(&self.stdin))),
            1 => Some(Descriptor::Out(Arc::clone(&self.stdout))),
            2 => Some(Descriptor::Out(Arc::clone(&self.stderr))),
            other => self.more.get(&other).cloned(),
        };
        match (to, found) {
            (0, Some(Descriptor::In(stdin))) => self.stdin = stdin,
            (1, Some(Descriptor::Out(stdout))) => self.stdout = stdout,
            (2, Some(Descriptor::Out(stderr))) => self.stderr = stderr,
            (3.., Some(found)) => drop(self.more.insert(to, found)),
            _ => return false,
        }
        true
    }

    /// `to>&-`.
    pub(crate) fn close(&mut self, descriptor: u8) {
        match descriptor {
            0 => self.stdin = input(std::io::empty()),
            1 => self.stdout = output(std::io::sink()),
            2 => self.stderr = output(std::io::sink()),
            other => drop(self.more.remove(&other)),
        }
    }

    /// Opens a descriptor for reading.
    pub(crate) fn open_in(&mut self, descriptor: u8, from: Input) {
        if descriptor == 0 {
            self.stdin = from;
        } else {
            self.more.insert(descriptor, Descriptor::In(from));
        }
    }

    /// Opens a descriptor for writing.
    pub(crate) fn open_out(&mut self, descriptor: u8, to: Output) {
        match descriptor {
            1 => self.stdout = to,
            2 => self.stderr = to,
            other => drop(self.more.insert(other, Descriptor::Out(to))),
        }
    }
}
