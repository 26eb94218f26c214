//! `/protected-vms/{id}`: one protected virtual machine with its whole check list, and taking it out of its group.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::inventory::address as in_inventory;
use super::protection_groups::address as group_address;
use crate::app::AppError;
use crate::app::dr_shells::DrShellState;
use crate::app::inventory::Vm;
use crate::app::protected_vms::{ProtectedVm, ProtectedVmView, ReadyItem, ReadyState};
use crate::app::protection_groups::ProtectionGroup;
use crate::domain::access::Role;
use crate::domain::ids::ProtectedVmId;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::group_vms::Mend;
use crate::web::screens::protected_vms::{Check, DiskRow, ProtectedVmPage, ShellView};
use crate::web::view::form::Confirm;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::{Html, Mark, Status, html, size};
use crate::web::{Answer, Site, Trouble};

/// Its page.
pub(super) fn address(id: ProtectedVmId) -> String {
    format!("/protected-vms/{id}")
}

/// What stands above every page of it.
pub(super) fn crumbs(group: &ProtectionGroup, vm: Option<&ProtectedVm>) -> Vec<Link> {
    let own = |vm: &ProtectedVm| Link { label: vm.name.clone(), address: address(vm.id) };
    let above = [
        Link { label: "Protection".to_owned(), address: "/protection-groups".to_owned() },
        Link { label: group.name.clone(), address: format!("{}/vms", group_address(group.id)) },
    ];
    above.into_iter().chain(vm.map(own)).collect()
}

/// A line of the check list in one or two words: what is there, or what is not.
pub(super) fn tick(item: &ReadyItem) -> Status {
    let [done, missing, unknown] = match item.key {
        "protection_datastore" => ["on its datastore", "files elsewhere", "place unknown"],
        "replicated" => ["replicated", "not replicated", "replication unknown"],
        "dr_shell" => ["DR shell", "no DR shell", "DR shell unknown"],
        "networks" => ["networks", "network missing", "networks not mapped yet"],
        "tested" => ["tested", "not tested", "test unknown"],
        _ => ["done", "missing", "unknown"],
    };
    match item.state {
        ReadyState::Done => Status::new(Mark::Met, done),
        // Not what keeps it from being recovered.
        ReadyState::Caution => Status::new(Mark::Unknown, missing),
        ReadyState::Missing => Status::new(Mark::Risk, missing),
        ReadyState::Unknown => Status::new(Mark::Unknown, unknown),
    }
}

