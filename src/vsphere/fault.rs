//! What vSphere refuses, typed, with its fields. Our words are made from the type and the fields, because the
//! texts of servers are often empty, in another language, or the name of a type.

use std::fmt;

use super::xml::Node;
use crate::domain::moref::ManagedRef;

/// A fault as a server sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its type in vSphere's own words, such as `DuplicateName`.
    pub kind: String,
    /// What is known about this type.
    pub reason: Reason,
    /// The server's own words, if they say anything.
    pub message: Option<String>,
    /// Its fields.
    pub detail: Node,
}

/// The faults that somebody acts upon.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The session has expired, or there was none.
    NotAuthenticated,
    /// Wrong user or password.
    InvalidLogin,
    /// A right is missing.
    NoPermission {
        /// The privilege's id, such as `VirtualMachine.Config.AddNewDisk`.
        privilege: String,
        /// On what.
        object: Option<ManagedRef>,
    },
    /// The name is taken.
    DuplicateName {
        /// The name.
        name: String,
        /// By what.
        object: Option<ManagedRef>,
    },
    /// It exists already.
    AlreadyExists {
        /// Its name, if the server says it.
        name: Option<String>,
    },
    /// A managed object is not there, or no longer.
    ObjectNotFound {
        /// Which.
        object: Option<ManagedRef>,
    },
    /// Something named is not there.
    NotFound,
    /// A file is not there.
    FileNotFound {
        /// Which.
        file: String,
    },
    /// A file is there already.
    FileAlreadyExists {
        /// Which.
        file: String,
    },
    /// A file is open elsewhere.
    FileLocked {
        /// Which.
        file: String,
    },
    /// Not in this power state.
    InvalidPowerState {
        /// The state that it needs.
        requested: Option<String>,
        /// The state it is in.
        existing: Option<String>,
    },
    /// Not in this state.
    InvalidState,
    /// Somebody uses it.
    ResourceInUse {
        /// Its name.
        name: Option<String>,
    },
    /// Something is short on the hosts: CPU, memory, or hosts themselves.
    InsufficientResources,
    /// The datastore is full.
    NoDiskSpace {
        /// Which.
        datastore: Option<String>,
    },
    /// An argument is not acceptable.
    InvalidArgument {
        /// Which, as a path such as `spec.location.pool`.
        property: Option<String>,
    },
    /// There is no property of this name.
    InvalidProperty {
        /// Which.
        name: String,
    },
    /// The server does not know the method, or cannot do it.
    NotSupported,
    /// Another task works on it.
    TaskInProgress,
    /// It changed while it was to be changed.
    ConcurrentAccess,
    /// Somebody cancelled it.
    Cancelled,
    /// VMware Tools do not run in the guest.
    ToolsUnavailable,
    /// The server itself waited too long.
    TimedOut,
    /// The host does not answer to its vCenter.
    HostUnreachable,
    /// Guest customisation cannot be done.
    Customization,
    /// The host's platform failed: often a mount that was refused.
    Platform {
        /// What the host said.
        text: Option<String>,
    },
    /// Anything else.
    Other,
}

impl Fault {
    /// Reads a `LocalizedMethodFault`, as tasks carry it: `fault` with the type and `localizedMessage`.
    pub(crate) fn localized(node: &Node) -> Self {
        let detail = node.child("fault").cloned().unwrap_or_default();
        Self::new(detail.kind().to_owned(), node.string_at("localizedMessage"), detail)
    }

    /// Reads the `Fault` of a SOAP body.
    pub(crate) fn soap(node: &Node) -> Self {
        let detail = node.child("detail").and_then(|detail| detail.children().first()).cloned();
        let detail = detail.unwrap_or_default();
        let kind = match detail.kind() {
            "" => detail.name().strip_suffix("Fault").unwrap_or(detail.name()).to_owned(),
            kind => kind.to_owned(),
        };
        Self::new(kind, node.string_at("faultstring"), detail)
    }

