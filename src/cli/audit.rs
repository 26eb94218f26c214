//! `zerfaux audit verify`

use clap::{Args, Subcommand};

use super::exit::{Exit, Trouble};
use super::options::app_beside;
use super::output;
use crate::config::Settings;

/// The audit log.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Compute the chain of the audit log anew, and say where it is broken
    Verify {
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
}

impl Audit {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        let Verb::Verify { json } = self.verb;
        let app = app_beside(settings).await?;
        let verdict = app.verify_audit().await?;
        app.close().await;
        if json {
            output::json(&serde_json::json!({
                "whole": verdict.broken.is_none(), "lines": verdict.lines, "head": verdict.head,
                "broken_at": verdict.broken.as_ref().map(|broken| broken.seq),
                "what": verdict.broken.as_ref().map(|broken| broken.what.clone()),
            }));
        }
        match verdict.broken {
            None if json => Ok(Exit::Done),
            None => {
                output::line(format_args!("{} lines, unbroken. Head: {}", verdict.lines, verdict.head));
                Ok(Exit::Done)
            }
            Some(broken) => {
                output::remark(format_args!(
                    "zerfaux: the audit log is broken at line {}: {}.\nThe {} lines before it are as they were written.",
                    broken.seq, broken.what, verdict.lines
                ));
                Ok(Exit::Failed)
            }
        }
    }
}
