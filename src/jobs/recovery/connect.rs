//! The cards of the machines: connected to the network of the map, once that is seen to be the one that was chosen, and
//! read back. A card without a network in the map, or whose network is another one now, stays disconnected.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;

use super::make::AT_ONCE;
use super::{AGAIN, Ground, RunInput};
use crate::domain::hardware::{Hardware, Nic, NicNetwork};
use crate::domain::job::{Failure, FailureKind};
use crate::domain::moref::{ManagedRef, TaskRef, VmRef};
use crate::domain::recovery_run::{RunNetwork, RunPlan, RunVmPlan};
use crate::engine::{Retry, Step, StepContext, UndoKind};
use crate::jobs::vsphere_make::Made;
use crate::jobs::vsphere_task::{Among, Deed, once};
use crate::vsphere::verbs::{DeviceChange, NicConnection, Reconfigure};
use crate::vsphere::{Client, Reason, VsphereError, read_hardware};

pub(in crate::jobs) struct ConnectNetworks(pub(in crate::jobs) Arc<Ground>);

/// Whether the network still is the one that was chosen; why not.
async fn verified(client: &Client, network: &RunNetwork) -> Result<Result<(), String>, Failure> {
    let kind = match network.object.kind.as_str() {
        "DistributedVirtualPortgroup" => "DistributedVirtualPortgroup",
        "OpaqueNetwork" => "OpaqueNetwork",
        _ => "Network",
    };
    match client.properties(network.object.clone(), kind, &["name"]).await {
        Ok(found) => Ok(match found.text("name") {
            Some(name) if name == network.name => Ok(()),
            other => Err(format!(
                "the network {:?} of the map is called {:?} now",
                network.name,
                other.unwrap_or_default()
            )),
        }),
        Err(error) if matches!(error.reason(), Some(Reason::ObjectNotFound { .. })) => {
            Ok(Err(format!("the network {:?} of the map is not there any more", network.name)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Cards to be connected, by their place among the cards of the machine.
struct Connect {
    vm: VmRef,
    name: String,
    wanted: Vec<(usize, NicNetwork)>,
}

impl Connect {
    async fn hardware(&self, client: &Client) -> Result<Hardware, VsphereError> {
        let found = client.properties(&self.vm, VmRef::KIND, &["config.hardware.device"]).await?;
        Ok(found.get("config.hardware.device").map(read_hardware).unwrap_or_default())
    }

    fn open<'a>(&'a self, hardware: &'a Hardware) -> impl Iterator<Item = (&'a Nic, &'a NicNetwork)> {
        let cards = self.wanted.iter().filter_map(|(place, to)| Some((hardware.nics.get(*place)?, to)));
        cards.filter(|(nic, to)| !(nic.start_connected && is_there(&nic.network, to)))
    }
}

/// Whether a card is on a network. A server may say a network's name and not its reference.
pub(super) fn is_there(now: &NicNetwork, wanted: &NicNetwork) -> bool {
    match (now, wanted) {
        (NicNetwork::Standard { name, .. }, NicNetwork::Standard { name: to, .. }) => name == to,
        _ => now.key().is_some() && now.key() == wanted.key(),
    }
}

#[async_trait]
impl Deed for Connect {
    type Done = ();

    fn key(&self) -> Cow<'static, str> {
        "connect".into()
    }

    fn what(&self) -> String {
        format!("connect the cards of {:?}", self.name)
    }

    fn entity(&self) -> ManagedRef {
        (&self.vm).into()
    }

    fn description(&self) -> &'static str {
        "VirtualMachine.reconfigure"
    }

    async fn look(&self, client: &Client, _result: Option<&ManagedRef>) -> Result<Option<()>, Failure> {
        let hardware = self.hardware(client).await?;
        if let Some((place, _)) = self.wanted.iter().find(|(place, _)| *place >= hardware.nics.len()) {
            return Err(Failure::permanent(format!(
                "{:?} has {} network cards, and card {} is to be connected.",
                self.name,
                hardware.nics.len(),
                place + 1
            ))
            .advise(
                "Somebody changed its hardware. Look at it in vCenter; a test is cleaned up and made anew, a failover \
                 retries this virtual machine.",
            ));
        }
        Ok(self.open(&hardware).next().is_none().then_some(()))
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        let hardware = self.hardware(client).await?;
        let connect = |(nic, to): (&Nic, &NicNetwork)| {
            let nic = Nic { start_connected: true, ..nic.clone() };
            Some(DeviceChange::ConnectNic(nic, NicConnection::of(to)?))
        };
        let devices = self.open(&hardware).filter_map(connect).collect();
        client.reconfigure(&self.vm, &Reconfigure { devices, ..Reconfigure::default() }).await
    }
}

impl ConnectNetworks {
    async fn one(
        &self,
        cx: &StepContext,
        client: &Client,
        (plan, vm): (&RunPlan, &RunVmPlan),
        made: &Made,
    ) -> Result<(), Failure> {
        let record = self.0.record(cx, plan).of(&vm.source_uuid);
        let connect = async {
            let (mut wanted, mut told) = (Vec::new(), Vec::new());
            for (place, (nic, network)) in vm.spec.nics.iter().zip(&vm.networks).enumerate() {
                let Some(network) = network else {
                    told.push(format!("{} stays disconnected: the map has no network for it", nic.label));
                    continue;
                };
                match verified(client, network).await? {
                    Ok(()) => {
                        wanted.push((place, nic.network.clone()));
                        told.push(format!("{} is on {:?}, read back", nic.label, network.name));
                    }
                    Err(why) => {
                        cx.warn(format!("{:?}: {} stays disconnected: {why}.", vm.spec.name, nic.label));
                        told.push(format!("{} stays disconnected: {why}", nic.label));
                    }
                }
            }
            let connect = Connect { vm: made.vm.clone(), name: vm.spec.name.clone(), wanted };
            if !connect.wanted.is_empty() {
                once(cx, client, &Among { of: vm.source_uuid.clone(), deed: connect }).await?;
            }
            if told.is_empty() {
                told.push("it has no network card".to_owned());
            }
            Ok(((), told.join("; ")))
        };
        record.step("connect_networks", connect).await
    }

    /// The same; what goes wrong for good is kept with the virtual machine, which is then named.
    async fn tried(
        &self,
        cx: &StepContext,
        client: &Client,
        which: (&RunPlan, &RunVmPlan),
        made: &Made,
    ) -> Result<Option<String>, Failure> {
        match self.one(cx, client, which, made).await {
            Ok(()) => Ok(None),
            Err(failure) if failure.kind == FailureKind::Transient => Err(failure),
            Err(failure) => {
                let message = format!("{:?} was not connected. {}", which.1.spec.name, failure.message);
                let record = self.0.record(cx, which.0).of(&which.1.source_uuid);
                record.failed(Failure { message, ..failure }).await?;
                Ok(Some(which.1.source_uuid.clone()))
            }
        }
    }
}

#[async_trait]
impl Step for ConnectNetworks {
    fn name(&self) -> &'static str {
        "connect_networks"
    }

    fn percent(&self) -> (u8, u8) {
        self.0.percent((50, 55))
    }

    fn retry(&self) -> Retry {
        AGAIN
    }

    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let input: RunInput = cx.input()?;
        let all: BTreeMap<String, Made> = cx.need("make_vms")?;
        let client = self.0.client(&input.plan).await?;
        let mut work: Vec<BoxFuture<'_, _>> = Vec::new();
        for vm in input.vms() {
            let Some(made) = all.get(&vm.source_uuid) else { continue };
            work.push(self.tried(cx, &client, (&input.plan, vm), made).boxed());
        }
        let ended: Vec<Result<Option<String>, Failure>> =
            stream::iter(work).buffer_unordered(AT_ONCE).collect().await;
        let mut failed: Vec<String> =
            ended.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
        failed.sort();
        Ok(Value::from(failed))
    }

    fn undo_kind(&self) -> UndoKind {
        self.0.taken_back()
    }
}
