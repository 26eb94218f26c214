//! The two sides of a protection group: what is behind a datastore, and where the replica goes.

use super::protection_group_form::{NamedDr, NamedSource};
use super::{App, AppError};
use crate::domain::ids::{GroupId, TargetId, VcenterId};
use crate::domain::inventory::{Datastore, NfsExport, VmFilter, dataset_at};
use crate::domain::names::DatasetName;
use crate::domain::protection_group::{DrSide, ProtectionGroup, SourceSide, replica_dataset};
use crate::domain::target::Target;

/// A datastore that a group could be made of, or why it cannot.
#[derive(Debug, Clone)]
pub struct GroupSource {
    /// Its vCenter.
    pub vcenter: VcenterId,
    /// The vCenter's name.
    pub vcenter_name: String,
    /// The datastore.
    pub datastore: Datastore,
    /// How many virtual machines have a disk on it.
    pub vms: u64,
    /// What is behind it; or why it cannot be used, and what to do.
    pub behind: Result<Behind, String>,
}

/// What is behind a datastore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// The appliance that exports it.
    pub target: TargetId,
    /// Its name.
    pub target_name: String,
    /// The dataset; none: the export's path does not tell.
    pub dataset: Option<DatasetName>,
}

impl App {
    /// The datastores of all vCenters: those that a group can be made of first, then by name.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn group_sources(&self) -> Result<Vec<GroupSource>, AppError> {
        let targets = self.store.targets().await?;
        let groups = self.store.protection_groups().await?;
        let mut all = Vec::new();
        for vcenter in self.store.vcenters().await? {
            for known in self.store.datastores(vcenter.id, false).await? {
                let datastore = known.object;
                let behind = offered(&datastore, &targets, &groups);
                let vms = match behind {
                    Ok(_) => self.vms_on(vcenter.id, &datastore).await?.1,
                    Err(_) => 0,
                };
                let vcenter_name = vcenter.name.clone();
                all.push(GroupSource { vcenter: vcenter.id, vcenter_name, datastore, vms, behind });
            }
        }
        all.sort_by_key(|one| (one.behind.is_err(), one.vcenter_name.clone(), one.datastore.name.clone()));
        Ok(all)
    }

    /// The virtual machines with a disk on a datastore, by name, without templates: references and names of the first, and
    /// how many there are.
    pub(super) async fn vms_on(
        &self,
        vcenter: VcenterId,
        datastore: &Datastore,
    ) -> Result<(Vec<(String, String)>, u64), AppError> {
        let filter = VmFilter {
            vcenter: Some(vcenter),
            datastore: Some(datastore.object.clone()),
            template: Some(false),
            limit: super::inventory::LARGEST_PAGE,
            ..VmFilter::default()
        };
        let page = self.store.vms(&filter).await?;
        let vms = page.items.into_iter().map(|vm| (vm.object.id().to_owned(), vm.name)).collect();
        Ok((vms, page.total))
    }

    pub(super) async fn known_vcenter(
        &self,
        field: &'static str,
        id: crate::domain::ids::VcenterId,
    ) -> Result<(), AppError> {
        match self.store.vcenter(id).await? {
            Some(_) => Ok(()),
            None => Err(AppError::invalid(field, "There is no such vCenter connection.")),
        }
    }

    /// Appliance and dataset, told by the datastore's export; or as they were named, if nothing says otherwise.
    pub(super) async fn source_side(&self, named: &NamedSource) -> Result<SourceSide, AppError> {
        self.known_vcenter("source_vcenter_id", named.vcenter).await?;
        let datastores = self.store.datastores(named.vcenter, false).await?;
        let datastores: Vec<Datastore> = datastores.into_iter().map(|one| one.object).collect();
        let targets = self.store.targets().await?;
        let told = match &named.datastore {
            Some(wanted) => {
                let wrong = |message| AppError::invalid("protection_datastore", message);
                Some(behind(named_datastore(&datastores, wanted).map_err(wrong)?, &targets).map_err(wrong)?)
            }
            None => None,
        };
        let (target, dataset, export) = match told {
            Some((target, dataset, export)) => {
                if named.target.is_some_and(|id| id != target.id) {
                    let message =
                        format!("The datastore is an export of {}, which is another appliance.", target.name);
                    return Err(AppError::invalid("source_target_id", message));
                }
                let dataset = match (dataset, &named.dataset) {
                    (Some(told), Some(named)) if told != *named => {
                        let message = format!("The datastore is an export of the dataset {told}.");
                        return Err(AppError::invalid("source_dataset", message));
                    }
                    (Some(told), _) => told,
                    (None, Some(named)) => named.clone(),
                    (None, None) => {
                        let message = format!(
                            "The path {} of the export does not tell its dataset. Name the dataset on {}.",
                            export.path, target.name
                        );
                        return Err(AppError::invalid("source_dataset", message));
                    }
                };
                (target, dataset, Some(export))
            }
            None => {
                let (Some(id), Some(dataset)) = (named.target, named.dataset.clone()) else {
                    return Err(AppError::invalid("source_dataset", "Name the dataset."));
                };
                let target = targets.iter().find(|one| one.id == id);
                let target = target
                    .ok_or_else(|| AppError::invalid("source_target_id", "There is no such appliance."))?;
                let export = datastores.iter().filter_map(|one| one.nfs.clone()).find(|export| {
                    is_of(target, export) && dataset_of(target, export).as_ref() == Some(&dataset)
                });
                (target, dataset, export)
            }
        };
        in_pool(target, &dataset, "source_dataset")?;
        if !target.is_active {
            return Err(AppError::invalid("source_target_id", format!("{} is switched off.", target.name)));
        }
        Ok(SourceSide { vcenter: named.vcenter, target: target.id, dataset, export })
    }

    pub(super) async fn dr_side(
        &self,
        named: &NamedDr,
        id: GroupId,
        source: &SourceSide,
    ) -> Result<DrSide, AppError> {
        self.known_vcenter("dr_vcenter_id", named.vcenter).await?;
        let target = self.store.target(named.target).await?;
        let target =
            target.ok_or_else(|| AppError::invalid("dr_target_id", "There is no such appliance."))?;
        if target.id == source.target {
            let message =
                format!("{} has the source. A replica beside it would be lost with it.", target.name);
            return Err(AppError::invalid("dr_target_id", message));
        }
        if !target.is_active {
            return Err(AppError::invalid("dr_target_id", format!("{} is switched off.", target.name)));
        }
        if let Some(parent) = &named.parent {
            in_pool(&target, parent, "dr_parent_dataset")?;
        }
        let dataset = replica_dataset(&target.zfs_pool, named.parent.as_ref(), id)
            .map_err(|error| AppError::invalid("dr_parent_dataset", format!("{error}.")))?;
        Ok(DrSide { vcenter: named.vcenter, target: target.id, dataset })
    }
}