    fn new(kind: String, message: Option<String>, detail: Node) -> Self {
        // Simulators write the type of their own language there.
        let message = message.filter(|text| !text.starts_with('*') && !text.trim().is_empty());
        let reason = Reason::of(&kind, &detail);
        let kind = if kind.is_empty() { "an unnamed fault".to_owned() } else { kind };
        Self { kind, reason, message, detail }
    }

    /// Whether the same request may well work in a moment.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.reason,
            Reason::TaskInProgress | Reason::ConcurrentAccess | Reason::TimedOut | Reason::HostUnreachable
        )
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match &self.reason {
            Reason::NotAuthenticated => "The session ended. Try again.",
            Reason::InvalidLogin => {
                "Check user and password of the vCenter connection; the user is often user@domain."
            }
            Reason::NoPermission { .. } => {
                "Give the user of the vCenter connection this privilege on that object, with propagation."
            }
            Reason::DuplicateName { .. }
            | Reason::AlreadyExists { .. }
            | Reason::FileAlreadyExists { .. } => "Choose another name, or remove what has it.",
            Reason::ObjectNotFound { .. } | Reason::NotFound => {
                "It was deleted or moved. Synchronise the vCenter and choose again."
            }
            Reason::FileNotFound { .. } => "Look in the datastore's browser whether the file is there.",
            Reason::FileLocked { .. } => {
                "Another virtual machine or host has the file open. Power it off or detach the disk there."
            }
            Reason::InvalidPowerState { .. } | Reason::InvalidState => {
                "Look at the object's state in vCenter, bring it into the state that is needed, and try again."
            }
            Reason::ResourceInUse { .. } => "Something still uses it. Look in vCenter what does.",
            Reason::InsufficientResources => {
                "Free CPU or memory in the cluster, or choose another cluster or resource pool."
            }
            Reason::NoDiskSpace { .. } => "Make room on the datastore, or choose another one.",
            Reason::InvalidArgument { .. } | Reason::InvalidProperty { .. } => {
                "This vCenter does not accept what was asked. Please report it with the support bundle."
            }
            Reason::NotSupported => {
                "This server cannot do it. A single ESXi host has no clone, customisation or Storage vMotion."
            }
            Reason::TaskInProgress | Reason::ConcurrentAccess | Reason::TimedOut => "Try again in a moment.",
            Reason::Cancelled => "Start it again if it is still wanted.",
            Reason::ToolsUnavailable => "Start VMware Tools in the guest.",
            Reason::HostUnreachable => "Check the ESXi host and its connection to vCenter.",
            Reason::Customization => {
                "Check that the template runs a supported Linux with open-vm-tools and perl or cloud-init."
            }
            Reason::Platform { .. } => "Look at the host's vmkernel log for the reason.",
            Reason::Other => "Look at the task and at the events of the object in vCenter.",
        }
    }
}

