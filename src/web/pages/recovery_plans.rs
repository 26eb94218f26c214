//! `/protection-groups/{id}/recovery-plan`: how far the recovery of a group is, what may be done next, and its plan. The forms
//! of one machine and of the networks are in `recovery_plan_forms.rs`.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::group_page::{Tab, head};
use super::protection_groups::address;
use super::recovery_plan_forms::{mapped_word, networks_of, proof_choices, read_check};
use super::recovery_verbs;
use crate::app::AppError;
use crate::app::recovery_plans::{
    CheckFinding, GuestAddress, Mend, PlanView, PlanVm, Purpose, RecoveryPlan, Severity, Shift, mend_address,
};
use crate::domain::ids::GroupId;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::recovery_plans::{FindingRow, PlanVmRow, RecoveryCheck, RecoveryPlanPage, TierRow};
use crate::web::view::form::{Control, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::{Html, html};
use crate::web::{Answer, Site, Trouble};

pub(super) fn plan_address(id: GroupId) -> String {
    format!("{}/recovery-plan", address(id))
}

pub(crate) async fn page(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let view = site.app.recovery_plan(id).await?;
    let plan = view.plan.clone();
    draw(&site, &cx, StatusCode::OK, &view, &plan, Vec::new()).await
}

/// The page with `plan` in the form: as it is kept, or as it was typed.
async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    view: &PlanView,
    plan: &RecoveryPlan,
    errors: Vec<String>,
) -> Answer {
    let id = view.group.id;
    let state = site.app.group_state(id).await?;
    let recovery = site.app.recovery_of(&state).await?;
    let own = plan_address(id);
    let network = |(key, name): (String, String)| {
        let word = |purpose| mapped_word(plan, purpose, &key);
        (name, word(Purpose::Test), word(Purpose::Real))
    };
    let tiers = plan.tiers.len();
    let tier = |index: usize| {
        let tier = plan.tiers.get(index)?;
        let count = tier.vms.len();
        let row = |(place, vm): (usize, &PlanVm)| machine(view, plan, vm, (index, tiers), (place, count));
        Some(TierRow {
            number: index + 1,
            index,
            name: tier.name.clone(),
            after: (tier.delay_after_seconds > 0)
                .then(|| format!("{} s pass before the next tier.", tier.delay_after_seconds)),
            fields: vec![
                Field::line(format!("tier-{index}-name"), "Name").value(&tier.name),
                Field::number(format!("tier-{index}-delay"), "Pause after it")
                    .value(tier.delay_after_seconds.to_string())
                    .unit("s"),
            ],
            vms: tier.vms.iter().enumerate().map(row).collect(),
            can_go: tiers > 1,
        })
    };
    cx.draw_with(
        status,
        &RecoveryPlanPage {
            page: cx.page(&view.group.name, Area::Protection),
            head: head(cx, &state, Tab::Recovery),
            phase: recovery_verbs::phase(&recovery),
            standing: recovery_verbs::standing(cx, &recovery),
            verbs: recovery_verbs::rows(&recovery),
            errors,
            findings: findings(id, &view.findings),
            ask: format!("{own}/check"),
            action: own.clone(),
            version: view.version,
            changed: view.changed.as_ref().map(|(who, at)| (who.clone(), cx.ago(*at))),
            tiers: (0..tiers).filter_map(tier).collect(),
            fields: fields(plan),
            facts: facts(plan),
            networks: networks_of(view).into_iter().map(network).collect(),
            map: format!("{own}/networks"),
        },
    )
}

fn fields(plan: &RecoveryPlan) -> Vec<Field> {
    let mut all = proof_choices(Some(plan.defaults), false);
    all.push(Field::new("notes", "Notes", Control::Block).value(&plan.notes).optional());
    all
}

fn facts(plan: &RecoveryPlan) -> Vec<(String, Html)> {
    let fact = |name: &str, text: &str| (name.to_owned(), html::text(text));
    let notes = if plan.notes.trim().is_empty() { "none" } else { &plan.notes };
    vec![fact("Boot check", &sentence(&plan.defaults.to_string())), fact("Notes", notes)]
}

fn machine(
    view: &PlanView,
    plan: &RecoveryPlan,
    vm: &PlanVm,
    (tier, tiers): (usize, usize),
    (place, count): (usize, usize),
) -> PlanVmRow {
    let mut facts = Vec::new();
    if vm.delay_before_seconds > 0 {
        facts.push(format!("{} s before it", vm.delay_before_seconds));
    }
    let changed = vm.nics.iter().filter(|nic| nic.address != GuestAddress::Keep).count();
    match changed {
        0 => {}
        1 => facts.push("another address".to_owned()),
        count => facts.push(format!("{count} other addresses")),
    }
    if vm.asks() {
        facts.push("a person is asked".to_owned());
    }
    if !vm.notes.trim().is_empty() {
        facts.push("has notes".to_owned());
    }
    let moves = [
        ("up", "Up", place > 0),
        ("down", "Down", place + 1 < count),
        ("earlier", "Earlier tier", tier > 0),
        ("later", "Later tier", tier + 1 < tiers),
    ];
    PlanVmRow {
        id: vm.vm.to_string(),
        name: view.vm(vm.vm).map_or_else(|| vm.vm.to_string(), |known| known.name.clone()),
        address: mend_address(view.group.id, Mend::Vm(vm.vm)),
        check: plan.check_of(vm).to_string(),
        facts,
        left_out: vm.left_out,
        moves: moves.into_iter().filter(|(.., may)| *may).map(|(sent, word, _)| (sent, word)).collect(),
    }
}

