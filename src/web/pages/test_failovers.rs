//! `/protection-groups/{id}/test`: asking for a test.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::protection_groups::address;
use super::recovery_networks::{chosen, fields};
use super::recovery_runs::address as run_address;
use crate::app::protection_groups::CheckpointKind;
use crate::app::test_failovers::{TestRequest, TestWish};
use crate::app::{AppError, FieldError};
use crate::domain::ids::{GroupId, RecoveryRunId};
use crate::web::cx::{Cx, Typed, beside, done, error_of, sentence, typed};
use crate::web::screens::recovery_runs::NewTest;
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::{Answer, Site};

/// Checkpoints to choose from.
const OFFERED: usize = 100;

/// What was typed.
fn request_of(form: &HashMap<String, String>) -> TestRequest {
    let minutes = typed(form, "scheduled_cleanup_minutes").trim();
    TestRequest {
        checkpoint: Some(typed(form, "checkpoint").to_owned()).filter(|text| !text.is_empty()),
        wish: TestWish { networks: chosen(form), only: Vec::new() },
        // What is no number is outside every limit.
        cleanup_minutes: (!minutes.is_empty()).then(|| minutes.parse().unwrap_or(0)),
        reason: Some(typed(form, "reason").to_owned()),
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
    match site.app.start_test_failover(cx.who()?, id, &request_of(&form)).await {
        Ok((run, _)) => Ok(done(&site, &run_address(run), "The test is being started.")),
        Err(error) => {
            let wrong = beside(error, "checkpoint")?;
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, &form, &wrong).await
        }
    }
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: GroupId,
    form: &HashMap<String, String>,
    errors: &[FieldError],
) -> Answer {
    let group = site.app.protection_group(id).await?;
    let request = request_of(form);
    let error = |name: &str| error_of(errors, name);
    let (mut obstacles, mut warnings, mut vms, mut left_out) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    match site.app.test_failover_plan(id, &request, RecoveryRunId::new()).await {
        Ok(preview) => {
            let planned = preview.planned;
            obstacles.extend(planned.obstacles.into_iter().map(|one| sentence(&one.message)));
            warnings.extend(planned.warnings.into_iter().map(|one| one.message));
            let row = |vm: crate::domain::recovery_run::RunVmPlan| {
                [vm.tier.to_string(), vm.name, vm.spec.name, vm.check.to_string()]
            };
            vms.extend(planned.vms.into_iter().map(row));
            left_out.extend(planned.left_out.into_iter().map(|one| (one.name, one.why)));
        }
        Err(AppError::Invalid { fields }) => {
            obstacles.extend(fields.into_iter().map(|one| sentence(&one.message)));
        }
        Err(AppError::Conflict(why)) => obstacles.push(sentence(&why)),
        Err(error) => return Err(error.into()),
    }
    let mut checkpoints = vec![
        Choice::new("newest", "The newest one"),
        Choice::new("newest_quiesced", "The newest one whose guests all were at rest"),
    ];
    for one in site.app.checkpoints(id, false).await?.iter().take(OFFERED) {
        let at = one.taken_at.to_zoned(cx.zone.clone()).strftime("%Y-%m-%d %H:%M:%S");
        let rest = if one.kind == CheckpointKind::Quiesced { ", at rest" } else { "" };
        checkpoints.push(Choice::new(one.snapshot.to_string(), format!("{at}{rest} ({})", one.snapshot)));
    }
    let named = site.app.recovery_networks(&group, request.checkpoint.as_deref()).await?;
    let (networks, hidden) = fields(&named, &request.wish.networks, "As the recovery plan has it");
    let there = site.app.run_there(id, false).await?;
    let checkpoint = request.checkpoint.as_deref().unwrap_or("newest").to_owned();
    let mut page = cx.page(format!("Test {}", group.name), Area::Protection);
    page.crumbs = vec![Link { label: group.name.clone(), address: address(id) }];
    let screen = NewTest {
        page,
        action: format!("{}/test", address(id)),
        there: there.map(|run| run_address(run.id())),
        obstacles,
        warnings,
        fields: vec![
            Field::select("checkpoint", "Checkpoint", checkpoints)
                .value(checkpoint)
                .error(error("checkpoint")),
            Field::number("scheduled_cleanup_minutes", "Clean up by itself after")
                .value(typed(form, "scheduled_cleanup_minutes"))
                .unit("minutes")
                .optional()
                .hint("Empty: only when somebody asks for it.")
                .error(error("scheduled_cleanup_minutes")),
            Field::line("reason", "Why")
                .value(typed(form, "reason"))
                .optional()
                .hint("It stands in the report.")
                .error(error("reason")),
        ],
        networks,
        hidden,
        vms,
        left_out,
        back: address(id),
    };
    cx.draw_with(status, &screen)
}
