//! `/protection-groups/{id}/rollback`: asking for the rollback of a failover.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::protection_groups::address;
use super::recovery_runs::address as run_address;
use crate::app::AppError;
use crate::app::group_states::GroupState;
use crate::app::recovery_runs::RecoveryRun;
use crate::domain::access::Role;
use crate::domain::ids::GroupId;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::protection_groups::FailoverBanner;
use crate::web::view::form::Confirm;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::{Answer, Site};

pub(super) fn rollback_address(group: GroupId) -> String {
    format!("{}/rollback", address(group))
}

/// What will be undone on both sides, a sentence each.
fn consequences(run: &RecoveryRun, (source, dr): (&str, &str)) -> Vec<String> {
    let plan = &run.plan;
    let names = |of_shell: bool| -> Vec<&str> {
        let vms = plan.vms.iter().filter(|vm| vm.shell.is_some() == of_shell);
        vms.map(|vm| vm.spec.name.as_str()).collect()
    };
    let (shells, made) = (names(true), names(false));
    let mut all = vec![
        "Everything that was written in the recovered virtual machines since the failover is lost. Nothing of it is kept."
            .to_owned(),
    ];
    if !shells.is_empty() {
        all.push(format!("Powered off, and DR shells without disks as before: {}.", shells.join(", ")));
    }
    if !made.is_empty() {
        all.push(format!("Powered off and removed, because the failover made them: {}.", made.join(", ")));
    }
    all.push(format!(
        "At {dr} the clone is unmounted on every host, no longer exported, and destroyed: {}. The replica and its checkpoints \
         stay as they are.",
        plan.clone
    ));
    all.push(match plan.source.is_some() {
        true => format!("At {source} the virtual machines that ran before the failover are started again."),
        false => format!("At {source} nothing is touched: what runs there goes on, what is off stays off."),
    });
    all.push("Replication goes on as before.".to_owned());
    all
}

/// What stands over a group that is failed over.
pub(super) fn banner(cx: &Cx, state: &GroupState, run: &RecoveryRun) -> FailoverBanner {
    let (plan, (source, dr)) = (&run.plan, &state.appliances);
    let (words, since, next) = match (run.up_at, run.cleanup_job) {
        (_, Some(_)) => (
            "The failover is being rolled back, or its rollback stopped short.".to_owned(),
            run.created_at,
            "Its run says how far it is. A rollback that stopped goes on when it is asked for again.",
        ),
        (None, None) => (
            "A failover of the group was begun and is not done.".to_owned(),
            run.created_at,
            "Its run says how far it is. It can be rolled back at any time.",
        ),
        (Some(at), None) => {
            let vms = match plan.vms.len() {
                1 => "1 virtual machine runs".to_owned(),
                count => format!("{count} virtual machines run"),
            };
            let other = match plan.source.is_some() {
                true => format!("They were shut down at {source}."),
                false => format!("See to it that they do not run at {source} as well."),
            };
            (
                format!("Failed over, uncommitted: {vms} at {dr}, on a clone of a checkpoint. {other}"),
                at,
                "Next: roll back once the source is to go on; what was written meanwhile is lost then. Committing is not in this version.",
            )
        }
    };
    FailoverBanner {
        words,
        since: cx.ago(since),
        next,
        run: run_address(run.id()),
        roll_back: cx.may(Role::Operator).then(|| rollback_address(state.group.id)),
    }
}

async fn draw(site: &Site, cx: &Cx, (id, status): (GroupId, StatusCode), error: Option<String>) -> Answer {
    let group = site.app.protection_group(id).await?;
    let Some(run) = site.app.run_there(id, true).await? else {
        return Err(AppError::Conflict(format!(
            "{} is not failed over: there is nothing to roll back, and nothing was done.",
            group.name
        ))
        .into());
    };
    let names =
        (site.app.target(group.source.target).await?.name, site.app.target(group.dr.target).await?.name);
    let mut page = cx.page(format!("Roll back the failover of {}", group.name), Area::Protection);
    page.crumbs = vec![
        Link { label: group.name.clone(), address: address(id) },
        Link { label: "Its failover".to_owned(), address: run_address(run.id()) },
    ];
    let confirm = Confirm {
        action: rollback_address(id),
        csrf: page.csrf.clone(),
        question: format!("Roll back the failover of {}?", group.name),
        consequences: consequences(&run, (&names.0, &names.1)),
        name: group.name.clone(),
        button: format!("Roll back {}", group.name),
        back: run_address(run.id()),
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm, other: None })
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    draw(&site, &cx, (id, StatusCode::OK), None).await
}

pub(crate) async fn begin(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let name = typed(&form, "confirm");
    let why = match site.app.roll_back_group(cx.who()?, id, name).await {
        Ok((run, _)) => return Ok(done(&site, &run_address(run), "The failover is being rolled back.")),
        Err(AppError::Invalid { fields }) => fields,
        Err(error) => return Err(error.into()),
    };
    let why = why.first().map(|one| sentence(&one.message));
    draw(&site, &cx, (id, StatusCode::UNPROCESSABLE_ENTITY), why).await
}