pub(super) fn findings(group: GroupId, all: &[CheckFinding]) -> Vec<FindingRow> {
    let row = |one: &CheckFinding| FindingRow {
        kind: if one.severity == Severity::Fails { "broken" } else { "risk" },
        icon: if one.severity == Severity::Fails { "bad" } else { "warn" },
        when: match one.purposes.as_slice() {
            [Purpose::Test] => Some("In tests"),
            [Purpose::Real] => Some("In real recoveries"),
            _ => None,
        },
        object: one.object.clone(),
        text: format!("{} {}", one.why, one.advice).trim_end().to_owned(),
        mend: one.mend.filter(|mend| *mend != Mend::Plan).map(|mend| Link {
            label: match mend {
                Mend::RunNow => "To the group",
                Mend::Shell(_) => "To its DR shell",
                Mend::Vm(_) => "Change it",
                Mend::Networks => "Map networks",
                Mend::Plan => "To the plan",
                Mend::Key => "Enter its key",
            }
            .to_owned(),
            address: mend_address(group, mend),
        }),
    };
    all.iter().map(row).collect()
}

pub(crate) async fn check(State(site): State<Site>, cx: Cx, Path(id): Path<GroupId>) -> Answer {
    let group = site.app.protection_group(id).await?;
    let found = site.app.recovery_findings(id, false).await?;
    let mut page = cx.page(format!("What would fail when {} is recovered", group.name), Area::Protection);
    page.crumbs = crumbs(&group.name, id);
    cx.draw(&RecoveryCheck { page, findings: findings(id, &found) })
}

pub(super) fn crumbs(name: &str, id: GroupId) -> Vec<Link> {
    vec![
        Link { label: name.to_owned(), address: address(id) },
        Link { label: "Recovery plan".to_owned(), address: plan_address(id) },
    ]
}

/// What was typed over the plan, and what its button does to it.
fn read(form: &HashMap<String, String>, plan: &mut RecoveryPlan) -> Result<(), Vec<String>> {
    let mut errors = Vec::new();
    for (index, tier) in plan.tiers.iter_mut().enumerate() {
        if let Some(name) = form.get(&format!("tier-{index}-name")) {
            tier.name = name.trim().to_owned();
        }
        match form.get(&format!("tier-{index}-delay")).map(|text| text.trim().parse()) {
            Some(Ok(seconds)) => tier.delay_after_seconds = seconds,
            Some(Err(_)) => {
                errors.push(format!("The pause after tier {} is a number of seconds.", index + 1))
            }
            None => {}
        }
    }
    if form.contains_key("proof") {
        match read_check(form) {
            Ok(Some(check)) => plan.defaults = check,
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
    }
    if let Some(notes) = form.get("notes") {
        plan.notes = notes.trim().to_owned();
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let (word, what) = typed(form, "go").split_once(':').unwrap_or((typed(form, "go"), ""));
    let shift = match word {
        "up" => Some(Shift::Up),
        "down" => Some(Shift::Down),
        "earlier" => Some(Shift::Earlier),
        "later" => Some(Shift::Later),
        _ => None,
    };
    // What cannot be done any more, because the page is an old one, does nothing: the version says so.
    match (word, shift, what.parse()) {
        (_, Some(shift), Ok(vm)) => _ = plan.shift(vm, shift),
        ("add", ..) => _ = plan.add_tier(),
        ("drop", ..) => _ = what.parse().is_ok_and(|index| plan.drop_tier(index)),
        _ => {}
    }
    Ok(())
}

pub(crate) async fn change(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<GroupId>,
    Form(form): Typed,
) -> Answer {
    let view = site.app.recovery_plan(id).await?;
    let mut plan = view.plan.clone();
    if let Err(errors) = read(&form, &mut plan) {
        return draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &view, &plan, errors).await;
    }
    match save(&site, &cx, id, &form, &plan).await? {
        Ok(()) => {
            let message = match typed(&form, "go") {
                "" | "save" => "The recovery plan is saved.",
                _ => "The order of start is changed.",
            };
            Ok(done(&site, &plan_address(id), message))
        }
        Err(errors) => {
            // What was typed stays, unless somebody else was faster: then it is shown as it is now.
            let is_own = typed(&form, "version") == view.version.to_string();
            let shown = if is_own { &plan } else { &view.plan };
            draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &view, shown, errors).await
        }
    }
}

/// Keeps a plan over the version that the form was made of. What is wrong is answered as sentences.
pub(super) async fn save(
    site: &Site,
    cx: &Cx,
    id: GroupId,
    form: &HashMap<String, String>,
    plan: &RecoveryPlan,
) -> Result<Result<(), Vec<String>>, Trouble> {
    let Ok(version) = typed(form, "version").parse() else {
        return Ok(Err(vec![
            "The page did not say which version of the plan it changes. Load it again.".to_owned(),
        ]));
    };
    match site.app.put_recovery_plan(cx.who()?, id, version, plan).await {
        Ok(_) => Ok(Ok(())),
        Err(AppError::Conflict(message)) => Ok(Err(vec![message])),
        Err(AppError::Invalid { fields }) => {
            // The place in the JSON is for programs; the sentence alone is for people.
            let told = |message: &str| {
                let bare = message.split_once(": ").map_or(message, |(_, rest)| rest);
                sentence(bare)
            };
            Ok(Err(fields.iter().map(|field| told(&field.message)).collect()))
        }
        Err(other) => Err(Trouble(other)),
    }
}
