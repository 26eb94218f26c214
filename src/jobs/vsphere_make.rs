//! Virtual machines that jobs make: once, told from everybody else's by an option in their configuration, and taken
//! away again only if that option says so.

use std::borrow::Cow;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::vsphere_task::{Deed, give_up};
use crate::domain::hardware::Disk;
use crate::domain::job::Failure;
use crate::domain::moref::{FolderRef, ManagedRef, TaskRef, VmRef};
use crate::engine::StepContext;
use crate::vsphere::verbs::{CloneVm, CreateVm, DeviceChange, Reconfigure, RegisterVm};
use crate::vsphere::{Client, ObjectContent, Reason, VsphereError, read_hardware};

/// The option (`extraConfig`) by which a virtual machine says what made it. A clone of it made by somebody else
/// says the same, so name and folder have to agree as well.
pub const MADE_BY: &str = "zerfaux.made_by";

const PATHS: [&str; 7] = [
    "name",
    "parent",
    "config.instanceUuid",
    "config.extraConfig",
    "config.files.vmPathName",
    "config.hardware.device",
    "runtime.powerState",
];

/// How a virtual machine comes about.
#[derive(Debug, Clone)]
pub enum Making {
    /// As a copy.
    Clone(CloneVm),
    /// From its hardware.
    Create(CreateVm),
    /// From files that are there. These say nothing of who registers them, so the path has to agree.
    Register(RegisterVm),
}

/// One that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// Which.
    pub vm: VmRef,
    /// Its instance UUID: another virtual machine that gets the reference one day has another one.
    pub instance_uuid: Option<String>,
}

/// A virtual machine to be made once: use it with [`super::vsphere_task::once`].
#[derive(Debug, Clone)]
pub struct MakeVm {
    making: Making,
    name: String,
    folder: FolderRef,
    mark: String,
}

impl MakeVm {
    /// `mark` says who made it: the same in every attempt, such as the job's id and the step. It is written into
    /// the configuration of a clone, and of what is created.
    pub fn new(making: Making, mark: impl Into<String>) -> Self {
        let mark = mark.into();
        let option = (MADE_BY.to_owned(), mark.clone());
        let mut making = making;
        let (name, folder) = match &mut making {
            Making::Clone(clone) => {
                clone.config.get_or_insert_with(Reconfigure::default).extra_config.push(option);
                (clone.name.clone(), clone.folder.clone())
            }
            Making::Create(create) => {
                create.config.extra_config.push(option);
                (create.config.name.clone().unwrap_or_default(), create.folder.clone())
            }
            Making::Register(register) => {
                let file = register.path.rsplit(['/', ' ']).next().unwrap_or_default();
                let name = register.name.clone();
                let name = name.unwrap_or_else(|| file.trim_end_matches(".vmx").to_owned());
                (name, register.folder.clone())
            }
        };
        Self { making, name, folder, mark }
    }

    /// Takes it away again, whatever had become of it: a task under way is stopped, disks that lie outside of its own
    /// folder are detached and kept, and it is destroyed. True: there was one.
    ///
    /// Not for a registered one: that is unregistered, which leaves the files.
    ///
    /// # Errors
    /// If the vCenter does not answer or refuses, or if a disk that is to stay could not be detached.
    pub async fn take_back(
        &self,
        cx: &StepContext,
        client: &Client,
        made: Option<&Made>,
    ) -> Result<bool, Failure> {
        give_up(cx, client, self).await?;
        let Some(found) = self.ours(client, made).await? else { return Ok(false) };
        let vm = VmRef::new(&*found.object.id);
        if found.text("runtime.powerState") == Some("poweredOn") {
            cx.info(format!("Powering off {:?}.", self.name));
            let task = client.power_off(&vm).await?;
            settled(client, &task, "power it off").await?;
        }
        if matches!(self.making, Making::Register(_)) {
            client.unregister_vm(&vm).await?;
            cx.info(format!("Took {:?} out of the inventory; its files stay.", self.name));
            return Ok(true);
        }
        keep_foreign_disks(cx, client, &vm).await?;
        let task = client.destroy_vm(&vm).await?;
        settled(client, &task, "destroy it").await?;
        cx.info(format!("Removed the virtual machine {:?}.", self.name));
        Ok(true)
    }

