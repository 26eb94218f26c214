//! `zerfaux sim`: simulated systems, to try things on and for tests.

use clap::{Args, Subcommand};

use super::exit::{Exit, Trouble};
use super::{sim_appliance, sim_vcenter};

/// Start a simulated system, until Ctrl-C. Nothing real is touched, and nothing of it lasts.
#[derive(Debug, Args)]
pub(super) struct Sim {
    #[command(subcommand)]
    simulator: Simulator,
}

#[derive(Debug, Subcommand)]
enum Simulator {
    Appliance(sim_appliance::Appliance),
    Vcenter(sim_vcenter::Vcenter),
}

impl Sim {
    pub(super) async fn run(self) -> Result<Exit, Trouble> {
        match self.simulator {
            Simulator::Appliance(appliance) => appliance.run().await,
            Simulator::Vcenter(vcenter) => vcenter.run().await,
        }
    }
}

/// Until Ctrl-C or SIGTERM.
pub(super) async fn wait_for_the_end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
