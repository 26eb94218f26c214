//! `/protection-groups/{id}/failover` and `/protection-groups/{id}/rollback`: asking for a failover, and for its rollback.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::protection_groups::address;
use super::recovery_networks::{chosen, fields as network_fields};
use super::recovery_run_words::between;
use super::recovery_runs::address as run_address;
use super::rollbacks::rollback_address;
use crate::app::failovers::{FailoverMode, FailoverPreview, FailoverRequest, RecoveryWish, offer_of};
use crate::app::protection_groups::{Checkpoint, CheckpointKind};
use crate::app::recovery_runs::{Tested, Verdict};
use crate::app::{AppError, FieldError};
use crate::domain::ids::{GroupId, RecoveryRunId};
use crate::domain::recovery_run::RunVmPlan;
use crate::web::cx::{Cx, Typed, done, error_of, sentence, typed};
use crate::web::screens::failovers::{CheckpointChoice, FailoverVm, NewFailover};
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::{Mark, Status, when};
use crate::web::{Answer, Site};

/// Checkpoints to choose from.
const OFFERED: usize = 100;
/// Errors of these fields stand beside them; all others stand above.
const BESIDE: [&str; 5] = ["confirm", "reason", "shutdown_seconds", "then_power_off", "checkpoint"];

fn mode_of(form: &HashMap<String, String>) -> FailoverMode {
    typed(form, "mode").parse().unwrap_or(FailoverMode::Planned)
}

/// What was typed.
fn request_of(form: &HashMap<String, String>) -> FailoverRequest {
    let mode = mode_of(form);
    let planned = mode == FailoverMode::Planned;
    let seconds = typed(form, "shutdown_seconds").trim();
    // A box that is not ticked is not sent; before the form was ever sent it is.
    let power_off = typed(form, "asked").is_empty() || typed(form, "then_power_off") == "on";
    FailoverRequest {
        checkpoint: Some(typed(form, "checkpoint").to_owned()).filter(|text| !text.is_empty() && !planned),
        wish: RecoveryWish { networks: chosen(form), only: Vec::new() },
        reason: Some(typed(form, "reason").to_owned()),
        // What is no number is outside every limit.
        shutdown_seconds: (planned && !seconds.is_empty()).then(|| seconds.parse().unwrap_or(0)),
        then_power_off: planned.then_some(power_off),
        confirm: typed(form, "confirm").to_owned(),
        ..FailoverRequest::new(mode)
    }
}

pub(crate) async fn plan(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let form = cx.query.clone();
    draw(&site, &cx, StatusCode::OK, id, &form, &[]).await
}

pub(crate) async fn start(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    if !typed(&form, "look").is_empty() {
        return draw(&site, &cx, StatusCode::OK, id, &form, &[]).await;
    }
    match site.app.start_failover(cx.who()?, id, &request_of(&form)).await {
        Ok((run, _)) => Ok(done(&site, &run_address(run), "The failover is begun.")),
        Err(AppError::Invalid { fields }) => {
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, &form, &fields).await
        }
        Err(AppError::Conflict(message)) => {
            let fields = [FieldError { field: "group", message }];
            draw(&site, &cx, StatusCode::CONFLICT, id, &form, &fields).await
        }
        Err(error) => Err(error.into()),
    }
}

fn quality(kind: CheckpointKind) -> &'static str {
    match kind {
        CheckpointKind::CrashConsistent => "as after a loss of power",
        CheckpointKind::Quiesced => "all at rest",
        CheckpointKind::Partly => "some at rest",
    }
}

fn tested(one: &Tested) -> Status {
    match one.verdict {
        Some(Verdict::Passed) => Status::new(Mark::Met, "passed"),
        Some(Verdict::Failed) => Status::new(Mark::Broken, "failed"),
        None => Status::new(Mark::Unknown, "ran, not judged"),
    }
}

fn machine(vm: RunVmPlan) -> FailoverVm {
    let cards = vm.networks.iter().zip(&vm.spec.nics);
    let cards = cards.map(|(network, nic)| match network {
        Some(network) => network.name.clone(),
        None => format!("{} disconnected", nic.label),
    });
    let cards: Vec<String> = cards.collect();
    FailoverVm {
        tier: vm.tier,
        recovered_as: match &vm.shell {
            Some(_) => format!("its DR shell {}", vm.spec.name),
            None => format!("made as {}", vm.spec.name),
        },
        networks: if cards.is_empty() { "it has no card".to_owned() } else { cards.join(", ") },
        check: vm.check.to_string(),
        name: vm.name,
    }
}

