//! `zerfaux version`

use clap::Args;

use super::exit::Exit;

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
            println!("{}", serde_json::json!({ "name": "zerfaux", "version": version }));
        } else {
            println!("zerfaux {version}");
        }
        Exit::Done
    }
}
