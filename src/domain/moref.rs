//! Managed-object references: how vSphere names what it manages. Opaque: nothing may be read out of an id.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A reference to any managed object: its type in vSphere's own words, and its id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ManagedRef {
    /// The type, such as `VirtualMachine` or `DistributedVirtualPortgroup`.
    pub kind: String,
    /// The id, such as `vm-42`. Some servers put paths and spaces into it.
    pub id: String,
}

impl ManagedRef {
    /// The reference with this type and id.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

impl fmt::Display for ManagedRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

macro_rules! moref {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The type in vSphere's own words.
            pub const KIND: &'static str = $kind;

            /// The reference with this id.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The id.
            pub fn id(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&$name> for ManagedRef {
            fn from(one: &$name) -> Self {
                Self::new($name::KIND, one.id())
            }
        }

        impl From<$name> for ManagedRef {
            fn from(one: $name) -> Self {
                Self { kind: $name::KIND.to_owned(), id: one.0 }
            }
        }
    };
}

moref!(
    /// A virtual machine or a template.
    VmRef, "VirtualMachine"
);
moref!(
    /// An ESXi host.
    EsxiRef, "HostSystem"
);
moref!(
    /// A datastore.
    DatastoreRef, "Datastore"
);
moref!(
    /// A datacenter.
    DatacenterRef, "Datacenter"
);
moref!(
    /// A resource pool.
    PoolRef, "ResourcePool"
);
moref!(
    /// A folder.
    FolderRef, "Folder"
);
moref!(
    /// A task.
    TaskRef, "Task"
);
moref!(
    /// A snapshot that vSphere made of a virtual machine.
    VmSnapshotRef, "VirtualMachineSnapshot"
);
