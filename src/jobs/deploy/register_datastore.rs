//! Mounts the export as a datastore on every chosen host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Ground;
use super::ssh_connect::Connected;
use crate::domain::deployment::{DatastoreHost, Deployment};
use crate::domain::job::{Failure, FailureKind, Level};
use crate::engine::{Step, StepContext, UndoKind};
use crate::jobs::datastore_mounts::{Mounted, mount, nfs3, on_host, same, unmount};
use crate::jobs::failure::recorded;
use crate::vsphere::Client;
use crate::vsphere::verbs::NasMount;

/// How often mounting is tried in all, and the pause between.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct RegisterDatastore(pub(super) Arc<Ground>);

/// Hosts that had it mounted before, by their references: an undo leaves it there.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Intent {
    before: Vec<String>,
}

/// What came of one host.
#[derive(Debug, Serialize, Deserialize)]
struct HostResult {
    host: String,
    moref: String,
    #[serde(flatten)]
    mounted: Mounted,
}

impl RegisterDatastore {
    async fn client(&self, input: &Deployment) -> Result<Client, Failure> {
        self.0.vcenters.client(input.vcenter_id).await
    }
}

fn before(intent: &Value) -> Result<Vec<String>, Failure> {
    Intent::deserialize(intent)
        .map(|intent| intent.before)
        .map_err(|error| Failure::permanent(format!("The recorded hosts could not be read: {error}.")))
}

fn wanted(cx: &StepContext, input: &Deployment) -> Result<NasMount, Failure> {
    let connected: Connected = cx.need("ssh_connect")?;
    Ok(nfs3(&connected.address.to_string(), &input.nfs_path(), &input.datastore_name()))
}

#[async_trait]
impl Step for RegisterDatastore {
    fn name(&self) -> &'static str {
        "register_datastore"
    }

    fn percent(&self) -> (u8, u8) {
        (85, 100)
    }

    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        if input.datastore_hosts.is_empty() {
            return recorded(Intent::default());
        }
        let (client, wanted) = (self.client(&input).await?, wanted(cx, &input)?);
        let mut before = Vec::new();
        for host in &input.datastore_hosts {
            let there = on_host(&client, &host.moref).await?;
            if matches!(same(&there, &wanted), Ok(Some(_))) {
                before.push(host.moref.id().to_owned());
            }
        }
        recorded(Intent { before })
    }

    async fn run(&self, cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let input: Deployment = cx.input()?;
        let before = before(intent)?;
        if input.datastore_hosts.is_empty() {
            return result(cx, &input, Vec::new());
        }
        let (client, wanted) = (self.client(&input).await?, wanted(cx, &input)?);
        let mut results: BTreeMap<usize, Mounted> = BTreeMap::new();
        for attempt in 1..=ATTEMPTS {
            let mut again = false;
            for (number, host) in input.datastore_hosts.iter().enumerate() {
                if matches!(results.get(&number), Some(Mounted::Done { .. } | Mounted::AlreadyThere { .. })) {
                    continue;
                }
                let mounted = match mount(&client, &host.moref, &wanted).await {
                    // By an earlier attempt of this very step.
                    Ok(Mounted::AlreadyThere { datastore })
                        if !before.iter().any(|id| id == host.moref.id()) =>
                    {
                        Mounted::Done { datastore }
                    }
                    Ok(mounted) => mounted,
                    Err(failure) if failure.kind == FailureKind::Cancelled => return Err(failure),
                    Err(failure) => {
                        again |= failure.kind == FailureKind::Transient;
                        Mounted::Failed { message: failure.message }
                    }
                };
                tell(cx, host, &wanted, &mounted);
                results.insert(number, mounted);
                #[allow(clippy::cast_precision_loss)]
                cx.progress(results.len() as f64 / input.datastore_hosts.len() as f64);
            }
            if !again || attempt == ATTEMPTS {
                break;
            }
            cx.pause(PAUSE).await?;
        }
        let results: Vec<HostResult> = input
            .datastore_hosts
            .iter()
            .zip(results.into_values())
            .map(|(host, mounted)| HostResult {
                host: host.name.clone(),
                moref: host.moref.id().to_owned(),
                mounted,
            })
            .collect();
        let failed: Vec<&str> = results
            .iter()
            .filter(|one| matches!(one.mounted, Mounted::Failed { .. }))
            .map(|one| one.host.as_str())
            .collect();
        const ADVICE: &str = "Check the network and the firewall between those hosts and the appliance (TCP 111 and \
                              2049), and that the NFS networks contain their addresses.";
        if failed.len() == results.len() {
            return Err(Failure::permanent(format!("Mount failed on {}.", failed.join(", "))).advise(ADVICE));
        }
        if !failed.is_empty() {
            cx.warn(format!("Mount failed on {}: {ADVICE}", failed.join(", ")));
        }
        result(cx, &input, results)
    }

    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }

    async fn undo(&self, cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let input: Deployment = cx.input()?;
        if input.datastore_hosts.is_empty() {
            return Ok(());
        }
        let before = before(intent)?;
        let (client, wanted) = (self.client(&input).await?, wanted(cx, &input)?);
        for host in input.datastore_hosts.iter().filter(|host| !before.iter().any(|id| id == host.moref.id()))
        {
            if unmount(&client, &host.moref, &wanted).await? {
                cx.info(format!("Unmounted {:?} from {}.", wanted.name, host.name));
            }
        }
        Ok(())
    }
}

fn tell(cx: &StepContext, host: &DatastoreHost, wanted: &NasMount, mounted: &Mounted) {
    match mounted {
        Mounted::Done { .. } => {
            cx.console(Level::Success, format!("{}: {:?} is mounted.", host.name, wanted.name));
        }
        Mounted::AlreadyThere { .. } => {
            cx.info(format!("{}: {:?} was mounted already.", host.name, wanted.name));
        }
        Mounted::Failed { message } => {
            cx.console(Level::Error, format!("{}: {message}", host.name));
        }
    }
}

/// What the job made, for its page and the API.
fn result(cx: &StepContext, input: &Deployment, hosts: Vec<HostResult>) -> Result<Value, Failure> {
    let connected: Connected = cx.need("ssh_connect")?;
    let cloned: super::clone::Cloned = cx.need("clone")?;
    let target: Value = cx.need("register_target")?;
    recorded(json!({
        "vm_name": input.vm_name,
        "cloned_vm_moref": cloned.vm_moref,
        "detected_ip": connected.address,
        "host_key": connected.host_key,
        "host_key_published": connected.published,
        "zfs_pool": input.zfs_pool_name,
        "replication_target_id": target.get("replication_target_id"),
        "datastore_name": (!hosts.is_empty()).then(|| input.datastore_name()),
        "hosts": hosts,
    }))
}
