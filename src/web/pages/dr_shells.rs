//! `/protected-vms/{id}/dr-shell`: the wizard that makes a DR shell. What was chosen stands in the address, so going back,
//! forward, reloading and a second tab lose nothing.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::dr_shell_form::{Chosen, FROM, disks, groups, hardware, sources};
use super::protected_vms::{address, crumbs};
use crate::app::AppError;
use crate::app::dr_shells::Finding;
use crate::domain::ids::ProtectedVmId;
use crate::web::cx::{Cx, Typed, done};
use crate::web::screens::dr_shells::{PlanShell, ReviewShell};
use crate::web::view::html;
use crate::web::view::navigation::Area;
use crate::web::view::wizard::{PlanStep, WizardStep};
use crate::web::{Answer, Site};

/// Fields beside which an obstacle stands.
const FIELDS: [&str; 6] = ["name", "host", "folder", "resource_pool", "home_datastore", "networks"];

fn steps(plan: String, current: usize) -> Vec<WizardStep> {
    let all = [("Plan", Some(plan)), ("Review", None), ("Make", None)];
    all.into_iter()
        .enumerate()
        .map(|(place, (name, address))| WizardStep {
            name: name.to_owned(),
            address: address.filter(|_| place < current),
            current: place == current,
        })
        .collect()
}

pub(crate) async fn plan(State(site): State<Site>, cx: Cx, Path(id): Path<ProtectedVmId>) -> Answer {
    let (group, view) = site.app.protected_vm(id).await?;
    if let Some(job) = site.app.shell_job_under_way(&view.vm.instance_uuid).await? {
        return Ok(done(&site, &format!("/jobs/{}", job.id), "A job works on its DR shell; here it is."));
    }
    if view.shell.is_some() {
        return Ok(done(&site, &address(id), "It has a DR shell already."));
    }
    let choices = site.app.dr_shell_choices(&group).await?;
    let chosen = Chosen::read(&cx.query, &choices);
    let found = site.app.dr_shell_plan(id, &chosen.wish).await?;
    let own = format!("{}/dr-shell", address(id));
    let mut page = cx.page(format!("DR shell of {}", view.vm.name), Area::Protection);
    page.crumbs = crumbs(&group, Some(&view.vm));
    let elsewhere = found.plan.obstacles.iter().filter(|one| !FIELDS.contains(&one.field));
    let mend = |one: &Finding| {
        (one.field == "disks" && one.message.contains("not replicated"))
            .then(|| format!("{}/move", address(id)))
    };
    cx.draw(&PlanShell {
        page,
        steps: steps(own.clone(), 0),
        name: view.vm.name.clone(),
        next: format!("{own}/review"),
        own,
        groups: groups(&chosen, &choices, &found),
        hidden: sources(&found)
            .into_iter()
            .enumerate()
            .map(|(number, from)| (format!("{FROM}{number}"), from))
            .collect(),
        obstacles: elsewhere.map(|one| (one.message.clone(), mend(one))).collect(),
        warnings: messages(&found.plan.warnings),
        differences: messages(&found.plan.differences),
        hardware: hardware(&found),
        disks: disks(&found),
        back: address(id),
    })
}

fn messages(all: &[Finding]) -> Vec<String> {
    all.iter().map(|one| one.message.clone()).collect()
}

pub(crate) async fn review(State(site): State<Site>, cx: Cx, Path(id): Path<ProtectedVmId>) -> Answer {
    let (group, view) = site.app.protected_vm(id).await?;
    if let Some(job) = site.app.shell_job_under_way(&view.vm.instance_uuid).await? {
        return Ok(done(&site, &format!("/jobs/{}", job.id), "A job works on its DR shell; here it is."));
    }
    let choices = site.app.dr_shell_choices(&group).await?;
    let chosen = Chosen::read(&cx.query, &choices);
    draw_review(&site, &cx, StatusCode::OK, id, &chosen, Vec::new()).await
}

