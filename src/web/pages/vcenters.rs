//! `/vcenters`: the connections, one of them, and what is asked of it. Making and changing one is in
//! `vcenter_forms.rs`.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};

use crate::app::AppError;
use crate::app::vcenters::{ApiKind, Contact, Saved, ServerCertificate, StreamState, Trust, VcenterView};
use crate::domain::access::Role;
use crate::domain::ids::VcenterId;
use crate::domain::thumbprint::Thumbprint;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::vcenters::{ConfirmCertificate, Trouble, VcenterPage, VcenterRow, Vcenters};
use crate::web::view::form::Confirm;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html, size, when};
use crate::web::{Answer, Site, Trouble as Failed};

/// Days before a certificate expires from which on it is pointed out.
pub(super) const EXPIRES_SOON: i64 = 30;

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let views = site.app.vcenters()?.views().await?;
    let rows = views.iter().map(|view| row(&site, &cx, view)).collect::<Result<_, _>>()?;
    let may_change = cx.may(Role::Admin);
    cx.draw(&Vcenters { page: cx.page("vCenters", Area::Vcenters), rows, may_change })
}

pub(super) fn crumbs() -> Vec<Link> {
    vec![Link { label: "vCenters".to_owned(), address: "/vcenters".to_owned() }]
}

/// How a connection stands.
pub(super) fn standing(view: &VcenterView) -> Status {
    match (&view.certificates.refused, &view.vcenter.last_error, &view.vcenter.about) {
        (Some(_), ..) => Status::new(Mark::Broken, "certificate changed"),
        (None, Some(_), _) => Status::new(Mark::Broken, "not reached"),
        (None, None, Some(_)) => Status::new(Mark::Met, "connected"),
        (None, None, None) => Status::new(Mark::Unknown, "not contacted yet"),
    }
}

fn row(site: &Site, cx: &Cx, view: &VcenterView) -> Result<VcenterRow, Failed> {
    let vcenter = &view.vcenter;
    let product = vcenter.about.as_ref().map(|about| match about.kind {
        ApiKind::VirtualCenter => format!("vCenter {}", about.version),
        ApiKind::HostAgent => format!("ESXi {}", about.version),
    });
    Ok(VcenterRow {
        name: vcenter.name.clone(),
        address: format!("/vcenters/{}", vcenter.id),
        host: vcenter.address.to_string(),
        status: standing(view),
        product: product.unwrap_or_else(|| "unknown".to_owned()),
        vms: size::count(view.counts.vms),
        synced: vcenter.synced_at.map(|at| cx.ago(at)),
        stream: super::stream::status(site, vcenter.id)?,
        simulated: site.simulated,
    })
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<VcenterId>) -> Answer {
    let view = site.app.vcenters()?.view(id).await?;
    draw_one(&site, &cx, StatusCode::OK, &view, None)
}

/// The page of one, perhaps with what has just gone wrong.
fn draw_one(site: &Site, cx: &Cx, status: StatusCode, view: &VcenterView, failed: Option<Trouble>) -> Answer {
    let vcenter = &view.vcenter;
    let text = |text: &str| html::text(text);
    let accepted = view.certificates.accepted.as_ref();
    let mut facts = vec![
        ("Host".to_owned(), text(&vcenter.address.host)),
        ("Port".to_owned(), text(&vcenter.address.port.to_string())),
        ("User".to_owned(), text(&vcenter.username)),
    ];
    if let Some(about) = &vcenter.about {
        facts.push(("Product".to_owned(), text(&about.full_name)));
    }
    if let Some(certificate) = accepted {
        facts.extend(certificate_facts(cx, certificate));
    }
    let thumbprint = match (vcenter.trust, accepted) {
        (Trust::Pinned(thumbprint), _) => Some(thumbprint),
        (Trust::System, _) => None,
    };
    let count = |name: &'static str, count: u64, address: String| (name, size::count(count), address);
    let counts = view.counts;
    let mut page = cx.page(vcenter.name.clone(), Area::Vcenters);
    page.crumbs = crumbs();
    cx.draw_with(
        status,
        &VcenterPage {
            page,
            row: row(site, cx, view)?,
            trouble: failed.or_else(|| trouble(site, cx, view)),
            facts,
            thumbprint: thumbprint.map(|one| one.to_string()),
            counts: vec![
                count("VMs", counts.vms, format!("/inventory?vcenter={}", vcenter.id)),
                count(
                    "Templates",
                    counts.templates,
                    format!("/inventory?vcenter={}&kind=template", vcenter.id),
                ),
                count("Hosts", counts.hosts, format!("/inventory/hosts?vcenter={}", vcenter.id)),
                count(
                    "Datastores",
                    counts.datastores,
                    format!("/inventory/datastores?vcenter={}", vcenter.id),
                ),
                count("Networks", counts.networks, format!("/inventory/networks?vcenter={}", vcenter.id)),
            ],
            may_change: cx.may(Role::Admin),
            may_work: cx.may(Role::Operator),
        },
    )
}

