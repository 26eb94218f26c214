//! Snapshots that vSphere makes of a virtual machine, used to quiesce a guest for a moment.

use jiff::Timestamp;

use crate::domain::moref::{TaskRef, VmRef, VmSnapshotRef};
use crate::vsphere::xml::Node;
use crate::vsphere::{Client, ObjectContent, PropertySet, Request, Scope, VsphereError};

/// A snapshot as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmSnapshot {
    /// Which.
    pub snapshot: VmSnapshotRef,
    /// Its name.
    pub name: String,
    /// What was written about it.
    pub description: String,
    /// When it was made, if the server says it.
    pub created_at: Option<Timestamp>,
    /// Whether the guest was brought to rest for it.
    pub quiesced: bool,
}

impl Client {
    /// Makes a snapshot without memory; the task's result is its reference.
    ///
    /// # Errors
    /// If the guest cannot be brought to rest, or the server refuses or does not answer.
    pub async fn create_snapshot(
        &self,
        vm: &VmRef,
        name: &str,
        description: &str,
        quiesce: bool,
    ) -> Result<TaskRef, VsphereError> {
        let request = Request::new("CreateSnapshot_Task", vm, format!("make a snapshot of {vm}"), |xml| {
            xml.text("name", name).text("description", description);
            xml.flag("memory", false).flag("quiesce", quiesce);
        });
        self.start(&request).await
    }

    /// Removes one snapshot; those made after it stay.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn remove_snapshot(&self, snapshot: &VmSnapshotRef) -> Result<TaskRef, VsphereError> {
        let what = format!("remove the snapshot {snapshot}");
        let request = Request::new("RemoveSnapshot_Task", snapshot, what, |xml| {
            xml.flag("removeChildren", false).flag("consolidate", true);
        });
        self.start(&request).await
    }

    /// Puts a virtual machine back to where it was when the snapshot was made. What it wrote since is lost. It is not
    /// powered on by that, whatever it was then.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn revert_to_snapshot(&self, snapshot: &VmSnapshotRef) -> Result<TaskRef, VsphereError> {
        let what = format!("revert to the snapshot {snapshot}");
        let request = Request::new("RevertToSnapshot_Task", snapshot, what, |xml| {
            xml.flag("suppressPowerOn", true);
        });
        self.start(&request).await
    }

    /// All snapshots of a virtual machine, parents before children: to find what an earlier run left behind.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn snapshots(&self, vm: &VmRef) -> Result<Vec<VmSnapshot>, VsphereError> {
        Ok(read(&self.properties(vm, VmRef::KIND, &[TREE]).await?))
    }

    /// All snapshots of each of these virtual machines, in one question.
    ///
    /// # Errors
    /// If one of them is gone, or the server does not answer.
    pub async fn snapshots_of(&self, vms: &[VmRef]) -> Result<Vec<(VmRef, Vec<VmSnapshot>)>, VsphereError> {
        let sets = [PropertySet { kind: VmRef::KIND, paths: vec![TREE] }];
        let found = self.retrieve(&sets, &Scope::Objects(vms.iter().map(Into::into).collect())).await?;
        Ok(found.iter().map(|one| (VmRef::new(one.object.id.clone()), read(one))).collect())
    }
}

/// Where a virtual machine has its snapshots.
const TREE: &str = "snapshot.rootSnapshotList";

/// Parents before children.
fn read(found: &ObjectContent) -> Vec<VmSnapshot> {
    let mut all = Vec::new();
    let mut open: Vec<&Node> = Vec::new();
    if let Some(roots) = found.get(TREE) {
        open.extend(roots.children().iter().rev());
    }
    while let Some(node) = open.pop() {
        open.extend(node.all("childSnapshotList").collect::<Vec<_>>().into_iter().rev());
        let Some(reference) = node.reference_at("snapshot") else { continue };
        all.push(VmSnapshot {
            snapshot: VmSnapshotRef::new(reference.id),
            name: node.string_at("name").unwrap_or_default(),
            description: node.string_at("description").unwrap_or_default(),
            created_at: node.parse_at("createTime"),
            quiesced: node.flag_at("quiesced") == Some(true),
        });
    }
    all
}
