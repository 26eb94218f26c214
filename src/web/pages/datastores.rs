//! `/appliances/{id}/datastores`: the datastores that an appliance exports, and making a protection datastore.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::appliances::crumbs;
use crate::app::datastore_mounts::TargetDatastore;
use crate::app::datastores::DatastoreWish;
use crate::app::inventory::PlaceKind;
use crate::app::vcenters::Vcenter;
use crate::app::{AppError, FieldError};
use crate::domain::ids::TargetId;
use crate::domain::target::Target;
use crate::web::cx::{Cx, Typed, beside, done, error_of, typed};
use crate::web::screens::datastores::{DatastoreRow, FieldGroup, NewDatastore};
use crate::web::view::form::{Choice, Field};
use crate::web::view::list::in_query;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::{Mark, Status, html, size};
use crate::web::{Answer, Site, Trouble};

/// Before the reference of a host, in the name of its field.
const HOST: &str = "host-";

/// The datastores of an appliance, for its page.
pub(super) async fn rows(site: &Site, target: &Target) -> Result<Vec<DatastoreRow>, Trouble> {
    Ok(site.app.target_datastores(target).await?.iter().map(row).collect())
}

fn row(one: &TargetDatastore) -> DatastoreRow {
    let (mounted, hosts) = (one.datastore.hosts.len(), one.hosts);
    let status = match (one.datastore.accessible, mounted) {
        (false, _) => Status::new(Mark::Broken, "not reached"),
        (true, 0) => Status::new(Mark::Broken, "mounted nowhere"),
        (true, some) if some < hosts => Status::new(Mark::Risk, "not on all hosts"),
        (true, _) => Status::new(Mark::Met, "mounted"),
    };
    let free = size::part_of(one.datastore.free_bytes, one.datastore.capacity_bytes);
    let own = one.dataset.as_ref().is_some_and(|dataset| dataset.as_str().ends_with("/nfs"));
    DatastoreRow {
        status,
        name: one.datastore.name.clone(),
        address: format!("/inventory/datastores?q={}", in_query(&one.datastore.name)),
        purpose: match (one.protects, own) {
            (true, _) => "protection",
            (false, true) => "the appliance's own",
            (false, false) => "not made for protection",
        },
        dataset: match &one.dataset {
            Some(dataset) => dataset.to_string(),
            None => format!("{} (which dataset is not known)", one.export.path),
        },
        export: format!("{}:{}", one.export.host, one.export.path),
        vcenter: one.vcenter_name.clone(),
        hosts: format!("{mounted} of {hosts}"),
        free: html::text(&free),
    }
}

pub(crate) async fn new(State(site): State<Site>, cx: Cx, Path(id): Path<TargetId>) -> Answer {
    let target = site.app.target(id).await?;
    let wish = DatastoreWish {
        vcenter_id: cx.asked("vcenter").to_owned(),
        nfs_clients: target.nfs_networks.to_string(),
        ..DatastoreWish::default()
    };
    draw(&site, &cx, StatusCode::OK, &target, &wish, None).await
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    target: &Target,
    wish: &DatastoreWish,
    errors: Option<&[FieldError]>,
) -> Answer {
    let all = site.app.vcenters()?.list().await?;
    let own = target.vcenter.map(|id| id.to_string());
    let asked = Some(&wish.vcenter_id).filter(|id| !id.is_empty()).or(own.as_ref());
    let chosen = all.iter().find(|one| Some(&one.id.to_string()) == asked).or(all.first());
    let address = format!("/appliances/{}", target.id);
    let mut page = cx.page("Create a protection datastore", Area::Appliances);
    page.crumbs = crumbs();
    page.crumbs.push(Link { label: target.name.clone(), address: address.clone() });
    let groups = match chosen {
        Some(vcenter) => groups(site, vcenter, wish, errors).await?,
        None => Vec::new(),
    };
    let chosen = chosen.map(|one| one.id.to_string()).unwrap_or_default();
    let vcenters = all.iter().map(|one| Choice::new(one.id.to_string(), &one.name)).collect();
    let screen = NewDatastore {
        page,
        lead: format!(
            "A dataset on {}, exported and mounted by hosts. Virtual machines on it are protected together.",
            target.name
        ),
        action: format!("{address}/datastores"),
        vcenter: (all.len() > 1).then(|| Field::select("vcenter", "vCenter", vcenters).value(chosen.clone())),
        chosen,
        groups,
        parent: format!("{}/zerfaux/live", target.zfs_pool),
        server: target.nfs_address().to_owned(),
        name: target.name.clone(),
        back: address,
    };
    cx.draw_with(status, &screen)
}