fn many(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// What will happen, in order.
fn steps(request: &FailoverRequest, preview: &FailoverPreview, (source, dr): (&str, &str)) -> Vec<String> {
    let planned = &preview.planned;
    let shells = planned.vms.iter().filter(|vm| vm.shell.is_some()).count();
    let made = planned.vms.len() - shells;
    let mut all = match request.mode {
        FailoverMode::Planned => vec![
            format!(
                "{} at the source {} asked to shut down. {}",
                many(planned.vms.len(), "guest", "guests"),
                if planned.vms.len() == 1 { "is" } else { "are" },
                match request.then_power_off {
                    Some(false) =>
                        "If one does not within its time, the failover is given up and what was shut down is started again.",
                    _ => "One that does not within its time is powered off.",
                }
            ),
            format!("One last run from {source} to {dr} brings over everything that was written."),
        ],
        FailoverMode::Disaster => vec![format!(
            "Nothing is asked of the source, and nothing there is changed. What still runs at {source} goes on running: see \
             to it that it does not, or the same machine runs twice."
        )],
    };
    let checkpoint = match request.mode {
        FailoverMode::Planned => "The checkpoint of that run",
        FailoverMode::Disaster => "The chosen checkpoint",
    };
    all.push(format!(
        "{checkpoint} is cloned on {dr}, and the clone is mounted on {}. The replica stays as it is.",
        many(planned.hosts.len(), "host", "hosts")
    ));
    if shells > 0 {
        all.push(format!("{} the disks of the clone.", many(shells, "DR shell gets", "DR shells get")));
    }
    if made > 0 {
        let made =
            many(made, "virtual machine without a DR shell is", "virtual machines without a DR shell are");
        all.push(format!("{made} made under the old name, with the same network addresses."));
    }
    all.push("They are connected, powered on tier by tier, and each is checked.".to_owned());
    all.push(
        "The failover stays uncommitted until it is rolled back: then both sides are as before. Committing is not in this \
         version."
            .to_owned(),
    );
    all
}

/// What is lost, in words.
fn loss(cx: &Cx, mode: FailoverMode, checkpoint: &Checkpoint) -> (Status, String) {
    match mode {
        FailoverMode::Planned => (
            Status::new(Mark::Met, "nothing"),
            "The last run is made after the guests have stopped.".to_owned(),
        ),
        FailoverMode::Disaster => {
            let at = checkpoint.taken_at.to_zoned(cx.zone.clone()).strftime("%Y-%m-%d %H:%M:%S");
            let age = between(checkpoint.taken_at, cx.now);
            let words = format!("Everything that was written since {at}, when the checkpoint was taken.");
            (Status::new(Mark::Risk, format!("the last {age}")), words)
        }
    }
}

fn fields_of(
    form: &HashMap<String, String>,
    group: &str,
    mode: FailoverMode,
    errors: &[FieldError],
) -> Vec<Field> {
    let error = |name: &str| error_of(errors, name);
    let mut fields = Vec::new();
    if mode == FailoverMode::Planned {
        let seconds = typed(form, "shutdown_seconds");
        let power_off = typed(form, "asked").is_empty() || typed(form, "then_power_off") == "on";
        fields.push(
            Field::number("shutdown_seconds", "Time for each guest to shut down")
                .value(if seconds.is_empty() { "300" } else { seconds })
                .unit("seconds")
                .error(error("shutdown_seconds")),
        );
        fields.push(
            Field::check("then_power_off", "Power off a guest that has not shut down by then")
                .value(if power_off { "on" } else { "" })
                .hint("Otherwise the failover is given up, and what was shut down is started again.")
                .error(error("then_power_off")),
        );
    }
    let why = Field::line("reason", "Why").value(typed(form, "reason")).error(error("reason"));
    let why = why.hint("It stands in the report and in the audit log.");
    fields.push(if mode == FailoverMode::Planned { why.optional() } else { why });
    fields.push(
        Field::line("confirm", format!("Type {group} to confirm"))
            .value(typed(form, "confirm"))
            .error(error("confirm")),
    );
    fields
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: GroupId,
    form: &HashMap<String, String>,
    errors: &[FieldError],
) -> Answer {
    let view = site.app.recovery_state(id).await?;
    let (group, request) = (&view.group, request_of(form));
    let mode = request.mode;
    let (mut obstacles, mut cautions) = (Vec::new(), Vec::new());
    let there = site.app.failover_there(id, mode).await?;
    if let Some(offer) = offer_of(&view, mode).filter(|_| there.is_none()) {
        obstacles.extend(offer.why_not.clone());
        cautions.extend(offer.cautions.iter().map(|one| (*one).to_owned()));
    }
    let above = errors.iter().filter(|one| !BESIDE.contains(&one.field)).map(|one| sentence(&one.message));
    obstacles.extend(above.filter(|_| there.is_none()));
    let names =
        (site.app.target(group.source.target).await?.name, site.app.target(group.dr.target).await?.name);
    let mut checkpoint_error = error_of(errors, "checkpoint");
    let found = match site.app.failover_plan(id, &request, RecoveryRunId::new()).await {
        Ok(preview) => Some(preview),
        Err(AppError::Invalid { fields }) => {
            checkpoint_error = checkpoint_error.or_else(|| error_of(&fields, "checkpoint"));
            obstacles.extend(fields.into_iter().map(|one| sentence(&one.message)));
            None
        }
        Err(AppError::Conflict(why)) => {
            obstacles.push(sentence(&why));
            None
        }
        Err(error) => return Err(error.into()),
    };
    let mut screen = NewFailover {
        page: cx.page(title(mode, &group.name), Area::Protection),
        action: format!("{}/failover", address(id)),
        mode: mode.as_str(),
        lead: match mode {
            FailoverMode::Planned => {
                "The group's virtual machines move to the other site, and nothing is lost: both sites work."
            }
            FailoverMode::Disaster => {
                "The group's virtual machines are brought up at the other site, from a checkpoint, without the source."
            }
        },
        there: there.as_ref().map(|run| run_address(run.id())),
        obstacles,
        cautions,
        warnings: Vec::new(),
        loss: None,
        steps: Vec::new(),
        checkpoints: Vec::new(),
        checkpoint_error,
        networks: Vec::new(),
        hidden: Vec::new(),
        vms: Vec::new(),
        left_out: Vec::new(),
        fields: fields_of(form, &group.name, mode, errors),
        button: match mode {
            FailoverMode::Planned => format!("Fail over {}", group.name),
            FailoverMode::Disaster => format!("Fail over {} without its source", group.name),
        },
        other: None,
        back: address(id),
    };
    screen.page.crumbs = vec![Link { label: group.name.clone(), address: address(id) }];
    screen.other = Some(match mode {
        FailoverMode::Planned => Link {
            label: "The source is lost? To the disaster failover".to_owned(),
            address: format!("{}/failover?mode=disaster", address(id)),
        },
        FailoverMode::Disaster => Link {
            label: "The source works? To the planned failover, which loses nothing".to_owned(),
            address: format!("{}/failover?mode=planned", address(id)),
        },
    });
    if let Some(there) = &there {
        screen.other = Some(Link {
            label: "To its rollback".to_owned(),
            address: rollback_address(there.plan.group_id),
        });
    }
    if mode == FailoverMode::Disaster {
        let known = site.app.tested_checkpoints(id).await?;
        let chosen = found.as_ref().map(|preview| preview.checkpoint.guid);
        for (place, one) in site.app.checkpoints(id, false).await?.iter().take(OFFERED).enumerate() {
            screen.checkpoints.push(CheckpointChoice {
                // Of the first the newest is meant, also when a newer one has come in meanwhile.
                value: if place == 0 { "newest".to_owned() } else { one.snapshot.to_string() },
                chosen: chosen == Some(one.guid),
                taken: cx.ago(one.taken_at),
                exact: when::exact(one.taken_at, &cx.zone),
                quality: quality(one.kind),
                tested: known.get(&one.guid).map(tested),
                snapshot: one.snapshot.to_string(),
            });
        }
    }
    let named = site.app.recovery_networks(group, request.checkpoint.as_deref()).await?;
    (screen.networks, screen.hidden) =
        network_fields(&named, &request.wish.networks, "As the recovery plan and the DR shells have it");
    if let Some(preview) = found {
        screen.loss = Some(loss(cx, mode, &preview.checkpoint));
        screen.steps = steps(&request, &preview, (&names.0, &names.1));
        let planned = preview.planned;
        // What the plan says itself was said by the errors of a form that was sent.
        for one in planned.obstacles {
            screen.obstacles.push(sentence(&one.message));
        }
        screen.warnings.extend(planned.warnings.into_iter().map(|one| one.message));
        screen.vms.extend(planned.vms.into_iter().map(machine));
        screen.left_out.extend(planned.left_out.into_iter().map(|one| (one.name, one.why)));
    }
    let mut said = std::collections::HashSet::new();
    screen.obstacles.retain(|one| said.insert(one.clone()));
    cx.draw_with(status, &screen)
}

fn title(mode: FailoverMode, group: &str) -> String {
    match mode {
        FailoverMode::Planned => format!("Planned failover of {group}"),
        FailoverMode::Disaster => format!("Disaster failover of {group}"),
    }
}
