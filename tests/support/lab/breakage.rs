//! Breaks things: the SSH session under a running stream is killed, stopped or continued.
//!
//! A session is found from below: the `zfs send` or `zfs receive` whose command line names something, then upwards to
//! the `sshd` processes that carry it, but for the listener. So a case hits its own stream and nobody else's.

use super::host::LabHost;
use super::script::quoted;
use std::process::{Child, Stdio};

/// Which end of a stream a host runs.
#[derive(Debug, Clone, Copy)]
pub enum Stream {
    Send,
    Receive,
}

/// What happens to the session's processes.
#[derive(Debug, Clone, Copy)]
pub enum Signal {
    Kill,
    Stop,
    Continue,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        }
    }
}

const FIND_SESSION: &str = r#"
carriers() { # the sshd processes above process $1, nearest first, without the listener (whose parent is process 1)
  pid=$1
  while [ "$pid" -gt 1 ]; do
    parent=$(awk '$1 == "PPid:" { print $2 }' /proc/$pid/status 2>/dev/null) || return 0
    [ -n "$parent" ] || return 0
    case $(cat /proc/$pid/comm 2>/dev/null) in
      sshd*) [ "$parent" = 1 ] || echo $pid ;;
    esac
    pid=$parent
  done
}
streams() { # streams VERB NEEDLE: every zfs VERB with NEEDLE in its command line
  for found in $(pgrep -x zfs); do
    case " $(tr '\0' ' ' 2>/dev/null </proc/$found/cmdline) " in
      *" $1 "*"$2"*) echo $found ;;
    esac
  done
}
session() { # session VERB NEEDLE: the sshd processes that carry those
  for stream in $(streams "$1" "$2"); do carriers $stream; done | awk '!seen[$0]++'
}
"#;

impl LabHost {
    /// Sends a signal to the session that carries a stream; `needle` is part of the command line (dataset or token).
    /// Gives how many processes got it: 0 means that no such stream runs now.
    pub fn signal_session(&self, stream: Stream, needle: &str, signal: Signal) -> usize {
        let script = format!(
            "{FIND_SESSION}
             count=0
             for pid in $(session {} {}); do kill -{} $pid && count=$((count + 1)); done
             echo $count",
            verb(stream),
            quoted(needle),
            signal.name()
        );
        self.root(&script).trim().parse().expect("a count")
    }

    /// Whether such a stream's `zfs` process is there. It can outlive its killed session by seconds, and while it
    /// does, the dataset is busy although its resume token can already be read.
    pub fn stream_runs(&self, stream: Stream, needle: &str) -> bool {
        !self.root(&format!("{FIND_SESSION}\nstreams {} {}", verb(stream), quoted(needle))).is_empty()
    }

    /// Waits on the host, in the background, until such a stream has carried about `bytes`, then sends the signal.
    ///
    /// Counted is what the session's process has read (to within a megabyte); looked at every 20 ms or so.
    pub fn watch_session(&self, stream: Stream, needle: &str, bytes: u64, signal: Signal) -> SessionWatch {
        let script = format!(
            "{FIND_SESSION}
             pids=
             for try in $(seq 600); do
               pids=$(session {verb} {needle})
               [ -z \"$pids\" ] || break
               sleep 0.1
             done
             nearest=${{pids%%[!0-9]*}}
             [ -n \"$nearest\" ] || exit 3
             until read -r label carried </proc/$nearest/io && [ \"$carried\" -ge {bytes} ]; do
               [ -d /proc/$nearest ] || exit 4
               sleep 0.02
             done
             kill -{signal} $pids
             echo $carried",
            verb = verb(stream),
            needle = quoted(needle),
            signal = signal.name()
        );
        let mut ssh = self.ssh_alone("root");
        let child = ssh.arg(script).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh runs");
        SessionWatch { child }
    }
}

fn verb(stream: Stream) -> &'static str {
    match stream {
        Stream::Send => "send",
        Stream::Receive => "receive",
    }
}

/// A watch set by [`LabHost::watch_session`].
#[derive(Debug)]
pub struct SessionWatch {
    child: Child,
}

impl SessionWatch {
    /// How many bytes the session had read when it got the signal. Panics when that never happened, because the
    /// stream did not start within a minute or ended before: a case must not take that for a broken stream.
    pub fn struck_at(self) -> u64 {
        let output = self.child.wait_with_output().expect("ssh runs");
        let why = match output.status.code() {
            Some(0) => {
                let text = String::from_utf8_lossy(&output.stdout);
                return text.trim().parse().expect("a count of bytes");
            }
            Some(3) => "no such stream started within a minute",
            Some(4) => "the stream ended before it had carried that much",
            _ => "the watch itself failed",
        };
        panic!("{why}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Asks again until it is so; two minutes are far more than an emulated host needs.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..240 {
        if is_so() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    panic!("not within two minutes: {what}");
}
