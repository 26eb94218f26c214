//! Connecting a vCenter and changing a connection: the form, and the certificate that a person compares. What was
//! typed waits in a draft meanwhile; a password is never sent back to a browser.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use secrecy::SecretString;

use super::vcenters::{certificate_facts, crumbs};
use crate::app::vcenters::{Saved, ServerCertificate, Trust, Vcenter, VcenterWish};
use crate::app::{AppError, FieldError};
use crate::domain::ids::{VcenterDraftId, VcenterId};
use crate::domain::thumbprint::{NotAThumbprint, Thumbprint};
use crate::web::cx::{Cx, Typed, beside, done, error_of, sentence, typed};
use crate::web::screens::vcenters::{ConfirmCertificate, NewVcenter, Trouble};
use crate::web::view::form::Field;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::{Answer, Site};

/// What a form holds, and what is wrong with it.
#[derive(Default)]
struct Filled {
    name: String,
    host: String,
    port: String,
    username: String,
    errors: Vec<FieldError>,
    trouble: Option<Trouble>,
}

impl Filled {
    fn of(form: &HashMap<String, String>) -> Self {
        let text = |name| typed(form, name).to_owned();
        Self {
            name: text("name"),
            host: text("host"),
            port: text("port"),
            username: text("username"),
            ..Self::default()
        }
    }

    fn kept(vcenter: &Vcenter) -> Self {
        Self {
            name: vcenter.name.clone(),
            host: vcenter.address.host.clone(),
            port: vcenter.address.port.to_string(),
            username: vcenter.username.clone(),
            ..Self::default()
        }
    }
}

fn draw(cx: &Cx, status: StatusCode, changed: Option<&Vcenter>, filled: Filled) -> Answer {
    let error = |name: &str| error_of(&filled.errors, name);
    let password = Field::password("password", "Password", "off").error(error("password"));
    let password = match changed {
        None => password.hint("Sealed at rest, and never shown again."),
        Some(_) => password
            .optional()
            .hint("Leave it empty to keep the present one. It has to be typed again if the address changes."),
    };
    let port = if filled.port.is_empty() { "443".to_owned() } else { filled.port.clone() };
    let fields = vec![
        Field::line("name", "Name")
            .value(&filled.name)
            .hint("How this connection is called on every page.")
            .error(error("name"))
            .first(),
        Field::line("host", "Host")
            .value(&filled.host)
            .hint("Name or address of the vCenter, or of a single ESXi host.")
            .error(error("host")),
        Field::number("port", "Port").value(port).error(error("port")),
        Field::line("username", "User")
            .value(&filled.username)
            .hint("For example zerfaux@vsphere.local")
            .error(error("username")),
        password,
    ];
    let (title, action, back) = match changed {
        None => ("Connect a vCenter".to_owned(), "/vcenters".to_owned(), "/vcenters".to_owned()),
        Some(vcenter) => {
            let address = format!("/vcenters/{}", vcenter.id);
            (format!("Change {}", vcenter.name), address.clone(), address)
        }
    };
    let mut page = cx.page(title, Area::Vcenters);
    page.crumbs = crumbs();
    if let Some(vcenter) = changed {
        page.crumbs.push(Link { label: vcenter.name.clone(), address: back.clone() });
    }
    let changes = changed.is_some();
    cx.draw_with(status, &NewVcenter { page, action, fields, trouble: filled.trouble, changes, back })
}

pub(crate) async fn new(cx: Cx) -> Answer {
    draw(&cx, StatusCode::OK, None, Filled::default())
}

pub(crate) async fn edit(State(site): State<Site>, cx: Cx, Path(id): Path<VcenterId>) -> Answer {
    let vcenter = site.app.vcenters()?.get(id).await?;
    draw(&cx, StatusCode::OK, Some(&vcenter), Filled::kept(&vcenter))
}

pub(crate) async fn create(State(site): State<Site>, cx: Cx, Form(form): Typed) -> Answer {
    save(&site, &cx, None, &form).await
}

pub(crate) async fn change(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<VcenterId>,
    Form(form): Typed,
) -> Answer {
    let vcenter = site.app.vcenters()?.get(id).await?;
    save(&site, &cx, Some(vcenter), &form).await
}

