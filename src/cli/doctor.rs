//! `zerfaux doctor`

use clap::Args;

use super::exit::{Exit, Trouble};
use super::options::{app_beside, data_dir};
use super::output;
use crate::app::checks::CheckState;
use crate::config::Settings;

/// Check what this installation depends on. Also while `serve` runs.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Doctor {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        let app = app_beside(settings).await?;
        let checks = app.doctor().await?;
        app.close().await;
        let worst = checks.iter().map(|check| check.state).max().unwrap_or(CheckState::Ok);
        if self.json {
            let directory = data_dir(settings).display().to_string();
            output::json(&serde_json::json!({
                "state": worst, "data_dir": directory, "version": env!("CARGO_PKG_VERSION"), "checks": checks,
            }));
        } else {
            for check in &checks {
                output::line(format_args!("{:4}  {:12} {}", check.state.as_str(), check.name, check.found));
                if let Some(advice) = &check.advice {
                    output::line(format_args!("                   {advice}"));
                }
            }
        }
        Ok(if worst == CheckState::Fail { Exit::Failed } else { Exit::Done })
    }
}
