//! The privileges that Zerfaux's user needs in a vCenter, by the names that vSphere has for them, and what for. On the
//! root of the inventory with propagation, or on what Zerfaux is to work on.

/// A privilege and what it is needed for, which completes "needed to …".
pub type Privilege = (&'static str, &'static str);

/// All of them, by what they are needed for.
pub const NEEDED: [Privilege; 38] = [
    ("VirtualMachine.Provisioning.DeployTemplate", "deploy appliances from a template"),
    ("VirtualMachine.Provisioning.Clone", "deploy appliances from a virtual machine"),
    ("VirtualMachine.Provisioning.Customize", "give a new appliance its name and address"),
    ("VirtualMachine.Inventory.Create", "make shells and recovered virtual machines"),
    ("VirtualMachine.Inventory.CreateFromExisting", "deploy appliances"),
    ("VirtualMachine.Inventory.Register", "bring virtual machines back after a rollback"),
    ("VirtualMachine.Inventory.Unregister", "give the old site's virtual machines up"),
    ("VirtualMachine.Inventory.Delete", "clean up what it has made itself"),
    ("VirtualMachine.Inventory.Move", "put virtual machines into folders"),
    ("VirtualMachine.Config.AddNewDisk", "add an appliance's disk"),
    ("VirtualMachine.Config.AddExistingDisk", "attach replicated disks"),
    ("VirtualMachine.Config.RemoveDisk", "detach disks, keeping their files"),
    ("VirtualMachine.Config.AddRemoveDevice", "add network cards and controllers"),
    ("VirtualMachine.Config.EditDevice", "connect network cards to another network"),
    ("VirtualMachine.Config.CPUCount", "set CPUs"),
    ("VirtualMachine.Config.Memory", "set memory"),
    ("VirtualMachine.Config.Settings", "set firmware and names of guests"),
    ("VirtualMachine.Config.AdvancedConfig", "mark what it has made, and let guests see disks by their UUID"),
    ("VirtualMachine.Config.Annotation", "write remarks"),
    ("VirtualMachine.Config.Rename", "name virtual machines"),
    ("VirtualMachine.Interact.PowerOn", "power on"),
    ("VirtualMachine.Interact.PowerOff", "power off, and shut guests down"),
    ("VirtualMachine.Interact.Reset", "reset"),
    ("VirtualMachine.Interact.AnswerQuestion", "answer the question whether a virtual machine was moved"),
    ("VirtualMachine.Interact.DeviceConnection", "connect network cards"),
    ("VirtualMachine.State.CreateSnapshot", "bring guests to rest for a checkpoint"),
    ("VirtualMachine.State.RemoveSnapshot", "remove the snapshots made for a checkpoint"),
    ("VirtualMachine.State.RevertToSnapshot", "go back to a snapshot that was made to try something"),
    ("Resource.AssignVMToPool", "put virtual machines into resource pools"),
    ("Resource.ColdMigrate", "move the storage of virtual machines that are off"),
    ("Resource.HotMigrate", "move the storage of virtual machines that run"),
    ("Datastore.AllocateSpace", "make disks"),
    ("Datastore.Browse", "look for disks"),
    ("Datastore.FileManagement", "make and remove folders on datastores"),
    ("Datastore.Delete", "unmount datastores"),
    ("Network.Assign", "connect virtual machines to networks"),
    ("Folder.Create", "make folders"),
    ("Host.Config.Storage", "mount NFS exports on hosts"),
];

/// What the privilege with this id is needed for.
pub fn needed_to(privilege: &str) -> Option<&'static str> {
    NEEDED.iter().find(|(id, _)| *id == privilege).map(|(_, what)| *what)
}
