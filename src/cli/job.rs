//! `zerfaux job …`: the jobs in a data directory, for hosts without a browser.

use clap::{Args, Subcommand};

use super::exit::{Exit, Trouble};
use super::options::{data_dir, lasting_app};
use super::output;
use crate::app::App;
use crate::config::Settings;
use crate::domain::ids::JobId;
use crate::domain::job::{Job as JobRow, JobState};

/// List, show, run, retry, cancel and take back the jobs in a data directory.
#[derive(Debug, Args)]
pub(super) struct Job {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The newest jobs
    List {
        /// At most so many
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// One job with its console
    Show {
        /// The job's id
        id: JobId,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Run what is queued, and what a crash left running, until nothing is left to do
    Run,
    /// Try a failed job again from the step in which it failed
    Retry {
        /// The job's id
        id: JobId,
    },
    /// Stop a job that is queued or was left running
    Cancel {
        /// The job's id
        id: JobId,
    },
    /// Take back what a failed or cancelled job did
    Cleanup {
        /// The job's id
        id: JobId,
    },
}

impl Job {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        let app = lasting_app(&data_dir(settings)).await?;
        match self.verb {
            Verb::List { limit, json } => list(&app, limit, json).await,
            Verb::Show { id, json } => show(&app, id, json).await,
            Verb::Run => {
                let before: Vec<JobId> = unfinished(&app).await?;
                app.run_until_idle().await?;
                worst(&app, &before).await
            }
            Verb::Retry { id } => {
                app.retry(id).await?;
                app.run_until_idle().await?;
                worst(&app, &[id]).await
            }
            Verb::Cancel { id } => {
                app.cancel(id).await?;
                app.run_until_idle().await?;
                output::line(line(&app.job(id).await?));
                Ok(Exit::Done)
            }
            Verb::Cleanup { id } => {
                app.cleanup(id).await?;
                app.run_until_idle().await?;
                let job = app.job(id).await?;
                output::line(line(&job));
                Ok(if job.state == JobState::Waiting { Exit::Failed } else { Exit::Done })
            }
        }
    }
}

async fn unfinished(app: &App) -> Result<Vec<JobId>, Trouble> {
    let jobs = app.jobs(usize::MAX).await?;
    Ok(jobs.into_iter().filter(|job| !job.state.is_final()).map(|job| job.id).collect())
}

/// Prints how these jobs ended, and takes the worst of them for the exit status.
async fn worst(app: &App, ids: &[JobId]) -> Result<Exit, Trouble> {
    let mut worst = Exit::Done;
    for id in ids {
        let job = app.job(*id).await?;
        output::line(line(&job));
        if let Some(failure) = &job.failure {
            Trouble::from(failure).print();
        }
        let exit = Exit::of_job(&job);
        if worst == Exit::Done || exit == Exit::Refused {
            worst = exit;
        }
    }
    Ok(worst)
}

async fn list(app: &App, limit: usize, json: bool) -> Result<Exit, Trouble> {
    let jobs = app.jobs(limit).await?;
    for job in &jobs {
        if json {
            output::json(&serde_json::to_value(job).map_err(|error| Trouble::failed(&error))?);
        } else {
            output::line(line(job));
        }
    }
    if jobs.is_empty() && !json {
        output::line("There are no jobs yet.");
    }
    Ok(Exit::Done)
}

async fn show(app: &App, id: JobId, json: bool) -> Result<Exit, Trouble> {
    let job = app.job(id).await?;
    if json {
        output::json(&serde_json::to_value(&job).map_err(|error| Trouble::failed(&error))?);
        return Ok(Exit::Done);
    }
    output::line(line(&job));
    for entry in app.console(id, 0, usize::MAX).await? {
        let at = entry.at.strftime("%Y-%m-%d %H:%M:%SZ");
        output::line(format_args!("  {at} {:7} {}", entry.level.as_str(), entry.message));
    }
    if let Some(failure) = &job.failure {
        output::line(format_args!("  {}", failure.message));
        if let Some(advice) = &failure.advice {
            output::line(format_args!("  {advice}"));
        }
    }
    Ok(Exit::Done)
}

fn line(job: &JobRow) -> String {
    let phase = match (job.state.is_final(), &job.failed_phase, &job.phase) {
        (_, Some(failed), _) => format!(" in {failed}"),
        (false, None, Some(phase)) => format!(" {phase} {} %", job.progress_percent),
        _ => String::new(),
    };
    format!("{} {} {}{phase}", job.id, job.kind, job.state)
}
