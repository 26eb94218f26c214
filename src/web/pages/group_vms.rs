//! `/protection-groups/{id}/vms`: the virtual machines of a group, each with what is missing until it can be recovered.

use axum::extract::{Path, State};

use super::group_page::{Tab, head};
use super::protected_vms::{address as vm_address, mend, tick};
use super::protection_groups::address;
use crate::app::protected_vms::{ProtectedVmView, ReadyState};
use crate::domain::ids::GroupId;
use crate::web::cx::Cx;
use crate::web::screens::group_vms::{GroupVms, ProtectedVmRow};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::{Answer, Site};

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let state = site.app.group_state(id).await?;
    let vms = site.app.protected_vms(id).await?;
    let own = address(id);
    let elsewhere = vms.iter().filter(|view| must_move(view)).count();
    let left = site.app.dr_shells(id).await?.into_iter();
    let left = left.filter(|shell| !vms.iter().any(|view| view.vm.instance_uuid == shell.source_uuid));
    cx.draw(&GroupVms {
        page: cx.page(&state.group.name, Area::Protection),
        head: head(&cx, &state, Tab::Vms),
        assign: format!("{own}/vms/new"),
        move_all: (elsewhere > 1)
            .then(|| Link { label: format!("Move {elsewhere} of them…"), address: format!("{own}/move") }),
        vms: vms.iter().map(machine).collect(),
        left: left
            .map(|shell| Link {
                label: shell.spec.name.clone(),
                address: format!("/dr-shells/{}/remove", shell.id),
            })
            .collect(),
    })
}

fn must_move(view: &ProtectedVmView) -> bool {
    let datastore = view.readiness.items.iter().find(|item| item.key == "protection_datastore");
    view.seen.is_some() && datastore.is_some_and(|item| item.state == ReadyState::Missing)
}

fn machine(view: &ProtectedVmView) -> ProtectedVmRow {
    let items = &view.readiness.items;
    let missing = items.iter().find(|item| item.state.is_open());
    ProtectedVmRow {
        name: view.vm.name.clone(),
        address: vm_address(view.vm.id),
        ticks: items.iter().map(|item| (tick(item), item.text.clone())).collect(),
        missing: missing.map(|item| item.text.clone()),
        mend: missing.and_then(|item| mend(view, item)),
    }
}