async fn draw_review(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: ProtectedVmId,
    chosen: &Chosen,
    more: Vec<String>,
) -> Answer {
    let found = site.app.dr_shell_plan(id, &chosen.wish).await?;
    let plan = &found.plan;
    let own = format!("{}/dr-shell", address(id));
    let name = chosen.wish.name.clone().unwrap_or_else(|| found.source.name.clone());
    let hosts: Vec<&str> = plan.hosts.iter().map(|host| host.name.as_str()).collect();
    let step = |what: &str, on: String| PlanStep { what: what.to_owned(), on, takes: String::new() };
    let mut all = vec![
        step("Clone the newest checkpoint, export it, mount it as a datastore", hosts.join(", ")),
        step("Make the virtual machine, off, without disks", name.clone()),
        step(
            "Attach each disk from the clone, and read it back",
            match found.source.hardware.disks.len() {
                1 => "1 disk".to_owned(),
                count => format!("{count} disks"),
            },
        ),
    ];
    all.push(match chosen.keep_view {
        true => step("Leave the disks attached and the clone mounted", String::new()),
        false => {
            step("Detach the disks, their files kept; unmount, unexport and destroy the clone", String::new())
        }
    });
    let names = site.app.place_names(found.group.dr.vcenter).await?;
    let told = |value: &Option<String>, otherwise: &str| {
        value.as_ref().map_or(otherwise.to_owned(), |id| names.get(id).unwrap_or(id).clone())
    };
    let fact = |name: &str, text: String| (name.to_owned(), html::text(&text));
    let wish = &chosen.wish;
    let mut facts = vec![
        fact("Name", name.clone()),
        fact("Cluster or host", told(&wish.host, "the only one there is")),
        fact("Resource pool", told(&wish.resource_pool, "that of the cluster or host")),
        fact("Folder", told(&wish.folder, "the datacenter's own")),
        fact("Home", told(&wish.home_datastore, "–")),
    ];
    for card in &plan.cards {
        let to = card.network.clone().unwrap_or_else(|| "not chosen".to_owned());
        let mac = card.mac.clone().unwrap_or_else(|| "a new address".to_owned());
        facts.push(fact(&card.label, format!("{} → {to}, {mac}", card.source_network)));
    }
    facts.push(fact("Clone", if chosen.keep_view { "kept" } else { "taken away again" }.to_owned()));
    facts.extend(hardware(&found));
    let mut page = cx.page(format!("Make {name}"), Area::Protection);
    page.crumbs = crumbs(&found.group, Some(&found.vm));
    let screen = ReviewShell {
        page,
        steps: steps(chosen.address(&own), 1),
        obstacles: messages(&plan.obstacles).into_iter().chain(more).collect(),
        warnings: messages(&plan.warnings),
        differences: messages(&plan.differences),
        plan: all,
        facts,
        untouched: vec![
            format!("{} at the source, which runs on.", found.vm.name),
            format!("The replica {} and its checkpoints: only a clone is mounted.", found.group.dr.dataset),
            "Other virtual machines and datastores of the DR site.".to_owned(),
        ],
        action: own.clone(),
        hidden: chosen.pairs(),
        back: chosen.address(&own),
        name,
    };
    cx.draw_with(status, &screen)
}

pub(crate) async fn create(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<ProtectedVmId>,
    Form(form): Typed,
) -> Answer {
    let (group, _) = site.app.protected_vm(id).await?;
    let choices = site.app.dr_shell_choices(&group).await?;
    let chosen = Chosen::read(&form, &choices);
    match site.app.create_dr_shell(cx.who()?, id, &chosen.wish, chosen.keep_view).await {
        Ok(job) => Ok(done(&site, &format!("/jobs/{job}"), "The DR shell is being made.")),
        // Something has changed since the review: it is shown again, as it stands now.
        Err(AppError::Invalid { fields }) => {
            let plan = site.app.dr_shell_plan(id, &chosen.wish).await?.plan;
            let known = |message: &String| plan.obstacles.iter().any(|one| one.message == *message);
            let more = fields.into_iter().map(|field| field.message).filter(|text| !known(text)).collect();
            draw_review(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, &chosen, more).await
        }
        Err(error) => Err(error.into()),
    }
}