pub(super) fn certificate_facts(cx: &Cx, certificate: &ServerCertificate) -> Vec<(String, Html)> {
    let until = match certificate.not_after {
        Some(at) => Html(format!("{}, {}", when::exact(at, &cx.zone), cx.ago(at))),
        None => html::text("not told"),
    };
    vec![
        ("Certificate of".to_owned(), html::text(&certificate.subject)),
        ("Certificate valid until".to_owned(), until),
    ]
}

/// What is wrong with a connection, and the way on.
fn trouble(site: &Site, cx: &Cx, view: &VcenterView) -> Option<Trouble> {
    let address = format!("/vcenters/{}", view.vcenter.id);
    if view.certificates.refused.is_some() {
        return Some(Trouble {
            what: "The server shows another certificate than the accepted one, so nothing is sent to it."
                .to_owned(),
            advice: "If somebody renewed it, compare the new one and accept it. If nobody did, find out who \
                     answers at this address first."
                .to_owned(),
            mend: cx.may(Role::Admin).then(|| Link {
                label: "Compare the certificates".to_owned(),
                address: format!("{address}/certificate"),
            }),
        });
    }
    let stream = site.app.vcenters().ok().and_then(|cases| cases.stream(view.vcenter.id));
    if let Some(StreamState::Lost { because, advice, next_try, .. }) = stream.map(|stream| stream.state) {
        let again = format!(
            "It is tried again by itself at {}.",
            next_try.to_zoned(cx.zone.clone()).strftime("%H:%M:%S")
        );
        let advice = advice.map_or(again.clone(), |advice| format!("{advice} {again}"));
        return Some(Trouble { what: sentence(&because), advice, mend: None });
    }
    let error = view.vcenter.last_error.as_ref()?;
    Some(Trouble {
        what: sentence(error),
        advice:
            "It is tried again by itself. Check that the vCenter runs, that its name and port are right, and \
                 that the user may still log in."
                .to_owned(),
        mend: None,
    })
}