async fn save(site: &Site, cx: &Cx, old: Option<Vcenter>, form: &HashMap<String, String>) -> Answer {
    let (cases, who) = (site.app.vcenters()?, cx.who()?);
    let password = typed(form, "password");
    // The certificate that was accepted goes on being accepted, as long as the server stays the same one.
    let accepted = old.as_ref().and_then(|old| match old.trust {
        Trust::Pinned(pinned) if typed(form, "host").trim() == old.address.host => Some(pinned),
        _ => None,
    });
    let port = typed(form, "port").trim();
    let wish = VcenterWish {
        name: typed(form, "name").to_owned(),
        host: typed(form, "host").to_owned(),
        port: if port.is_empty() { 443 } else { port.parse().unwrap_or(0) },
        username: typed(form, "username").to_owned(),
        password: (!password.is_empty()).then(|| SecretString::from(password)),
        accepted,
    };
    let id = old.as_ref().map(|old| old.id);
    let saved = match id {
        None => cases.create(who, wish.clone()).await,
        Some(id) => cases.update(who, id, wish.clone()).await,
    };
    match saved {
        Ok(saved) => next(site, cx, id, &wish, saved).await,
        Err(error) => {
            let mut filled = Filled::of(form);
            let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            match error {
                AppError::Failed(failure) => {
                    filled.trouble = Some(Trouble {
                        what: sentence(&failure.message),
                        advice: failure.advice.unwrap_or_else(|| "Check what was entered.".to_owned()),
                        mend: None,
                    });
                }
                other => filled.errors = beside(other, "name")?,
            }
            draw(cx, status, old.as_ref(), filled)
        }
    }
}

/// On to the connection, or to the certificate that has to be compared first.
async fn next(site: &Site, cx: &Cx, id: Option<VcenterId>, wish: &VcenterWish, saved: Saved) -> Answer {
    match saved {
        Saved::Kept(vcenter) => kept(site, cx, id, &vcenter).await,
        Saved::Compare(found) | Saved::Changed { found, .. } => {
            let draft = site.app.vcenters()?.begin_draft(cx.who()?, id, wish, found).await?;
            Ok(Redirect::to(&format!("/vcenters/drafts/{draft}")).into_response())
        }
    }
}

/// A new connection is read at once: without that its pages would be empty.
async fn kept(site: &Site, cx: &Cx, changed: Option<VcenterId>, vcenter: &Vcenter) -> Answer {
    let said = match changed {
        Some(_) => format!("{} was changed.", vcenter.name),
        None => {
            site.app.vcenters()?.sync(cx.who()?, vcenter.id).await?;
            format!("{} is connected. Its inventory is being read.", vcenter.name)
        }
    };
    Ok(done(site, &format!("/vcenters/{}", vcenter.id), &said))
}

pub(crate) async fn draft(State(site): State<Site>, cx: Cx, Path(id): Path<VcenterDraftId>) -> Answer {
    draw_draft(&site, &cx, id, None).await
}

/// The certificate to be compared: the draft's, or the one that the server shows by now.
async fn draw_draft(site: &Site, cx: &Cx, id: VcenterDraftId, now: Option<ServerCertificate>) -> Answer {
    let cases = site.app.vcenters()?;
    let draft = cases.draft(cx.who()?, id).await?;
    let before = match draft.vcenter {
        Some(changed) => Some(cases.get(changed).await?),
        None => None,
    };
    let shown = now.unwrap_or(draft.certificate);
    let before = before.and_then(|vcenter| match vcenter.trust {
        Trust::Pinned(pinned) if vcenter.address == draft.address && pinned != shown.thumbprint => {
            Some(pinned.to_string())
        }
        _ => None,
    });
    let mut page = cx.page("Compare the certificate", Area::Vcenters);
    page.crumbs = crumbs();
    cx.draw(&ConfirmCertificate {
        page,
        action: format!("/vcenters/drafts/{id}"),
        host: draft.address.to_string(),
        thumbprint: shown.thumbprint.to_string(),
        before,
        facts: certificate_facts(cx, &shown),
        back: "/vcenters".to_owned(),
    })
}

pub(crate) async fn accept(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<VcenterDraftId>,
    Form(form): Typed,
) -> Answer {
    let (cases, who) = (site.app.vcenters()?, cx.who()?);
    if typed(&form, "discard") == "yes" {
        cases.discard_draft(who, id).await?;
        return Ok(Redirect::to("/vcenters").into_response());
    }
    let accepted: Thumbprint = typed(&form, "thumbprint")
        .parse()
        .map_err(|error: NotAThumbprint| AppError::invalid("thumbprint", error))?;
    let draft = cases.draft(who, id).await?;
    match cases.accept_draft(who, id, accepted).await {
        Ok(Saved::Kept(vcenter)) => kept(&site, &cx, draft.vcenter, &vcenter).await,
        Ok(Saved::Compare(found) | Saved::Changed { found, .. }) => {
            draw_draft(&site, &cx, id, Some(found)).await
        }
        // The certificate is right, and something else is not: back to the form, with all but the password.
        Err(AppError::Failed(failure)) => {
            let old = match draft.vcenter {
                Some(changed) => Some(cases.get(changed).await?),
                None => None,
            };
            cases.discard_draft(who, id).await?;
            let filled = Filled {
                name: draft.name,
                host: draft.address.host,
                port: draft.address.port.to_string(),
                username: draft.username,
                errors: Vec::new(),
                trouble: Some(Trouble {
                    what: sentence(&failure.message),
                    advice: failure.advice.unwrap_or_else(|| "Check what was entered.".to_owned()),
                    mend: None,
                }),
            };
            draw(&cx, StatusCode::FAILED_DEPENDENCY, old.as_ref(), filled)
        }
        Err(error) => Err(error.into()),
    }
}
