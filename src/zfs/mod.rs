//! OpenZFS commands: typed arguments to argv, output to types, standard error to typed errors.
//!
//! In: every `zfs` and `zpool` command that Zerfaux runs ([`verbs`]), what their output means, what
//! their complaints mean ([`mod@classify`], [`Complaint`]), and operations that may be repeated ([`Zfs`]). Out: what to do
//! when (that is `plan` and `jobs`), and how a command gets to its host (that is `host`).
//!
//! Nothing here destroys recursively, rolls back or receives with `-F`: there are no words for it.

pub mod args;
pub mod classify;
pub mod command;
pub mod complaint;
pub mod error;
pub mod fuzz;
pub mod property;
pub mod verbs;

mod batch;
mod bookmark;
mod browse;
mod dataset;
mod deeds;
mod detect;
mod disks;
mod estimate;
mod hold;
mod list;
mod parse;
mod pool;
mod pools;
mod share;
mod signs;
mod snapshot;
mod stale_locks;
mod surroundings;
mod token;
mod written;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::argv::Argv;
use crate::domain::exit::{Exit, Output};

pub use args::{ArgsError, ReceiveArgs, SendArgs, SendFlags};
pub use browse::Browsed;
pub use classify::{classify, properties_not_received};
pub use complaint::Complaint;
pub use deeds::{Checkpoint, Deed, fit_with_a_snapshot};
pub use detect::{Privilege, Release, System, common_flags};
pub use error::{Attempt, Grant, ZfsError};
pub use hold::Hold;
pub use list::Listing;
pub use pool::{PoolState, PoolStatus};
pub use property::{HoldTag, Property, PropertyName, ResumeToken, WordError};
pub use share::{Exported, PRIVILEGED, export_fault, share_for};
pub use signs::Signs;
pub use snapshot::{Destroyed, KeptBecause, Outcome};
pub use surroundings::Surroundings;

use crate::host::{Host, HostError};
use command::{Command, Tool};
use detect::Tools;

/// What runs a command: a host, or in tests a script of answers.
#[async_trait]
trait Runner: Send + Sync {
    async fn run(&self, argv: &Argv, input: Option<&[u8]>, deadline: Duration) -> Result<Output, HostError>;
}

#[async_trait]
impl Runner for Host {
    async fn run(&self, argv: &Argv, input: Option<&[u8]>, deadline: Duration) -> Result<Output, HostError> {
        Host::run(self, argv, input, deadline).await
    }
}

/// OpenZFS on one host.
#[derive(Clone)]
pub struct Zfs {
    host: Host,
    runner: Arc<dyn Runner>,
    tools: Arc<Tools>,
    /// Whether the login shell there says things of its own.
    noisy: Arc<AtomicBool>,
}

impl fmt::Debug for Zfs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zfs").field("host", &self.host.label()).field("tools", &self.tools).finish()
    }
}

/// A command's output, both streams as text. What is not UTF-8 is replaced: ZFS names are ASCII.
struct Answer {
    exit: Exit,
    stdout: String,
    stderr: String,
}

impl Answer {
    fn succeeded(&self) -> bool {
        self.exit.is_success()
    }
}

impl Zfs {
    /// Looks for OpenZFS on `host` and for the way to use it: as root, through `sudo -n`, or as a user
    /// with delegated permissions (zfs-allow(8)). One command.
    ///
    /// # Errors
    /// If the host cannot be reached, or has no `zfs` command.
    pub async fn detect(host: Host) -> Result<Self, ZfsError> {
        let runner: Arc<dyn Runner> = Arc::new(host.clone());
        Self::detect_through(host, runner).await
    }

    async fn detect_through(host: Host, runner: Arc<dyn Runner>) -> Result<Self, ZfsError> {
        let tools = detect::look(&*runner, host.label()).await?;
        let noisy = Arc::new(AtomicBool::new(tools.noisy));
        Ok(Self { host, runner, tools: Arc::new(tools), noisy })
    }

    /// The host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// How commands are run there.
    pub fn privilege(&self) -> Privilege {
        self.tools.privilege
    }

    /// The release of its user-land; none if it does not say (before 0.8).
    pub fn version(&self) -> Option<&Release> {
        self.tools.release.as_ref()
    }

