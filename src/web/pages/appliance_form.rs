//! `/appliances/new` and `/appliances/{id}/edit`: the form, and the host key to be compared before anything is kept.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::appliances::crumbs;
use crate::app::targets::{Saved, TargetWish};
use crate::app::{AppError, FieldError};
use crate::domain::ids::TargetId;
use crate::domain::target::ShownHostKey;
use crate::web::cx::{Cx, Typed, beside, done, error_of, typed};
use crate::web::screens::appliances::{ConfirmHostKey, NewAppliance};
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::{Answer, Site, Trouble};

/// What the form is for.
#[derive(Clone)]
enum Purpose {
    New,
    Edit(TargetId, String),
}

impl Purpose {
    fn title(&self) -> String {
        match self {
            Self::New => "Add an appliance".to_owned(),
            Self::Edit(_, name) => format!("Edit {name}"),
        }
    }

    fn action(&self) -> String {
        match self {
            Self::New => "/appliances".to_owned(),
            Self::Edit(id, _) => format!("/appliances/{id}/edit"),
        }
    }

    fn back(&self) -> String {
        match self {
            Self::New => "/appliances".to_owned(),
            Self::Edit(id, _) => format!("/appliances/{id}"),
        }
    }

    fn crumbs(&self) -> Vec<Link> {
        let mut all = crumbs();
        if let Self::Edit(id, name) = self {
            all.push(Link { label: name.clone(), address: format!("/appliances/{id}") });
        }
        all
    }
}

pub(crate) async fn new(State(site): State<Site>, cx: Cx) -> Answer {
    let wish = TargetWish { ssh_key_id: only_key(&site).await?, ..TargetWish::default() };
    draw(&site, &cx, StatusCode::OK, &Purpose::New, &wish, &[], None).await
}

/// The key to begin with, where there is but one.
async fn only_key(site: &Site) -> Result<String, Trouble> {
    let keys = site.app.ssh_keys().await?;
    Ok(if let [key] = keys.as_slice() { key.id.to_string() } else { String::new() })
}

pub(crate) async fn create(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let wish = wish(&form);
    let saved = site.app.create_target(cx.who()?, &wish).await;
    answer(&site, &cx, &Purpose::New, &wish, saved).await
}

pub(crate) async fn edit(State(site): State<Site>, cx: Cx, Path(id): Path<TargetId>) -> Answer {
    let target = site.app.target(id).await?;
    let wish = TargetWish::from(&target);
    draw(&site, &cx, StatusCode::OK, &Purpose::Edit(id, target.name), &wish, &[], None).await
}

pub(crate) async fn change(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<TargetId>,
    Form(form): Typed,
) -> Answer {
    let target = site.app.target(id).await?;
    let wish = wish(&form);
    let saved = site.app.update_target(cx.who()?, id, &wish).await;
    answer(&site, &cx, &Purpose::Edit(id, target.name), &wish, saved).await
}

/// What was typed.
fn wish(form: &HashMap<String, String>) -> TargetWish {
    let text = |name: &str| typed(form, name).to_owned();
    TargetWish {
        name: text("name"),
        hostname: text("hostname"),
        port: text("port"),
        ssh_username: text("ssh_username"),
        ssh_key_id: text("ssh_key_id"),
        zfs_pool: text("zfs_pool"),
        nfs_network: text("nfs_network"),
        nfs_address: text("nfs_address"),
        replication_address: text("replication_address"),
        vcenter_id: text("vcenter_id"),
        is_active: typed(form, "is_active") == "on",
        appdata_path: text("appdata_path"),
        host_key_fingerprint: text("host_key_fingerprint"),
    }
}

/// What was typed, to be carried over the page of the host key. There is no secret among it: the key is named by its
/// id.
fn carried(wish: &TargetWish) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("name", &wish.name),
        ("hostname", &wish.hostname),
        ("port", &wish.port),
        ("ssh_username", &wish.ssh_username),
        ("ssh_key_id", &wish.ssh_key_id),
        ("zfs_pool", &wish.zfs_pool),
        ("nfs_network", &wish.nfs_network),
        ("nfs_address", &wish.nfs_address),
        ("replication_address", &wish.replication_address),
        ("vcenter_id", &wish.vcenter_id),
        ("appdata_path", &wish.appdata_path),
    ];
    let on = "on".to_owned();
    if wish.is_active {
        pairs.push(("is_active", &on));
    }
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

