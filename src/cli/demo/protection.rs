//! What the demo and its drill protect: everything on one datastore of the primary site.

use super::sites::PROTECTED_DATASTORE;
use crate::app::inventory::VmFilter;
use crate::app::protected_vms::ProtectedVmView;
use crate::app::protection_groups::{GroupWish, ProtectionGroup};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::{TargetId, VcenterId};

/// What the group is called.
const NAME: &str = "erp";

/// The group as it is typed: of the first vCenter, recovered in the second one with this appliance.
pub(in crate::cli) fn wish(vcenters: [VcenterId; 2], dr: TargetId, rpo_minutes: u32) -> GroupWish {
    GroupWish {
        name: NAME.to_owned(),
        description: "Orders and what they need".to_owned(),
        source_vcenter_id: vcenters[0].to_string(),
        protection_datastore: PROTECTED_DATASTORE.to_owned(),
        dr_vcenter_id: vcenters[1].to_string(),
        dr_target_id: dr.to_string(),
        rpo_minutes: rpo_minutes.to_string(),
        ..GroupWish::usual()
    }
}

/// Assigns every virtual machine that the inventory knows on that datastore. How many it knows there, and those assigned.
pub(in crate::cli) async fn assign(
    app: &App,
    who: &Principal,
    group: &ProtectionGroup,
) -> Result<(usize, Vec<ProtectedVmView>), AppError> {
    let stores = app.vcenters()?.datastores(group.source.vcenter).await?;
    let datastore = stores.into_iter().find(|one| one.object.name == PROTECTED_DATASTORE);
    let filter = VmFilter {
        vcenter: Some(group.source.vcenter),
        datastore: datastore.map(|one| one.object.object),
        template: Some(false),
        limit: 100,
        ..VmFilter::default()
    };
    let found = app.vcenters()?.vms(&filter).await?.items;
    let morefs: Vec<String> = found.iter().map(|vm| vm.object.id().to_owned()).collect();
    Ok((found.len(), app.assign_vms(who, group.id, &morefs).await?))
}

/// Makes the group, unless it is there from the last time.
///
/// # Errors
/// [`AppError::Invalid`] while the inventory does not know the datastore.
pub(super) async fn protect(
    app: &App,
    who: &Principal,
    vcenters: [VcenterId; 2],
    dr: TargetId,
) -> Result<(), AppError> {
    if app.protection_groups().await?.iter().any(|group| group.name == NAME) {
        return Ok(());
    }
    let group = app.create_protection_group(who, &wish(vcenters, dr, 1)).await?;
    assign(app, who, &group).await?;
    Ok(())
}