pub(crate) async fn test(State(site): State<Site>, cx: Cx, Path(id): Path<VcenterId>) -> Answer {
    let cases = site.app.vcenters()?;
    let address = format!("/vcenters/{id}");
    match cases.test(cx.who()?, id).await {
        Ok(Contact::Answered(about)) => {
            Ok(done(&site, &address, &format!("The login worked: {}.", about.full_name)))
        }
        // The page says what is wrong with the certificate.
        Ok(_certificate) => Ok(Redirect::to(&address).into_response()),
        Err(AppError::Failed(failure)) => {
            let view = cases.view(id).await?;
            let trouble = Trouble {
                what: sentence(&failure.message),
                advice: failure.advice.unwrap_or_else(|| "Try again.".to_owned()),
                mend: None,
            };
            draw_one(&site, &cx, StatusCode::FAILED_DEPENDENCY, &view, Some(trouble))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn sync(State(site): State<Site>, cx: Cx, Path(id): Path<VcenterId>) -> Answer {
    let job = site.app.vcenters()?.sync(cx.who()?, id).await?;
    Ok(done(&site, &format!("/jobs/{job}"), "The inventory is being read."))
}

pub(crate) async fn certificate(State(site): State<Site>, cx: Cx, Path(id): Path<VcenterId>) -> Answer {
    let cases = site.app.vcenters()?;
    let view = cases.view(id).await?;
    let shown = cases.look(id).await?;
    draw_certificate(&cx, &view, &shown)
}

fn draw_certificate(cx: &Cx, view: &VcenterView, shown: &ServerCertificate) -> Answer {
    let before = match view.vcenter.trust {
        Trust::Pinned(pinned) if pinned != shown.thumbprint => Some(pinned.to_string()),
        _ => None,
    };
    let address = format!("/vcenters/{}", view.vcenter.id);
    let mut page = cx.page("Compare the certificate", Area::Vcenters);
    page.crumbs = crumbs();
    page.crumbs.push(Link { label: view.vcenter.name.clone(), address: address.clone() });
    cx.draw(&ConfirmCertificate {
        page,
        action: format!("{address}/certificate"),
        host: view.vcenter.address.to_string(),
        thumbprint: shown.thumbprint.to_string(),
        before,
        facts: certificate_facts(cx, shown),
        back: address,
    })
}

pub(crate) async fn accept_certificate(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<VcenterId>,
    Form(form): Typed,
) -> Answer {
    let accepted: Thumbprint = typed(&form, "thumbprint")
        .parse()
        .map_err(|error: crate::domain::thumbprint::NotAThumbprint| AppError::invalid("thumbprint", error))?;
    let cases = site.app.vcenters()?;
    match cases.accept_certificate(cx.who()?, id, accepted).await? {
        Saved::Kept(vcenter) => {
            let said =
                format!("{} is connected. Only this certificate is accepted from now on.", vcenter.name);
            Ok(done(&site, &format!("/vcenters/{id}"), &said))
        }
        // It changed once more between looking and accepting.
        Saved::Compare(found) | Saved::Changed { found, .. } => {
            draw_certificate(&cx, &cases.view(id).await?, &found)
        }
    }
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<VcenterId>) -> Answer {
    draw_ask(&site, &cx, StatusCode::OK, id, None).await
}

async fn draw_ask(site: &Site, cx: &Cx, status: StatusCode, id: VcenterId, error: Option<String>) -> Answer {
    let view = site.app.vcenters()?.view(id).await?;
    let name = view.vcenter.name;
    let mut page = cx.page("Disconnect a vCenter", Area::Vcenters);
    page.crumbs = crumbs();
    let confirm = Confirm {
        action: format!("/vcenters/{id}/delete"),
        csrf: page.csrf.clone(),
        question: format!("Disconnect {name}?"),
        consequences: vec![
            format!("What is known of its {} VMs and templates is forgotten here.", {
                size::count(view.counts.vms + view.counts.templates)
            }),
            "Its sealed password is destroyed.".to_owned(),
            "Nothing changes in the vCenter itself.".to_owned(),
        ],
        button: format!("Disconnect {name}"),
        name,
        back: format!("/vcenters/{id}"),
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm, other: None })
}

pub(crate) async fn delete(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<VcenterId>,
    Form(form): Typed,
) -> Answer {
    let cases = site.app.vcenters()?;
    let name = cases.get(id).await?.name;
    let error = if typed(&form, "confirm").trim() != name {
        format!("This is not its name. Type {name} exactly as it stands here.")
    } else {
        match cases.delete(cx.who()?, id).await {
            Ok(()) => return Ok(done(&site, "/vcenters", &format!("{name} is disconnected."))),
            Err(AppError::Conflict(why)) => sentence(&why),
            Err(error) => return Err(error.into()),
        }
    };
    draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(error)).await
}
