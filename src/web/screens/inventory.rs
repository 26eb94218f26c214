//! The inventory: virtual machines, searched and paged, and one of them.

use askama::Template;

use crate::web::view::form::Choice;
use crate::web::view::list::List;
use crate::web::view::{Html, Page, Status};

/// `/inventory`.
#[derive(Template)]
#[template(path = "inventory/list.html")]
pub struct Inventory {
    /// The frame.
    pub page: Page,
    /// Search, order and page.
    pub list: List,
    /// Connections to choose from; the first is "every vCenter".
    pub vcenters: Vec<Choice>,
    /// The chosen connection.
    pub vcenter: String,
    /// Power states to choose from; the first is "on or off".
    pub powers: Vec<Choice>,
    /// The chosen power state.
    pub power: String,
    /// Whether any connection exists, so that an empty page says what to do first.
    pub connected: bool,
    /// The VMs of this page.
    pub rows: Vec<VmRow>,
}

/// The rows of `/inventory` alone, for a redraw.
#[derive(Template)]
#[template(path = "inventory/list.html", block = "rows")]
pub struct VmRows {
    /// The frame, for the addresses of files.
    pub page: Page,
    /// Search, order and page.
    pub list: List,
    /// Whether any connection exists.
    pub connected: bool,
    /// The VMs of this page.
    pub rows: Vec<VmRow>,
}

/// A VM.
pub struct VmRow {
    /// The name.
    pub name: String,
    /// Its own page.
    pub address: String,
    /// On, off or suspended.
    pub power: Status,
    /// The guest's operating system.
    pub guest: String,
    /// The guest's address, if it is known.
    pub ip: Option<String>,
    /// Processors.
    pub cpus: u32,
    /// Memory in words.
    pub memory: String,
    /// The disks' capacity in words.
    pub disks: String,
    /// Where it lies.
    pub datastore: String,
    /// The connection.
    pub vcenter: String,
    /// Whether a protection group has it.
    pub protection: Option<Status>,
    /// No longer in the vCenter.
    pub gone: bool,
}

/// `/inventory/vms/{id}`.
#[derive(Template)]
#[template(path = "inventory/vm.html")]
pub struct VmPage {
    /// The frame.
    pub page: Page,
    /// The VM.
    pub vm: VmRow,
    /// The first line of numbers: name, figure, what it means.
    pub figures: Vec<(&'static str, String, String)>,
    /// Ids, hardware version, firmware, tools: name and fact.
    pub facts: Vec<(String, Html)>,
    /// Its disks.
    pub disks: Vec<VmDisk>,
    /// Its network adapters.
    pub nics: Vec<VmNic>,
    /// What stands between it and being protected: done or not, sentence, what mends it.
    pub readiness: Vec<Readiness>,
    /// When the vCenter last said something about it.
    pub seen: Html,
}

/// A disk.
pub struct VmDisk {
    /// `Hard disk 1`.
    pub label: String,
    /// In words.
    pub size: String,
    /// `SCSI 0:0, PVSCSI`.
    pub place: String,
    /// `[nfs-web] web-01/web-01.vmdk`.
    pub file: String,
    /// The dataset under it, if an appliance of ours serves the datastore.
    pub dataset: Option<String>,
}

/// A network adapter.
pub struct VmNic {
    /// `Network adapter 1`.
    pub label: String,
    /// `VMXNET3`.
    pub kind: String,
    /// The network's name.
    pub network: String,
    /// The VLAN id in words.
    pub vlan: String,
    /// The hardware address.
    pub mac: String,
    /// Whether it is connected.
    pub link: Status,
}

/// One line of the readiness list.
pub struct Readiness {
    /// Whether it is so.
    pub done: bool,
    /// What: `on a protection datastore`.
    pub what: String,
    /// What mends it: label and address.
    pub mend: Option<crate::web::view::page::Link>,
}
