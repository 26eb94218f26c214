//! What the last preflight of a group found, on its page and among what needs somebody.

use axum::extract::{Path, State};

use super::protection_groups::address;
use crate::app::group_preflights::{KnownObstacle, Preflight};
use crate::app::group_states::GroupState;
use crate::domain::access::Role;
use crate::domain::ids::GroupId;
use crate::web::cx::{Cx, done, sentence};
use crate::web::screens::dashboard::Attention;
use crate::web::screens::group_wizard::ObstacleRow;
use crate::web::screens::protection_groups::GroupPreflight;
use crate::web::view::Status;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::{Answer, Site};

/// The section of a group's page.
pub(super) fn preflight(cx: &Cx, state: &GroupState) -> GroupPreflight {
    let own = address(state.group.id);
    let may = cx.may(Role::Operator);
    let last = state.preflight.as_ref();
    let row = |one: &KnownObstacle| {
        let row = ObstacleRow {
            object: one.object.clone(),
            why: sentence(&one.why),
            advice: sentence(&one.advice),
        };
        (row, one.is_new)
    };
    GroupPreflight {
        found: last.map(|last| (words(last), cx.ago(last.checked_at))),
        obstacles: last.iter().flat_map(|last| &last.obstacles).map(row).collect(),
        check: may.then(|| format!("{own}/preflight")),
        seen: last.filter(|last| may && last.new_ones() > 0).map(|_| format!("{own}/preflight/seen")),
    }
}

/// How many things would hurt, in words.
fn words(last: &Preflight) -> String {
    let count = match last.obstacles.len() {
        0 => return "nothing would hurt".to_owned(),
        1 => "1 thing would hurt".to_owned(),
        count => format!("{count} things would hurt"),
    };
    match last.new_ones() {
        0 => count,
        new if new == last.obstacles.len() => format!("{count}, new since it was looked at"),
        new => format!("{count}, {new} of them new"),
    }
}

/// What is new for a group and nobody has seen.
pub(super) fn attention(cx: &Cx, state: &GroupState) -> Option<Attention> {
    let last = state.preflight.as_ref()?;
    let first = last.obstacles.iter().find(|one| one.is_new)?;
    let more = match last.new_ones() {
        1 => String::new(),
        count => format!(" And {} more.", count - 1),
    };
    let own = address(state.group.id);
    let link = |label: &str, address: String| Link { label: label.to_owned(), address };
    Some(Attention {
        status: Status::new(Mark::Risk, "would hurt"),
        what: link(&state.group.name, own.clone()),
        why: format!("{}: {} {}{more}", first.object, sentence(&first.why), sentence(&first.advice)),
        mend: link("Look", format!("{own}#preflight")),
        seen: cx.may(Role::Operator).then(|| format!("{own}/preflight/seen")),
    })
}

pub(crate) async fn check(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let last = site.app.run_preflight(cx.who()?, id).await?;
    let message = sentence(&format!("it was looked over: {}", words(&last)));
    Ok(done(&site, &format!("{}#preflight", address(id)), &message))
}

pub(crate) async fn see(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    site.app.see_preflight(cx.who()?, id).await?;
    Ok(done(&site, &address(id), "It is noted as seen."))
}
