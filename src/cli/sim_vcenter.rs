//! `zerfaux sim vcenter`

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::exit::{Exit, Trouble};
use super::output;
use super::sim::wait_for_the_end;
use crate::sim::vcenter::{Options, Rule, UnderWay, User, Vcenter as Simulated};

/// A simulated vCenter, until it is interrupted. Everything is in memory and is gone afterwards. SIGHUP restarts it:
/// sessions end and tasks are forgotten, the inventory stays.
#[derive(Debug, Args)]
pub(super) struct Vcenter {
    /// Where to listen; port 0 for any free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8989")]
    listen: SocketAddr,
    /// Who may log in
    #[arg(long, value_name = "NAME", default_value = "administrator@vsphere.local")]
    username: String,
    /// The password; it protects nothing
    #[arg(long, value_name = "TEXT", default_value = "zerfaux")]
    password: String,
    /// Virtual machines, beside three templates
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    vms: u32,
    /// Name of the site, which stands in the names of its datacenter, hosts and datastores
    #[arg(long, value_name = "NAME", default_value = "alpha", value_parser = site)]
    site: String,
    /// Be a single ESXi host instead: no clones, customisation, moves, templates or folders
    #[arg(long)]
    esxi: bool,
    /// The same seed makes the same inventory
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How long tasks and guests take against life: 1 is a clone in about ten seconds, 0 is at once
    #[arg(long, value_name = "FACTOR", default_value_t = 0.1, value_parser = pace)]
    pace: f64,
    /// What goes wrong on purpose: a JSON list of fault rules
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
}

fn site(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 30
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("write up to 30 small letters, digits and hyphens".to_owned())
    }
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.0..=10.0).contains(&factor) => Ok(factor),
        _ => Err("write a number from 0 to 10".to_owned()),
    }
}

/// Restarts it at every SIGHUP: sessions end, tasks are forgotten, the inventory stays.
fn restarts(vcenter: &Simulated) -> std::io::Result<impl Future<Output = Infallible>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            hangup.recv().await;
            vcenter.restart(UnderWay::ComesToNothing);
        }
    })
}

impl Vcenter {
    pub(super) async fn run(self) -> Result<Exit, Trouble> {
        let rules = match &self.faults {
            None => Vec::new(),
            Some(file) => {
                let text = std::fs::read_to_string(file)
                    .map_err(|error| Trouble::misuse(format!("cannot read {}: {error}", file.display())))?;
                Rule::parse_all(&text).map_err(|error| Trouble::usage(&error))?
            }
        };
        let options = Options {
            listen: self.listen,
            users: vec![User { name: self.username, password: self.password, privileges: None }],
            vms: self.vms as usize,
            site: self.site,
            seed: self.seed,
            esxi: self.esxi,
            pace: self.pace,
            rules,
            ..Options::default()
        };
        let vcenter = Simulated::start(options).await.map_err(|error| Trouble::failed(&error))?;
        output::line(format_args!(
            "zerfaux sim: vcenter listening on {} thumbprint SHA256:{}",
            vcenter.url(),
            vcenter.thumbprint()
        ));
        let restarts = restarts(&vcenter).map_err(|error| Trouble::failed(&error))?;
        tokio::select! {
            () = wait_for_the_end() => {}
            never = restarts => match never {},
        }
        Ok(Exit::Done)
    }
}
