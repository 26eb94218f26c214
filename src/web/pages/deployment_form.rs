//! The second step of the wizard for a new appliance: every choice offered from the inventory.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};

use super::deployments::{address, steps, under_way};
use super::template_forms::{Offer, select, select_or};
use crate::app::deployment_drafts::Draft;
use crate::app::deployments::{DeployWish, Finding};
use crate::app::{AppError, FieldError};
use crate::domain::ids::DraftId;
use crate::web::cx::{Cx, Typed, error_of, sentence, typed};
use crate::web::screens::deployments::{Configure, ConfigureFindings, Findings};
use crate::web::screens::templates::FieldGroup;
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::{Answer, Site};

/// Before the reference of a host, in the name of its field.
const HOST: &str = "host-";

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<DraftId>) -> Answer {
    let draft = site.app.deployment_draft(cx.who()?, id).await?;
    if let Some(job) = draft.job {
        return Ok(under_way(&site, job));
    }
    draw(&site, &cx, StatusCode::OK, &draft, &[]).await
}

pub(crate) async fn save(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<DraftId>,
    Form(form): Typed,
) -> Answer {
    let who = cx.who()?;
    site.app.save_deployment(who, id, &wished(&form)).await?;
    let draft = site.app.deployment_draft(who, id).await?;
    match typed(&form, "go") {
        "look" => return look(&site, &cx, &draft).await,
        "back" => return Ok(Redirect::to(&format!("/deployments/new?draft={id}")).into_response()),
        _ => {}
    }
    if let Some(job) = draft.job {
        return Ok(under_way(&site, job));
    }
    match site.app.plan_draft(&draft).await {
        Ok(_) => Ok(Redirect::to(&address(id, "review")).into_response()),
        Err(AppError::Invalid { fields }) => {
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &draft, &fields).await
        }
        Err(error) => Err(error.into()),
    }
}

/// What stands in the way of what is filled in so far.
async fn look(site: &Site, cx: &Cx, draft: &Draft) -> Answer {
    let text = |all: Vec<Finding>| all.into_iter().map(|one| one.message).collect();
    let findings = match site.app.plan_draft(draft).await {
        Ok(plan) => Findings { obstacles: text(plan.obstacles), warnings: text(plan.warnings) },
        Err(AppError::Invalid { fields }) => Findings {
            obstacles: fields.iter().map(|field| sentence(&field.message)).collect(),
            warnings: Vec::new(),
        },
        Err(error) => return Err(error.into()),
    };
    let page = cx.page("Configure the new appliance", Area::Appliances);
    cx.draw(&ConfigureFindings { page, findings: Some(findings) })
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
        findings: None,
    };
    cx.draw_with(status, &screen)
}

fn check(name: &str, label: &str, on: bool) -> Field {
    Field::check(name, label).value(if on { "on" } else { "" })
}

/// What cannot be left open here.
fn required(field: Field) -> Field {
    Field { required: true, ..field }
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
                select_or(
                    "cluster",
                    "Cluster or host",
                    offer.clusters,
                    &wish.cluster,
                    "the only cluster there is",
                ),
                select_or(
                    "resource_pool",
                    "Resource pool",
                    offer.pools,
                    &wish.resource_pool,
                    "that of the cluster",
                ),
                select_or("folder", "Folder", offer.folders, &wish.folder, "that of the template"),
                required(select_or(
                    "datastore",
                    "Datastore",
                    offer.datastores,
                    &wish.datastore,
                    "choose one",
                ))
                .hint("Holds the machine and the disk of its pool."),
            ],
        },
        FieldGroup {
            heading: "Network",
            lead: "Hosts mount the appliance by its address, so it must never change.",
            fields: vec![
                required(select_or("network_id", "Network", offer.networks, &wish.network, "choose one")),
                check("use_dhcp", "Ask for the address by DHCP", wish.use_dhcp)
                    .hint("Needs a reservation on the DHCP server. A static address is safer."),
                line("ip_address", "IP address", &wish.ip_address)
                    .optional()
                    .hint("Not needed with DHCP, nor are mask and gateway."),
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
                required(select("ssh_key_id", "SSH key", offer.keys, &wish.ssh_key_id))
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
        FieldGroup { heading: "Hosts", lead: "Which hosts mount its export.", fields: mounts },
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
