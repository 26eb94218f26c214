//! `zerfaux replicate SRC DST`

use clap::{Args, ValueEnum};
use serde_json::json;

use super::exit::{Exit, Trouble};
use super::options::{Ssh, lasting_app, passphrase};
use super::output;
use super::progress::Progress;
use crate::app::App;
use crate::app::replications::{Action, History, OnConflict, Preview, ReplicateInput};
use crate::config::Settings;
use crate::domain::job::{Job, JobState};
use crate::domain::location::HostRef;
use crate::domain::rate::Rate;
use crate::domain::retention::Retention;
use crate::domain::size::format_bytes;
use crate::domain::transport::{Dial, Transport as Wish};

/// Bring a dataset up to date with another, by ZFS snapshots and send/receive.
///
/// Takes a snapshot of SRC, sends what DST does not have yet, and makes sure that it arrived. Run it again
/// and only the changes travel; interrupt it and the next run goes on where it broke off. Nothing has to
/// be installed on the hosts but OpenZFS and an SSH server. Nothing at DST is ever overwritten: if DST has
/// gone its own way, you are told what was found and which ways on there are.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct Replicate {
    /// What to send: ssh://user@host[:port]/pool/dataset, user@host:pool/dataset, or pool/dataset here
    #[arg(value_name = "SRC")]
    source: String,
    /// What to receive into, in the same forms. Created if it is not there, with the datasets above it
    #[arg(value_name = "DST")]
    destination: String,
    #[command(flatten)]
    ssh: Ssh,
    /// What the source dials to reach DST in direct transport, where that is not what this machine dials. Port 22
    /// unless one is given
    #[arg(long, value_name = "HOST[:PORT]", help_heading = "Transport")]
    replication_address: Option<Dial>,
    /// How the stream travels. direct: straight from SRC to DST; SRC logs in there through an agent that this machine
    /// forwards for that one log-in. relay: through this machine. auto: direct where that can be, else relay, and it
    /// says why
    #[arg(long, value_enum, default_value_t = Transport::Auto, help_heading = "Transport")]
    transport: Transport,
    /// Bytes a second at most, such as 10M or 1.5GiB/s; k, M and G are powers of 1024. In direct transport this needs
    /// pv at SRC; without it the stream goes through this machine
    #[arg(long, value_name = "RATE", help_heading = "Transport")]
    bwlimit: Option<Rate>,
    /// With all datasets below SRC, in one snapshot of them all
    #[arg(long, short, help_heading = "What is sent")]
    recursive: bool,
    /// Take no snapshot: send what is there
    #[arg(long, help_heading = "What is sent")]
    no_snapshot: bool,
    /// Send only the newest snapshot, without those between it and what DST has
    #[arg(long, help_heading = "What is sent")]
    only_newest: bool,
    /// Which of the snapshots made by this command stay at SRC, such as last=3,hourly=24,daily=7,weekly=4,monthly=12. Snapshots made by others always stay
    #[arg(long, value_name = "POLICY", default_value = "all", help_heading = "What is kept")]
    keep_source: Retention,
    /// The same for DST
    #[arg(long, value_name = "POLICY", default_value = "all", help_heading = "What is kept")]
    keep_destination: Retention,
    /// What to do if DST has gone its own way. stop: change nothing and explain. keep-and-continue: rename
    /// DST aside and go on from the newest common snapshot. keep-and-seed: rename DST aside and send all
    #[arg(long, value_enum, default_value_t = Resolution::Stop, help_heading = "What is kept")]
    on_conflict: Resolution,
    /// Only say what would be done, with sizes. Changes nothing
    #[arg(long)]
    dry_run: bool,
    /// One JSON object per line on standard output
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  See what would be done, then do it:
    zerfaux replicate --dry-run root@nas-a:tank/data root@nas-b:backup/data
    zerfaux replicate           root@nas-a:tank/data root@nas-b:backup/data
  First contact with a new host, a tree of datasets, at most 20 MiB/s:
    zerfaux replicate --accept-new-host-keys -r --bwlimit 20M root@nas-a:tank/vm tank/copy
  From cron, keeping two snapshots at the source and a month at the destination:
    zerfaux replicate --keep-source last=2 --keep-destination last=24,daily=31 tank/data root@nas-b:backup/data

Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused to protect data, 130 interrupted.";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Transport {
    Auto,
    Relay,
    Direct,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Resolution {
    Stop,
    KeepAndContinue,
    KeepAndSeed,
}

