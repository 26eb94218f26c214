//! What is in a checkpoint: the virtual machines with the hardware and the files that they had when it was taken.
//!
//! Kept by the snapshot's GUID in the database, and as properties of the snapshot itself on both sides (`packed.rs`), so
//! that a recovery needs nothing but the replica. A checkpoint of three days ago is recovered with what was there three
//! days ago.
//!
//! Later versions may add to it: what is not known is passed over, what is missing is empty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::checkpoint::CheckpointKind;
use super::hardware::{PowerState, datastore_path};
use super::ids::GroupId;
use super::machine::Machine;
use super::moref::VmRef;
use super::packed::{PackError, Properties, pack, unpack};

/// The user property of a snapshot that says what its guests knew of it: a word of [`CheckpointKind`].
pub const PROPERTY_CHECKPOINT: &str = "zerfaux:checkpoint";
/// The user property of a snapshot that describes its manifest's pieces.
pub const PROPERTY_MANIFEST: &str = "zerfaux:manifest";

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Whose checkpoint it is.
    pub group: GroupId,
    /// What the group was called.
    #[serde(default)]
    pub group_name: String,
    /// The group's epoch, as [`Epoch`](super::epoch::Epoch) writes it.
    #[serde(default)]
    pub epoch: String,
    /// When it was taken, by our clock.
    pub taken_at: Timestamp,
    /// What the guests knew of it.
    pub kind: CheckpointKind,
    /// The group's virtual machines, by name.
    #[serde(default)]
    pub vms: Vec<ManifestVm>,
    /// What the networks are called whose keys the cards name.
    #[serde(default)]
    pub networks: BTreeMap<String, String>,
}

/// One virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestVm {
    /// Its reference in the source vCenter.
    pub vm: VmRef,
    /// The UUID by which vCenter tells it from others.
    pub instance_uuid: String,
    /// Its name.
    pub name: String,
    /// Whether it ran.
    pub power: PowerState,
    /// Everything that rebuilding it needs. Of one that was at rest, the disks are those that were frozen, never those that
    /// it wrote to meanwhile. None: nothing was known of it.
    #[serde(default)]
    pub machine: Option<Machine>,
    /// Where that is from.
    pub read: Read,
    /// Whether its guest was at rest.
    pub rest: Rest,
}

/// Where what is known of a virtual machine is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Read {
    /// Its vCenter, during the run.
    Vcenter,
    /// What was known of it before, because its vCenter did not tell.
    Inventory {
        /// How old that was; none: not known.
        #[serde(default)]
        seen_at: Option<Timestamp>,
        /// Why.
        #[serde(default)]
        because: String,
    },
    /// A later version's word.
    #[serde(other)]
    Other,
}

/// Whether a guest was at rest when the checkpoint was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rest", rename_all = "snake_case")]
pub enum Rest {
    /// It was not asked.
    NotAsked,
    /// It did not run: there was nothing to bring to rest.
    Off,
    /// It was.
    Quiesced,
    /// It was asked and was not.
    NotQuiesced {
        /// Why.
        #[serde(default)]
        because: String,
    },
    /// A later version's word.
    #[serde(other)]
    Other,
}

/// A disk with its files, for a recovery: paths in the datastore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskFiles {
    /// Its key within the virtual machine.
    pub key: i32,
    /// What vSphere calls it.
    pub label: String,
    /// Its size in bytes.
    pub capacity_bytes: u64,
    /// The datastore's name in the source vCenter; none for a disk without a file.
    pub datastore: Option<String>,
    /// The file that a recovery attaches, then those that it builds upon.
    pub files: Vec<String>,
}

impl Manifest {
    /// What the guests knew of the checkpoint, by what is known of each; a checkpoint for which nobody was asked, or of no
    /// virtual machine, is as after a loss of power.
    pub fn kind_of(vms: &[ManifestVm]) -> CheckpointKind {
        let asked = vms.iter().filter(|vm| !matches!(vm.rest, Rest::NotAsked));
        let at_rest = asked.clone().filter(|vm| matches!(vm.rest, Rest::Off | Rest::Quiesced)).count();
        match (asked.count(), at_rest) {
            (_, 0) => CheckpointKind::CrashConsistent,
            (_, count) if count == vms.len() => CheckpointKind::Quiesced,
            _ => CheckpointKind::Partly,
        }
    }

    /// Those that were asked to be at rest and were not, each with why.
    pub fn not_quiesced<'a>(&'a self) -> Vec<(&'a str, &'a str)> {
        let why = |vm: &'a ManifestVm| match &vm.rest {
            Rest::NotQuiesced { because } => Some((vm.name.as_str(), because.as_str())),
            _ => None,
        };
        self.vms.iter().filter_map(why).collect()
    }

    /// As properties of the snapshot, in the order in which they are to be set.
    ///
    /// # Errors
    /// If it is too large for that.
    pub fn properties(&self) -> Result<Properties, PackError> {
        let mut all = vec![(PROPERTY_CHECKPOINT.to_owned(), self.kind.as_str().to_owned())];
        all.extend(pack(PROPERTY_MANIFEST, self)?);
        Ok(all)
    }

    /// The manifest in these properties; none if there is none.
    ///
    /// # Errors
    /// If it is damaged or not understood.
    pub fn of_properties(properties: &BTreeMap<String, String>) -> Result<Option<Self>, PackError> {
        unpack(PROPERTY_MANIFEST, properties)
    }
}

impl ManifestVm {
    /// Its disks with their files.
    pub fn disks(&self) -> Vec<DiskFiles> {
        let disks = self.machine.iter().flat_map(|machine| &machine.hardware.disks);
        disks
            .map(|disk| {
                let paths = disk.file.iter().chain(&disk.parents).filter_map(|file| datastore_path(file));
                let datastore =
                    disk.file.as_deref().and_then(datastore_path).map(|(name, _)| name.to_owned());
                DiskFiles {
                    key: disk.key,
                    label: disk.label.clone(),
                    capacity_bytes: disk.capacity_bytes,
                    datastore,
                    files: paths.map(|(_, path)| path.to_owned()).collect(),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
