//! One protected virtual machine, and the wizard that moves its files.

use askama::Template;

use super::group_vms::Mend;
use crate::web::view::page::Link;
use crate::web::view::wizard::WizardStep;
use crate::web::view::{Html, Page, Status};

/// `/protected-vms/{id}`.
#[derive(Template)]
#[template(path = "protected_vms/one.html")]
pub struct ProtectedVmPage {
    /// The frame.
    pub page: Page,
    /// Whether it can be recovered.
    pub status: Status,
    /// The group, and its address.
    pub group: Link,
    /// Its page in the inventory.
    pub inventory: Option<Link>,
    /// What is done, and what is not.
    pub checks: Vec<Check>,
    /// A job that works on it: what it does, and where it is.
    pub working: Option<Link>,
    /// Its hardware: name and fact.
    pub hardware: Vec<(String, Html)>,
    /// Its disks.
    pub disks: Vec<DiskRow>,
    /// Its shell.
    pub shell: Option<ShellView>,
    /// Where it is taken out of its group.
    pub remove: String,
    /// Whether the viewer may work with it.
    pub may_work: bool,
}

/// A line of the check list.
pub struct Check {
    /// Whether it is done.
    pub done: bool,
    /// Whether it is the first that is not.
    pub next: bool,
    /// Its status in words.
    pub status: Status,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub advice: Option<&'static str>,
    /// The button that does it.
    pub mend: Option<Mend>,
}

/// A disk against the datastore on which it has to be.
pub struct DiskRow {
    /// What vSphere calls it.
    pub label: String,
    /// Its size.
    pub size: String,
    /// Its file.
    pub file: String,
    /// The datastore that it is on.
    pub datastore: String,
    /// Whether it is where it has to be.
    pub status: Status,
}

/// A DR shell.
pub struct ShellView {
    /// How it stands.
    pub status: Status,
    /// Name and fact.
    pub facts: Vec<(String, Html)>,
    /// In what it differs from what it stands for, a sentence each.
    pub drift: Vec<String>,
    /// Where it is repaired, if it has to be.
    pub repair: Option<String>,
    /// Where its view is made anew, if it has one.
    pub refresh: Option<String>,
    /// Where it is removed.
    pub remove: String,
}

/// `/protected-vms/{id}/move`.
#[derive(Template)]
#[template(path = "protected_vms/move.html")]
pub struct MoveVm {
    /// The frame.
    pub page: Page,
    /// The steps.
    pub steps: Vec<WizardStep>,
    /// The virtual machine.
    pub name: String,
    /// The datastore on which everything has to be.
    pub required: String,
    /// How full that is: percent used, and in words.
    pub room: (u8, String),
    /// How much is moved.
    pub moves: String,
    /// Home and disks, current against required.
    pub disks: Vec<DiskRow>,
    /// Files that are elsewhere although no disk is named by them, a sentence each.
    pub strays: Vec<String>,
    /// What stands in the way.
    pub obstacles: Vec<String>,
    /// What one should know.
    pub warnings: Vec<String>,
    /// The job that moves it.
    pub job: Option<Link>,
    /// Whether everything is where it has to be.
    pub compliant: bool,
    /// Where the form is sent.
    pub action: String,
    /// The page of the virtual machine.
    pub back: String,
    /// What is best done next, once everything is there.
    pub next: Option<Mend>,
    /// Whether the viewer may start it.
    pub may_work: bool,
}

/// `/protection-groups/{id}/move`.
#[derive(Template)]
#[template(path = "protection_groups/move.html")]
pub struct MoveSeveral {
    /// The frame.
    pub page: Page,
    /// The datastore on which everything has to be.
    pub required: String,
    /// How full that is: percent used, and in words.
    pub room: (u8, String),
    /// Those that are not all there.
    pub rows: Vec<MoveRow>,
    /// How many are there already.
    pub compliant: usize,
    /// The most that one job moves.
    pub most: usize,
    /// What is wrong with the last attempt.
    pub errors: Vec<String>,
    /// Where the form is sent.
    pub action: String,
    /// The group's virtual machines.
    pub back: String,
}

/// A virtual machine that is to be moved.
pub struct MoveRow {
    /// The name of its field.
    pub field: String,
    /// Its name.
    pub name: String,
    /// Its wizard.
    pub address: String,
    /// How much is moved.
    pub moves: String,
    /// Where its disks are now.
    pub from: String,
    /// Whether it is chosen.
    pub chosen: bool,
    /// Why it cannot be moved now, a sentence each.
    pub obstacles: Vec<String>,
}