    /// The virtual machine, if it is there and ours, under whatever name and wherever it is now.
    async fn ours(&self, client: &Client, made: Option<&Made>) -> Result<Option<ObjectContent>, Failure> {
        if let Some(uuid) = made.and_then(|made| made.instance_uuid.as_deref()) {
            for vm in client.find_vms_by_uuid(uuid, true).await? {
                if let Some(found) = read(client, &vm).await?.filter(|found| self.is_ours(found)) {
                    return Ok(Some(found));
                }
            }
        }
        let Some(child) = client.find_child(&self.folder, &self.name).await? else { return Ok(None) };
        if child.kind != VmRef::KIND {
            return Ok(None);
        }
        Ok(read(client, &VmRef::new(child.id)).await?.filter(|found| self.is_ours(found)))
    }

    fn is_ours(&self, found: &ObjectContent) -> bool {
        match &self.making {
            Making::Register(register) => {
                found.text("config.files.vmPathName") == Some(register.path.as_str())
            }
            Making::Clone(_) | Making::Create(_) => mark_of(found).as_deref() == Some(self.mark.as_str()),
        }
    }
}

#[async_trait]
impl Deed for MakeVm {
    type Done = Made;

    fn key(&self) -> Cow<'static, str> {
        "make".into()
    }

    fn what(&self) -> String {
        match &self.making {
            Making::Clone(clone) => format!("clone {} to {:?}", clone.source, self.name),
            Making::Create(_) => format!("make the virtual machine {:?}", self.name),
            Making::Register(register) => format!("register {:?}", register.path),
        }
    }

    fn entity(&self) -> ManagedRef {
        match &self.making {
            Making::Clone(clone) => (&clone.source).into(),
            Making::Create(_) | Making::Register(_) => (&self.folder).into(),
        }
    }

    fn description(&self) -> &'static str {
        match &self.making {
            Making::Clone(_) => "VirtualMachine.clone",
            Making::Create(_) => "Folder.createVm",
            Making::Register(_) => "Folder.registerVm",
        }
    }

    async fn look(&self, client: &Client, result: Option<&ManagedRef>) -> Result<Option<Made>, Failure> {
        if let Some(found) = match result {
            Some(made) => read(client, &VmRef::new(&*made.id)).await?,
            None => None,
        } {
            // Our own task made it; some servers do not write options while cloning. It may have been renamed since.
            if self.is_ours(&found) || found.text("name") == Some(self.name.as_str()) {
                return Ok(Some(made(&found)));
            }
        }
        let Some(child) = client.find_child(&self.folder, &self.name).await? else { return Ok(None) };
        let found = match child.kind.as_str() {
            VmRef::KIND => read(client, &VmRef::new(&*child.id)).await?,
            _ => None,
        };
        match found {
            Some(found) if self.is_ours(&found) => Ok(Some(made(&found))),
            _ => Err(Failure::refused(format!(
                "Could not {}: the folder already has something of that name ({child}), which this job did not make.",
                self.what()
            ))
            .advise("Choose another name, or rename what has it.")),
        }
    }

    async fn send(&self, client: &Client) -> Result<TaskRef, VsphereError> {
        match &self.making {
            Making::Clone(clone) => client.clone_vm(clone).await,
            Making::Create(create) => client.create_vm(create).await,
            Making::Register(register) => client.register_vm(register).await,
        }
    }
}

/// A virtual machine that a job of ours made, as it stands now.
#[derive(Debug)]
pub(super) struct Own {
    /// Which.
    pub(super) vm: VmRef,
    /// Its name now.
    pub(super) name: String,
    /// Whether it is off.
    pub(super) is_off: bool,
    /// Disks that lie elsewhere than beside it: destroying it would delete them.
    pub(super) foreign: Vec<Disk>,
}

