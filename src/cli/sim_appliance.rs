//! `zerfaux sim appliance`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::exit::{Exit, Trouble};
use super::output;
use super::sim::wait_for_the_end;
use crate::sim::appliance::{self, ApplianceOptions, FaultRule, POOL_SIZE};

/// A storage appliance: an SSH server with OpenZFS pools in memory
///
/// Log in as root, or as any other user with sudo. Its streams go between simulated appliances only.
#[derive(Debug, Args)]
pub(super) struct Appliance {
    /// Where to listen. Port 0: any free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// File with the public keys that may log in, as ~/.ssh/authorized_keys. Without it every key may
    #[arg(long, value_name = "FILE")]
    authorized_key: Option<PathBuf>,
    /// Name of a pool. May be given more than once
    #[arg(long, value_name = "NAME", default_value = "tank")]
    pool: Vec<String>,
    /// A blank disk beside those of the pools: serial number and size, such as DISK1:500G. May be given more than once
    #[arg(long, value_name = "SERIAL:SIZE", value_parser = appliance::read_disk)]
    disk: Vec<(String, u64)>,
    /// How long a connection and each command take to come through, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
    /// Something that goes wrong, as JSON: {"command": "zfs receive", "cut_stdin": 1000000, "count": 1}. The others:
    /// skip, delay_ms, exit, stderr, cut_stdout, refuse_connection. May be given more than once
    #[arg(long, value_name = "JSON", value_parser = fault)]
    fault: Vec<FaultRule>,
}

fn fault(text: &str) -> Result<FaultRule, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl Appliance {
    pub(super) async fn run(self) -> Result<Exit, Trouble> {
        let authorized_keys = match &self.authorized_key {
            Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
                Trouble::misuse(format!("The file of keys {} cannot be read: {error}.", path.display()))
            })?),
            None => None,
        };
        let options = ApplianceOptions {
            listen: self.listen,
            pools: self.pool.into_iter().map(|name| (name, POOL_SIZE)).collect(),
            authorized_keys,
            latency: Duration::from_millis(self.latency),
            disks: self.disk,
            faults: self.fault,
            ..ApplianceOptions::default()
        };
        let appliance = appliance::Appliance::start(options)
            .map_err(|error| Trouble::failed(&error).advise(error.advice()))?;
        output::line(format_args!(
            "zerfaux sim: appliance listening on ssh://{} hostkey {}",
            appliance.address(),
            appliance.host_key_fingerprint()
        ));
        wait_for_the_end().await;
        Ok(Exit::Done)
    }
}
