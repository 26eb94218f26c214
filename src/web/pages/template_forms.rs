//! Registering a template and changing one: every place is offered from the inventory of its vCenter.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::templates::{address, crumbs};
use crate::app::FieldError;
use crate::app::inventory::{Datastore, Known, Network, Place, PlaceKind};
use crate::app::templates::{Template, TemplateWish};
use crate::app::vcenters::{ApiKind, Vcenter};
use crate::domain::ids::{TemplateId, VcenterId};
use crate::web::cx::{Cx, Typed, beside, done, error_of, typed};
use crate::web::screens::templates::{ChooseVcenter, FieldGroup, TemplateForm};
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::size;
use crate::web::{Answer, Site, Trouble};

/// What a vCenter has to choose from.
pub(super) struct Offer {
    pub(super) vcenter: Vcenter,
    pub(super) templates: Vec<Choice>,
    pub(super) datacenters: Vec<Choice>,
    pub(super) clusters: Vec<Choice>,
    pub(super) pools: Vec<Choice>,
    pub(super) folders: Vec<Choice>,
    pub(super) datastores: Vec<Choice>,
    pub(super) networks: Vec<Choice>,
    pub(super) hosts: Vec<Choice>,
    pub(super) keys: Vec<Choice>,
}

impl Offer {
    pub(super) async fn of(site: &Site, vcenter: VcenterId) -> Result<Self, Trouble> {
        let cases = site.app.vcenters()?;
        let places = cases.places(vcenter, None).await?;
        let of = |kinds: &[PlaceKind]| choices(places.iter().filter(|place| is_one_of(place, kinds)), place);
        let templates = site.app.vm_templates(vcenter).await?;
        let keys = site.app.ssh_keys().await?;
        Ok(Self {
            templates: templates.into_iter().map(|vm| Choice::new(vm.object.id(), vm.name)).collect(),
            datacenters: of(&[PlaceKind::Datacenter]),
            clusters: of(&[PlaceKind::Cluster, PlaceKind::Host]),
            pools: of(&[PlaceKind::Pool]),
            folders: choices(places.iter().filter(|place| holds_vms(place)), place),
            datastores: choices(cases.datastores(vcenter).await?.iter(), datastore),
            hosts: places
                .iter()
                .filter(|place| is_one_of(place, &[PlaceKind::Host]))
                .map(|host| Choice::new(&host.object.object.id, &host.object.name))
                .collect(),
            networks: choices(cases.networks(vcenter).await?.iter(), network),
            keys: keys.into_iter().map(|key| Choice::new(key.id.to_string(), key.name)).collect(),
            vcenter: cases.get(vcenter).await?,
        })
    }
}

fn is_one_of(place: &Known<Place>, kinds: &[PlaceKind]) -> bool {
    place.gone_at.is_none() && kinds.contains(&place.object.kind)
}

fn holds_vms(place: &Known<Place>) -> bool {
    let holds = place.object.facts.get("holds");
    is_one_of(place, &[PlaceKind::Folder]) && holds.is_none_or(|holds| holds.contains("VirtualMachine"))
}

/// First the way out, then what there is.
fn choices<'a, T: 'a>(all: impl Iterator<Item = &'a T>, choice: fn(&T) -> Choice) -> Vec<Choice> {
    std::iter::once(Choice::new("", "chosen with each deployment")).chain(all.map(choice)).collect()
}

fn place(place: &Known<Place>) -> Choice {
    let what = match place.object.kind {
        PlaceKind::Host => " (host)",
        _ => "",
    };
    Choice::new(&place.object.object.id, format!("{}{what}", place.object.name))
}

fn datastore(known: &Known<Datastore>) -> Choice {
    let Datastore { object, name, capacity_bytes, free_bytes, kind, .. } = &known.object;
    let free = size::part_of(*free_bytes, *capacity_bytes);
    Choice::new(object.id(), format!("{name} ({free} free, {kind})"))
}

fn network(known: &Known<Network>) -> Choice {
    let Network { object, name, vlan, .. } = &known.object;
    // Many a name tells it already.
    let vlan = vlan.as_ref().map(|vlan| format!("VLAN {vlan}")).filter(|vlan| !name.contains(vlan.as_str()));
    let vlan = vlan.map(|vlan| format!(" ({vlan})")).unwrap_or_default();
    Choice::new(&object.id, format!("{name}{vlan}"))
}

/// A choice whose first entry, the way out, says what happens then.
pub(super) fn select_or(
    name: &'static str,
    label: &str,
    mut choices: Vec<Choice>,
    value: &str,
    otherwise: &str,
) -> Field {
    if let Some(first) = choices.first_mut().filter(|first| first.value.is_empty()) {
        first.label = otherwise.to_owned();
    }
    select(name, label, choices, value)
}