/// What mends a line of the check list.
pub(super) fn mend(view: &ProtectedVmView, item: &ReadyItem) -> Option<Mend> {
    let own = address(view.vm.id);
    let to = |label, address| Some(Mend { label, address, sends: false });
    match (item.key, item.state, &view.shell) {
        (_, ReadyState::Done, _) => None,
        ("tested", ..) => to("Test…", format!("{}/test", group_address(view.vm.group))),
        ("protection_datastore", ReadyState::Missing, _) if view.seen.is_none() => {
            to("Take it out…", format!("{own}/remove"))
        }
        ("protection_datastore", ReadyState::Missing, _) => to("Move…", format!("{own}/move")),
        ("replicated", ..) => Some(Mend {
            label: "Run now",
            address: format!("{}/run-now", group_address(view.vm.group)),
            sends: true,
        }),
        ("dr_shell", ReadyState::Missing, None) if view.seen.is_some() => {
            to("Make DR shell…", format!("{own}/dr-shell"))
        }
        ("dr_shell", _, Some(shell)) if !shell.is_there => {
            to("Remove what is left…", format!("/dr-shells/{}/remove", shell.shell.id))
        }
        ("dr_shell" | "networks", ReadyState::Missing, Some(shell)) if view.seen.is_some() => {
            to("Repair…", format!("/dr-shells/{}/repair", shell.shell.id))
        }
        _ => None,
    }
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<ProtectedVmId>) -> Answer {
    let (group, view) = site.app.protected_vm(id).await?;
    let items = &view.readiness.items;
    let first = items.iter().position(|item| item.state.is_open());
    let checks = items.iter().enumerate().map(|(place, item)| Check {
        done: item.state == ReadyState::Done,
        next: Some(place) == first,
        status: tick(item),
        text: item.text.clone(),
        advice: item.advice,
        mend: mend(&view, item),
    });
    let missing = items.iter().filter(|item| item.state.is_open()).count();
    let status = match missing {
        0 => Status::new(Mark::Met, "ready"),
        some => Status::new(Mark::Risk, format!("{} of {} done", items.len() - some, items.len())),
    };
    let mut page = cx.page(&view.vm.name, Area::Protection);
    page.crumbs = crumbs(&group, None);
    let seen = view.seen.as_ref().map(|seen| &seen.object);
    cx.draw(&ProtectedVmPage {
        page,
        status,
        group: Link { label: group.name.clone(), address: group_address(group.id) },
        inventory: seen.map(|vm| Link {
            label: "in the inventory".to_owned(),
            address: in_inventory(view.vm.vcenter, vm.object.id()),
        }),
        checks: checks.collect(),
        working: working(&site, &view.vm).await?,
        hardware: seen.map(hardware).unwrap_or_default(),
        disks: disks(&group, &view),
        shell: view.shell.as_ref().map(|shell| shell_view(&cx, shell)),
        remove: format!("{}/remove", address(id)),
        may_work: cx.may(Role::Operator),
    })
}

/// The job that works on a virtual machine or its shell.
async fn working(site: &Site, vm: &ProtectedVm) -> Result<Option<Link>, Trouble> {
    let link = |label: &str, job: &crate::domain::job::Job| {
        Some(Link { label: label.to_owned(), address: format!("/jobs/{}", job.id) })
    };
    if let Some(job) = site.app.move_under_way(vm).await? {
        return Ok(link("Its files are being moved.", &job));
    }
    let job = site.app.shell_job_under_way(&vm.instance_uuid).await?;
    Ok(job.and_then(|job| link("A job works on its DR shell.", &job)))
}

fn hardware(vm: &Vm) -> Vec<(String, Html)> {
    let fact = |name: &str, text: String| (name.to_owned(), html::text(&text));
    let kinds = |all: Vec<String>| if all.is_empty() { "none".to_owned() } else { all.join(", ") };
    let controllers = vm.hardware.controllers.iter().filter(|one| one.kind != "VirtualIDEController");
    vec![
        fact("Virtual CPUs", vm.cpus.to_string()),
        fact("Memory", size::bytes(vm.memory_bytes).to_string()),
        fact("Firmware", vm.firmware.map_or("unknown", |one| one.as_str()).to_owned()),
        fact("Guest", vm.guest.clone().or_else(|| vm.guest_id.clone()).unwrap_or_default()),
        fact("Controllers", kinds(controllers.map(|one| format!("{} {}", one.kind, one.bus)).collect())),
        fact("Network cards", kinds(vm.hardware.nics.iter().map(|nic| nic.kind.clone()).collect())),
    ]
}

fn disks(group: &ProtectionGroup, view: &ProtectedVmView) -> Vec<DiskRow> {
    let row = |disk: &crate::app::inventory::DiskPlace| DiskRow {
        label: disk.label.clone(),
        size: size::bytes(disk.capacity_bytes).to_string(),
        file: disk.file.clone().unwrap_or_default(),
        datastore: disk.datastore_name.clone().unwrap_or_else(|| "unknown".to_owned()),
        status: match &group.source.export {
            None => Status::new(Mark::Unknown, "not known"),
            Some(export) if disk.nfs.as_ref() == Some(export) => Status::new(Mark::Met, "replicated"),
            Some(_) => Status::new(Mark::Risk, "elsewhere"),
        },
    };
    view.disks.iter().map(row).collect()
}

