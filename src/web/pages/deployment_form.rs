//! The second step of the wizard for a new appliance: every choice offered from the inventory.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};

use super::deployments::{address, steps};
use super::template_forms::{Offer, select};
use crate::app::deployment_drafts::Draft;
use crate::app::deployments::DeployWish;
use crate::app::{AppError, FieldError};
use crate::domain::ids::DeploymentDraftId;
use crate::web::cx::{Cx, Typed, error_of, typed};
use crate::web::screens::deployments::Configure;
use crate::web::screens::templates::FieldGroup;
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site};

/// Before the reference of a host, in the name of its field.
const HOST: &str = "host-";

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<DeploymentDraftId>) -> Answer {
    let draft = site.app.deployment_draft(cx.who()?, id).await?;
    draw(&site, &cx, StatusCode::OK, &draft, &[]).await
}

pub(crate) async fn save(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<DeploymentDraftId>,
    Form(form): Typed,
) -> Answer {
    let who = cx.who()?;
    site.app.save_deployment(who, id, &wished(&form)).await?;
    let draft = site.app.deployment_draft(who, id).await?;
    match site.app.plan_draft(&draft).await {
        Ok(_) => Ok(Redirect::to(&address(id, "review")).into_response()),
        Err(AppError::Invalid { fields }) => {
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &draft, &fields).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Draws the form with what was filled in, and what is wrong beside its field.
pub(super) async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    draft: &Draft,
    errors: &[FieldError],
) -> Answer {
    let offer = Offer::of(site, draft.template.template.vcenter).await?;
    let lead = format!("From the template {}, in {}.", draft.template.template.name, offer.vcenter.name);
    let mut groups = groups(offer, &draft.wish);
    for field in groups.iter_mut().flat_map(|group| &mut group.fields) {
        field.error = error_of(errors, &field.name);
    }
    let page = cx.page("Configure the new appliance", Area::Appliances);
    let screen = Configure {
        page,
        steps: steps(Some(draft.id), 1),
        lead,
        action: address(draft.id, "configure"),
        groups,
        back: format!("/deployments/new?template={}", draft.template.template.id),
    };
    cx.draw_with(status, &screen)
}

fn check(name: &str, label: &str, on: bool) -> Field {
    Field::check(name, label).value(if on { "on" } else { "" })
}

fn groups(offer: Offer, wish: &DeployWish) -> Vec<FieldGroup> {
    let number = |name: &str, label: &str, value: &str| Field::number(name, label).value(value);
    let line = |name: &str, label: &str, value: &str| Field::line(name, label).value(value);
    let mut mounts = vec![check("register_datastore", "Mount its export as a datastore", !wish.unmounted)];
    mounts.extend(offer.hosts.iter().map(|host| {
        let chosen = wish.datastore_hosts.is_empty() || wish.datastore_hosts.contains(&host.value);
        check(&format!("{HOST}{}", host.value), &host.label, chosen)
    }));
    vec![
        FieldGroup {
            heading: "Virtual machine",
            lead: "What is made.",
            fields: vec![
                line("vm_name", "Name", &wish.vm_name).first(),
                line("hostname", "Host name", &wish.hostname).hint("Without domain."),
                line("domain", "Domain", &wish.domain),
                number("cpu_count", "Virtual CPUs", &wish.cpu_count),
                number("memory_gb", "Memory", &wish.memory_gb).unit("GiB"),
            ],
        },
        FieldGroup {
            heading: "Place",
            lead: "Where it runs.",
            fields: vec![
                select("cluster", "Cluster or host", offer.clusters, &wish.cluster),
                select("resource_pool", "Resource pool", offer.pools, &wish.resource_pool),
                select("folder", "Folder", offer.folders, &wish.folder),
                select("datastore", "Datastore", offer.datastores, &wish.datastore)
                    .hint("Holds the machine and the disk of its pool."),
            ],
        },
        FieldGroup {
            heading: "Network",
            lead: "Hosts mount the appliance by its address, so it must never change.",
            fields: vec![
                select("network_id", "Network", offer.networks, &wish.network),
                check("use_dhcp", "Ask for the address by DHCP", wish.use_dhcp)
                    .hint("Needs a reservation on the DHCP server. The next three fields then stay empty."),
                line("ip_address", "IP address", &wish.ip_address).optional(),
                line("subnet_mask", "Subnet mask", &wish.subnet_mask).optional().hint("255.255.255.0 or /24"),
                line("gateway", "Gateway", &wish.gateway).optional(),
                line("dns_servers", "Name servers", &wish.dns_servers)
                    .optional()
                    .hint("Addresses, with commas between them."),
                line("dns_suffixes", "Domains to search", &wish.dns_suffixes).optional(),
            ],
        },
        FieldGroup {
            heading: "Storage",
            lead: "The pool is made on a disk of its own, which is added to the clone.",
            fields: vec![
                line("zfs_pool_name", "Pool", &wish.zfs_pool_name),
                number("zfs_disk_gb", "Disk for the pool", &wish.zfs_disk_gb).unit("GiB"),
                check("thin", "Thin: the disk takes space as it is written", !wish.thick),
                line("nfs_network", "NFS clients", &wish.nfs_network)
                    .hint("Networks whose hosts may mount, with commas between them."),
            ],
        },
        FieldGroup {
            heading: "Login",
            lead: "How Zerfaux gets in.",
            fields: vec![
                line("ssh_username", "User", &wish.ssh_username),
                select("ssh_key_id", "SSH key", offer.keys, &wish.ssh_key_id)
                    .hint("The key whose public half is in the template."),
            ],
        },
        FieldGroup {
            heading: "Afterwards",
            lead: "What is done with it once it runs.",
            fields: vec![
                check("register_as_target", "Register it as an appliance", !wish.unregistered),
                line("target_name", "Name of the appliance", &wish.target_name)
                    .optional()
                    .hint("One of that name is taken for this one, and then leads to the new machine."),
            ],
        },
        FieldGroup { heading: "Datastore", lead: "Which hosts mount its export.", fields: mounts },
    ]
}

fn wished(form: &HashMap<String, String>) -> DeployWish {
    let text = |name| typed(form, name).to_owned();
    let mut hosts: Vec<String> =
        form.keys().filter_map(|name| name.strip_prefix(HOST)).map(str::to_owned).collect();
    hosts.sort();
    DeployWish {
        vm_name: text("vm_name"),
        hostname: text("hostname"),
        domain: text("domain"),
        dns_suffixes: text("dns_suffixes"),
        network: text("network_id"),
        use_dhcp: form.contains_key("use_dhcp"),
        ip_address: text("ip_address"),
        subnet_mask: text("subnet_mask"),
        gateway: text("gateway"),
        dns_servers: text("dns_servers"),
        datacenter: String::new(),
        cluster: text("cluster"),
        resource_pool: text("resource_pool"),
        folder: text("folder"),
        datastore: text("datastore"),
        cpu_count: text("cpu_count"),
        memory_gb: text("memory_gb"),
        zfs_pool_name: text("zfs_pool_name"),
        zfs_disk_gb: text("zfs_disk_gb"),
        thick: !form.contains_key("thin"),
        nfs_network: text("nfs_network"),
        ssh_username: text("ssh_username"),
        ssh_key_id: text("ssh_key_id"),
        unregistered: !form.contains_key("register_as_target"),
        target_name: text("target_name"),
        // Mounted by nobody is not mounted.
        unmounted: !form.contains_key("register_datastore") || hosts.is_empty(),
        datastore_hosts: hosts,
    }
}