impl Replicate {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        if self.replication_address.is_some() && self.transport == Transport::Relay {
            return Err(Trouble::misuse(
                "--replication-address belongs to direct transport, and relay was asked for.",
            )
            .advise("Leave one of the two out."));
        }
        let (input, dry_run, json) = (self.input()?, self.dry_run, self.json);
        let local = [&input.source.host, &input.destination.host].contains(&&HostRef::Local);
        if local && self.transport == Transport::Direct {
            return Err(Trouble::misuse("Direct transport is between two hosts that are reached over SSH.")
                .advise("Leave --transport out: a stream from or to this machine takes no detour anyway."));
        }
        let app = match &settings.data_dir {
            Some(directory) => lasting_app(directory).await?,
            None => crate::boot::passing(passphrase()).map_err(|error| Trouble::failed(&error))?,
        };
        if dry_run {
            return preview(&app, input, json).await;
        }
        let id = app.start_replication(&input, "cli").await?;
        let (job, exit) = Progress::new(json).follow(&app, id).await?;
        report(&job, &input, json)?;
        Ok(exit)
    }

    fn input(&self) -> Result<ReplicateInput, Trouble> {
        Ok(ReplicateInput {
            source: self.ssh.location(&self.source)?,
            destination: self.ssh.location(&self.destination)?,
            group: None,
            recursive: self.recursive,
            snapshot: !self.no_snapshot,
            history: if self.only_newest { History::NewestOnly } else { History::All },
            keep_source: self.keep_source,
            keep_destination: self.keep_destination,
            transport: match self.transport {
                Transport::Auto => Wish::Auto,
                Transport::Relay => Wish::Relay,
                Transport::Direct => Wish::Direct,
            },
            replication_address: self.replication_address.clone(),
            bandwidth_limit: self.bwlimit.map(|rate| rate.bytes_per_second()),
            guests: None,
            on_conflict: match self.on_conflict {
                Resolution::Stop => OnConflict::Stop,
                Resolution::KeepAndContinue => OnConflict::KeepAndContinue,
                Resolution::KeepAndSeed => OnConflict::KeepAndSeed,
            },
        })
    }
}

async fn preview(app: &App, input: ReplicateInput, json: bool) -> Result<Exit, Trouble> {
    let preview = app.preview_replication(input).await?;
    let conflicts =
        preview.datasets.iter().filter(|dataset| matches!(dataset.plan.action, Action::Conflict(_)));
    let exit = if conflicts.count() == 0 { Exit::Done } else { Exit::Refused };
    if json {
        let value = serde_json::to_value(&preview).map_err(|error| Trouble::failed(&error))?;
        output::json(&json!({ "event": "plan", "dry_run": true, "plan": value }));
    } else {
        print_preview(&preview);
    }
    Ok(exit)
}

fn print_preview(preview: &Preview) {
    output::line("Dry run: nothing is changed.");
    if preview.snapshot_first {
        let written: u64 = preview.datasets.iter().map(|dataset| dataset.written).sum();
        output::line(format_args!(
            "A snapshot would be taken first; it would add about {}.",
            format_bytes(written)
        ));
    }
    output::line(&preview.way);
    let mut total = 0;
    for dataset in &preview.datasets {
        output::line(dataset);
        total += dataset.estimates.iter().sum::<u64>();
        if let Action::Conflict(conflict) = &dataset.plan.action {
            output::line(conflict.advice(dataset.destination_encrypted));
        }
    }
    output::line(format_args!("In all about {} of what is there now.", format_bytes(total)));
}

/// The last word: on standard output what was done, on standard error what went wrong.
fn report(job: &Job, input: &ReplicateInput, json: bool) -> Result<(), Trouble> {
    if json {
        output::json(&json!({
            "event": "result", "state": job.state, "result": job.result, "error": job.failure,
            "failed_phase": job.failed_phase, "warnings": job.warnings,
        }));
    }
    match (&job.failure, job.state) {
        (_, JobState::Succeeded) => {
            let number =
                |key: &str| job.result.as_ref().and_then(|result| result.get(key)?.as_u64()).unwrap_or(0);
            if !json {
                let (bytes, streams) = (number("bytes"), number("streams"));
                let what = match streams {
                    0 => "nothing new to send".to_owned(),
                    1 => format!("{} in 1 stream", format_bytes(bytes)),
                    _ => format!("{} in {streams} streams", format_bytes(bytes)),
                };
                output::line(format_args!("{} → {}: {what}, verified.", input.source, input.destination));
            }
            Ok(())
        }
        (Some(failure), _) if json => {
            // The object above has said it all; the exit status is the job's.
            let _ = failure;
            Ok(())
        }
        (Some(failure), _) => {
            Trouble::from(failure).print();
            Ok(())
        }
        (None, _) => Ok(()),
    }
}