fn shell_view(cx: &Cx, state: &DrShellState) -> ShellView {
    let (shell, own) = (&state.shell, format!("/dr-shells/{}", state.shell.id));
    let status = match state.word() {
        "ready" => Status::new(Mark::Met, "ready"),
        "missing" => Status::new(Mark::Broken, "not in the DR vCenter"),
        _ => Status::new(Mark::Risk, "differs"),
    };
    let name = match state.is_there {
        true => Html(format!(
            "<a href=\"{}\">{}</a>",
            in_inventory(shell.dr_vcenter, shell.vm.id()),
            html::escape(&shell.spec.name)
        )),
        false => html::text(&shell.spec.name),
    };
    let view = match &shell.view {
        Some(view) => format!("kept: the datastore {}, a clone of {}", view.datastore, view.checkpoint),
        None => "none: its disks are attached when a recovery needs them".to_owned(),
    };
    let proved = format!("{}, from {}", shell.disks.len(), shell.checkpoint);
    let mut drift: Vec<String> = state.drift.iter().map(|one| one.message.clone()).collect();
    if state.is_there && !state.networks_mapped {
        drift.push("A network card is not on the network that was chosen for it.".to_owned());
    }
    ShellView {
        status,
        facts: vec![
            ("Name".to_owned(), name),
            ("Home".to_owned(), html::text(&shell.spec.home_datastore)),
            ("Disks proved".to_owned(), html::text(&proved)),
            ("View".to_owned(), html::text(&view)),
            ("Made".to_owned(), cx.ago(shell.made_at)),
        ],
        repair: (state.is_there && !drift.is_empty()).then(|| format!("{own}/repair")),
        refresh: (state.is_there && drift.is_empty() && shell.view.is_some())
            .then(|| format!("{own}/repair")),
        drift,
        remove: format!("{own}/remove"),
    }
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<ProtectedVmId>) -> Answer {
    draw_ask(&site, &cx, StatusCode::OK, id, None).await
}

async fn draw_ask(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: ProtectedVmId,
    error: Option<String>,
) -> Answer {
    let (group, view) = site.app.protected_vm(id).await?;
    let name = view.vm.name.clone();
    let mut page = cx.page("Take a virtual machine out of its group", Area::Protection);
    page.crumbs = crumbs(&group, Some(&view.vm));
    let mut consequences = vec![
        format!("{name} and its disks stay where they are and as they are."),
        format!("Checkpoints of {} that have it keep it, as long as they are kept.", group.name),
        format!(
            "While its files lie on the group's datastore they are replicated with it; {} does not look after them.",
            group.name
        ),
    ];
    if let Some(shell) = &view.shell {
        consequences.insert(
            0,
            format!(
                "It has the DR shell {}. Remove that first, on the page of {name}.",
                shell.shell.spec.name
            ),
        );
    }
    let confirm = Confirm {
        action: format!("{}/remove", address(id)),
        csrf: page.csrf.clone(),
        question: format!("Take {name} out of {}?", group.name),
        consequences,
        button: format!("Take {name} out"),
        name,
        back: address(id),
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm, other: None })
}

pub(crate) async fn remove(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<ProtectedVmId>,
    Form(form): Typed,
) -> Answer {
    let (group, view) = site.app.protected_vm(id).await?;
    let name = &view.vm.name;
    let error = if typed(&form, "confirm").trim() != name {
        format!("This is not its name. Type {name} exactly as it stands here.")
    } else {
        match site.app.remove_protected_vm(cx.who()?, id).await {
            Ok(()) => {
                let to = format!("{}/vms", group_address(group.id));
                return Ok(done(&site, &to, &format!("{name} is not in the group any more.")));
            }
            Err(AppError::Conflict(why)) => sentence(&why),
            Err(error) => return Err(error.into()),
        }
    };
    draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(error)).await
}
