//! Several commands in one remote command, each with its own outcome.
//!
//! What the login shell says by itself, before the first of them, is told apart and dropped. A script of fixed text runs
//! the command lines one after the other, quoted by [`Argv::to_shell`] like every other; a mark that nobody can guess
//! stands on both outputs where one ends and the next begins.

use std::time::Duration;

use super::command::Command;
use super::error::ZfsError;
use super::{Answer, ReceiveArgs, SendArgs, Zfs, verbs};
use crate::domain::argv::Argv;
use crate::domain::exit::Exit;

/// As much as one batch holds of command lines: the login shell gets the whole as one argument (Linux:
/// `MAX_ARG_STRLEN`, 128 KiB), in which quotes have been quoted again.
const BYTES: usize = 48 * 1024;

/// One command of a batch.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) command: Command,
    /// Whether nothing after it is run when it fails.
    pub(super) must: bool,
}

impl Part {
    /// A command whose failure stops nothing.
    pub(super) fn may(command: Command) -> Self {
        Self { command, must: false }
    }

    /// A command without which nothing after it is run.
    pub(super) fn must(command: Command) -> Self {
        Self { command, must: true }
    }
}

impl Zfs {
    /// Runs these one after the other, in one remote command where they fit. The answers of those that were run, in order:
    /// after one that must succeed and did not, there are none.
    ///
    /// # Errors
    /// If the outcome of one is not known.
    pub(super) async fn ask_all(&self, parts: &[Part]) -> Result<Vec<Answer>, ZfsError> {
        let mut answers = Vec::with_capacity(parts.len());
        let (mut batch, mut bytes): (Vec<(&Part, Argv)>, usize) = (Vec::new(), 0);
        for part in parts {
            let argv = self.bare_argv(&part.command)?;
            let length = argv.to_shell().len() + 12;
            if bytes + length > BYTES && !batch.is_empty() {
                let before = answers.len();
                answers.extend(self.ask_batch(&batch, None).await?);
                let last = batch.last().is_some_and(|(part, _)| part.must);
                let failed = answers.last().is_some_and(|answer| !answer.succeeded());
                if answers.len() - before < batch.len() || (last && failed) {
                    return Ok(answers);
                }
                (batch, bytes) = (Vec::new(), 0);
            }
            bytes += length;
            batch.push((part, argv));
        }
        answers.extend(self.ask_batch(&batch, None).await?);
        Ok(answers)
    }

    /// One command, told apart from what the login shell says.
    pub(super) async fn ask_apart(
        &self,
        command: &Command,
        input: Option<&[u8]>,
    ) -> Result<Answer, ZfsError> {
        let (part, argv) = (Part::may(command.clone()), self.bare_argv(command)?);
        let mut answers = self.ask_batch(&[(&part, argv)], input).await?;
        answers.pop().ok_or_else(|| self.refused(command, Exit::Code(0), "it did not say how it ended"))
    }

    /// The command line that writes these streams one after the other, until one fails.
    ///
    /// # Errors
    /// If a word holds a NUL byte, which no validated argument does.
    pub fn send_all_argv(&self, streams: &[&SendArgs]) -> Result<Argv, ZfsError> {
        let commands: Vec<Command> = streams.iter().map(|stream| verbs::send(stream)).collect();
        self.until_one_fails(&commands, " </dev/null")
    }

    /// The command line that receives streams that come one after the other, until one fails. Each takes its own and
    /// leaves the rest.
    ///
    /// # Errors
    /// If a word holds a NUL byte, which no validated argument does.
    pub fn receive_all_argv(&self, all: &[&ReceiveArgs]) -> Result<Argv, ZfsError> {
        let commands: Vec<Command> = all.iter().map(|how| verbs::receive(how)).collect();
        self.until_one_fails(&commands, "")
    }

    fn until_one_fails(&self, commands: &[Command], input: &str) -> Result<Argv, ZfsError> {
        let lines = commands.iter().map(|command| Ok(self.bare_argv(command)?.to_shell()));
        let words = Argv::new(lines.collect::<Result<Vec<_>, ZfsError>>()?).map(|words| words.to_shell());
        let script = words.map(|words| {
            format!(
                "LC_ALL=C; export LC_ALL; for c in {words}; do eval \"$c\"{input} || exit 1; done; exit 0"
            )
        });
        script.and_then(|script| Argv::new(["sh", "-c", &script])).map_err(|error| {
            let what = commands.first().map_or("nothing", Command::what).to_owned();
            let attempt = super::Attempt { what, host: self.host.label().to_owned(), needs: None };
            ZfsError::Arguments { attempt: Box::new(attempt), why: error.to_string() }
        })
    }

