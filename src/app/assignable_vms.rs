//! The virtual machines of a group's vCenter from which those are chosen that it is to protect.

use std::collections::HashMap;

use super::protected_vms::is_shell;
use super::{App, AppError};
use crate::domain::ids::GroupId;
use crate::domain::inventory::{Datastore, VmFilter, VmLine};
use crate::domain::moref::VmRef;
use crate::domain::protection_group::ProtectionGroup;

/// Some of the virtual machines, and how many there are.
#[derive(Debug, Clone)]
pub struct AssignableVms {
    /// The group.
    pub group: ProtectionGroup,
    /// Its datastore; none: no host of the source vCenter mounts it.
    pub datastore: Option<Datastore>,
    /// By name.
    pub items: Vec<AssignableVm>,
    /// In all pages.
    pub total: u64,
}

/// A virtual machine, and whether it can be chosen.
#[derive(Debug, Clone)]
pub struct AssignableVm {
    /// It, as a list shows it.
    pub line: VmLine,
    /// Why it cannot be chosen; none: it can.
    pub refused: Option<String>,
}

impl App {
    /// One page of the virtual machines of a group's vCenter that are there: all, or those with a disk on the group's
    /// datastore.
    ///
    /// # Errors
    /// If there is no such group.
    pub async fn assignable_vms(
        &self,
        group: GroupId,
        search: &str,
        on_datastore: bool,
        (offset, limit): (u32, u32),
    ) -> Result<AssignableVms, AppError> {
        let group = self.protection_group(group).await?;
        let datastore = match self.datastore_of(&group).await {
            Ok(datastore) => Some(datastore),
            Err(AppError::Conflict(_)) => None,
            Err(error) => return Err(error),
        };
        let vcenter = group.source.vcenter;
        let filter = VmFilter {
            vcenter: Some(vcenter),
            search: Some(search.to_owned()).filter(|text| !text.trim().is_empty()),
            datastore: datastore.as_ref().filter(|_| on_datastore).map(|one| one.object.clone()),
            offset,
            limit,
            ..VmFilter::default()
        };
        let found = self.store.vms(&filter).await?;
        let mut groups = HashMap::new();
        for one in self.store.protection_groups().await? {
            groups.insert(one.id, one.name);
        }
        let protected: HashMap<VmRef, GroupId> = self
            .store
            .protected_vms(None)
            .await?
            .into_iter()
            .filter(|vm| vm.vcenter == vcenter)
            .map(|vm| (vm.moref, vm.group))
            .collect();
        let shells = self.store.dr_shells_in(vcenter).await?;
        let why = |line: &VmLine| match protected.get(&line.object) {
            Some(own) if *own == group.id => Some("It is in this group already.".to_owned()),
            Some(other) => {
                let name = groups.get(other).map_or("another group", String::as_str);
                Some(format!("The group {name} protects it. Remove it there first."))
            }
            None if line.template => Some("It is a template, and templates do not run.".to_owned()),
            None if shells.iter().any(|shell| is_shell(shell, &line.object, None)) => {
                Some("It is a DR shell that Zerfaux made.".to_owned())
            }
            None => None,
        };
        let items = found.items.into_iter().map(|line| AssignableVm { refused: why(&line), line });
        Ok(AssignableVms { items: items.collect(), total: found.total, group, datastore })
    }
}
