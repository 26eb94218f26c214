//! The calls: what each method checks, changes and answers.
//!
//! In: one function per method, grouped by managed object. Out: XML, sessions coming and going, and waiting for
//! updates, which [`super::service`] does.

mod browser;
mod clone;
mod customization;
mod devices;
mod disks;
mod entity;
mod events;
mod files;
mod folder;
mod host;
mod network;
mod power;
mod properties;
mod provision;
mod reconfigure;
mod register;
mod relocate;
mod rights;
mod search;
mod snapshots;
mod views;

use std::time::Duration;

use super::session::Session;
use super::show::{Sight, content};
use super::soap::{Data, Fault, Moref, Value};
use super::world::{Plan, World};

pub(super) use disks::{delta_of, extent_of};
pub(super) use events::events;
pub(super) use rights::{needed, privileges};

/// A call that is worked on.
#[derive(Debug)]
pub(super) struct Ctx<'a> {
    pub(super) world: &'a mut World,
    pub(super) session: &'a mut Session,
    pub(super) this: Moref,
    pub(super) args: Data,
}

/// What a method answers: nothing, or a value.
pub(super) type Answer = Result<Option<Value>, Fault>;

impl Ctx<'_> {
    fn sight(&self) -> Sight<'_> {
        Sight { world: self.world, session: Some(self.session) }
    }

    /// A text argument that has to be there.
    fn text(&self, name: &'static str) -> Result<String, Fault> {
        self.args.text(name).map(str::to_owned).ok_or_else(|| Fault::invalid_argument(name))
    }

    /// A reference that has to be there and to exist.
    fn object(&self, name: &'static str) -> Result<Moref, Fault> {
        let moref = self.args.moref(name).ok_or_else(|| Fault::invalid_argument(name))?;
        self.sight().must_exist(moref)?;
        Ok(moref.clone())
    }

    /// A reference that may be absent, but has to exist if it is there.
    fn maybe_object(&self, name: &'static str) -> Result<Option<Moref>, Fault> {
        self.args.moref(name).map(|_| self.object(name)).transpose()
    }

    fn data(&self, name: &'static str) -> Result<Data, Fault> {
        self.args.data(name).cloned().ok_or_else(|| Fault::invalid_argument(name))
    }

    /// Starts a task on the object of the call.
    fn task(
        &mut self,
        (method, description): (&'static str, &'static str),
        seconds: f64,
        check: Result<(), Fault>,
        work: impl FnOnce(&mut World) -> Answer + Send + 'static,
    ) -> Answer {
        let locks = (self.this.kind == "VirtualMachine").then(|| self.this.clone());
        let plan = Plan {
            method,
            description,
            entity: self.this.clone(),
            lasts: Duration::from_secs_f64(seconds),
            cancelable: false,
            locks,
            check,
            work: Box::new(work),
        };
        self.start(plan)
    }

    fn start(&mut self, plan: Plan) -> Answer {
        Ok(Some(self.world.start(plan).into()))
    }
}

/// What only a vCenter can.
const NOT_ON_A_HOST: [&str; 10] = [
    "CloneVM_Task",
    "CustomizeVM_Task",
    "CheckCustomizationSpec",
    "RelocateVM_Task",
    "MigrateVM_Task",
    "MarkAsTemplate",
    "CreateFolder",
    "MoveIntoFolder_Task",
    "AddDVPortgroup_Task",
    "CreateDVPortgroup_Task",
];

