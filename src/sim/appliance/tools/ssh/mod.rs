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

use std::sync::Arc;

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

/// Runs what the options say and gives the exit status. On a thread and in a runtime of its own, for the command's
/// thread may be anybody's.
pub(super) fn connect(shell: &Shell, options: Options, io: &Io) -> i32 {
    let own = process::current().unwrap_or_else(|| shell.machine.new_process());
    let work = || {
        process::adopt(Some(Arc::clone(&own)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = match runtime {
            Ok(runtime) => runtime.block_on(client::run(shell, &options, io, &own)),
            Err(error) => Err(format!("ssh: {error}")),
        };
        ended.unwrap_or_else(|said| {
            io.mutter(&said);
            255
        })
    };
    std::thread::scope(|scope| scope.spawn(work).join().unwrap_or(255))
}
