//! What is done to objects. Each verb is a request that is built without doing anything, and a method of
//! [`super::Client`] that sends it. Methods that make a task return its reference and do not wait.

mod admin;
mod clone;
mod config;
mod create;
mod customize;
mod datastore;
mod device;
mod files;
mod folder;
mod power;
mod relocate;
mod snapshot;

pub use admin::{CustomizationOutcome, Event, MissingPrivilege};
pub use clone::CloneVm;
pub use config::Reconfigure;
pub use create::{CreateVm, RegisterVm};
pub use customize::{Addressing, LinuxCustomization, NicAddress, StaticIpv4};
pub use datastore::{NasMount, NfsVersion};
pub use device::{AttachDisk, DeviceChange, NewDisk, NicConnection, NicSpec};
pub use files::FileEntry;
pub use power::{Choice, Question};
pub use relocate::RelocateVm;
pub use snapshot::VmSnapshot;