/// Works on a call whose caller may make it and whose object exists.
pub(super) fn dispatch(mut ctx: Ctx<'_>, method: &str) -> Answer {
    let c = &mut ctx;
    if c.world.options.esxi && NOT_ON_A_HOST.contains(&method) {
        return Err(Fault::not_supported());
    }
    match method {
        "CurrentTime" => Ok(Some(c.world.timestamp().into())),
        "RetrieveServiceContent" => Ok(Some(content(c.world).into())),
        "Fetch" => properties::fetch(c),
        "CreateFilter" => properties::create_filter(c),
        "DestroyPropertyFilter" => properties::destroy_filter(c),
        "RetrieveProperties" => properties::retrieve(c),
        "RetrievePropertiesEx" => properties::retrieve_ex(c),
        "ContinueRetrievePropertiesEx" => properties::go_on(c),
        "CancelRetrievePropertiesEx" => properties::cancel_retrieval(c),
        "CancelWaitForUpdates" => properties::cancel_wait(c),
        "CreatePropertyCollector" => properties::create_collector(c),
        "DestroyPropertyCollector" => properties::destroy_collector(c),
        "CreateContainerView" => views::create_container(c),
        "CreateListView" => views::create_list(c),
        "ModifyListView" => views::modify(c),
        "ResetListView" => views::reset(c),
        "DestroyView" => views::destroy(c),
        "FindByUuid" | "FindAllByUuid" => search::by_uuid(c, method),
        "FindByInventoryPath" => search::by_path(c),
        "FindByDatastorePath" => search::by_datastore_path(c),
        "FindByIp" | "FindAllByIp" | "FindByDnsName" | "FindAllByDnsName" => search::by_guest(c, method),
        "FindChild" => search::child(c),
        "CancelTask" => c.world.cancel_task(&c.this).map(|()| None),
        "QueryEvents" => events::query(c),
        "CreateCollectorForEvents" | "CreateCollectorForTasks" => events::create_collector(c, method),
        "ReadNextEvents" => events::read(c, true),
        "ReadPreviousEvents" => events::read(c, false),
        "ResetCollector" | "RewindCollector" => events::rewind(c, method),
        "SetCollectorPageSize" => Ok(None),
        "DestroyCollector" => events::destroy(c),
        "LogUserEvent" => events::log(c),
        "QueryOptions" => host::query_options(c),
        "UpdateOptions" => host::update_options(c),
        "HasPrivilegeOnEntities"
        | "HasPrivilegeOnEntity"
        | "FetchUserPrivilegeOnEntities"
        | "HasUserPrivilegeOnEntities" => rights::answer(c, method),
        "DoesCustomizationSpecExist"
        | "GetCustomizationSpec"
        | "CreateCustomizationSpec"
        | "OverwriteCustomizationSpec"
        | "DeleteCustomizationSpec" => customization::spec(c, method),
        "CustomizeVM_Task" => customization::customize(c),
        "CheckCustomizationSpec" => customization::check(c),
        "MoveDatastoreFile_Task" | "CopyDatastoreFile_Task" => files::transfer(c, method),
        "DeleteDatastoreFile_Task" => files::delete(c),
        "MakeDirectory" => files::make_directory(c),
        "QueryVirtualDiskUuid"
        | "CreateVirtualDisk_Task"
        | "CopyVirtualDisk_Task"
        | "MoveVirtualDisk_Task"
        | "DeleteVirtualDisk_Task"
        | "ExtendVirtualDisk_Task" => files::virtual_disk(c, method),
        "SearchDatastore_Task" | "SearchDatastoreSubFolders_Task" => browser::search(c, method),
        "Reload"
        | "RefreshStorageInfo"
        | "RefreshStorageSystem"
        | "RescanAllHba"
        | "RescanVmfs"
        | "RefreshNetworkSystem"
        | "RefreshDatastoreStorageInfo"
        | "RescanHba" => Ok(None),
        "Rename_Task" => entity::rename(c),
        "RenameDatastore" => entity::rename_datastore(c),
        "Destroy_Task" => entity::destroy(c),
        "CreateFolder" => folder::create(c),
        "MoveIntoFolder_Task" => folder::move_into(c),
        "CreateVM_Task" | "CreateChildVM_Task" => provision::create(c, method),
        "RegisterVM_Task" => register::register(c),
        "UnregisterVM" => register::unregister(c),
        "CloneVM_Task" => clone::clone(c),
        "ReconfigVM_Task" => reconfigure::reconfigure(c),
        "UpgradeVM_Task" => reconfigure::upgrade(c),
        "PowerOnVM_Task" => power::on(c),
        "PowerOnMultiVM_Task" => power::on_many(c),
        "PowerOffVM_Task" => power::off(c),
        "ResetVM_Task" => power::reset(c),
        "SuspendVM_Task" => power::suspend(c),
        "ShutdownGuest" | "RebootGuest" | "StandbyGuest" => power::guest(c, method),
        "AnswerVM" => power::answer(c),
        "RelocateVM_Task" => relocate::relocate(c),
        "MigrateVM_Task" => relocate::migrate(c),
        "MarkAsTemplate" => provision::mark_template(c),
        "MarkAsVirtualMachine" => provision::mark_machine(c),
        "CreateSnapshot_Task" | "CreateSnapshotEx_Task" => snapshots::create(c, method),
        "RemoveSnapshot_Task" => snapshots::remove(c),
        "RemoveAllSnapshots_Task" => snapshots::remove_all(c),
        "RevertToSnapshot_Task" | "RevertToCurrentSnapshot_Task" => snapshots::revert(c, method),
        "RenameSnapshot" => snapshots::rename(c),
        "ConsolidateVMDisks_Task" => snapshots::consolidate(c),
        "CreateResourcePool" => folder::create_pool(c),
        "CreateNasDatastore" => host::create_nas(c),
        "RemoveDatastore" => host::remove_datastore(c),
        "DestroyDatastore" => entity::destroy_datastore(c),
        "RefreshDatastore" => c.world.refresh(&c.this).map(|()| None),
        "EnterMaintenanceMode_Task"
        | "ExitMaintenanceMode_Task"
        | "DisconnectHost_Task"
        | "ReconnectHost_Task" => host::state(c, method),
        "AddPortGroup" => network::add_host_group(c),
        "RemovePortGroup" => network::remove_host_group(c),
        "AddDVPortgroup_Task" | "CreateDVPortgroup_Task" => network::add_distributed(c, method),
        _ => Err(Fault::not_supported()),
    }
}
