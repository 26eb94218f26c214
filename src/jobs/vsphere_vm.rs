//! A virtual machine that a plan names, looked at again before anything is done to it: a reference alone does not say
//! that it still is the one that was meant.

use serde::{Deserialize, Serialize};

use crate::domain::hardware::PowerState;
use crate::domain::job::Failure;
use crate::domain::moref::{EsxiRef, ManagedRef, VmRef};
use crate::vsphere::{Client, Node, Reason};

/// A virtual machine as a plan has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedVm {
    /// Its reference.
    pub vm: VmRef,
    /// Its instance UUID.
    pub instance_uuid: String,
    /// Its name, for people.
    pub name: String,
    /// The folder that it was in; none: it does not matter.
    pub folder: Option<ManagedRef>,
}

/// A virtual machine as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmNow {
    /// Its reference.
    pub vm: VmRef,
    /// Its name.
    pub name: String,
    /// Where it is in the inventory.
    pub folder: Option<ManagedRef>,
    /// Its host.
    pub host: Option<EsxiRef>,
    /// Whether it runs.
    pub power: PowerState,
    /// What is different from the plan although it is the same virtual machine: for the console.
    pub remarks: Vec<String>,
}

/// Looks at a virtual machine before something is done to it.
///
/// # Errors
/// Refused if the reference now belongs to another virtual machine; permanent if it is gone, or was registered anew
/// under another reference, with the one that it has now; or if the vCenter does not answer.
pub async fn as_planned(client: &Client, planned: &PlannedVm) -> Result<VmNow, Failure> {
    let paths = ["name", "parent", "config.instanceUuid", "runtime.powerState", "runtime.host"];
    let found = match client.properties(&planned.vm, VmRef::KIND, &paths).await {
        Ok(found) => found,
        Err(error) if matches!(error.reason(), Some(Reason::ObjectNotFound { .. })) => {
            return Err(gone(client, planned).await?);
        }
        Err(error) => return Err(error.into()),
    };
    let name = found.text("name").unwrap_or_default().to_owned();
    match found.text("config.instanceUuid") {
        Some(uuid) if uuid.eq_ignore_ascii_case(&planned.instance_uuid) => {}
        Some(uuid) => {
            return Err(Failure::refused(format!(
                "{} now is another virtual machine: the plan means {:?} with the instance UUID {}, it is {name:?} with \
                 {uuid}. Nothing was done to it.",
                planned.vm, planned.name, planned.instance_uuid
            ))
            .advise("Synchronise the vCenter, look for the virtual machine, and make a new plan."));
        }
        None => {
            return Err(Failure::refused(format!(
                "The vCenter does not say which virtual machine {} ({:?}) is: its configuration cannot be read. \
                 Nothing was done to it.",
                planned.vm, planned.name
            ))
            .advise("Look in vCenter whether it is inaccessible or orphaned, and bring its host or datastore back."));
        }
    }
    let folder = found.get("parent").and_then(Node::reference);
    let mut remarks = Vec::new();
    if name != planned.name {
        remarks.push(format!("{:?} is called {name:?} now; it is the same virtual machine.", planned.name));
    }
    if planned.folder.is_some() && planned.folder != folder {
        let now = folder.as_ref().map_or_else(|| "no folder".to_owned(), ToString::to_string);
        remarks.push(format!("{name:?} was moved to another folder ({now})."));
    }
    Ok(VmNow {
        vm: planned.vm.clone(),
        name,
        folder,
        host: found.get("runtime.host").and_then(Node::reference).map(|one| EsxiRef::new(one.id)),
        power: match found.text("runtime.powerState") {
            Some("poweredOn") => PowerState::On,
            Some("poweredOff") => PowerState::Off,
            Some("suspended") => PowerState::Suspended,
            _ => PowerState::Unknown,
        },
        remarks,
    })
}

/// Why it is not found.
async fn gone(client: &Client, planned: &PlannedVm) -> Result<Failure, Failure> {
    let elsewhere = client.find_vms_by_uuid(&planned.instance_uuid, true).await?;
    let failure = match elsewhere.first() {
        None => Failure::permanent(format!(
            "The virtual machine {:?} ({}) is no longer in {}: it was deleted or unregistered.",
            planned.name,
            planned.vm,
            client.server()
        )),
        Some(now) => Failure::permanent(format!(
            "The virtual machine {:?} is no longer {} but {now}: it was registered anew. Nothing was done to it.",
            planned.name, planned.vm
        )),
    };
    Ok(failure.advise("Synchronise the vCenter and start the operation anew."))
}