    /// The release of its kernel module, where it is loaded.
    pub fn kernel_version(&self) -> Option<&Release> {
        self.tools.kernel.as_ref()
    }

    /// Its operating system.
    pub fn system(&self) -> System {
        self.tools.system
    }

    /// The command line for a stream to standard output.
    ///
    /// # Errors
    /// If a word holds a NUL byte, which no validated argument does.
    pub fn send_argv(&self, stream: &SendArgs) -> Result<Argv, ZfsError> {
        self.argv(&verbs::send(stream))
    }

    /// The command line that receives a stream from standard input.
    ///
    /// # Errors
    /// If a word holds a NUL byte, which no validated argument does.
    pub fn receive_argv(&self, how: &ReceiveArgs) -> Result<Argv, ZfsError> {
        self.argv(&verbs::receive(how))
    }

    /// The error that the standard error of a stream's side means, for the transfer that ran
    /// [`Self::send_argv`] or [`Self::receive_argv`] itself.
    pub fn judge_send(&self, stream: &SendArgs, exit: Exit, stderr: &str) -> ZfsError {
        self.refused(&verbs::send(stream), exit, stderr)
    }

    /// See [`Self::judge_send`].
    pub fn judge_receive(&self, how: &ReceiveArgs, exit: Exit, stderr: &str) -> ZfsError {
        self.refused(&verbs::receive(how), exit, stderr)
    }

    /// The whole command line of `command` on this host.
    ///
    /// `env LC_ALL=C` stands in front because OpenZFS prints the system's own error texts in the
    /// login's language (it calls `setlocale`), and so does sudo, whose default rules hand `LC_*` on. It
    /// stands before `sudo`, so that a rule in sudoers that only allows `zfs` still matches.
    pub fn argv(&self, command: &Command) -> Result<Argv, ZfsError> {
        self.argv_after(&["env", "LC_ALL=C"], command)
    }

    /// The same for a shell that has set the language already.
    fn bare_argv(&self, command: &Command) -> Result<Argv, ZfsError> {
        self.argv_after(&[], command)
    }

    fn argv_after(&self, before: &[&str], command: &Command) -> Result<Argv, ZfsError> {
        let program = match command.tool() {
            Tool::Zfs => self.tools.zfs.as_str(),
            Tool::Zpool => &self.tools.zpool,
            Tool::Date => "date",
        };
        let mut words: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
        if self.tools.through_sudo(command.tool()) {
            words.extend(["sudo".to_owned(), "-n".to_owned()]);
        }
        words.push(program.to_owned());
        words.extend(command.words().iter().cloned());
        Argv::new(words)
            .map_err(|error| ZfsError::Arguments { attempt: self.attempt(command), why: error.to_string() })
    }

    fn attempt(&self, command: &Command) -> Box<Attempt> {
        let needs = command.needs().map(|(permissions, dataset)| Grant {
            user: self.tools.user.clone(),
            permissions,
            dataset: dataset.to_string(),
        });
        Box::new(Attempt { what: command.what().to_owned(), host: self.host.label().to_owned(), needs })
    }

    fn refused(&self, command: &Command, exit: Exit, stderr: &str) -> ZfsError {
        let complaint = classify(stderr);
        ZfsError::Refused { attempt: self.attempt(command), complaint, exit, stderr: stderr.to_owned() }
    }

    fn guarded(&self, command: &Command, why: impl Into<String>) -> ZfsError {
        ZfsError::Guarded { attempt: self.attempt(command), why: why.into() }
    }

    /// The outcome of a command line. One that only reads is run once more if its connection broke: a connection that
    /// died without a word shows that only when it is used.
    async fn outcome(
        &self,
        first: &Command,
        argv: &Argv,
        input: Option<&[u8]>,
        deadline: Duration,
        reads: bool,
    ) -> Result<Output, ZfsError> {
        let once = || self.runner.run(argv, input, deadline);
        let outcome = match once().await {
            Err(error) if reads && error.is_lost() => once().await,
            outcome => outcome,
        };
        outcome.map_err(|source| ZfsError::Host { attempt: self.attempt(first), source: Box::new(source) })
    }

