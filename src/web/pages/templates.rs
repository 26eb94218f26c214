//! `/zfs-templates`: from what appliances are made. Registering and changing one is in `template_forms.rs`.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;

use crate::app::AppError;
use crate::app::templates::{TemplateDefaults, TemplateView, sudo_commands};
use crate::app::vcenters::Vcenter;
use crate::domain::access::Role;
use crate::domain::ids::{SshKeyId, TemplateId, VcenterId};
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::templates::{Preparation, TemplatePage, TemplateRow, Templates};
use crate::web::view::form::{Choice, Confirm, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html, size};
use crate::web::{Answer, Site, Trouble};

/// The addresses under which a template lies.
pub(super) fn address(id: TemplateId) -> String {
    format!("/zfs-templates/{id}")
}

pub(super) fn crumbs() -> Vec<Link> {
    vec![Link { label: "Templates".to_owned(), address: "/zfs-templates".to_owned() }]
}

async fn vcenters(site: &Site) -> Result<HashMap<VcenterId, Vcenter>, Trouble> {
    Ok(site.app.vcenters()?.list().await?.into_iter().map(|one| (one.id, one)).collect())
}

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let vcenters = vcenters(&site).await?;
    let rows = site.app.templates().await?.iter().map(|view| row(&cx, &vcenters, view)).collect();
    let may_change = cx.may(Role::Admin);
    cx.draw(&Templates { page: cx.page("Templates", Area::Templates), rows, may_change })
}

fn row(cx: &Cx, vcenters: &HashMap<VcenterId, Vcenter>, view: &TemplateView) -> TemplateRow {
    let template = &view.template;
    TemplateRow {
        name: template.name.clone(),
        address: address(template.id),
        status: match (template.is_active, view.is_there) {
            (false, _) => Status::new(Mark::Unknown, "retired"),
            (true, true) => Status::new(Mark::Met, "ready"),
            (true, false) => Status::new(Mark::Broken, "not in the vCenter"),
        },
        vm_name: template.vm_name.clone(),
        vcenter: vcenters.get(&template.vcenter).map(|one| one.name.clone()).unwrap_or_default(),
        deployed: size::count(view.deployments.count),
        last: view.deployments.last.map(|at| cx.ago(at)),
    }
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<TemplateId>) -> Answer {
    let view = site.app.template(id).await?;
    let vcenters = vcenters(&site).await?;
    let row = row(&cx, &vcenters, &view);
    let places = site.app.place_names(view.template.vcenter).await?;
    let text = |text: &str| html::text(text);
    let key = match view.template.ssh_key {
        Some(key) => text(&site.app.ssh_key(key).await?.name),
        None => text("chosen with each deployment"),
    };
    let TemplateDefaults { ssh_username, ssh_port, .. } = &view.template.defaults;
    let source = vec![
        ("vCenter".to_owned(), text(&row.vcenter)),
        ("Template".to_owned(), text(&row.vm_name)),
        ("Reference".to_owned(), text(view.template.moref.id())),
        ("SSH".to_owned(), text(&format!("{ssh_username}, port {ssh_port}"))),
        ("SSH key".to_owned(), key),
        ("Registered by".to_owned(), text(&view.template.created_by)),
        ("Registered".to_owned(), cx.ago(view.template.created_at)),
    ];
    let mut page = cx.page(view.template.name.clone(), Area::Templates);
    page.crumbs = crumbs();
    let defaults = defaults(&view.template.defaults, &places);
    let usable = view.template.is_active && view.is_there && cx.may(Role::Operator);
    let deploy = usable.then(|| format!("/deployments/new?template={id}"));
    let (description, may_change) = (view.template.description, cx.may(Role::Admin));
    cx.draw(&TemplatePage { page, row, description, source, defaults, may_change, deploy })
}

