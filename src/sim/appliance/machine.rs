//! The machine under the commands: its pools, its files, its faults.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::ApplianceOptions;
use super::fault::Faults;
use super::model::State;
use super::model::names::{Errno, NOT_THERE};
use super::shell::process::Process;

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
    /// Programs that are not installed.
    missing: Vec<String>,
    /// What its SSH server and client say they are.
    pub(crate) openssh: String,
    /// Whether its SSH server forwards agents.
    pub(crate) forwards_agents: bool,
    /// Whether its NFS server runs.
    pub(crate) services: Mutex<std::collections::BTreeMap<String, bool>>,
    /// Names of other machines, as in /etc/hosts.
    hosts: Mutex<Vec<(String, SocketAddr)>>,
    /// The newest commands, for those who watch.
    log: Mutex<Vec<String>>,
    /// By how many seconds its clock is ahead.
    skew: AtomicI64,
    log_ins: Mutex<Vec<String>>,
    processes: Mutex<Processes>,
}

/// What runs, and the last number that was given.
#[derive(Debug, Default)]
struct Processes {
    last: u32,
    running: Vec<Weak<Process>>,
}

/// The most commands that are remembered.
const REMEMBERED: usize = 10_000;

impl Machine {
    pub(crate) fn new(options: &ApplianceOptions) -> Self {
        let running = ["ssh", "nfs-server", "zfs-zed"].map(|name| (name.to_owned(), true));
        Self {
            state: Mutex::default(),
            faults: Faults::default(),
            hostname: options.hostname.clone(),
            latency: options.latency,
            sudo: options.sudo,
            missing: options.missing.clone(),
            openssh: options.openssh.clone(),
            forwards_agents: options.forwards_agents,
            services: Mutex::new(running.into()),
            hosts: Mutex::default(),
            log: Mutex::default(),
            skew: AtomicI64::new(0),
            log_ins: Mutex::default(),
            processes: Mutex::default(),
        }
    }

    pub(crate) fn has_program(&self, name: &str) -> bool {
        !self.missing.iter().any(|missing| missing == name)
    }

    pub(crate) fn services(&self) -> MutexGuard<'_, std::collections::BTreeMap<String, bool>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add_host(&self, name: &str, address: SocketAddr) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).push((name.to_owned(), address));
    }

    /// Where a name and port lead: what it was told, or a loopback address. A simulated machine dials nothing else.
    pub(crate) fn resolve(&self, name: &str, port: u16) -> Option<SocketAddr> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let told = hosts.iter().find(|(host, _)| host == name || *host == format!("{name}:{port}"));
        let bare = name.trim_start_matches('[').trim_end_matches(']');
        let literal = if bare == "localhost" { "127.0.0.1" } else { bare };
        let loopback = || literal.parse::<IpAddr>().ok().filter(IpAddr::is_loopback);
        told.map(|(_, address)| *address).or_else(|| Some(SocketAddr::new(loopback()?, port)))
    }

    pub(crate) fn skew(&self) -> i64 {
        self.skew.load(Ordering::Relaxed)
    }

    pub(crate) fn set_skew(&self, seconds: i64) {
        self.skew.store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn note_log_in(&self, text: &str) {
        self.log_ins.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }

    pub(crate) fn log_ins(&self) -> Vec<String> {
        self.log_ins.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A process that is about to start.
    pub(crate) fn new_process(&self) -> Arc<Process> {
        let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.running.retain(|process| process.strong_count() > 0);
        processes.last += 1;
        let process = Arc::new(Process::new(1000 + processes.last));
        processes.running.push(Arc::downgrade(&process));
        process
    }

    pub(crate) fn process(&self, pid: u32) -> Option<Arc<Process>> {
        let processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
        processes.running.iter().filter_map(Weak::upgrade).find(|process| process.pid == pid)
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
        if path == "/dev/null" {
            return Ok(Vec::new());
        }
        self.state().read_at(path, 0, u64::MAX).map_err(|why| format!("{path}: {why}"))
    }

    /// A file to read from; the error is what a shell says.
    pub(crate) fn open_to_read(self: &Arc<Self>, path: &str) -> Result<Box<dyn Read + Send>, String> {
        match path {
            "/dev/null" => Ok(Box::new(io::empty())),
            "/dev/zero" => Ok(Box::new(io::repeat(0))),
            "/dev/urandom" | "/dev/random" => Ok(Box::new(Noise)),
            _ => {
                self.state().read_at(path, 0, 0).map_err(|why| format!("{path}: {why}"))?;
                Ok(Box::new(OpenFile { machine: Arc::clone(self), path: path.to_owned(), at: 0 }))
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
        let opened = || -> Result<u64, Errno> {
            let mut state = self.state();
            let there = state.look(&state.follow(path));
            if there.is_none() {
                let found = state.seek(path).ok_or(NOT_THERE)?;
                found.tree.has_place_above(&found.path)?;
            }
            if append {
                return Ok(there.map_or(0, |seen| seen.length));
            }
            state.write_at(path, None, &[])?;
            Ok(0)
        };
        let at = opened().map_err(|why| format!("{path}: {why}"))?;
        Ok(Box::new(OpenFile { machine: Arc::clone(self), path: path.to_owned(), at }))
    }

    /// Writes at an offset; at none the file is cut to nothing first.
    pub(crate) fn write_file(&self, path: &str, offset: Option<u64>, bytes: &[u8]) -> io::Result<()> {
        if path == "/dev/null" {
            return Ok(());
        }
        self.state().write_at(path, offset, bytes).map_err(io::Error::other)
    }
}

/// `/dev/urandom`.
struct Noise;

impl Read for Noise {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer
            .chunks_mut(8)
            .for_each(|chunk| chunk.copy_from_slice(&rand::random::<[u8; 8]>()[..chunk.len()]));
        Ok(buffer.len())
    }
}

struct OpenFile {
    machine: Arc<Machine>,
    path: String,
    at: u64,
}

impl Read for OpenFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.machine.state().read_at(&self.path, self.at, buffer.len() as u64);
        let bytes = bytes.map_err(io::Error::other)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }
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
