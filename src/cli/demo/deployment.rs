//! What the demo shows of deployments: a template at each site, and an appliance that is made from one at the DR site while
//! somebody looks on.

use std::time::Duration;

use super::sites::{APPLIANCE_USER, Ground, Sites};
use crate::app::deployments::DeployWish;
use crate::app::templates::{Template, TemplateWish};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::{JobId, TargetId, VcenterId};
use crate::domain::ssh_key::SshKey;

/// The virtual machine template of both sites.
const TEMPLATE: &str = "debian-12-zfs";
/// What is made from it at the DR site.
const MADE: &str = "zfs-potsdam-02";
/// How often it is looked whether the inventory has been read, and for how long.
const LOOKS: (u32, Duration) = (240, Duration::from_millis(500));

/// Registers the template of a site, or says anew how what is made from it is reached; none while the inventory does not
/// have it.
pub(in crate::cli) async fn template(
    app: &App,
    who: &Principal,
    site: &Ground,
    key: &SshKey,
    vcenter: VcenterId,
) -> Result<Option<Template>, AppError> {
    let found = app.vm_templates(vcenter).await?.into_iter().find(|vm| vm.name == TEMPLATE);
    let Some(found) = found else { return Ok(None) };
    let name = format!("Debian 12, {}", site.vcenter_name);
    let wish = TemplateWish {
        name: name.clone(),
        description: "Debian 12 with OpenZFS, made ready by the preparation script".to_owned(),
        vcenter_id: vcenter.to_string(),
        template_moref: found.object.id().to_owned(),
        default_datastore: site.block_datastore.to_owned(),
        default_network: "Replication (VLAN 150)".to_owned(),
        default_folder: "Infrastructure".to_owned(),
        default_zfs_disk_gb: "500".to_owned(),
        default_ssh_username: APPLIANCE_USER.to_owned(),
        default_ssh_port: site.ssh_port.to_string(),
        ssh_key_id: key.id.to_string(),
        ..TemplateWish::usual()
    };
    let known = app.templates().await?.into_iter().find(|view| view.template.name == name);
    let template = match known {
        Some(view) => app.update_template(who, view.template.id, &wish).await?,
        None => app.create_template(who, &wish).await?,
    };
    Ok(Some(template))
}

/// An appliance of this name, as the template says, with its address by DHCP.
pub(in crate::cli) fn wish(app: &App, template: &Template, name: &str) -> DeployWish {
    let usual = DeployWish::usual(template, app.now());
    let (vm_name, hostname, target_name) = (name.to_owned(), name.to_owned(), name.to_owned());
    DeployWish { vm_name, hostname, target_name, use_dhcp: true, ..usual }
}

/// Makes the protection group, registers the templates of both sites and deploys an appliance at the DR site, once their
/// inventories have been read.
pub(super) fn in_background(
    app: &App,
    sites: &Sites,
    key: &SshKey,
    vcenters: [VcenterId; 2],
    replicas: TargetId,
) {
    let (app, key) = (app.clone(), key.clone());
    let both = [sites.primary.ground(), sites.dr.ground()];
    tokio::spawn(async move {
        let who = Principal::command_line();
        let (looks, pause) = LOOKS;
        for _ in 0..looks {
            tokio::time::sleep(pause).await;
            let made = async {
                super::protection::protect(&app, &who, vcenters, replicas).await?;
                deployed(&app, &who, &both, &key, vcenters).await
            };
            match made.await {
                Ok(Some(_)) => return,
                // Not read yet, or as it stood at the end of the last demo.
                Ok(None) | Err(AppError::Invalid { .. }) => {}
                Err(error) => {
                    tracing::warn!(%error, "the demo goes on without a deployment");
                    return;
                }
            }
        }
    });
}

async fn deployed(
    app: &App,
    who: &Principal,
    both: &[Ground; 2],
    key: &SshKey,
    vcenters: [VcenterId; 2],
) -> Result<Option<JobId>, AppError> {
    let mut last = None;
    for (site, vcenter) in both.iter().zip(vcenters) {
        let Some(found) = template(app, who, site, key, vcenter).await? else { return Ok(None) };
        last = Some(found);
    }
    let Some(template) = last else { return Ok(None) };
    Ok(Some(app.deploy(who, template.id, &wish(app, &template, MADE)).await?))
}
