//! Deleting a group with its replica: what is there, what would go, and two names to be typed.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::group_edit::crumbs;
use super::protection_groups::address;
use crate::app::protection_groups::ProtectionGroup;
use crate::app::replicas::{DeletionWish, Standing};
use crate::app::{AppError, FieldError};
use crate::domain::ids::GroupId;
use crate::web::cx::{Cx, Typed, done, error_of, sentence, typed};
use crate::web::screens::replicas::DeleteReplica;
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::view::size;
use crate::web::{Answer, Site};

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let group = site.app.protection_group(id).await?;
    draw(&site, &cx, StatusCode::OK, &group, &HashMap::new(), &[], None).await
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    group: &ProtectionGroup,
    form: &HashMap<String, String>,
    errors: &[FieldError],
    mut trouble: Option<String>,
) -> Answer {
    let mut page = cx.page("Delete a group with its replica", Area::Protection);
    page.crumbs = crumbs(group);
    let dr = site.app.target(group.dr.target).await?;
    let source = site.app.target(group.source.target).await?;
    let (mut obstacles, mut destroyed, mut may) = (Vec::new(), Vec::new(), true);
    match site.app.replica_standing(group).await {
        Ok(Standing::Gone) => {
            destroyed.push(format!("{} is not on {} any more.", group.dr.dataset, dr.name));
        }
        Ok(Standing::May(removal)) => {
            let count = removal.snapshots.len();
            let many = if count == 1 { "" } else { "s" };
            destroyed.push(format!(
                "The replica {} on {}, with {count} checkpoint{many}: {} in all. Nothing can be recovered from it afterwards.",
                removal.dataset,
                dr.name,
                size::bytes(removal.bytes)
            ));
            if let [first, .., last] = &removal.snapshots[..] {
                destroyed.push(format!(
                    "From {} of {:.0} to {} of {:.0}. The job's console names each.",
                    first.tag, first.created_at, last.tag, last.created_at
                ));
            }
            if removal.partial {
                destroyed.push("A transfer that was interrupted: what it brought so far.".to_owned());
            }
        }
        Ok(Standing::MayNot(found)) => {
            destroyed.push("Nothing, as long as this stands in the way.".to_owned());
            obstacles = found;
        }
        Err(failure) => {
            may = false;
            destroyed.push(format!("{} could not be looked at, so nothing is destroyed there.", dr.name));
            let advice = failure.advice.unwrap_or_default();
            trouble = trouble.or(Some(format!("{} {advice}", sentence(&failure.message))));
        }
    }
    destroyed.push(format!(
        "The group's hold and its bookmarks on {} at {}, and what Zerfaux knows of the group: its settings and history.",
        group.source.dataset, source.name
    ));
    let shown = |name: &'static str| typed(form, name).to_owned();
    let fields = match may {
        true => vec![
            Field::line("confirm", format!("Type {} to confirm", group.name))
                .value(shown("confirm"))
                .error(error_of(errors, "confirm")),
            Field::line("replica", format!("Type {} as well", group.dr.dataset))
                .value(shown("replica"))
                .hint("The replica's dataset on the DR appliance.")
                .error(error_of(errors, "replica")),
            Field::check("source_snapshots", "Destroy the group's own snapshots at the source, too")
                .value(shown("source_snapshots"))
                .hint("Otherwise they stay there, nobody tidies them up, and what they take stays taken."),
        ],
        false => Vec::new(),
    };
    let screen = DeleteReplica {
        page,
        question: format!("Delete {} and its replica?", group.name),
        obstacles,
        trouble,
        destroyed,
        stays: vec![
            format!("{} at {} and the virtual machines on it.", group.source.dataset, source.name),
            "Snapshots and holds of others, on both sides. If there is one on the replica, all of it stays."
                .to_owned(),
            format!("Every other dataset on {}.", dr.name),
        ],
        fields,
        action: format!("{}/delete-with-replica", address(group.id)),
        button: format!("Delete {} and destroy its replica", group.name),
        back: format!("{}/settings", address(group.id)),
    };
    cx.draw_with(status, &screen)
}

pub(crate) async fn delete(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let group = site.app.protection_group(id).await?;
    let wish = DeletionWish {
        confirm: typed(&form, "confirm").to_owned(),
        replica: typed(&form, "replica").to_owned(),
        source_snapshots: form.contains_key("source_snapshots"),
    };
    let (errors, why) = match site.app.delete_group_with_replica(cx.who()?, id, &wish).await {
        Ok(job) => {
            let message = format!("{} is switched off, and its replica is being destroyed.", group.name);
            return Ok(done(&site, &format!("/jobs/{job}"), &message));
        }
        Err(AppError::Invalid { fields }) => (fields, None),
        Err(AppError::Conflict(why)) => (Vec::new(), Some(sentence(&why))),
        Err(error) => return Err(error.into()),
    };
    draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &group, &form, &errors, why).await
}
