//! `/appliances`: list, one with its health, what one may ask of it.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::SignedDuration;

use super::datastores;
use crate::app::AppError;
use crate::app::target_health::{Forecast, forecast};
use crate::app::targets::shown_dial;
use crate::domain::access::Role;
use crate::domain::health::{Health, HealthCheck, HealthState, PoolFacts, Rights, Verdict};
use crate::domain::ids::TargetId;
use crate::domain::target::Target;
use crate::web::confirm::ConfirmPage;
use crate::web::cx::{Cx, Typed, done, sentence, typed};
use crate::web::screens::appliances::{
    AppliancePage, ApplianceRow, Appliances, ConfirmHostKey, HealthLine, PoolRow,
};
use crate::web::view::form::Confirm;
use crate::web::view::navigation::Area;
use crate::web::view::page::Link;
use crate::web::view::plot::Plot;
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status, html, size};
use crate::web::{Answer, Site, Trouble};

/// How far back the chart of a pool goes.
const CHART: SignedDuration = SignedDuration::from_hours(60 * 24);

pub(crate) async fn page(State(site): State<Site>, cx: Cx) -> Answer {
    let all = site.app.targets_with_health().await?;
    let rows = all.iter().map(|(target, health)| row(&cx, target, health.as_ref())).collect();
    let has_key = !site.app.ssh_keys().await?.is_empty();
    cx.draw(&Appliances { page: cx.page("Appliances", Area::Appliances), rows, has_key })
}

pub(super) fn crumbs() -> Vec<Link> {
    vec![Link { label: "Appliances".to_owned(), address: "/appliances".to_owned() }]
}

fn text(text: &str) -> Html {
    Html(html::escape(text).to_string())
}

/// An appliance as a line of a list.
fn row(cx: &Cx, target: &Target, health: Option<&Health>) -> ApplianceRow {
    let pool = health.and_then(|health| own_pool(target, health));
    let percent = pool.map(|pool| size::percent(pool.allocated, pool.size));
    ApplianceRow {
        name: target.name.clone(),
        address: format!("/appliances/{}", target.id),
        endpoint: target.endpoint.to_string(),
        status: status(target, health),
        version: health.and_then(|health| health.facts.release.clone()).unwrap_or_default(),
        capacity: pool.map(|pool| (percent.unwrap_or(0), size::part_of(pool.allocated, pool.size))),
        capacity_mark: fullness(percent.unwrap_or(0)),
        checked: health.map(|health| cx.ago(health.checked_at)),
    }
}

fn own_pool<'a>(target: &Target, health: &'a Health) -> Option<&'a PoolFacts> {
    health.facts.pools.iter().find(|pool| pool.name == target.zfs_pool.as_str())
}

fn fullness(percent: u8) -> &'static str {
    match percent {
        0..80 => "met",
        80..95 => "risk",
        _ => "broken",
    }
}

fn status(target: &Target, health: Option<&Health>) -> Status {
    if !target.is_active {
        return Status::new(Mark::Unknown, "switched off");
    }
    match health.map(|health| health.state) {
        None | Some(HealthState::Unknown) => Status::new(Mark::Unknown, "not looked at yet"),
        Some(HealthState::Healthy) => Status::new(Mark::Met, "healthy"),
        Some(HealthState::Degraded) => Status::new(Mark::Risk, "needs a look"),
        Some(HealthState::Failed) => Status::new(Mark::Broken, "failed"),
        Some(HealthState::Unreachable) => Status::new(Mark::Broken, "unreachable"),
    }
}

pub(crate) async fn one(State(site): State<Site>, cx: Cx, Path(id): Path<TargetId>) -> Answer {
    let target = site.app.target(id).await?;
    let health = site.app.target_health(id).await?;
    let worst = health.as_ref().and_then(worst);
    let accept = health.as_ref().and_then(|health| health.facts.other_host_key.as_ref());
    let mut page = cx.page(target.name.clone(), Area::Appliances);
    page.crumbs = crumbs();
    let pools =
        health.iter().flat_map(|health| &health.facts.pools).map(|pool| pool_row(&cx, pool)).collect();
    let lines = health.iter().flat_map(|health| &health.checks).map(line).collect();
    cx.draw(&AppliancePage {
        page,
        id: id.to_string(),
        row: row(&cx, &target, health.as_ref()),
        trouble: worst.map(|check| {
            let mark = if check.verdict == Verdict::Fail { "broken" } else { "risk" };
            (format!("{}: {}", check.name, check.found), check.advice.clone().unwrap_or_default(), mark)
        }),
        capacity: capacity(&site, &cx, &target).await?,
        health: lines,
        pools,
        datastores: datastores::rows(&site, &target).await?,
        facts: facts(&site, &cx, &target, health.as_ref()).await?,
        host_key: target.host_key.clone(),
        accept: accept.filter(|_| cx.may(Role::Admin)).map(|_| format!("/appliances/{id}/host-key")),
        may_work: cx.may(Role::Operator),
        may_change: cx.may(Role::Admin),
    })
}