    /// Runs `command`, whatever its exit.
    async fn ask_with(&self, command: &Command, input: Option<&[u8]>) -> Result<Answer, ZfsError> {
        if self.noisy.load(Ordering::Relaxed) {
            return self.ask_apart(command, input).await;
        }
        let argv = self.argv(command)?;
        let output = self.outcome(command, &argv, input, command.deadline(), command.only_reads()).await?;
        Ok(Answer {
            exit: output.exit,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Asks a command that may be repeated. Where not every line that it complains with is understood, the login shell may
    /// have spoken: then once more, told apart from that.
    async fn ask_again(&self, command: &Command) -> Result<Answer, ZfsError> {
        let answer = self.ask(command).await?;
        let complaints = classify::each_line(&answer.stderr);
        let odd = complaints.len() > 1 && complaints.contains(&Complaint::Unrecognised);
        if answer.succeeded() || !odd || self.noisy.load(Ordering::Relaxed) {
            return Ok(answer);
        }
        let apart = self.ask_apart(command, None).await?;
        if apart.stderr != answer.stderr {
            self.noisy.store(true, Ordering::Relaxed);
        }
        Ok(apart)
    }

    async fn ask(&self, command: &Command) -> Result<Answer, ZfsError> {
        self.ask_with(command, None).await
    }

    /// Runs `command` and takes any exit but 0 for an error.
    async fn run(&self, command: &Command) -> Result<String, ZfsError> {
        let answer = self.ask(command).await?;
        if answer.succeeded() {
            return Ok(answer.stdout);
        }
        Err(self.refused(command, answer.exit, &answer.stderr))
    }

    /// Runs `command`, where a complaint that `already` accepts means that it was done before. True if
    /// it was done now.
    ///
    /// Every line of the complaint has to be accepted: a command on several names prints one for each.
    async fn run_unless(
        &self,
        command: &Command,
        already: impl Fn(&Complaint) -> bool,
    ) -> Result<bool, ZfsError> {
        let answer = self.ask_again(command).await?;
        self.judge(command, &answer, already)
    }

    /// What [`Self::run_unless`] makes of an answer.
    fn judge(
        &self,
        command: &Command,
        answer: &Answer,
        already: impl Fn(&Complaint) -> bool,
    ) -> Result<bool, ZfsError> {
        if answer.succeeded() {
            return Ok(true);
        }
        let complaints = classify::each_line(&answer.stderr);
        if !complaints.is_empty() && complaints.iter().all(already) {
            return Ok(false);
        }
        Err(self.refused(command, answer.exit.clone(), &answer.stderr))
    }
}

impl Zfs {
    /// Runs `bare` once for each `at_a_time` of `words`, all in one remote command: `xargs` (POSIX) hands them on, so that
    /// many small changes cost one round trip. True if every one of them succeeded; if not, the caller has to
    /// look at each by itself.
    async fn run_each(&self, bare: &Command, at_a_time: usize, words: &[String]) -> Result<bool, ZfsError> {
        let refused = |error: crate::domain::argv::ArgvError| ZfsError::Arguments {
            attempt: self.attempt(bare),
            why: error.to_string(),
        };
        // Several at a time: each waits for a transaction group, and those that wait together share one.
        let count = at_a_time.to_string();
        let before = ["xargs", "-0", "-P", "8", "-n", &count].map(str::to_owned).into_iter();
        let argv = Argv::new(before.chain(self.argv(bare)?.words().iter().cloned())).map_err(refused)?;
        let mut input = words.join("\0");
        input.push('\0');
        let output = self
            .runner
            .run(&argv, Some(input.as_bytes()), bare.deadline())
            .await
            .map_err(|source| ZfsError::Host { attempt: self.attempt(bare), source: Box::new(source) })?;
        Ok(output.exit.is_success())
    }
}

/// As much of a command line as one argument of `sh -c` may hold (Linux: `MAX_ARG_STRLEN`, 128 KiB),
/// with room for quotes and the words before it.
const NAMES_PER_COMMAND: usize = 64 * 1024;

/// Names in pieces that fit on a command line each.
fn pieces<T: fmt::Display>(names: &[T]) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (index, name) in names.iter().enumerate() {
        let length = name.to_string().len() + 3;
        if bytes + length > NAMES_PER_COMMAND && index > start {
            pieces.push(&names[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += length;
    }
    if start < names.len() {
        pieces.push(&names[start..]);
    }
    pieces
}
