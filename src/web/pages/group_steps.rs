//! What the wizard for a protection group draws: its steps, the DR side, the review, and the step on which something is
//! wrong.

use axum::http::StatusCode;

use super::group_wizard::draw_policy;
use crate::app::FieldError;
use crate::app::group_drafts::{GroupDraft, GroupReview};
use crate::app::group_obstacles::Obstacle;
use crate::app::group_sides::GroupSource;
use crate::domain::health::Health;
use crate::domain::ids::DraftId;
use crate::domain::size::format_bytes;
use crate::domain::target::Target;
use crate::web::cx::{Cx, error_of, sentence};
use crate::web::screens::group_wizard::{ChooseDr, GroupReviewPage, ObstacleRow};
use crate::web::screens::templates::FieldGroup;
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::wizard::{PlanStep, WizardStep};
use crate::web::view::{Html, html, size};
use crate::web::{Answer, Site};

/// Where a step of a draft is.
pub(super) fn address(id: DraftId, step: &str) -> String {
    format!("/protection-groups/drafts/{id}/{step}")
}

/// The steps above the question; those before the current one can be gone back to.
pub(super) fn steps(id: Option<DraftId>, current: usize) -> Vec<WizardStep> {
    let all = [("Source", ""), ("DR side", "dr"), ("Policy", "policy"), ("Review", "review")];
    let place = |step: &str| match id {
        Some(id) if step.is_empty() => format!("/protection-groups/new?draft={id}"),
        Some(id) => address(id, step),
        None => "/protection-groups/new".to_owned(),
    };
    all.iter()
        .enumerate()
        .map(|(at, (name, step))| WizardStep {
            name: (*name).to_owned(),
            address: (at < current).then(|| place(step)),
            current: at == current,
        })
        .collect()
}

fn fact(name: &str, text: &str) -> (String, Html) {
    (name.to_owned(), html::text(text))
}

fn machines(count: u64) -> String {
    format!("{} virtual machine{}", size::count(count), if count == 1 { "" } else { "s" })
}

/// What is behind a datastore, in one line.
pub(super) fn told(one: &GroupSource) -> String {
    let Ok(behind) = &one.behind else { return String::new() };
    let dataset = match &behind.dataset {
        Some(dataset) => format!("the dataset {dataset} on {}", behind.target_name),
        None => format!(
            "an export of {}, whose path does not tell the dataset: name it below",
            behind.target_name
        ),
    };
    let unreached = if one.datastore.accessible { "" } else { ". Its hosts cannot reach it now" };
    format!("{dataset}, {} on it{unreached}", machines(one.vms))
}

/// The step on which the first of these is corrected, with all of them beside their fields.
pub(super) async fn draw_wrong(site: &Site, cx: &Cx, draft: &GroupDraft, errors: &[FieldError]) -> Answer {
    const STATUS: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    const BEFORE: [&str; 7] = [
        "source_vcenter_id",
        "protection_datastore",
        "source_target_id",
        "source_dataset",
        "dr_vcenter_id",
        "dr_target_id",
        "dr_parent_dataset",
    ];
    if errors.iter().any(|error| BEFORE.contains(&error.field)) {
        return draw_dr(site, cx, STATUS, draft, errors).await;
    }
    draw_policy(site, cx, STATUS, draft, errors, false)
}