/// What an operator has to see first, if something is not well.
fn worst(health: &Health) -> Option<&HealthCheck> {
    health
        .checks
        .iter()
        .rev()
        .filter(|check| check.verdict >= Verdict::Warn)
        .max_by_key(|check| check.verdict)
}

fn line(check: &HealthCheck) -> HealthLine {
    let status = match check.verdict {
        Verdict::Ok => Status::new(Mark::Met, "ok"),
        Verdict::Unknown => Status::new(Mark::Unknown, "unknown"),
        Verdict::Warn => Status::new(Mark::Risk, "look at it"),
        Verdict::Fail => Status::new(Mark::Broken, "broken"),
    };
    HealthLine { name: check.name.clone(), status, found: check.found.clone(), advice: check.advice.clone() }
}

fn pool_row(cx: &Cx, pool: &PoolFacts) -> PoolRow {
    let percent = size::percent(pool.allocated, pool.size);
    let mark = match pool.state.as_str() {
        "ONLINE" => Mark::Met,
        "DEGRADED" => Mark::Risk,
        _ => Mark::Broken,
    };
    PoolRow {
        name: pool.name.clone(),
        status: Status::new(mark, pool.state.clone()),
        percent,
        used: size::part_of(pool.allocated, pool.size),
        mark: fullness(percent),
        fragmentation: pool
            .fragmentation
            .map(|percent| format!("{percent} %"))
            .unwrap_or_else(|| "–".to_owned()),
        errors: pool.device_errors,
        scrubbed: pool.scrubbed_at.map(|at| cx.ago(at)),
    }
}

/// How full its own pool was, and where that leads.
async fn capacity(site: &Site, cx: &Cx, target: &Target) -> Result<Html, Trouble> {
    let now = jiff::Timestamp::now();
    let since = now.saturating_sub(CHART).unwrap_or(jiff::Timestamp::MIN);
    let samples = site.app.target_capacity(target.id, target.zfs_pool.as_str(), since).await?;
    let points: Vec<_> = samples.iter().map(|sample| (sample.at, sample.used as f64)).collect();
    let whole = samples.last().map(|sample| sample.size);
    let (caption, limit) =
        (format!("{}, used", target.zfs_pool), whole.map(|whole| format!("{} in all", size::bytes(whole))));
    let ahead = forecast(&samples);
    let words = ahead.words();
    let plot = Plot {
        caption: &caption,
        points: &points,
        limit: whole.zip(limit.as_deref()).map(|(whole, words)| (whole as f64, words)),
        forecast: match (ahead, whole, words.as_deref()) {
            (Forecast::Full { at, .. }, Some(whole), Some(words)) => Some((at, whole as f64, words)),
            _ => None,
        },
        // Drawn values are no larger than a pool, and never below nothing.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        write: |bytes| size::bytes(bytes.max(0.0) as u64),
        zone: &cx.zone,
    };
    Ok(plot.draw())
}

async fn facts(
    site: &Site,
    cx: &Cx,
    target: &Target,
    health: Option<&Health>,
) -> Result<Vec<(String, Html)>, Trouble> {
    let key = site.app.ssh_key(target.ssh_key).await?;
    let link =
        |address: String, label: &str| Html(format!("<a href=\"{address}\">{}</a>", html::escape(label)));
    let how = match health.and_then(|health| health.facts.rights.as_ref()) {
        Some(Rights::Sudo) => ", by sudo",
        Some(Rights::Delegated { .. }) => ", by delegation",
        _ => "",
    };
    let mut facts = vec![
        ("Management".to_owned(), text(&format!("{}:{}", target.endpoint.host, target.endpoint.port))),
        ("NFS".to_owned(), text(target.nfs_address())),
        ("Replication".to_owned(), text(&shown_dial(&target.replication_address(), target.endpoint.port))),
        ("User".to_owned(), text(&format!("{}{how}", target.endpoint.user))),
        ("SSH key".to_owned(), link(format!("/ssh-keys/{}", key.id), &key.name)),
        ("Pool".to_owned(), text(target.zfs_pool.as_str())),
        ("May mount".to_owned(), text(&target.nfs_networks.to_string().replace(',', ", "))),
    ];
    if let Some(vcenter) = target.vcenter {
        let name = site.app.vcenters()?.get(vcenter).await?.name;
        facts.push(("vCenter".to_owned(), text(&name)));
    }
    if let Some(path) = &target.appdata_path {
        facts.push(("Container stacks".to_owned(), text(path)));
    }
    facts.push(("Added by".to_owned(), text(&target.created_by)));
    facts.push(("Added".to_owned(), cx.ago(target.created_at)));
    Ok(facts)
}

