//! `/protection-groups/{id}/vms/new`: choosing the virtual machines that a group protects.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::inventory::{address as in_inventory, power};
use super::protection_groups::address;
use crate::app::AppError;
use crate::app::assignable_vms::AssignableVm;
use crate::domain::ids::GroupId;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::assignable_vms::{AssignRow, AssignVms};
use crate::web::screens::protection_groups::TabLink;
use crate::web::view::list::{Filter, List, in_query};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::size;
use crate::web::{Answer, Site};

/// Rows on a page.
const ROWS: u32 = 50;
/// Before a reference, in the name of its field.
const VM: &str = "vm-";
/// Those on the group's datastore, as it stands in the address.
const HERE: &str = "here";
/// All of the vCenter.
const ALL: &str = "all";

/// What is asked for: in the address of the page, and in the form that is sent from it.
struct Asked<'a> {
    show: &'a str,
    search: &'a str,
    page: u64,
    chosen: Vec<String>,
}

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let (show, search) = (cx.asked("show").to_owned(), cx.asked("q").to_owned());
    let asked = Asked { show: &show, search: &search, page: cx.page_number(), chosen: Vec::new() };
    draw(&site, &cx, StatusCode::OK, id, &asked, Vec::new()).await
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: GroupId,
    asked: &Asked<'_>,
    errors: Vec<String>,
) -> Answer {
    let here = asked.show != ALL;
    let first = u32::try_from((asked.page - 1) * u64::from(ROWS)).unwrap_or(u32::MAX);
    let found = site.app.assignable_vms(id, asked.search, here, (first, ROWS)).await?;
    let here = here && found.datastore.is_some();
    let own = format!("{}/vms", address(id));
    let path = format!("{own}/new");
    let note = match (&found.datastore, here) {
        (None, _) => Some(format!(
            "No host of the source vCenter mounts {} as a datastore, so it is not known which virtual machines are on it.",
            found.group.source.dataset
        )),
        (Some(datastore), false) => Some(format!(
            "Those that are not on {} have to be moved there before they are replicated; the group's page offers it.",
            datastore.name
        )),
        (Some(_), true) => None,
    };
    let tab = |label: String, show: &'static str, current| TabLink {
        label,
        address: match asked.search {
            "" => format!("{path}?show={show}"),
            search => format!("{path}?q={}&show={show}", in_query(search)),
        },
        current,
    };
    let tabs = match &found.datastore {
        Some(datastore) => {
            vec![
                tab(format!("On {}", datastore.name), HERE, here),
                tab("All of the vCenter".to_owned(), ALL, !here),
            ]
        }
        None => Vec::new(),
    };
    let shown = if here { HERE } else { ALL };
    let mut frame = cx.page("Protect virtual machines", Area::Protection);
    frame.crumbs = vec![
        Link { label: "Protection".to_owned(), address: "/protection-groups".to_owned() },
        Link { label: found.group.name.clone(), address: own.clone() },
    ];
    let list = List {
        path,
        search: asked.search.to_owned(),
        filters: vec![Filter { name: "show".to_owned(), value: shown.to_owned(), label: String::new() }],
        sort: String::new(),
        descending: false,
        page: asked.page,
        per_page: u64::from(ROWS),
        total: found.total,
    };
    let screen = AssignVms {
        page: frame,
        group: found.group.name.clone(),
        action: own.clone(),
        back: own,
        tabs,
        shown,
        list,
        note,
        errors,
        rows: found.items.iter().map(|one| row(one, &asked.chosen)).collect(),
    };
    cx.draw_with(status, &screen)
}

fn row(one: &AssignableVm, chosen: &[String]) -> AssignRow {
    let line = &one.line;
    AssignRow {
        field: format!("{VM}{}", line.object.id()),
        name: line.name.clone(),
        address: in_inventory(line.vcenter, line.object.id()),
        power: power(line.power),
        guest: line.guest.clone().unwrap_or_default(),
        disks: size::bytes(line.disk_bytes).to_string(),
        datastore: line.datastores.join(", "),
        chosen: chosen.iter().any(|moref| moref == line.object.id()),
        refused: one.refused.clone(),
    }
}

fn chosen(form: &HashMap<String, String>) -> Vec<String> {
    let mut all: Vec<String> =
        form.keys().filter_map(|name| name.strip_prefix(VM)).map(str::to_owned).collect();
    all.sort();
    all
}

pub(crate) async fn assign(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let morefs = chosen(&form);
    let errors = match site.app.assign_vms(cx.who()?, id, &morefs).await {
        Ok(views) => {
            let said = match views.as_slice() {
                [one] => format!("{} is in the group now.", one.vm.name),
                all => format!("{} virtual machines are in the group now.", all.len()),
            };
            return Ok(done(&site, &format!("{}/vms", address(id)), &said));
        }
        Err(AppError::Invalid { fields }) => fields.into_iter().map(|field| field.message).collect(),
        Err(AppError::Conflict(why)) => vec![sentence(&why)],
        Err(error) => return Err(error.into()),
    };
    let asked = Asked {
        show: typed(&form, "show"),
        search: typed(&form, "q"),
        page: typed(&form, "page").parse().unwrap_or(1).clamp(1, 1_000_000),
        chosen: morefs,
    };
    draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, &asked, errors).await
}
