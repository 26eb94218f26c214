//! What a group is, as its datasets say it themselves: so that an installation that lost its database finds it again.
//!
//! Written on the live dataset and on the replica as properties (`packed.rs`). What only an installation knows, such as an
//! id of an appliance, is not in it; what things are called is, for people to recognise them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{GroupId, ProtectedVmId};
use super::inventory::NfsExport;
use super::moref::VmRef;
use super::names::DatasetName;
use super::packed::{PackError, Properties, pack};
use super::protected_vm::ProtectedVm;
use super::protection_group::{Policy, ProtectionGroup};

/// The user property of a dataset that describes the pieces of its group's terms.
pub const PROPERTY_TERMS: &str = "zerfaux:policy";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The group.
    pub group: GroupId,
    /// What it is called.
    pub name: String,
    /// What people say about it.
    #[serde(default)]
    pub description: Option<String>,
    /// How it is replicated.
    pub policy: Policy,
    /// Whether it is replicated at all.
    pub enabled: bool,
    /// Who made it.
    #[serde(default)]
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// The live dataset.
    pub source: SideTerms,
    /// The replica.
    pub dr: SideTerms,
    /// What hosts mount.
    #[serde(default)]
    pub export: Option<NfsExport>,
    /// The virtual machines that it protects, by name.
    #[serde(default)]
    pub vms: Vec<VmTerms>,
}

/// One side of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideTerms {
    /// The dataset.
    pub dataset: DatasetName,
    /// Which vCenter, as it says itself; a single host says nothing.
    #[serde(default)]
    pub vcenter_uuid: Option<String>,
    /// What the vCenter is called.
    #[serde(default)]
    pub vcenter: String,
    /// What the appliance is called.
    #[serde(default)]
    pub appliance: String,
}

/// A virtual machine of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmTerms {
    /// The id under which it is protected.
    pub id: ProtectedVmId,
    /// The UUID by which vCenter tells it from others.
    pub instance_uuid: String,
    /// Its reference in the source vCenter.
    pub vm: VmRef,
    /// Its name.
    pub name: String,
    /// Who assigned it.
    #[serde(default)]
    pub added_by: String,
    /// When.
    pub added_at: Timestamp,
}

impl Terms {
    /// The terms of a group with these virtual machines; `source` and `dr` say what vCenter and appliance are.
    pub fn of(group: &ProtectionGroup, vms: &[ProtectedVm], source: SideTerms, dr: SideTerms) -> Self {
        let vm = |vm: &ProtectedVm| VmTerms {
            id: vm.id,
            instance_uuid: vm.instance_uuid.clone(),
            vm: vm.moref.clone(),
            name: vm.name.clone(),
            added_by: vm.added_by.clone(),
            added_at: vm.added_at,
        };
        Self {
            group: group.id,
            name: group.name.clone(),
            description: group.description.clone(),
            policy: group.policy.clone(),
            enabled: group.enabled,
            created_by: group.created_by.clone(),
            created_at: group.created_at,
            source,
            dr,
            export: group.source.export.clone(),
            vms: vms.iter().map(vm).collect(),
        }
    }

    /// As properties of a dataset, in the order in which they are to be set.
    ///
    /// # Errors
    /// If they are too large for that.
    pub fn properties(&self) -> Result<Properties, PackError> {
        pack(PROPERTY_TERMS, self)
    }
}