/// The second step.
pub(super) async fn draw_dr(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    draft: &GroupDraft,
    errors: &[FieldError],
) -> Answer {
    let wish = &draft.form.wish;
    let sources = site.app.group_sources().await?;
    let source = sources.iter().find(|one| {
        one.vcenter.to_string() == wish.source_vcenter_id
            && one.datastore.object.id() == wish.protection_datastore
    });
    let behind = source.and_then(|one| one.behind.as_ref().ok());
    let dataset = behind.and_then(|behind| behind.dataset.as_ref()).map(ToString::to_string);
    let dataset = dataset.unwrap_or_else(|| wish.source_dataset.clone());
    let mut facts = vec![
        fact("vCenter", source.map_or("", |one| &one.vcenter_name)),
        fact("Datastore", source.map_or(&wish.protection_datastore, |one| &one.datastore.name)),
        fact("Appliance", behind.map_or("", |behind| &behind.target_name)),
        fact("Dataset", &dataset),
    ];
    facts.push(match draft.form.stored {
        Some(bytes) => fact("It has", &format_bytes(bytes)),
        None => fact("It has", "not known: the appliance did not say"),
    });
    let from = behind.map(|behind| behind.target);
    let vcenters = site.app.vcenters()?.list().await?;
    let own = |id: &str| id == wish.source_vcenter_id;
    let other = vcenters.iter().find(|one| !own(&one.id.to_string())).or(vcenters.first());
    let dr_vcenter = match wish.dr_vcenter_id.as_str() {
        "" => other.map(|one| one.id.to_string()).unwrap_or_default(),
        chosen => chosen.to_owned(),
    };
    let known = site.app.targets_with_health().await?;
    let targets: Vec<_> =
        known.iter().filter(|(target, _)| target.is_active && Some(target.id) != from).collect();
    let mut near =
        targets.iter().filter(|(target, _)| target.vcenter.is_some_and(|id| id.to_string() == dr_vcenter));
    let usual = match (near.next(), near.next()) {
        (Some((one, _)), None) => one.id.to_string(),
        _ if targets.len() == 1 => targets[0].0.id.to_string(),
        _ => String::new(),
    };
    let chosen = if wish.dr_target_id.is_empty() { usual } else { wish.dr_target_id.clone() };
    let mut places: Vec<Choice> = targets
        .iter()
        .map(|(target, health)| Choice::new(target.id.to_string(), place(target, health.as_ref())))
        .collect();
    if !places.iter().any(|one| one.value == chosen) {
        places.insert(0, Choice::new("", "choose one"));
    }
    let vms = source.map_or(0, |one| one.vms);
    let on = if draft.form.protect { "on" } else { "" };
    let mut groups = vec![
        FieldGroup {
            heading: "DR side",
            lead: "Where the virtual machines are recovered.",
            fields: vec![
                Field::select(
                    "dr_vcenter_id",
                    "DR vCenter",
                    vcenters.iter().map(|one| Choice::new(one.id.to_string(), &one.name)).collect(),
                )
                .value(dr_vcenter),
                Field::select("dr_target_id", "Appliance", places)
                    .value(chosen)
                    .hint("Has the replica. Another one than that of the source: a replica beside it would be lost with it."),
                Field::line("dr_parent_dataset", "Replica below the dataset")
                    .value(&wish.dr_parent_dataset)
                    .optional()
                    .hint("Empty: zerfaux/replica in the appliance's pool. The replica is named after the group's id."),
            ],
        },
        FieldGroup {
            heading: "Virtual machines",
            lead: "What is protected.",
            fields: vec![
                Field::check("protect", format!("Protect those that live on it now: {}", machines(vms)))
                    .value(on)
                    .hint("Others are added on the group's page, where they are also moved to the datastore."),
            ],
        },
    ];
    for field in groups.iter_mut().flat_map(|group| &mut group.fields) {
        field.error = error_of(errors, &field.name);
    }
    let source_error = errors.iter().find(|error| {
        ["source_vcenter_id", "protection_datastore", "source_target_id", "source_dataset"]
            .contains(&error.field)
    });
    let none = targets.is_empty().then(|| {
        (
            "There is no other appliance that is switched on. The replica needs one.".to_owned(),
            "/appliances/new",
        )
    });
    let first = source_error.map(|error| (sentence(&error.message), "/appliances")).or(none);
    let screen = ChooseDr {
        page: cx.page("New protection group", Area::Protection),
        steps: steps(Some(draft.id), 1),
        source: facts,
        action: address(draft.id, "dr"),
        groups,
        first,
    };
    cx.draw_with(status, &screen)
}

