//! `ssh` from this simulated machine to another, over a real connection.
//!
//! In: what scripts say (`-V`, `-o`, `-i`, `-l`, `-p`, `-T`, `-a`, `-x`, `-n`, `-v`), host keys that are handed over or
//! lie in files, log-ins by a forwarded agent or a key file. Out: terminals, forwarding further on, settings in files.
//! It dials loopback, and what [`add_host`](crate::sim::appliance::Appliance::add_host) told, and nothing else.

mod agent;
mod client;
mod known;
mod log_in;
mod options;

use std::io::Write;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use self::known::Known;
use self::options::{Asked, Options};
use super::{Io, Shell};
use crate::sim::appliance::shell::process;

/// What ends `ssh` with its status 255, as it says it.
pub(super) type Said = String;

pub(super) fn run(shell: &Shell, program: &str, words: &[String], io: &Io) -> Option<i32> {
    if program != "ssh" {
        return None;
    }
    let options = match Options::read(shell, words) {
        Ok(Asked::Version) => {
            io.complain(format_args!("{}, OpenSSL 3.0.17 1 Jul 2025", shell.machine.openssh));
            return Some(0);
        }
        Ok(Asked::Connection(options)) => *options,
        Err(said) => {
            io.complain(said);
            return Some(255);
        }
    };
    Some(connect(shell, options, io))
}

/// What the connection has for standard output and standard error.
enum Told {
    Out(Bytes),
    Err(Bytes),
}

/// Says things from within the runtime, where nothing may wait for a reader.
#[derive(Clone)]
struct Speaker(mpsc::Sender<Told>);

impl Speaker {
    /// Standard output; false if nobody reads it.
    async fn out(&self, bytes: Bytes) -> bool {
        self.0.send(Told::Out(bytes)).await.is_ok()
    }

    /// Standard error.
    async fn err(&self, text: impl Into<Bytes>) -> bool {
        self.0.send(Told::Err(text.into())).await.is_ok()
    }
}

/// Writes what is told until nobody tells any more, or nobody reads.
fn write(mut told: mpsc::Receiver<Told>, io: &Io) {
    while let Some(told) = told.blocking_recv() {
        let written = match told {
            Told::Out(bytes) => io.write(&bytes),
            Told::Err(bytes) => io.stderr.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes),
        };
        if written.is_err() {
            return;
        }
    }
}

/// Runs what the options say and gives the exit status. On threads of its own, one for the connection's runtime and one
/// that writes, for the command's thread may be anybody's.
fn connect(shell: &Shell, options: Options, io: &Io) -> i32 {
    let own = process::current().unwrap_or_else(|| shell.machine.new_process());
    let known = Known::gather(shell, &options, io);
    let (sender, told) = mpsc::channel(16);
    let work = || {
        process::adopt(Some(Arc::clone(&own)));
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(_) => return 255,
        };
        let speaker = Speaker(sender);
        runtime.block_on(async {
            match client::run(shell, &options, known, (io, &speaker), &own).await {
                Ok(status) => status,
                Err(said) => {
                    speaker.err(said).await;
                    255
                }
            }
        })
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            process::adopt(Some(Arc::clone(&own)));
            write(told, io);
        });
        scope.spawn(work).join().unwrap_or(255)
    })
}