async fn groups(
    site: &Site,
    vcenter: &Vcenter,
    wish: &DatastoreWish,
    errors: Option<&[FieldError]>,
) -> Result<Vec<FieldGroup>, Trouble> {
    let wrong = errors.unwrap_or_default();
    let places = site.app.vcenters()?.places(vcenter.id, None).await?;
    let there = || places.iter().filter(|place| place.gone_at.is_none()).map(|place| &place.object);
    let mut hosts = Vec::new();
    for host in there().filter(|place| place.kind == PlaceKind::Host) {
        let cluster = host.parent.as_ref().and_then(|parent| there().find(|one| one.object == *parent));
        let around = cluster.map(|cluster| format!(" in {}", cluster.name)).unwrap_or_default();
        let connected = host.facts.get("connection").is_none_or(|state| state == "connected");
        // At first all that can; afterwards as it was chosen.
        let on = match errors {
            None => connected,
            Some(_) => wish.host_morefs.contains(&host.object.id),
        };
        let away = if connected { "" } else { " (not connected)" };
        let label = format!("{}{around}{away}", host.name);
        hosts.push(Field::check(format!("{HOST}{}", host.object.id), label).value(if on {
            "on"
        } else {
            ""
        }));
    }
    if hosts.is_empty() {
        return Ok(Vec::new());
    }
    let name = Field::line("name", "Name")
        .value(&wish.name)
        .hint("On the hosts; the dataset is named after it. At most 42 characters.")
        .error(error_of(wrong, "name"))
        .first();
    let clients = Field::line("nfs_clients", "NFS clients")
        .value(&wish.nfs_clients)
        .hint("Networks whose hosts may mount, with commas between them. They have to contain the hosts' addresses.")
        .error(error_of(wrong, "nfs_clients"));
    let both = [error_of(wrong, "host_morefs"), error_of(wrong, "vcenter_id")];
    let joined: Vec<String> = both.into_iter().flatten().collect();
    Ok(vec![
        FieldGroup { heading: "Datastore", lead: "What is made.", error: None, fields: vec![name, clients] },
        FieldGroup {
            heading: "Hosts",
            lead: "Every host that runs its virtual machines has to mount it.",
            error: Some(joined.join(" ")).filter(|text| !text.is_empty()),
            fields: hosts,
        },
    ])
}

fn wished(form: &HashMap<String, String>) -> DatastoreWish {
    let text = |name| typed(form, name).trim().to_owned();
    let mut host_morefs: Vec<String> =
        form.keys().filter_map(|name| name.strip_prefix(HOST)).map(str::to_owned).collect();
    host_morefs.sort();
    DatastoreWish {
        name: text("name"),
        vcenter_id: text("vcenter_id"),
        host_morefs,
        nfs_clients: text("nfs_clients"),
    }
}

pub(crate) async fn create(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<TargetId>,
    Form(form): Typed,
) -> Answer {
    let wish = wished(&form);
    let target = site.app.target(id).await?;
    match site.app.create_protection_datastore(cx.who()?, id, &wish).await {
        Ok(job) => Ok(done(&site, &format!("/jobs/{job}"), "The datastore is being made.")),
        Err(error @ (AppError::Invalid { .. } | AppError::Conflict(_))) => {
            let errors = beside(error, "name")?;
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &target, &wish, Some(&errors)).await
        }
        Err(error) => Err(error.into()),
    }
}
