//! `zerfaux sim`: the simulators, for trying things out and for tests.

use clap::{Args, Subcommand};

use super::exit::{Exit, Trouble};
use super::sim_vcenter;

/// Start a simulated vCenter, to try things out against.
#[derive(Debug, Args)]
pub(super) struct Sim {
    #[command(subcommand)]
    simulator: Simulator,
}

#[derive(Debug, Subcommand)]
enum Simulator {
    Vcenter(sim_vcenter::Vcenter),
}

impl Sim {
    pub(super) async fn run(self) -> Result<Exit, Trouble> {
        match self.simulator {
            Simulator::Vcenter(command) => command.run().await,
        }
    }
}
