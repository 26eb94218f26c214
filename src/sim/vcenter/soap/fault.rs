//! Faults with their vim25 type and fields.

use super::value::{Data, Moref, Value, data};

/// Why a call or a task failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim::vcenter) struct Fault {
    pub(in crate::sim::vcenter) data: Data,
    pub(in crate::sim::vcenter) message: String,
}

impl Fault {
    pub(in crate::sim::vcenter) fn new(ty: &'static str, message: impl Into<String>) -> Self {
        Self { data: data(ty), message: message.into() }
    }

    /// The same with a field.
    pub(in crate::sim::vcenter) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.data.set(name, value);
        self
    }

    /// The same fields under another type that has them.
    pub(in crate::sim::vcenter) fn retyped(mut self, ty: &'static str) -> Self {
        self.data.ty = ty;
        self
    }

    pub(in crate::sim::vcenter) fn ty(&self) -> &'static str {
        self.data.ty
    }

    /// As it stands in a task or in a missing set.
    pub(in crate::sim::vcenter) fn localized(&self) -> Data {
        data("LocalizedMethodFault").with("fault", self.data.clone()).with("localizedMessage", &self.message)
    }

    pub(in crate::sim::vcenter) fn not_authenticated(object: &Moref) -> Self {
        Self::new("NotAuthenticated", "The session is not authenticated.")
            .with("object", object)
            .with("privilegeId", "System.View")
    }

    pub(in crate::sim::vcenter) fn no_permission(object: &Moref, privilege: &'static str) -> Self {
        Self::new("NoPermission", "Permission to perform this operation was denied.")
            .with("object", object)
            .with("privilegeId", privilege)
    }

    pub(in crate::sim::vcenter) fn gone(object: &Moref) -> Self {
        let message = format!(
            "The object '{}:{}' has already been deleted or has not been completely created",
            object.kind, object.id
        );
        Self::new("ManagedObjectNotFound", message).with("obj", object)
    }

    pub(in crate::sim::vcenter) fn invalid_argument(property: &'static str) -> Self {
        Self::new("InvalidArgument", format!("A specified parameter was not correct: {property}"))
            .with("invalidProperty", property)
    }

    pub(in crate::sim::vcenter) fn invalid_request(why: impl Into<String>) -> Self {
        Self::new("InvalidRequest", why)
    }

    pub(in crate::sim::vcenter) fn invalid_property(name: &str) -> Self {
        Self::new("InvalidProperty", "").with("name", name.to_owned())
    }

    pub(in crate::sim::vcenter) fn not_supported() -> Self {
        Self::new("NotSupported", "The operation is not supported on the object.")
    }

    pub(in crate::sim::vcenter) fn not_found() -> Self {
        Self::new("NotFound", "The object or item referred to could not be found.")
    }

    pub(in crate::sim::vcenter) fn duplicate_name(name: &str, object: &Moref) -> Self {
        Self::new("DuplicateName", format!("The name '{name}' already exists."))
            .with("name", name.to_owned())
            .with("object", object)
    }

    pub(in crate::sim::vcenter) fn invalid_name(name: &str) -> Self {
        Self::new("InvalidName", format!("The name '{name}' is invalid.")).with("name", name.to_owned())
    }

    pub(in crate::sim::vcenter) fn power_state(wanted: Option<&'static str>, existing: &'static str) -> Self {
        let message = "The attempted operation cannot be performed in the current state";
        let mut fault = Self::new("InvalidPowerState", format!("{message} ({existing})."))
            .with("existingState", existing);
        if let Some(wanted) = wanted {
            fault = fault.with("requestedState", wanted);
        }
        fault
    }

    pub(in crate::sim::vcenter) fn invalid_state(message: &str) -> Self {
        Self::new("InvalidState", message)
    }

    /// `file` is a datastore path: `[datastore] directory/file`.
    pub(in crate::sim::vcenter) fn file_not_found(file: &str) -> Self {
        Self::new("FileNotFound", format!("File {file} was not found")).with("file", file.to_owned())
    }

    pub(in crate::sim::vcenter) fn file_exists(file: &str) -> Self {
        Self::new("FileAlreadyExists", format!("The file {file} already exists."))
            .with("file", file.to_owned())
    }

    pub(in crate::sim::vcenter) fn busy(task: &Moref) -> Self {
        Self::new("TaskInProgress", "The operation is not allowed: another task is already in progress.")
            .with("task", task)
    }

    pub(in crate::sim::vcenter) fn invalid_device(index: usize, property: &'static str) -> Self {
        let message = format!("Invalid configuration for device '{index}'.");
        Self::new("InvalidDeviceSpec", message).with("property", property).with("deviceIndex", index)
    }
}
