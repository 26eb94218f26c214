//! A virtual machine that a protection group protects.

use jiff::Timestamp;
use serde::Serialize;

use super::ids::{GroupId, ProtectedVmId, VcenterId};
use super::moref::VmRef;

/// A protected virtual machine as it is kept. It is known by its instance UUID: a reference is drawn anew when a machine
/// is registered again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProtectedVm {
    /// Its id.
    pub id: ProtectedVmId,
    /// The one group that protects it.
    pub group: GroupId,
    /// The vCenter that has it.
    pub vcenter: VcenterId,
    /// By what vCenter tells it from others.
    pub instance_uuid: String,
    /// Its reference when it was seen last.
    pub moref: VmRef,
    /// Its name then.
    pub name: String,
    /// Who assigned it.
    pub added_by: String,
    /// When.
    pub added_at: Timestamp,
}
