//! The inventory: virtual machines, searched and paged, and one of them.

use askama::Template;

use crate::web::view::form::Choice;
use crate::web::view::list::{Filter, List};
use crate::web::view::{Html, Page, Status};

/// `/inventory`.
#[derive(Template)]
#[template(path = "inventory/list.html")]
pub struct Inventory {
    /// The frame.
    pub page: Page,
    /// Search, order and page.
    pub list: List,
    /// What the list can be narrowed by.
    pub narrow: Vec<Narrow>,
    /// Whether any connection exists, so that an empty page says what to do first.
    pub connected: bool,
    /// Whether the viewer may connect one.
    pub may_connect: bool,
    /// The VMs of this page.
    pub rows: Vec<VmRow>,
}

/// One thing to narrow a list by.
pub struct Narrow {
    /// In the address.
    pub name: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// The chosen value; empty: any.
    pub chosen: String,
    /// What there is to choose from; the first means any.
    pub choices: Vec<Choice>,
}

impl Narrow {
    /// With this chosen, if it is among the choices.
    pub fn new(name: &'static str, label: &'static str, chosen: &str, choices: Vec<Choice>) -> Self {
        let known = choices.iter().any(|choice| choice.value == chosen);
        Self { name, label, chosen: if known { chosen.to_owned() } else { String::new() }, choices }
    }

    /// What there is to choose from.
    pub fn all(&self) -> &[Choice] {
        &self.choices
    }

    /// The filter that is on, if one is.
    pub fn filter(&self) -> Option<Filter> {
        let chosen =
            self.choices.iter().find(|choice| choice.value == self.chosen && !self.chosen.is_empty())?;
        let label = format!("{}: {}", self.label, chosen.label);
        Some(Filter { name: self.name.to_owned(), value: chosen.value.clone(), label })
    }
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
    /// A template.
    pub template: bool,
    /// Whether a protection group has it.
    pub protection: Option<Status>,
    /// No longer in the vCenter.
    pub gone: bool,
}

/// `/inventory/{vcenter}/vms/{moref}`.
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
    /// Since when the vCenter no longer has it.
    pub gone: Option<Html>,
    /// Where what changes of it is drawn anew.
    pub fragment: String,
}

/// What of `/inventory/…/vms/…` changes by itself, for a redraw.
#[derive(Template)]
#[template(path = "inventory/vm.html", block = "body")]
pub struct VmBody<'a> {
    /// The frame, for the addresses of files.
    pub page: &'a Page,
    /// The VM.
    pub vm: &'a VmRow,
    /// The first line of numbers.
    pub figures: &'a [(&'static str, String, String)],
    /// Name and fact.
    pub facts: &'a [(String, Html)],
    /// Its disks.
    pub disks: &'a [VmDisk],
    /// Its network adapters.
    pub nics: &'a [VmNic],
    /// Whether it could be protected.
    pub readiness: &'a [Readiness],
    /// Since when the vCenter no longer has it.
    pub gone: &'a Option<Html>,
}

impl VmPage {
    /// What changes by itself.
    pub fn body(&self) -> VmBody<'_> {
        VmBody {
            page: &self.page,
            vm: &self.vm,
            figures: &self.figures,
            facts: &self.facts,
            disks: &self.disks,
            nics: &self.nics,
            readiness: &self.readiness,
            gone: &self.gone,
        }
    }
}

/// `/inventory/hosts`, `/inventory/datastores`, `/inventory/networks`.
#[derive(Template)]
#[template(path = "inventory/objects.html")]
pub struct Objects {
    /// The frame.
    pub page: Page,
    /// Search and page.
    pub list: List,
    /// The vCenter to narrow it to.
    pub narrow: Narrow,
    /// The columns' headings.
    pub columns: &'static [&'static str],
    /// Whether any connection exists.
    pub connected: bool,
    /// The rows of this page.
    pub rows: Vec<ObjectRow>,
}

/// The rows of one of them alone, for a redraw.
#[derive(Template)]
#[template(path = "inventory/objects.html", block = "rows")]
pub struct ObjectRows {
    /// The frame, for the addresses of files.
    pub page: Page,
    /// Search and page.
    pub list: List,
    /// The columns' headings.
    pub columns: &'static [&'static str],
    /// Whether any connection exists.
    pub connected: bool,
    /// The rows of this page.
    pub rows: Vec<ObjectRow>,
}

/// A host, a datastore or a network.
pub struct ObjectRow {
    /// The connection.
    pub vcenter: String,
    /// No longer in the vCenter.
    pub gone: bool,
    /// One for each column; the first is its name.
    pub cells: Vec<Cell>,
}

impl ObjectRow {
    /// What is searched, in lower case.
    pub fn words(&self) -> String {
        let cells = self.cells.iter().map(|cell| cell.text.as_str()).chain([self.vcenter.as_str()]);
        cells.collect::<Vec<_>>().join(" ").to_lowercase()
    }
}

/// What stands in a column: one of these sorts, with its text.
#[derive(Default)]
pub struct Cell {
    /// The text.
    pub text: String,
    /// The class of the column.
    pub class: &'static str,
    /// How it stands, in place of the text.
    pub status: Option<Status>,
    /// Where it leads.
    pub address: Option<String>,
    /// Percent used, drawn as a bar; whose it is, for screen readers.
    pub meter: Option<(u8, String)>,
}

impl Cell {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A number.
    pub fn number(text: String) -> Self {
        Self { text, class: "num", ..Self::default() }
    }

    /// A path or an address.
    pub fn code(text: String) -> Self {
        Self { text, class: "mono", ..Self::default() }
    }

    /// How it stands.
    pub fn status(status: Status) -> Self {
        Self { text: status.word.to_string(), class: "fact", status: Some(status), ..Self::default() }
    }

    /// A way to somewhere.
    pub fn link(text: &str, address: String) -> Self {
        Self { text: text.to_owned(), address: Some(address), ..Self::default() }
    }

    /// How much is used.
    pub fn meter(percent: u8, text: String, of: &str) -> Self {
        Self { text, class: "fact", meter: Some((percent, of.to_owned())), ..Self::default() }
    }

    /// The bar's colour.
    pub fn mark(&self) -> &'static str {
        match self.meter {
            Some((95.., _)) => "broken",
            Some((85.., _)) => "risk",
            _ => "met",
        }
    }
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
    /// The NFS export under it, if it is on one.
    pub export: Option<String>,
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
