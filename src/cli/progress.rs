//! How a running job is shown: a bar on a terminal, plain lines elsewhere, or one JSON object per line.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::exit::{Exit, Trouble};
use super::output;
use crate::app::App;
use crate::app::jobs::JobUpdate;
use crate::domain::ids::JobId;
use crate::domain::job::{ConsoleLine, Job, Level};
use crate::domain::size::{format_bytes, format_duration, format_rate};

/// Where there is no terminal, progress is told so often.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

enum Shown {
    Bar(ProgressBar),
    Plain { told: Instant },
    Json,
}

/// Shows one job until it ends.
pub(super) struct Progress {
    shown: Shown,
    last_console: i64,
    phase: Option<String>,
    /// The last error of the console, not said yet: if the job ends with it, the last word on standard error says it.
    held: Option<String>,
}

impl Progress {
    pub(super) fn new(json: bool) -> Self {
        let shown = if json {
            Shown::Json
        } else if std::io::stderr().is_terminal() {
            Shown::Bar(bar())
        } else {
            Shown::Plain { told: Instant::now() }
        };
        Self { shown, last_console: 0, phase: None, held: None }
    }

    /// Runs the job that is queued and shows it. Ctrl-C stops it at a safe point; a second one leaves at
    /// once, which is safe too: the next run goes on from there.
    pub(super) async fn follow(mut self, app: &App, id: JobId) -> Result<(Job, Exit), Trouble> {
        let mut watcher = app.watch(id);
        let work = app.run_until_idle();
        tokio::pin!(work);
        let mut interrupted = false;
        loop {
            tokio::select! {
                biased;
                update = watcher.next() => if let Some(update) = update { self.show(app, id, update).await? },
                ended = &mut work => { ended?; break }
                _ = tokio::signal::ctrl_c() => {
                    if interrupted {
                        self.finish();
                        return Err(Trouble::interrupted("Left at once. The next run goes on from what has arrived."));
                    }
                    interrupted = true;
                    self.say(Level::Warn, "Stopping. Press Ctrl-C again to leave at once.");
                    // It may have ended in this very moment; then there is nothing to stop.
                    let _ = app.cancel(id).await;
                }
            }
        }
        self.catch_up(app, id).await?;
        let job = app.job(id).await?;
        if job.failure.as_ref().is_some_and(|failure| Some(&failure.message) == self.held.as_ref()) {
            self.held = None;
        }
        self.release();
        self.finish();
        let exit = Exit::of_job(&job);
        Ok((job, exit))
    }

    async fn show(&mut self, app: &App, id: JobId, update: JobUpdate) -> Result<(), Trouble> {
        match update {
            JobUpdate::Console { line, .. } => self.console(&line),
            JobUpdate::Phase { phase, .. } => self.phase(phase),
            JobUpdate::Progress { percent, details, .. } => self.progress(percent, &details),
            JobUpdate::State { state, .. } => {
                if matches!(self.shown, Shown::Json) {
                    output::json(&json!({ "event": "state", "state": state }));
                }
            }
            JobUpdate::Refresh => self.catch_up(app, id).await?,
        }
        Ok(())
    }

    /// Lines that were missed live are in the database.
    async fn catch_up(&mut self, app: &App, id: JobId) -> Result<(), Trouble> {
        for line in app.console(id, self.last_console, usize::MAX).await? {
            self.console(&line);
        }
        Ok(())
    }

    fn console(&mut self, line: &ConsoleLine) {
        if line.seq <= self.last_console {
            return;
        }
        self.last_console = line.seq;
        match self.shown {
            Shown::Json => output::json(&json!({
                "event": "console", "seq": line.seq, "at": line.at, "level": line.level, "message": line.message,
            })),
            _ if line.level == Level::Debug => {}
            _ => {
                self.release();
                match line.level {
                    Level::Error => self.held = Some(line.message.clone()),
                    level => self.say(level, &line.message),
                }
            }
        }
    }

    /// Says the error that was held back, if there is one.
    fn release(&mut self) {
        if let Some(message) = self.held.take() {
            self.say(Level::Error, &message);
        }
    }

    fn say(&self, level: Level, message: &str) {
        let mark = match level {
            Level::Debug | Level::Info => " ",
            Level::Success => "✓",
            Level::Warn => "!",
            Level::Error => "✗",
        };
        match &self.shown {
            Shown::Bar(bar) => bar.println(format!("{mark} {message}")),
            Shown::Plain { .. } => output::remark(format_args!("{mark} {message}")),
            Shown::Json => {}
        }
    }

    fn phase(&mut self, phase: Option<String>) {
        match &self.shown {
            Shown::Bar(bar) => bar.set_prefix(phase.clone().unwrap_or_default().replace('_', " ")),
            Shown::Json => output::json(&json!({ "event": "phase", "phase": phase })),
            Shown::Plain { .. } => {}
        }
        self.phase = phase;
    }

    fn progress(&mut self, percent: u8, details: &Value) {
        let text = describe(details);
        match &mut self.shown {
            Shown::Json => {
                output::json(&json!({ "event": "progress", "percent": percent, "details": details }))
            }
            Shown::Bar(bar) => {
                bar.set_position(u64::from(percent));
                if !text.is_empty() {
                    bar.set_message(text);
                }
            }
            Shown::Plain { told } => {
                if !text.is_empty() && told.elapsed() >= PLAIN_EVERY {
                    *told = Instant::now();
                    output::remark(format_args!("  {percent} %  {text}"));
                }
            }
        }
    }

    fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(100), ProgressDrawTarget::stderr_with_hz(5));
    let template = "{prefix:>9} [{bar:30}] {percent:>3} %  {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// `1.20 GiB of 4.00 GiB, 38.0 MiB/s, 1 m 12 s left`
fn describe(details: &Value) -> String {
    let number = |key: &str| details.get(key).and_then(Value::as_u64);
    let (Some(bytes), Some(expected)) = (number("bytes"), number("bytes_expected")) else {
        return String::new();
    };
    let mut text = format!("{} of {}", format_bytes(bytes), format_bytes(expected));
    if let Some(rate) = number("bytes_per_second").filter(|rate| *rate > 0) {
        text.push_str(&format!(", {}", format_rate(rate)));
    }
    if let Some(seconds) = number("seconds_left") {
        text.push_str(&format!(", {} left", format_duration(Duration::from_secs(seconds))));
    }
    if let (Some(index), Some(total)) =
        (number("dataset_number"), number("datasets").filter(|total| *total > 1))
    {
        text.push_str(&format!(" (dataset {index} of {total})"));
    }
    text
}
