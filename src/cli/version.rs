//! `zerfaux version`

use clap::Args;

use super::exit::Exit;
use super::output;

/// Print the version.
#[derive(Debug, Args)]
pub(super) struct Version {
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

impl Version {
    pub(super) fn run(&self) -> Exit {
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            output::line(serde_json::json!({ "name": "zerfaux", "version": version }));
        } else {
            output::line(format_args!("zerfaux {version}"));
        }
        Exit::Done
    }
}