async fn answer(
    site: &Site,
    cx: &Cx,
    form: &Purpose,
    wish: &TargetWish,
    saved: Result<Saved, AppError>,
) -> Answer {
    match saved {
        Ok(Saved::Kept(target)) => {
            if target.is_active {
                site.app.start_health_check(cx.who()?, target.id).await?;
            }
            let said = match form {
                Purpose::New => format!("{} is added.", target.name),
                Purpose::Edit(..) => format!("{} is changed.", target.name),
            };
            Ok(done(site, &format!("/appliances/{}", target.id), &said))
        }
        Ok(Saved::Compare(found)) => compare(cx, form, wish, found, None),
        Ok(Saved::Changed { pinned, found }) => compare(cx, form, wish, found, Some(pinned)),
        Err(AppError::Failed(failure)) => {
            let trouble = Some((failure.message, failure.advice.unwrap_or_default()));
            draw(site, cx, StatusCode::UNPROCESSABLE_ENTITY, form, wish, &[], trouble).await
        }
        Err(error) => {
            let errors = beside(error, "name")?;
            draw(site, cx, StatusCode::UNPROCESSABLE_ENTITY, form, wish, &errors, None).await
        }
    }
}

fn compare(
    cx: &Cx,
    form: &Purpose,
    wish: &TargetWish,
    found: ShownHostKey,
    before: Option<String>,
) -> Answer {
    let mut page = cx.page("Compare the host key", Area::Appliances);
    page.crumbs = form.crumbs();
    cx.draw(&ConfirmHostKey {
        page,
        action: form.action(),
        carried: carried(wish),
        host: format!("{}:{}", wish.hostname.trim(), wish.port.trim()),
        algorithm: found.algorithm,
        fingerprint: found.fingerprint,
        before,
        button: match form {
            Purpose::New => "Accept and add",
            Purpose::Edit(..) => "Accept and save",
        },
        back: form.back(),
    })
}

async fn draw(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    form: &Purpose,
    wish: &TargetWish,
    errors: &[FieldError],
    trouble: Option<(String, String)>,
) -> Answer {
    let mut page = cx.page(form.title(), Area::Appliances);
    page.crumbs = form.crumbs();
    cx.draw_with(
        status,
        &NewAppliance {
            page,
            action: form.action(),
            groups: groups(site, wish, errors).await?,
            trouble: trouble.or_else(|| {
                // It has no field of its own: it comes from the page before.
                let message = error_of(errors, "host_key_fingerprint")?;
                Some((message, "Send the form again to see the host key.".to_owned()))
            }),
            button: match form {
                Purpose::New => "Look at its host key",
                Purpose::Edit(..) => "Save",
            },
            back: form.back(),
        },
    )
}

type Group = (&'static str, &'static str, Vec<Field>);

async fn groups(site: &Site, wish: &TargetWish, errors: &[FieldError]) -> Result<Vec<Group>, Trouble> {
    let keys = site
        .app
        .ssh_keys()
        .await?
        .into_iter()
        .map(|key| Choice::new(key.id.to_string(), format!("{} ({})", key.name, key.algorithm)));
    let keys = std::iter::once(Choice::new("", "Choose one")).chain(keys).collect();
    let vcenters = match site.app.vcenters() {
        Ok(cases) => cases.list().await?,
        Err(_) => Vec::new(),
    };
    let vcenters = vcenters.into_iter().map(|one| Choice::new(one.id.to_string(), one.name));
    let vcenters = std::iter::once(Choice::new("", "None")).chain(vcenters).collect();
    let filled = |field: Field, value: &str| {
        let error = error_of(errors, &field.name);
        field.value(value).error(error)
    };
    let reached = vec![
        filled(Field::line("name", "Name").first(), &wish.name),
        filled(Field::line("hostname", "Address").hint("Name or address of its SSH server."), &wish.hostname),
        filled(Field::number("port", "Port"), &wish.port),
        filled(
            Field::line("ssh_username", "User").hint("root, or one with sudo or delegated rights."),
            &wish.ssh_username,
        ),
        filled(
            Field::select("ssh_key_id", "SSH key", keys)
                .hint("Its public half has to be in the user's authorized_keys there."),
            &wish.ssh_key_id,
        ),
        filled(
            Field::check("is_active", "Active").hint("Look at it every minute, and let jobs use it."),
            if wish.is_active { "on" } else { "" },
        ),
    ];
    let data = vec![
        filled(
            Field::line("nfs_address", "NFS address").optional().hint("What hosts mount."),
            &wish.nfs_address,
        ),
        filled(
            Field::line("replication_address", "Replication address")
                .optional()
                .hint("What the other appliance dials, for the straight way."),
            &wish.replication_address,
        ),
    ];
    let storage = vec![
        filled(Field::line("zfs_pool", "Pool"), &wish.zfs_pool),
        filled(
            Field::line("nfs_network", "May mount")
                .hint("Networks of the hosts, with commas between, such as 10.0.0.0/8."),
            &wish.nfs_network,
        ),
        filled(
            Field::select("vcenter_id", "vCenter", vcenters).optional().hint("Whose hosts mount it."),
            &wish.vcenter_id,
        ),
        filled(
            Field::line("appdata_path", "Container stacks")
                .optional()
                .hint("The directory of services to be moved, such as /mnt/appdata."),
            &wish.appdata_path,
        ),
    ];
    Ok(vec![
        ("How it is reached", "Over SSH, with a key.", reached),
        ("Where data flows", "Each is the address above if left empty.", data),
        ("Storage", "Zerfaux works in one pool of it.", storage),
    ])
}