pub(crate) async fn test(State(site): State<Site>, cx: Cx, Path(id): Path<TargetId>) -> Answer {
    let job = site.app.start_health_check(cx.who()?, id).await?;
    Ok(done(&site, &format!("/jobs/{job}"), "The appliance is being looked at."))
}

pub(crate) async fn host_key(State(site): State<Site>, cx: Cx, Path(id): Path<TargetId>) -> Answer {
    let target = site.app.target(id).await?;
    let address = format!("/appliances/{id}");
    let found = site.app.shown_host_key(id).await?;
    if found.fingerprint == target.host_key {
        return Ok(done(&site, &address, "It shows the host key that is accepted."));
    }
    let mut page = cx.page("The host key has changed", Area::Appliances);
    page.crumbs = crumbs();
    cx.draw(&ConfirmHostKey {
        page,
        action: format!("{address}/host-key"),
        carried: Vec::new(),
        host: format!("{}:{}", target.endpoint.host, target.endpoint.port),
        algorithm: found.algorithm,
        fingerprint: found.fingerprint,
        before: Some(target.host_key),
        button: "Accept the new key",
        back: address,
    })
}

pub(crate) async fn accept_host_key(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<TargetId>,
    Form(form): Typed,
) -> Answer {
    let who = cx.who()?;
    let target = site.app.target(id).await?;
    let given = typed(&form, "host_key_fingerprint");
    if given.is_empty() {
        return Err(AppError::invalid("host_key_fingerprint", "No host key was chosen.").into());
    }
    site.app.accept_host_key(who, id, given).await?.kept(&target.endpoint.host)?;
    if target.is_active {
        site.app.start_health_check(who, id).await?;
    }
    Ok(done(&site, &format!("/appliances/{id}"), "The new host key is accepted."))
}

pub(crate) async fn ask(State(site): State<Site>, cx: Cx, Path(id): Path<TargetId>) -> Answer {
    draw_ask(&site, &cx, StatusCode::OK, id, None).await
}

async fn draw_ask(site: &Site, cx: &Cx, status: StatusCode, id: TargetId, error: Option<String>) -> Answer {
    let target = site.app.target(id).await?;
    let mut page = cx.page("Remove an appliance", Area::Appliances);
    page.crumbs = crumbs();
    let confirm = Confirm {
        action: format!("/appliances/{id}/delete"),
        csrf: page.csrf.clone(),
        question: format!("Remove the appliance {}?", target.name),
        consequences: vec![
            "Zerfaux forgets it, with what it found about it.".to_owned(),
            "Its pools, datasets, snapshots and exports stay as they are, and hosts go on using them."
                .to_owned(),
            "The public key stays in its authorized_keys until somebody takes it out there.".to_owned(),
        ],
        button: format!("Remove {}", target.name),
        name: target.name,
        back: format!("/appliances/{id}"),
        error,
    };
    cx.draw_with(status, &ConfirmPage { page, confirm, other: None })
}

pub(crate) async fn delete(
    State(site): State<Site>,
    cx: Cx,
    Path(id): Path<TargetId>,
    Form(form): Typed,
) -> Answer {
    let target = site.app.target(id).await?;
    let error = if typed(&form, "confirm").trim() != target.name {
        format!("This is not its name. Type {} exactly as it stands here.", target.name)
    } else {
        match site.app.delete_target(cx.who()?, id).await {
            Ok(()) => {
                return Ok(done(&site, "/appliances", &format!("Zerfaux has forgotten {}.", target.name)));
            }
            Err(AppError::Conflict(why)) => sentence(&why),
            Err(error) => return Err(error.into()),
        }
    };
    draw_ask(&site, &cx, StatusCode::UNPROCESSABLE_ENTITY, id, Some(error)).await
}