/// A choice among what there is. What was chosen before and is not there any more stays among it, and says so.
pub(super) fn select(name: &'static str, label: &str, mut choices: Vec<Choice>, value: &str) -> Field {
    let by_name = |choice: &&Choice| {
        !value.is_empty() && (choice.label == value || choice.label.starts_with(&format!("{value} (")))
    };
    let value = match choices.iter().find(|choice| choice.value == value) {
        Some(_) => value.to_owned(),
        None => match choices.iter().find(by_name) {
            Some(choice) => choice.value.clone(),
            None if value.is_empty() => {
                choices.insert(0, Choice::new("", "choose one"));
                String::new()
            }
            None => {
                choices.push(Choice::new(value, format!("{value} (not there any more)")));
                value.to_owned()
            }
        },
    };
    Field::select(name, label, choices).value(value).optional()
}

pub(crate) async fn new(State(site): State<Site>, cx: Cx) -> Answer {
    let able: Vec<Vcenter> = site.app.vcenters()?.list().await?.into_iter().filter(can_clone).collect();
    let chosen = cx.asked("vcenter").parse::<VcenterId>().ok();
    let chosen = match (chosen, able.as_slice()) {
        (Some(id), all) => all.iter().find(|one| one.id == id),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some(vcenter) = chosen else {
        let choices: Vec<Choice> =
            able.iter().map(|one| Choice::new(one.id.to_string(), &one.name)).collect();
        let field = (!choices.is_empty()).then(|| Field::select("vcenter", "vCenter", choices).first());
        let mut page = cx.page("Register a template", Area::Templates);
        page.crumbs = crumbs();
        return cx.draw(&ChooseVcenter { page, field });
    };
    let wish = TemplateWish { vcenter_id: vcenter.id.to_string(), ..TemplateWish::usual() };
    draw(&cx, StatusCode::OK, None, Offer::of(&site, vcenter.id).await?, &wish, &[])
}

fn can_clone(vcenter: &Vcenter) -> bool {
    vcenter.about.as_ref().is_none_or(|about| about.kind == ApiKind::VirtualCenter)
}

pub(crate) async fn edit(State(site): State<Site>, cx: Cx, Path(id): Path<TemplateId>) -> Answer {
    let template = site.app.template(id).await?.template;
    let offer = Offer::of(&site, template.vcenter).await?;
    draw(&cx, StatusCode::OK, Some(&template), offer, &TemplateWish::from(&template), &[])
}

fn draw(
    cx: &Cx,
    status: StatusCode,
    old: Option<&Template>,
    offer: Offer,
    wish: &TemplateWish,
    errors: &[FieldError],
) -> Answer {
    let lead = match old {
        Some(_) => format!("In the vCenter {}.", offer.vcenter.name),
        None => format!("From the vCenter {}. Nothing is changed there.", offer.vcenter.name),
    };
    let mut groups = groups(offer, wish, old.is_some());
    for field in groups.iter_mut().flat_map(|group| &mut group.fields) {
        field.error = error_of(errors, &field.name);
    }
    let (title, action, button, back) = match old {
        Some(old) => (format!("Change {}", old.name), address(old.id), "Save", address(old.id)),
        None => {
            let list = "/zfs-templates".to_owned();
            ("Register a template".to_owned(), list.clone(), "Register the template", list)
        }
    };
    let mut page = cx.page(title, Area::Templates);
    page.crumbs = crumbs();
    if let Some(old) = old {
        page.crumbs.push(Link { label: old.name.clone(), address: address(old.id) });
    }
    let vcenter = wish.vcenter_id.clone();
    cx.draw_with(status, &TemplateForm { page, lead, action, vcenter, groups, button, back })
}

fn groups(offer: Offer, wish: &TemplateWish, changes: bool) -> Vec<FieldGroup> {
    let mut template = select("template_moref", "Template", offer.templates, &wish.template_moref)
        .hint("Not in the list? Convert the machine to a template in vCenter, then synchronise the vCenter.");
    template.required = true;
    let none = Choice::new("", "chosen with each deployment");
    let keys = std::iter::once(none).chain(offer.keys).collect();
    let mut what = vec![
        Field::line("name", "Name").value(&wish.name).hint("How it is called on every page.").first(),
        template,
        Field::line("description", "Description").value(&wish.description).optional(),
    ];
    if changes {
        let retired = if wish.retired { "on" } else { "" };
        what.push(
            Field::check("retired", "Retired")
                .value(retired)
                .hint("It stays in the list, and is not offered for new appliances."),
        );
    }
    let number = |name: &str, label: &str, value: &str| Field::number(name, label).value(value);
    vec![
        FieldGroup { heading: "Template", lead: "What is cloned.", fields: what },
        FieldGroup {
            heading: "Place",
            lead: "Where clones go unless a deployment says otherwise.",
            fields: vec![
                select("default_datacenter", "Datacenter", offer.datacenters, &wish.default_datacenter),
                select("default_cluster", "Cluster or host", offer.clusters, &wish.default_cluster),
                select("default_resource_pool", "Resource pool", offer.pools, &wish.default_resource_pool),
                select("default_folder", "Folder", offer.folders, &wish.default_folder),
                select("default_datastore", "Datastore", offer.datastores, &wish.default_datastore)
                    .hint("Holds the machine and the disk of its pool."),
                select("default_network", "Network", offer.networks, &wish.default_network),
            ],
        },
        FieldGroup {
            heading: "Size and storage",
            lead: "What a clone is given unless a deployment says otherwise.",
            fields: vec![
                number("default_cpu_count", "Virtual CPUs", &wish.default_cpu_count),
                number("default_memory_gb", "Memory", &wish.default_memory_gb).unit("GiB"),
                number("default_zfs_disk_gb", "Disk for the pool", &wish.default_zfs_disk_gb).unit("GiB"),
                Field::line("default_zfs_pool_name", "Pool").value(&wish.default_zfs_pool_name),
                Field::line("default_nfs_network", "NFS clients")
                    .value(&wish.default_nfs_network)
                    .hint("Networks whose hosts may mount, with commas between them."),
            ],
        },
        FieldGroup {
            heading: "Login",
            lead: "How Zerfaux gets into what is made from it.",
            fields: vec![
                Field::line("default_ssh_username", "User").value(&wish.default_ssh_username),
                number("default_ssh_port", "Port", &wish.default_ssh_port),
                select("ssh_key_id", "SSH key", keys, &wish.ssh_key_id)
                    .hint("The key whose public half is in the template."),
            ],
        },
    ]
}

fn wished(form: &HashMap<String, String>) -> TemplateWish {
    let text = |name| typed(form, name).to_owned();
    TemplateWish {
        name: text("name"),
        description: text("description"),
        vcenter_id: text("vcenter_id"),
        template_moref: text("template_moref"),
        default_datacenter: text("default_datacenter"),
        default_cluster: text("default_cluster"),
        default_datastore: text("default_datastore"),
        default_network: text("default_network"),
        default_resource_pool: text("default_resource_pool"),
        default_folder: text("default_folder"),
        default_zfs_pool_name: text("default_zfs_pool_name"),
        default_nfs_network: text("default_nfs_network"),
        default_cpu_count: text("default_cpu_count"),
        default_memory_gb: text("default_memory_gb"),
        default_zfs_disk_gb: text("default_zfs_disk_gb"),
        default_ssh_username: text("default_ssh_username"),
        default_ssh_port: text("default_ssh_port"),
        ssh_key_id: text("ssh_key_id"),
        retired: form.contains_key("retired"),
    }
}

pub(crate) async fn create(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let wish = wished(&form);
    match site.app.create_template(cx.who()?, &wish).await {
        Ok(made) => {
            let said = format!("The template {} is registered.", made.name);
            Ok(done(&site, &address(made.id), &said))
        }
        Err(error) => {
            let errors = beside(error, "name")?;
            let vcenter = wish.vcenter_id.parse::<VcenterId>().map_err(|_| {
                crate::app::AppError::NotFound("there is no such vCenter connection".to_owned())
            })?;
            let offer = Offer::of(&site, vcenter).await?;
            draw(&cx, StatusCode::UNPROCESSABLE_ENTITY, None, offer, &wish, &errors)
        }
    }
}

pub(crate) async fn change(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<TemplateId>,
    Form(form): Typed,
) -> Answer {
    let old = site.app.template(id).await?.template;
    // The vCenter of a template stays: another one's template is another template.
    let wish = TemplateWish { vcenter_id: old.vcenter.to_string(), ..wished(&form) };
    match site.app.update_template(cx.who()?, id, &wish).await {
        Ok(now) => Ok(done(&site, &address(id), &format!("The template {} is changed.", now.name))),
        Err(error) => {
            let errors = beside(error, "name")?;
            let offer = Offer::of(&site, old.vcenter).await?;
            draw(&cx, StatusCode::UNPROCESSABLE_ENTITY, Some(&old), offer, &wish, &errors)
        }
    }
}
