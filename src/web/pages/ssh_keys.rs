//! `/ssh-keys`: what Zerfaux logs in to hosts with.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use secrecy::SecretString;

use crate::app::FieldError;
use crate::app::ssh_key_rotation::OnTarget;
use crate::app::ssh_keys::KeySource;
use crate::domain::access::Role;
use crate::domain::ids::SshKeyId;
use crate::domain::target::Target;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, beside, done, error_of, sentence, typed};
use crate::web::screens::ssh_keys::{NewSshKey, RotationRow, RotationView, SshKeyPage, SshKeyRow, SshKeys};
use crate::web::view::form::{Confirm, Control, Field};
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html};
use crate::web::{Answer, Site};

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let targets = site.app.targets().await?;
    let rows = site.app.ssh_keys().await?.into_iter().map(|key| SshKeyRow {
        address: format!("/ssh-keys/{}", key.id),
        used_by: targets.iter().filter(|target| target.ssh_key == key.id).count() as u64,
        name: key.name,
        algorithm: key.algorithm,
        fingerprint: key.fingerprint,
        made: cx.ago(key.created_at),
    });
    cx.draw(&SshKeys { page: cx.page("SSH keys", Area::SshKeys), rows: rows.collect() })
}

fn crumbs() -> Vec<Link> {
    vec![Link { label: "SSH keys".to_owned(), address: "/ssh-keys".to_owned() }]
}

pub(crate) async fn new(cx: Cx) -> Answer {
    draw_new(&cx, StatusCode::OK, false, "", &[])
}

/// Draws both forms; what was typed and what is wrong stand in the one that was sent. Keys are never sent back.
fn draw_new(cx: &Cx, status: StatusCode, importing: bool, name: &str, errors: &[FieldError]) -> Answer {
    let here = |form: bool, field: &str| if form == importing { error_of(errors, field) } else { None };
    let named = |form: bool| if form == importing { name } else { "" };
    let generate = vec![Field::line("name", "Name").value(named(false)).error(here(false, "name"))];
    let imported = vec![
        Field { name: "name".to_owned(), ..Field::line("name", "Name") }
            .value(named(true))
            .error(here(true, "name")),
        Field::new("private_key", "Private key", Control::Block)
            .hint("OpenSSH or PEM: Ed25519, ECDSA or RSA.")
            .error(here(true, "private_key")),
        Field::password("passphrase", "Passphrase", "off")
            .optional()
            .hint("If the key is encrypted. It is not kept.")
            .error(here(true, "passphrase")),
    ];
    let mut page = cx.page("Add an SSH key", Area::SshKeys);
    page.crumbs = crumbs();
    cx.draw_with(status, &NewSshKey { page, generate, imported })
}

pub(crate) async fn create(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    let (name, importing) = (typed(&form, "name"), !form.contains_key("generate"));
    let passphrase = typed(&form, "passphrase");
    let source = match importing {
        false => KeySource::Generate,
        true => KeySource::Import {
            private_key: SecretString::from(typed(&form, "private_key")),
            passphrase: (!passphrase.is_empty()).then(|| SecretString::from(passphrase)),
        },
    };
    match site.app.add_ssh_key(cx.who()?, name, source).await {
        Ok(key) => {
            let said = format!("The key {} is ready. Put its public half on the hosts.", key.name);
            Ok(done(&site, &format!("/ssh-keys/{}", key.id), &said))
        }
        Err(error) => {
            let errors = beside(error, "name")?;
            draw_new(&cx, StatusCode::UNPROCESSABLE_ENTITY, importing, name, &errors)
        }
    }
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<SshKeyId>) -> Answer {
    draw_one(&site, &cx, StatusCode::OK, id, &[], None).await
}

/// The key with the rotation that is under way; `came` is how installing the new one went, if it was tried just now.
pub(super) async fn draw_one(
    site: &Site,
    cx: &Cx,
    status: StatusCode,
    id: SshKeyId,
    came: &[OnTarget],
    trouble: Option<String>,
) -> Answer {
    let key = site.app.ssh_key(id).await?;
    let targets = site.app.targets_with_key(id).await?;
    let rotation = site.app.ssh_key_rotation(id).await?;
    let text = |text: &str| Html(html::escape(text).to_string());
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let used_by = if names.is_empty() { "no appliance".to_owned() } else { names.join(", ") };
    let mut facts = vec![
        ("Algorithm".to_owned(), text(&key.algorithm)),
        ("Fingerprint".to_owned(), text(&key.fingerprint)),
        ("Used by".to_owned(), text(&used_by)),
        ("Made by".to_owned(), text(&key.created_by)),
        ("Made".to_owned(), cx.ago(key.created_at)),
    ];
    if let Some(rotation) = &rotation {
        facts.push(("New fingerprint".to_owned(), text(&rotation.next.fingerprint)));
    }
    let mut page = cx.page(key.name, Area::SshKeys);
    page.crumbs = crumbs();
    let row = |target: &Target| RotationRow {
        name: target.name.clone(),
        address: format!("/appliances/{}", target.id),
        user: target.endpoint.user.clone(),
        came: came.iter().find(|one| one.target.id == target.id).map(told),
    };
    let rotation = rotation.map(|rotation| RotationView {
        command: rotation.command(),
        rows: rotation.targets.iter().map(row).collect(),
    });
    cx.draw_with(
        status,
        &SshKeyPage {
            page,
            address: format!("/ssh-keys/{id}"),
            public_key: key.public_key,
            facts,
            unused: targets.is_empty(),
            rotation,
            trouble,
            may_change: cx.may(Role::Admin),
        },
    )
}

fn told(on: &OnTarget) -> (Status, String) {
    match &on.came {
        Ok(said) => (Status::new(Mark::Met, "done"), said.clone()),
        Err(failure) => {
            let advice = failure.advice.as_ref().map(|advice| format!(" {advice}")).unwrap_or_default();
            (Status::new(Mark::Broken, "not done"), format!("{}{advice}", failure.message))
        }
    }
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<SshKeyId>) -> Answer {
    draw_ask(&site, &cx, StatusCode::OK, id, None).await
}

async fn draw_ask(site: &Site, cx: &Cx, status: StatusCode, id: SshKeyId, error: Option<String>) -> Answer {
    let key = site.app.ssh_key(id).await?;
    let mut page = cx.page("Delete an SSH key", Area::SshKeys);
    page.crumbs = crumbs();
    let confirm = Confirm {
        action: format!("/ssh-keys/{id}/delete"),
        csrf: page.csrf.clone(),
        question: format!("Delete the SSH key {}?", key.name),
        consequences: vec![
            "Its private half is destroyed and cannot be brought back.".to_owned(),
            "The public half stays in the authorized_keys of hosts until somebody takes it out there."
                .to_owned(),
        ],
        button: format!("Delete {}", key.name),
        name: key.name,
        back: format!("/ssh-keys/{id}"),
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm, other: None })
}

pub(crate) async fn delete(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<SshKeyId>,
    Form(form): Typed,
) -> Answer {
    let key = site.app.ssh_key(id).await?;
    let error = if typed(&form, "confirm").trim() != key.name {
        format!("This is not its name. Type {} exactly as it stands here.", key.name)
    } else {
        match site.app.delete_ssh_key(cx.who()?, id).await {
            Ok(()) => return Ok(done(&site, "/ssh-keys", &format!("The key {} is gone.", key.name))),
            Err(crate::app::AppError::Conflict(why)) => sentence(&why),
            Err(error) => return Err(error.into()),
        }
    };
    draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(error)).await
}