/// Looks for a virtual machine that was made, by its instance UUID and by what made it. None: it is gone.
///
/// # Errors
/// Refused if the one that has its identity does not say that this made it.
pub(super) async fn own(client: &Client, made: &Made, mark: &str) -> Result<Option<Own>, Failure> {
    let candidates = match made.instance_uuid.as_deref() {
        Some(uuid) => client.find_vms_by_uuid(uuid, true).await?,
        None => vec![made.vm.clone()],
    };
    for vm in candidates {
        let Some(found) = read(client, &vm).await? else { continue };
        if mark_of(&found).as_deref() != Some(mark) {
            // Without a UUID the reference may have become another one's.
            if made.instance_uuid.is_none() {
                continue;
            }
            return Err(Failure::refused(format!(
                "The virtual machine {:?} ({vm}) has the identity of one that Zerfaux made, but does not say so. Nothing \
                 was done to it.",
                found.text("name").unwrap_or_default()
            ))
            .advise("Look in vCenter what became of it; its options (zerfaux.made_by) were changed."));
        }
        return Ok(Some(Own {
            name: found.text("name").unwrap_or_default().to_owned(),
            is_off: found.text("runtime.powerState") == Some("poweredOff"),
            foreign: foreign_disks(&found),
            vm,
        }));
    }
    Ok(None)
}

fn made(found: &ObjectContent) -> Made {
    Made {
        vm: VmRef::new(&*found.object.id),
        instance_uuid: found.text("config.instanceUuid").map(str::to_owned),
    }
}

fn mark_of(found: &ObjectContent) -> Option<String> {
    let options = found.get("config.extraConfig")?.children();
    options.iter().find(|one| one.text_at("key") == Some(MADE_BY))?.string_at("value")
}

/// None: it is gone.
async fn read(client: &Client, vm: &VmRef) -> Result<Option<ObjectContent>, Failure> {
    match client.properties(vm, VmRef::KIND, &PATHS).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.reason(), Some(Reason::ObjectNotFound { .. })) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Waits for a task that is started again without harm if this process dies.
async fn settled(client: &Client, task: &TaskRef, what: &str) -> Result<(), Failure> {
    // Never stopped half way: it belongs to taking something back.
    let never = CancellationToken::new();
    client.wait_for_task(task, what, &never, |_| ()).await?;
    Ok(())
}

/// Destroying deletes the files of every attached disk. Those elsewhere than beside the virtual machine are not its
/// own: they are detached first, and the configuration is read back.
async fn keep_foreign_disks(cx: &StepContext, client: &Client, vm: &VmRef) -> Result<(), Failure> {
    let Some(found) = read(client, vm).await? else { return Ok(()) };
    let foreign = foreign_disks(&found);
    if foreign.is_empty() {
        return Ok(());
    }
    for disk in &foreign {
        cx.info(format!("Detaching {}, its file stays.", disk.file.as_deref().unwrap_or("a disk")));
    }
    let devices = foreign.into_iter().map(DeviceChange::DetachDisk).collect();
    let change = Reconfigure { devices, ..Reconfigure::default() };
    let task = client.reconfigure(vm, &change).await?;
    settled(client, &task, "detach disks that are to stay").await?;
    // An answer that was given before the change shows is no proof.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let left = read(client, vm).await?.map(|found| foreign_disks(&found)).unwrap_or_default();
    match left.first() {
        None => Ok(()),
        Some(disk) => Err(Failure::refused(format!(
            "The disk {} is still attached after it was detached, so the virtual machine is not destroyed.",
            disk.file.as_deref().unwrap_or(&disk.label)
        ))
        .advise("Detach it by hand in vCenter, keeping its file, and try again.")),
    }
}

fn foreign_disks(found: &ObjectContent) -> Vec<Disk> {
    let hardware = found.get("config.hardware.device").map(read_hardware).unwrap_or_default();
    // `[datastore] folder/name.vmx`: what lies in that very folder is its own.
    let home =
        found.text("config.files.vmPathName").and_then(|path| path.rsplit_once('/')).map(|(home, _)| home);
    let own = |disk: &Disk| match (home, disk.file.as_deref()) {
        (Some(home), Some(file)) => file.rsplit_once('/').is_some_and(|(folder, _)| folder == home),
        _ => false,
    };
    hardware.disks.into_iter().filter(|disk| !own(disk)).collect()
}
