//! `/deployments`: the wizard for a new appliance, over a draft that every step saves. Configuring is in
//! `deployment_form.rs`.

use std::collections::HashMap;
use std::time::Duration;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::deployment_form;
use crate::app::AppError;
use crate::app::deployment_drafts::Draft;
use crate::app::deployments::{DeployPlan, DeployWish};
use crate::domain::ids::{DraftId, JobId, TemplateId};
use crate::web::cx::{Cx, Typed, done, typed};
use crate::web::screens::deployments::{ChooseTemplate, Review, TemplateChoice};
use crate::web::view::navigation::Area;
use crate::web::view::wizard::{PlanStep, WizardStep};
use crate::web::view::{Html, html, size};
use crate::web::{Answer, Site};

/// Where a step of a draft is.
pub(super) fn address(id: DraftId, step: &str) -> String {
    format!("/deployments/{id}/{step}")
}

/// The steps above the question; those before the current one can be gone back to.
pub(super) fn steps(id: Option<DraftId>, current: usize) -> Vec<WizardStep> {
    let first = id.map_or_else(|| "/deployments/new".to_owned(), |id| format!("/deployments/new?draft={id}"));
    let all = [("Template", first)].into_iter().chain(
        [("Configure", "configure"), ("Review", "review"), ("Deploy", "")]
            .map(|(name, step)| (name, id.map(|id| address(id, step)).unwrap_or_default())),
    );
    all.enumerate()
        .map(|(place, (name, address))| WizardStep {
            name: name.to_owned(),
            address: (place < current).then_some(address),
            current: place == current,
        })
        .collect()
}

pub(crate) async fn new(State(site): State<Site>, cx: Cx) -> Answer {
    draw_new(&site, &cx, StatusCode::OK).await
}

async fn draw_new(site: &Site, cx: &Cx, status: StatusCode) -> Answer {
    // Back from the next step: the same draft is gone on with.
    let draft = match cx.asked("draft").parse::<DraftId>() {
        Ok(id) => site.app.deployment_draft(cx.who()?, id).await.ok().filter(|draft| draft.job.is_none()),
        Err(_) => None,
    };
    let chosen = draft.as_ref().map(|draft| draft.template.template.id.to_string());
    let chosen = chosen.unwrap_or_else(|| cx.asked("template").to_owned());
    let vcenters = site.app.vcenters()?.list().await?;
    let views = site.app.templates().await?;
    let usable: Vec<_> = views.iter().filter(|view| view.template.is_active && view.is_there).collect();
    let choices = usable
        .iter()
        .map(|view| {
            let defaults = &view.template.defaults;
            let vcenter = vcenters.iter().find(|one| one.id == view.template.vcenter);
            let vcenter = vcenter.map(|one| one.name.as_str()).unwrap_or_default();
            TemplateChoice {
                id: view.template.id.to_string(),
                name: view.template.name.clone(),
                told: format!(
                    "{} in {vcenter}: {} virtual CPUs, {} GiB of memory, pool {} of {} GiB",
                    view.template.vm_name,
                    defaults.cpus,
                    defaults.memory_gib,
                    defaults.pool,
                    defaults.disk_gib
                ),
                chosen: usable.len() == 1 || chosen == view.template.id.to_string(),
            }
        })
        .collect();
    let page = cx.page("Deploy a ZFS appliance", Area::Appliances);
    cx.draw_with(
        status,
        &ChooseTemplate {
            page,
            steps: steps(None, 0),
            choices,
            draft: draft.map(|draft| draft.id.to_string()),
        },
    )
}

