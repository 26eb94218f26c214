//! `zerfaux demo`: for now it says what it will do.

use clap::Args;

use super::exit::Exit;
use super::output;

/// Show Zerfaux on simulated sites (not there yet: says what it will do).
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Run the whole story in the terminal
    #[arg(long)]
    drill: bool,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

const WHAT: &str = "\
The demo is not built yet. It will start two simulated vCenters and two simulated ZFS appliances on
loopback, inside this binary, fill them with a small company, and show in the browser (or, with --drill,
in the terminal) how its machines are protected, rehearsed, failed over and brought back.

What works today is replication between real ZFS hosts:

    zerfaux replicate --dry-run root@nas-a:tank/data root@nas-b:backup/data
    zerfaux replicate           root@nas-a:tank/data root@nas-b:backup/data
";

impl Demo {
    pub(super) fn run(&self) -> Exit {
        if self.json {
            output::line(serde_json::json!({ "available": false, "drill": self.drill, "message": WHAT }));
        } else {
            output::line(WHAT.trim_end());
        }
        Exit::Done
    }
}
