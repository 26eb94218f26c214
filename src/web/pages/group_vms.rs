//! `/protection-groups/{id}/vms`: the virtual machines of a group, each with what is missing until it can be recovered.

use axum::extract::{Path, State};

use super::group_page::{Tab, head};
use crate::app::protected_vms::{ProtectedVmView, ReadyItem, ReadyState};
use crate::domain::ids::GroupId;
use crate::web::cx::Cx;
use crate::web::screens::group_vms::{GroupVms, ProtectedVmRow};
use crate::web::view::Status;
use crate::web::view::navigation::Area;
use crate::web::view::status::Mark;
use crate::web::{Answer, Site};

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let vms = site.app.protected_vms(id).await?;
    cx.draw(&GroupVms {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Vms),
        vms: vms.iter().map(machine).collect(),
    })
}

/// A line of the check list in one or two words: what is there, or what is not.
fn tick(item: &ReadyItem) -> Status {
    let [done, missing, unknown] = match item.key {
        "protection_datastore" => ["on its datastore", "files elsewhere", "place unknown"],
        "replicated" => ["replicated", "not replicated", "replication unknown"],
        "dr_shell" => ["DR shell", "no DR shell", "DR shell unknown"],
        "networks" => ["networks", "network missing", "networks not mapped yet"],
        _ => ["done", "missing", "unknown"],
    };
    match item.state {
        ReadyState::Done => Status::new(Mark::Met, done),
        ReadyState::Missing => Status::new(Mark::Risk, missing),
        ReadyState::Unknown => Status::new(Mark::Unknown, unknown),
    }
}

fn machine(view: &ProtectedVmView) -> ProtectedVmRow {
    let items = &view.readiness.items;
    let missing = items.iter().find(|item| item.state != ReadyState::Done);
    ProtectedVmRow {
        name: view.vm.name.clone(),
        address: format!("/inventory/{}/vms/{}", view.vm.vcenter, view.vm.moref),
        ticks: items.iter().map(|item| (tick(item), item.text.clone())).collect(),
        missing: missing.map(|item| match item.advice {
            Some(advice) => format!("{} {advice}", item.text),
            None => item.text.clone(),
        }),
    }
}