fn in_pool(target: &Target, dataset: &DatasetName, field: &'static str) -> Result<(), AppError> {
    if dataset.below(&target.zfs_pool).is_some() {
        return Ok(());
    }
    let message =
        format!("Zerfaux works in the pool {} on {}; {dataset} lies outside.", target.zfs_pool, target.name);
    Err(AppError::invalid(field, message))
}

fn is_of(target: &Target, export: &NfsExport) -> bool {
    target.nfs_address().eq_ignore_ascii_case(&export.host)
}

fn dataset_of(target: &Target, export: &NfsExport) -> Option<DatasetName> {
    dataset_at(target.zfs_pool.as_str(), &export.path)
}

/// The datastore with this reference or name.
fn named_datastore<'a>(datastores: &'a [Datastore], wanted: &str) -> Result<&'a Datastore, String> {
    let found = datastores.iter().find(|one| one.object.id() == wanted);
    found.or_else(|| datastores.iter().find(|one| one.name == wanted)).ok_or_else(|| {
        format!("The vCenter has no datastore {wanted:?}. If it is new, synchronise the vCenter first.")
    })
}

/// What a group of this datastore would replicate; or why there can be none.
fn offered(datastore: &Datastore, targets: &[Target], groups: &[ProtectionGroup]) -> Result<Behind, String> {
    let (target, dataset, _) = behind(datastore, targets)?;
    if !target.is_active {
        return Err(format!(
            "Its appliance {} is switched off. Switch it on under Appliances first.",
            target.name
        ));
    }
    if let Some(dataset) = &dataset {
        in_pool(target, dataset, "source_dataset").map_err(|_| {
            format!(
                "Its dataset {dataset} lies outside the pool {} in which Zerfaux works on {}.",
                target.zfs_pool, target.name
            )
        })?;
        let of =
            groups.iter().find(|group| (group.source.target, &group.source.dataset) == (target.id, dataset));
        if let Some(group) = of {
            return Err(format!("The group {} protects it already.", group.name));
        }
    }
    Ok(Behind { target: target.id, target_name: target.name.clone(), dataset })
}

/// What is behind a datastore: the appliance that exports it, and the dataset, if the path tells.
fn behind<'a>(
    datastore: &Datastore,
    targets: &'a [Target],
) -> Result<(&'a Target, Option<DatasetName>, NfsExport), String> {
    let name = &datastore.name;
    let Some(export) = datastore.nfs.clone() else {
        return Err(format!(
            "The datastore {name:?} is {}, not an NFS export of an appliance. Make a protection datastore and move the \
             virtual machines to it.",
            datastore.kind
        ));
    };
    if datastore.kind.eq_ignore_ascii_case("NFS41") {
        return Err(format!(
            "The datastore {name:?} is mounted by NFS 4.1. Mount it by NFS 3: the two never mix."
        ));
    }
    let mut of: Vec<&Target> = targets.iter().filter(|target| is_of(target, &export)).collect();
    of.sort_by_key(|target| (dataset_of(target, &export).is_none(), !target.is_active));
    match of.first() {
        Some(target) => Ok((target, dataset_of(target, &export), export)),
        None => Err(format!(
            "The datastore {name:?} is an export of {}, which is no appliance that Zerfaux knows. Add it under Appliances, \
             with this as its address for NFS.",
            export.host
        )),
    }
}