/// An appliance as a choice: its pool, and how much is free.
fn place(target: &Target, health: Option<&Health>) -> String {
    let pools = health.map(|health| health.facts.pools.as_slice()).unwrap_or_default();
    let pool = pools.iter().find(|pool| pool.name == target.zfs_pool.as_str());
    match pool {
        Some(pool) => format!(
            "{}: pool {}, {} free",
            target.name,
            target.zfs_pool,
            format_bytes(pool.size.saturating_sub(pool.allocated))
        ),
        None => format!("{}: pool {}", target.name, target.zfs_pool),
    }
}

/// An obstacle as it is shown.
pub(super) fn obstacle(one: Obstacle) -> ObstacleRow {
    ObstacleRow { object: one.object, why: sentence(&one.why), advice: sentence(&one.advice) }
}

/// The last step.
pub(super) async fn draw_review(site: &Site, cx: &Cx, draft: &GroupDraft, review: GroupReview) -> Answer {
    let group = &review.group;
    let (source, dr) = (site.app.target(group.source.target).await?, site.app.target(group.dr.target).await?);
    let vcenters = site.app.vcenters()?.list().await?;
    let vcenter = |id| vcenters.iter().find(|one| one.id == id).map_or("", |one| one.name.as_str());
    let step =
        |what: &str, on: String, takes: &str| PlanStep { what: what.to_owned(), on, takes: takes.to_owned() };
    let first = review.meaning.iter().find(|(name, _)| *name == "First transfer");
    let first =
        first.map(|(_, text)| text.trim_start_matches("Takes ").trim_end_matches('.')).unwrap_or_default();
    let (takes, why) = first.split_once(" for ").or_else(|| first.split_once(": ")).unwrap_or((first, ""));
    let mut plan = vec![step("Create the group", group.name.clone(), "at once")];
    if !review.vms.is_empty() {
        plan.push(step("Assign its virtual machines", review.vms.join(", "), "at once"));
    }
    plan.push(step(
        "Take a snapshot, with a hold on it",
        format!("{} on {}", group.source.dataset, source.name),
        "",
    ));
    plan.push(step(
        "Make the replica and send everything",
        format!("{} on {}: {why}", group.dr.dataset, dr.name),
        takes,
    ));
    plan.push(step(
        "From then on, send what has changed",
        sentence(&format!("runs {}", group.policy.rhythm.describe())),
        "",
    ));
    let policy = &group.policy;
    let limit = policy.bandwidth_limit.map_or_else(|| "none".to_owned(), |rate| rate.to_string());
    let windows = policy.timetable.as_ref().map_or(0, |one| one.windows.len());
    let facts = vec![
        fact(
            "Source",
            &format!("{} on {}, {}", group.source.dataset, source.name, vcenter(group.source.vcenter)),
        ),
        fact("Replica", &format!("{} on {}, {}", group.dr.dataset, dr.name, vcenter(group.dr.vcenter))),
        fact("Runs", &policy.rhythm.describe()),
        fact("Kept at the source", &policy.keep_source.describe()),
        fact("Kept at the DR side", &policy.keep_dr.describe()),
        fact("Bandwidth limit", &limit),
        fact(
            "Weekly timetable",
            &if windows == 0 {
                "none".to_owned()
            } else {
                format!("{windows} window{}", if windows == 1 { "" } else { "s" })
            },
        ),
        fact("Guests", &super::group_page::quiesced(policy)),
        fact("Priority", &policy.priority.to_string()),
    ];
    let untouched = vec![
        "The virtual machines run on, where they are: none is moved, none is changed.".to_owned(),
        format!(
            "What is on {}: it is read, and Zerfaux adds and removes only snapshots of its own.",
            group.source.dataset
        ),
        "Snapshots of others, on either side, and every other dataset.".to_owned(),
    ];
    let screen = GroupReviewPage {
        page: cx.page(format!("Create group {}", group.name), Area::Protection),
        steps: steps(Some(draft.id), 3),
        plan,
        facts,
        meaning: review.meaning.iter().map(|(name, text)| fact(name, text)).collect(),
        untouched,
        action: address(draft.id, "create"),
        back: address(draft.id, "policy"),
        name: group.name.clone(),
        obstacles: review.obstacles.into_iter().map(obstacle).collect(),
    };
    cx.draw(&screen)
}