pub(crate) async fn begin(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let Ok(template) = typed(&form, "template").parse::<TemplateId>() else {
        return draw_new(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let id = match typed(&form, "draft").parse::<DraftId>() {
        Ok(draft) => site.app.choose_template(cx.who()?, draft, template).await?,
        Err(_) => site.app.begin_deployment(cx.who()?, template).await?,
    };
    Ok(Redirect::to(&address(id, "configure")).into_response())
}

pub(crate) async fn review(State(site): State<Site>, cx: Cx, Path(id): Path<DraftId>) -> Answer {
    let draft = site.app.deployment_draft(cx.who()?, id).await?;
    if let Some(job) = draft.job {
        return Ok(under_way(&site, job));
    }
    match site.app.plan_draft(&draft).await {
        Ok(plan) => draw_review(&site, &cx, StatusCode::OK, &draft, plan).await,
        // What cannot be read is corrected where it was filled in.
        Err(AppError::Invalid { fields }) => {
            deployment_form::draw(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &draft, &fields).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn draw_review(site: &Site, cx: &Cx, status: StatusCode, draft: &Draft, plan: DeployPlan) -> Answer {
    let names = site.app.place_names(draft.template.template.vcenter).await?;
    let wish = &draft.wish;
    let seconds: u64 = plan.estimate.iter().map(|one| one.seconds).sum();
    let seen = plan.estimate.iter().any(|one| one.runs > 0);
    let takes =
        format!("about {}{}", span(seconds), if seen { ", as earlier ones took" } else { ", as a rule" });
    let steps_of_plan = plan
        .estimate
        .iter()
        .map(|one| PlanStep {
            what: told(one.phase).to_owned(),
            on: on(one.phase, wish),
            takes: span(one.seconds),
        })
        .collect();
    let name = plan.deployment.as_ref().map_or_else(|| wish.vm_name.clone(), |one| one.vm_name.clone());
    let untouched = vec![
        format!("The template {} and other virtual machines.", draft.template.template.vm_name),
        "Any disk that this deployment did not attach, and one on which something is.".to_owned(),
        "Other appliances, their pools, and the datastores of the hosts.".to_owned(),
    ];
    let hosts = plan.deployment.as_ref().map(|one| &one.datastore_hosts);
    let hosts = hosts.map(|all| all.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(", "));
    let facts = facts(draft, &names, hosts);
    let mut page = cx.page(format!("Deploy {name}"), Area::Appliances);
    page.crumbs = Vec::new();
    let screen = Review {
        page,
        steps: steps(Some(draft.id), 2),
        obstacles: plan.obstacles.into_iter().map(|one| one.message).collect(),
        warnings: plan.warnings.into_iter().map(|one| one.message).collect(),
        plan: steps_of_plan,
        takes,
        facts,
        untouched,
        action: address(draft.id, "start"),
        back: address(draft.id, "configure"),
        name,
    };
    cx.draw_with(status, &screen)
}

/// Where a draft leads that was started: there is nothing left to choose.
pub(super) fn under_way(site: &Site, job: JobId) -> Response {
    done(site, &format!("/jobs/{job}"), "This deployment was started already; here is its job.")
}

fn span(seconds: u64) -> String {
    size::duration(Duration::from_secs(seconds)).to_string()
}

/// What was chosen. `names` are those of places by their references; `hosts` those that will mount it, once that is known.
fn facts(draft: &Draft, names: &HashMap<String, String>, hosts: Option<String>) -> Vec<(String, Html)> {
    let wish = &draft.wish;
    let defaults = &draft.template.template.defaults;
    let place = |wished: &str, usual: &Option<String>, otherwise: &str| {
        let wished = Some(wished).filter(|wished| !wished.is_empty()).or(usual.as_deref());
        wished.map_or(otherwise, |id| names.get(id).map_or(id, String::as_str)).to_owned()
    };
    let mounted = match (wish.unmounted, hosts) {
        (true, _) => "by nobody".to_owned(),
        (false, Some(hosts)) if !hosts.is_empty() => hosts,
        (false, _) => "by hosts".to_owned(),
    };
    let fact =
        |what: &str, text: &str| (what.to_owned(), html::text(if text.is_empty() { "–" } else { text }));
    let address = match wish.use_dhcp {
        true => "by DHCP".to_owned(),
        false => format!("{} {}, gateway {}", wish.ip_address, wish.subnet_mask, wish.gateway),
    };
    vec![
        fact("Template", &draft.template.template.name),
        fact("Virtual machine", &wish.vm_name),
        fact("Host name", &format!("{}.{}", wish.hostname, wish.domain)),
        fact("Cluster or host", &place(&wish.cluster, &defaults.cluster, "the only cluster there is")),
        fact("Resource pool", &place(&wish.resource_pool, &defaults.resource_pool, "that of the cluster")),
        fact("Folder", &place(&wish.folder, &defaults.folder, "that of the template")),
        fact("On the datastore", &place(&wish.datastore, &defaults.datastore, "")),
        fact("Network", &place(&wish.network, &defaults.network, "")),
        fact("Address", &address),
        fact("Name servers", &wish.dns_servers),
        fact("Virtual CPUs", &wish.cpu_count),
        fact("Memory", &format!("{} GiB", wish.memory_gb)),
        fact(
            "Pool",
            &format!(
                "{}, {} GiB, {}",
                wish.zfs_pool_name,
                wish.zfs_disk_gb,
                if wish.thick { "thick" } else { "thin" }
            ),
        ),
        fact("NFS clients", &wish.nfs_network),
        fact("Registered as an appliance", if wish.unregistered { "no" } else { wish.target_name.as_str() }),
        fact("Mounted", &mounted),
    ]
}

fn told(phase: &str) -> &str {
    match phase {
        "clone" => "Clone the template, add the disk, connect the network",
        "power_on" => "Power on",
        "wait_tools" => "Wait for VMware Tools and the customisation",
        "wait_ip" => "Wait for its address",
        "ssh_connect" => "Log in, with its host key verified",
        "zfs_create" => "Make the pool on the disk that was attached",
        "nfs_setup" => "Make and export the NFS dataset",
        "register_target" => "Register the appliance",
        "register_datastore" => "Mount it on the hosts",
        other => other,
    }
}

fn on(phase: &str, wish: &DeployWish) -> String {
    match phase {
        "clone" | "power_on" | "wait_tools" => wish.vm_name.clone(),
        "zfs_create" => wish.zfs_pool_name.clone(),
        "nfs_setup" => format!("{}/nfs, for {}", wish.zfs_pool_name, wish.nfs_network),
        "register_target" if wish.unregistered => "not wanted".to_owned(),
        "register_target" => wish.target_name.clone(),
        "register_datastore" if wish.unmounted => "not wanted".to_owned(),
        _ => String::new(),
    }
}

pub(crate) async fn start(State(site): State<Site>, cx: Cx, Path(id): Path<DraftId>) -> Answer {
    match site.app.start_deployment(cx.who()?, id).await {
        Ok(job) => Ok(done(&site, &format!("/jobs/{job}"), "The deployment is under way.")),
        // Something has changed since the review: it is shown again, as it stands now.
        Err(AppError::Invalid { .. }) => {
            let draft = site.app.deployment_draft(cx.who()?, id).await?;
            let plan = site.app.plan_draft(&draft).await?;
            draw_review(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, &draft, plan).await
        }
        Err(error) => Err(error.into()),
    }
}
