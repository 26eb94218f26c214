//! Commands on this machine.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::error::HostError;
use crate::domain::argv::Argv;
use crate::domain::exit::{Exit, Output};
use crate::ssh::HeadTail;

/// How messages call this machine.
pub(super) const LABEL: &str = "this host";

/// The most that one command may write to its standard output: 64 MiB, as over SSH.
const MAX_OUTPUT: usize = 64 << 20;

/// A child process that leads its own process group, and takes the group with it when it is given up: `sudo zfs`
/// are two processes. A Ctrl-C at the terminal does not reach it, so that whoever runs it decides.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) child: Child,
    leader: Option<Pid>,
}

impl Group {
    /// Starts `argv` with all three streams as pipes.
    pub(super) fn start(argv: &Argv, stdin: Stdio) -> Result<Self, HostError> {
        let mut command = Command::new(&argv.words()[0]);
        command.args(&argv.words()[1..]).env("LC_ALL", "C").process_group(0).kill_on_drop(true);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child =
            command.spawn().map_err(|source| HostError::Start { command: argv.to_string(), source })?;
        let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { child, leader })
    }

    /// Waits for the end of the leading process.
    pub(super) async fn wait(&mut self) -> io::Result<Exit> {
        let status = self.child.wait().await?;
        // What the leader left running is its own business (a daemon), and the number may be taken anew.
        self.leader = None;
        Ok(exit_of(status))
    }

    /// Kills the whole group; what runs as another user (behind `sudo`) only ends when its pipes close.
    pub(super) fn kill(&mut self) {
        if let Some(leader) = self.leader.take() {
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs `argv` to its end.
pub(super) async fn run(argv: &Argv, input: Option<&[u8]>, deadline: Duration) -> Result<Output, HostError> {
    let mut group = Group::start(argv, if input.is_some() { Stdio::piped() } else { Stdio::null() })?;
    let collected = timeout(deadline, converse(&mut group, input)).await;
    group.kill();
    match collected {
        Ok(Ok(output)) => Ok(output),
        Ok(Err(error)) if error.kind() == io::ErrorKind::FileTooLarge => {
            Err(HostError::TooMuchOutput { command: argv.to_string(), limit: MAX_OUTPUT })
        }
        Ok(Err(source)) => Err(HostError::Follow { command: argv.to_string(), source }),
        Err(_) => Err(HostError::Deadline { command: argv.to_string(), after: deadline }),
    }
}

/// Feeds and reads at the same time, for a pipe that nobody reads blocks both sides.
async fn converse(group: &mut Group, input: Option<&[u8]>) -> io::Result<Output> {
    let (stdin, stdout, stderr) =
        (group.child.stdin.take(), group.child.stdout.take(), group.child.stderr.take());
    let feed = async {
        if let (Some(mut stdin), Some(input)) = (stdin, input) {
            // A command that does not read its input to the end is free to do so.
            let _ = stdin.write_all(input).await;
        }
        Ok(())
    };
    let (mut out, mut err) = (Vec::new(), HeadTail::new(HeadTail::STDERR));
    let read_out = read_to_end(stdout, |bytes| {
        out.extend_from_slice(bytes);
        out.len() <= MAX_OUTPUT
    });
    let read_err = read_to_end(stderr, |bytes| {
        err.push(bytes);
        true
    });
    tokio::try_join!(feed, read_out, read_err)?;
    let exit = group.wait().await?;
    Ok(Output { exit, stdout: out, stderr: err.into_bytes() })
}

/// Reads until the end of file; it is an error if `take` has enough before.
async fn read_to_end(
    pipe: Option<impl AsyncRead + Unpin>,
    mut take: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    let mut buffer = vec![0; 32 * 1024];
    loop {
        match pipe.read(&mut buffer).await? {
            0 => return Ok(()),
            count if !take(&buffer[..count]) => return Err(io::ErrorKind::FileTooLarge.into()),
            _ => {}
        }
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code.unsigned_abs()),
        (None, signal) => Exit::Signal(signal_name(signal.unwrap_or(0))),
    }
}

/// The names of RFC 4254, section 6.10; a number for any other.
fn signal_name(number: i32) -> String {
    let known = [
        (Signal::HUP, "HUP"),
        (Signal::INT, "INT"),
        (Signal::QUIT, "QUIT"),
        (Signal::ILL, "ILL"),
        (Signal::ABORT, "ABRT"),
        (Signal::FPE, "FPE"),
        (Signal::KILL, "KILL"),
        (Signal::USR1, "USR1"),
        (Signal::SEGV, "SEGV"),
        (Signal::PIPE, "PIPE"),
        (Signal::ALARM, "ALRM"),
        (Signal::TERM, "TERM"),
    ];
    let name = known.iter().find(|(signal, _)| signal.as_raw() == number);
    name.map_or_else(|| number.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Argv {
        Argv::new(words.iter().copied()).unwrap()
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn both_streams_and_the_exit_status_come_back() {
        let script = argv(&["sh", "-c", "cat; echo two >&2; exit 3"]);
        let output = run(&script, Some(b"one"), MINUTE).await.unwrap();
        assert_eq!(output.exit, Exit::Code(3));
        assert_eq!((output.stdout_text().as_str(), output.stderr_text().as_str()), ("one", "two"));
    }

    #[tokio::test]
    async fn arguments_reach_the_command_without_a_shell() {
        let output = run(&argv(&["printf", "%s|", "a b", "$(id)", "it's"]), None, MINUTE).await.unwrap();
        assert_eq!(output.stdout_text(), "a b|$(id)|it's|");
    }

    #[tokio::test]
    async fn a_signal_is_told_apart_from_a_status() {
        let output = run(&argv(&["sh", "-c", "kill -TERM $$"]), None, MINUTE).await.unwrap();
        assert_eq!(output.exit, Exit::Signal("TERM".into()));
    }

    #[tokio::test]
    async fn large_input_and_output_do_not_block_each_other() {
        let big = vec![7u8; 8 << 20];
        let output = run(&argv(&["cat"]), Some(&big), MINUTE).await.unwrap();
        assert_eq!(output.stdout, big);
        // A command that reads nothing does not block either.
        assert!(run(&argv(&["true"]), Some(&big), MINUTE).await.unwrap().exit.is_success());
    }

    #[tokio::test]
    async fn a_missing_command_says_what_to_do() {
        let error = run(&argv(&["zerfaux-no-such-command"]), None, MINUTE).await.unwrap_err();
        assert!(matches!(error, HostError::Start { .. }));
        assert!(error.to_string().contains("zerfaux-no-such-command"));
        assert!(error.advice().contains("Install"));
    }

    #[tokio::test]
    async fn the_deadline_ends_the_whole_group() {
        let dir = tempfile::tempdir().unwrap();
        let alive = dir.path().join("alive");
        let script = format!("(sleep 2; touch {}) & wait", alive.display());
        let error = run(&argv(&["sh", "-c", &script]), None, Duration::from_millis(200)).await.unwrap_err();
        assert!(matches!(error, HostError::Deadline { .. }), "{error}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(!alive.exists(), "a process of the group went on");
    }
}