fn defaults(defaults: &TemplateDefaults, names: &HashMap<String, String>) -> Vec<(String, Html)> {
    let place = |what: &str, named: &Option<String>| {
        let shown = match named {
            // By its reference, or by a name as it stands.
            Some(named) => html::text(names.get(named).unwrap_or(named)),
            None => html::text("chosen with each deployment"),
        };
        (what.to_owned(), shown)
    };
    let fact = |what: &str, text: String| (what.to_owned(), html::text(&text));
    vec![
        place("Datacenter", &defaults.datacenter),
        place("Cluster or host", &defaults.cluster),
        place("Resource pool", &defaults.resource_pool),
        place("Folder", &defaults.folder),
        place("Datastore", &defaults.datastore),
        place("Network", &defaults.network),
        fact("Virtual CPUs", defaults.cpus.to_string()),
        fact("Memory", format!("{} GiB", defaults.memory_gib)),
        fact("Disk for the pool", format!("{} GiB", defaults.disk_gib)),
        fact("Pool", defaults.pool.to_string()),
        fact("NFS clients", defaults.nfs_networks.to_string()),
    ]
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<TemplateId>) -> Answer {
    draw_ask(&site, &cx, StatusCode::OK, id, None).await
}

async fn draw_ask(site: &Site, cx: &Cx, status: StatusCode, id: TemplateId, error: Option<String>) -> Answer {
    let name = site.app.template(id).await?.template.name;
    let mut page = cx.page("Remove a template", Area::Templates);
    page.crumbs = crumbs();
    let confirm = Confirm {
        action: format!("{}/delete", address(id)),
        csrf: page.csrf.clone(),
        question: format!("Remove the template {name}?"),
        consequences: vec![
            "Its settings and the count of what was made from it are forgotten.".to_owned(),
            "Appliances that were made from it stay.".to_owned(),
            "The virtual machine template in vCenter is not touched.".to_owned(),
        ],
        button: format!("Remove {name}"),
        name,
        back: address(id),
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm, other: None })
}

pub(crate) async fn delete(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<TemplateId>,
    Form(form): Typed,
) -> Answer {
    let name = site.app.template(id).await?.template.name;
    let error = if typed(&form, "confirm").trim() != name {
        format!("This is not its name. Type {name} exactly as it stands here.")
    } else {
        match site.app.delete_template(cx.who()?, id).await {
            Ok(()) => return Ok(done(&site, "/zfs-templates", &format!("The template {name} is removed."))),
            Err(AppError::Conflict(why)) => sentence(&why),
            Err(error) => return Err(error.into()),
        }
    };
    draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(error)).await
}

pub(crate) async fn preparation(State(site): State<Site>, cx: Cx) -> Answer {
    let keys = site.app.ssh_keys().await?;
    let choices: Vec<Choice> =
        keys.into_iter().map(|key| Choice::new(key.id.to_string(), key.name)).collect();
    let mut fields = Vec::new();
    if !choices.is_empty() {
        let user = Field::line("user", "User")
            .value("zfsadmin")
            .hint("The account that Zerfaux logs in as. It is made if it is not there.");
        let key = Field::select("ssh_key_id", "SSH key", choices)
            .hint("Its public half goes into the script. The private half stays here.");
        fields.extend([key, user]);
    }
    let mut page = cx.page("Prepare a template", Area::Templates);
    page.crumbs = crumbs();
    cx.draw(&Preparation { page, fields, commands: sudo_commands() })
}

pub(crate) async fn script(State(site): State<Site>, cx: Cx) -> Answer {
    let key: SshKeyId = cx
        .asked("ssh_key_id")
        .parse()
        .map_err(|_| AppError::invalid("ssh_key_id", "Choose the SSH key that goes into the script."))?;
    let script = site.app.preparation_script(key, cx.asked("user")).await?;
    let headers = [
        ("content-type", "text/x-shellscript; charset=utf-8".to_owned()),
        ("content-disposition", format!("attachment; filename=\"{}\"", script.name)),
    ];
    Ok((headers, script.text).into_response())
}