impl Reason {
    fn of(kind: &str, detail: &Node) -> Self {
        let text = |path: &str| detail.string_at(path);
        let file = || text("file").unwrap_or_default();
        match kind {
            "NotAuthenticated" => Self::NotAuthenticated,
            "InvalidLogin" => Self::InvalidLogin,
            "NoPermission" => Self::NoPermission {
                privilege: text("privilegeId").unwrap_or_default(),
                object: detail.reference_at("object"),
            },
            "DuplicateName" => Self::DuplicateName {
                name: text("name").unwrap_or_default(),
                object: detail.reference_at("object"),
            },
            "AlreadyExists" | "DatastoreNotWritableOnHost" => Self::AlreadyExists { name: text("name") },
            "ManagedObjectNotFound" => Self::ObjectNotFound { object: detail.reference_at("obj") },
            "NotFound" => Self::NotFound,
            "FileNotFound" => Self::FileNotFound { file: file() },
            "FileAlreadyExists" => Self::FileAlreadyExists { file: file() },
            "FileLocked" => Self::FileLocked { file: file() },
            "InvalidPowerState" => {
                Self::InvalidPowerState { requested: text("requestedState"), existing: text("existingState") }
            }
            "InvalidState" | "InvalidDatastoreState" | "InvalidHostState" => Self::InvalidState,
            "ResourceInUse" => Self::ResourceInUse { name: text("name") },
            "NoDiskSpace" => Self::NoDiskSpace { datastore: text("datastore") },
            "InvalidArgument" => Self::InvalidArgument { property: text("invalidProperty") },
            "InvalidProperty" => Self::InvalidProperty { name: text("name").unwrap_or_default() },
            "MethodNotFound" | "NotSupported" | "NotImplemented" | "RestrictedVersion" => Self::NotSupported,
            "TaskInProgress" | "VAppTaskInProgress" => Self::TaskInProgress,
            "ConcurrentAccess" => Self::ConcurrentAccess,
            "RequestCanceled" => Self::Cancelled,
            "ToolsUnavailable" => Self::ToolsUnavailable,
            "Timedout" => Self::TimedOut,
            "HostConnectFault" | "HostCommunication" | "HostNotConnected" | "HostNotReachable" => {
                Self::HostUnreachable
            }
            "PlatformConfigFault" | "HostConfigFault" => Self::Platform { text: text("text") },
            kind if kind.starts_with("Insufficient") || kind == "NoCompatibleHost" => {
                Self::InsufficientResources
            }
            kind if kind.contains("Customization") || kind.starts_with("NicSetting") => Self::Customization,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on =
            |object: &Option<ManagedRef>| object.as_ref().map(|one| format!(" ({one})")).unwrap_or_default();
        let said = |text: &Option<String>| text.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        match &self.reason {
            Reason::NotAuthenticated => write!(f, "the session is not logged in"),
            Reason::InvalidLogin => write!(f, "user or password is wrong"),
            Reason::NoPermission { privilege, object } => {
                write!(f, "the privilege {privilege} is missing{}", on(object))
            }
            Reason::DuplicateName { name, object } => write!(f, "the name {name:?} is taken{}", on(object)),
            Reason::AlreadyExists { name } => write!(f, "it exists already{}", said(name)),
            Reason::ObjectNotFound { object } => write!(f, "the object is not there{}", on(object)),
            Reason::NotFound => write!(f, "it is not there{}", said(&self.message)),
            Reason::FileNotFound { file } => write!(f, "the file {file:?} is not there"),
            Reason::FileAlreadyExists { file } => write!(f, "the file {file:?} is there already"),
            Reason::FileLocked { file } => write!(f, "the file {file:?} is in use"),
            Reason::InvalidPowerState { requested, existing } => write!(
                f,
                "it is {} and must be {}",
                existing.as_deref().unwrap_or("in another power state"),
                requested.as_deref().unwrap_or("in another one")
            ),
            Reason::InvalidState => write!(f, "its state does not allow that{}", said(&self.message)),
            Reason::ResourceInUse { name } => write!(f, "it is in use{}", said(name)),
            Reason::InsufficientResources => write!(f, "the resources do not suffice ({})", self.kind),
            Reason::NoDiskSpace { datastore } => write!(f, "the datastore is full{}", said(datastore)),
            Reason::InvalidArgument { property } => {
                write!(f, "an argument is not accepted{}", said(property))
            }
            Reason::InvalidProperty { name } => write!(f, "there is no property {name:?}"),
            Reason::NotSupported => write!(f, "this server cannot do that ({})", self.kind),
            Reason::TaskInProgress => write!(f, "another task is working on it"),
            Reason::ConcurrentAccess => write!(f, "somebody changed it at the same time"),
            Reason::Cancelled => write!(f, "it was cancelled"),
            Reason::ToolsUnavailable => write!(f, "VMware Tools do not run in the guest"),
            Reason::TimedOut => write!(f, "the server waited too long"),
            Reason::HostUnreachable => write!(f, "the host does not answer to its vCenter ({})", self.kind),
            Reason::Customization => write!(f, "the guest cannot be customised ({})", self.kind),
            Reason::Platform { text } => match text.as_ref().or(self.message.as_ref()) {
                Some(text) => write!(f, "the host reports: {text}"),
                None => write!(f, "the host reports an error ({})", self.kind),
            },
            Reason::Other => write!(f, "{}{}", self.kind, said(&self.message)),
        }
    }
}
