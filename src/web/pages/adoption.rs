//! `/protection-groups/adopt`: groups that appliances have and this installation does not know are taken over.

use std::collections::HashMap;
use std::str::FromStr;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;

use super::protection_groups::address;
use crate::app::adoption::{AdoptWish, Adoptable};
use crate::app::{AppError, FieldError};
use crate::domain::ids::GroupId;
use crate::domain::names::DatasetName;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::adoption::{AdoptableRow, Adoption};
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::{Answer, Site, Trouble};

/// What can be added to a group: the field, what it is called, why it is asked.
const ADDED: [(&str, &str, &str); 3] = [
    ("source_vcenter_id", "Source vCenter", "The one that has the virtual machines."),
    ("dr_vcenter_id", "DR vCenter", "The one in which they are recovered."),
    (
        "source_target_id",
        "Source appliance",
        "In place of the one with the live dataset, where that is gone. The group is then paused.",
    ),
];

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    draw(&site, &cx, StatusCode::OK, &HashMap::new(), None).await
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    form: &HashMap<String, String>,
    error: Option<String>,
) -> Answer {
    let mut page = cx.page("Take over protection groups", Area::Protection);
    page.crumbs = vec![Link { label: "Protection".to_owned(), address: "/protection-groups".to_owned() }];
    let choice = |value: String, label: String| Choice { value, label };
    let as_told = || choice(String::new(), "as its datasets say".to_owned());
    let vcenters = site.app.vcenters()?.list().await?;
    let vcenters: Vec<Choice> =
        vcenters.into_iter().map(|one| choice(one.id.to_string(), one.name)).collect();
    let targets: Vec<Choice> =
        site.app.targets().await?.into_iter().map(|one| choice(one.id.to_string(), one.name)).collect();
    let first = match (targets.is_empty(), vcenters.is_empty()) {
        (true, _) => Some(("No appliance is connected.".to_owned(), "/appliances/new".to_owned())),
        (_, true) => Some(("No vCenter is connected.".to_owned(), "/vcenters/new".to_owned())),
        _ => None,
    };
    let found = site.app.all_adoptable_groups().await?;
    let row = |one: Adoptable| {
        let id = one.group.to_string();
        let asked = typed(form, "group_id") == id;
        let fields = ADDED.iter().map(|(name, label, hint)| {
            let known = if *name == "source_target_id" { &targets } else { &vcenters };
            let choices = std::iter::once(as_told()).chain(known.iter().cloned()).collect();
            let value = if asked { typed(form, name).to_owned() } else { String::new() };
            Field::select(*name, *label, choices).value(value).hint(*hint).optional()
        });
        AdoptableRow {
            name: one.name.unwrap_or_else(|| format!("Group {id}")),
            live: place(one.live.as_ref()),
            replica: place(one.replica.as_ref()),
            checkpoints: one.checkpoints,
            obstacle: one.obstacle.map(|why| sentence(&why)),
            error: error.clone().filter(|_| asked),
            fields: fields.collect(),
            id,
        }
    };
    let groups: Vec<AdoptableRow> = found.groups.into_iter().map(row).collect();
    let is_shown = groups.iter().any(|one| one.error.is_some());
    let silent = found.silent.into_iter().map(|one| (one.appliance, sentence(&one.why))).collect();
    cx.draw_with(status, &Adoption { page, groups, trouble: error.filter(|_| !is_shown), silent, first })
}

fn place(side: Option<&(DatasetName, String)>) -> String {
    side.map_or_else(
        || "on none of the appliances that answered".to_owned(),
        |(dataset, appliance)| format!("{dataset} on {appliance}"),
    )
}

pub(crate) async fn adopt(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let read = || -> Result<(GroupId, AdoptWish), AppError> {
        let group = id(&form, "group_id")?.ok_or_else(|| AppError::invalid("group_id", "Name the group."))?;
        let wish = AdoptWish {
            source_vcenter: id(&form, "source_vcenter_id")?,
            dr_vcenter: id(&form, "dr_vcenter_id")?,
            source_target: id(&form, "source_target_id")?,
        };
        Ok((group, wish))
    };
    let adopted = match read() {
        Ok((group, wish)) => site.app.adopt_protection_group(cx.who()?, group, &wish).await,
        Err(error) => Err(error),
    };
    let why = match adopted {
        Ok(adopted) => {
            let group = &adopted.group;
            let mut message = format!(
                "{} is taken over, with {} checkpoints and {} virtual machines.",
                group.name, adopted.checkpoints, adopted.vms
            );
            for remark in &adopted.remarks {
                message.push(' ');
                message.push_str(&sentence(remark));
            }
            return Ok(done(&site, &address(group.id), &message));
        }
        Err(AppError::Conflict(why) | AppError::NotFound(why)) => sentence(&why),
        Err(AppError::Invalid { fields }) => in_one(&fields),
        Err(error) => return Err(Trouble(error)),
    };
    draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &form, Some(why)).await
}

fn in_one(fields: &[FieldError]) -> String {
    fields.iter().map(|one| one.message.as_str()).collect::<Vec<_>>().join(" ")
}

fn id<T: FromStr>(form: &HashMap<String, String>, field: &'static str) -> Result<Option<T>, AppError> {
    match typed(form, field) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| AppError::invalid(field, "This is not an id.")),
    }
}