    async fn ask_batch(
        &self,
        batch: &[(&Part, Argv)],
        input: Option<&[u8]>,
    ) -> Result<Vec<Answer>, ZfsError> {
        let Some((first, _)) = batch.first() else { return Ok(Vec::new()) };
        let first = &first.command;
        let mark = format!("zerfaux-{:016x}", rand::random::<u64>());
        let lines: Vec<(bool, &Argv)> = batch.iter().map(|(part, argv)| (part.must, argv)).collect();
        let argv = Argv::new(["sh", "-c", &script(&mark, &lines, input.is_some())])
            .map_err(|error| ZfsError::Arguments { attempt: self.attempt(first), why: error.to_string() })?;
        let deadlines = batch.iter().map(|(part, _)| part.command.deadline());
        let deadline = deadlines.max().unwrap_or(Duration::from_secs(60));
        let reads = batch.iter().all(|(part, _)| part.command.only_reads());
        let output = self.outcome(first, &argv, input, deadline, reads).await?;
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        );
        let (out, err) = (sections(&stdout, &mark), sections(&stderr, &mark));
        let whole_until =
            batch.iter().zip(&out).position(|((part, _), (_, status))| part.must && *status != 0);
        let wanted = whole_until.map_or(batch.len(), |at| at + 1);
        if out.len() < wanted {
            // The shell did not get so far: what it says is all there is.
            let command = &batch[out.len()].0.command;
            let exit = if output.exit.is_success() { Exit::Code(1) } else { output.exit };
            return Err(self.refused(command, exit, after_mark(&stderr, &mark)));
        }
        let answer = |(index, (stdout, status)): (usize, &(&str, u32))| Answer {
            exit: Exit::Code(*status),
            stdout: (*stdout).to_owned(),
            // Of a very long standard error the middle is missing, and with it which is whose.
            stderr: match err.len() == out.len() {
                true => err[index].0.to_owned(),
                false => without_marks(after_mark(&stderr, &mark), &mark),
            },
        };
        Ok(out.iter().take(wanted).enumerate().map(answer).collect())
    }
}

/// The script. A line that must succeed ends it if it does not.
fn script(mark: &str, lines: &[(bool, &Argv)], with_input: bool) -> String {
    let begin = "echo; echo $m; { echo; echo $m; } >&2";
    let end = "s=$?; echo; echo $m $s; { echo; echo $m $s; } >&2";
    let input = if with_input { "" } else { " </dev/null" };
    let mut script = format!("LC_ALL=C; export LC_ALL; m={mark}; {begin}");
    let mut rest = lines;
    while let Some((must, _)) = rest.first() {
        let count = rest.iter().take_while(|(other, _)| other == must).count();
        let (these, others) = rest.split_at(count);
        // Each line is one word here, and is taken apart by the shell again: quoted twice.
        let words = these.iter().map(|(_, line)| line.to_shell());
        let words = Argv::new(words).map(|words| words.to_shell()).unwrap_or_default();
        let stop = if *must { "; [ $s = 0 ] || exit 0" } else { "" };
        script.push_str(&format!("; for c in {words}; do eval \"$c\"{input}; {end}{stop}; done"));
        rest = others;
    }
    script
}

/// What stands behind the first mark.
fn after_mark<'a>(text: &'a str, mark: &str) -> &'a str {
    text.split_once(&format!("{mark}\n")).map_or("", |(_, after)| after)
}

fn without_marks(text: &str, mark: &str) -> String {
    let kept = text.lines().filter(|line| !line.starts_with(mark));
    kept.map(|line| format!("{line}\n")).collect()
}

/// What each command wrote, and its exit status.
fn sections<'a>(text: &'a str, mark: &str) -> Vec<(&'a str, u32)> {
    let mut sections = Vec::new();
    let mut rest = after_mark(text, mark);
    let boundary = format!("\n{mark} ");
    while let Some((section, after)) = rest.split_once(&boundary) {
        let (status, after) = after.split_once('\n').unwrap_or((after, ""));
        let Ok(status) = status.trim().parse() else { break };
        sections.push((section, status));
        rest = after;
    }
    sections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argv(words: &[&str]) -> Argv {
        Argv::new(words.iter().copied()).unwrap()
    }

    /// Runs it in a real shell, in which a login script has said something before.
    fn run(script: &str) -> (String, String) {
        let noise = "echo welcome; printf 'last login' >&2; ";
        let output = std::process::Command::new("sh").args(["-c", &format!("{noise}{script}")]).output();
        let output = output.unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    #[test]
    fn each_command_keeps_its_own_words_whatever_the_login_shell_says() {
        let lines = [
            argv(&["printf", "%s\\n", "it's $HOME; `id`"]),
            argv(&["sh", "-c", "echo bad >&2; exit 3"]),
            argv(&["printf", "no newline"]),
            argv(&["cat"]),
        ];
        let lines: Vec<(bool, &Argv)> = lines.iter().map(|line| (false, line)).collect();
        let (out, err) = run(&script("M", &lines, false));
        assert_eq!(sections(&out, "M"), [("it's $HOME; `id`\n", 0), ("", 3), ("no newline", 0), ("", 0)]);
        assert_eq!(sections(&err, "M"), [("", 0), ("bad\n", 3), ("", 0), ("", 0)]);
    }

    #[test]
    fn nothing_is_run_after_one_that_must_succeed_and_did_not() {
        let lines = [argv(&["true"]), argv(&["false"]), argv(&["echo", "x"])];
        let (out, _) = run(&script("M", &[(true, &lines[0]), (true, &lines[1]), (false, &lines[2])], false));
        assert_eq!(sections(&out, "M"), [("", 0), ("", 1)]);
        let (out, _) = run(&script("M", &[(false, &lines[1]), (true, &lines[0]), (false, &lines[2])], false));
        assert_eq!(sections(&out, "M"), [("", 1), ("", 0), ("x\n", 0)]);
    }
}
