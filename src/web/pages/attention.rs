//! What needs somebody: the upper part of the dashboard, the worst first.

use jiff::Timestamp;

use super::job_list::title;
use super::site_map::standing;
use super::vcenters::EXPIRES_SOON;
use crate::app::checkpoints::Trouble as LeftTrouble;
use crate::app::group_states::GroupState;
use crate::app::vcenters::{StreamState, VcenterView};
use crate::domain::access::Role;
use crate::domain::health::{Health, HealthState};
use crate::domain::job::{Job, JobState};
use crate::domain::target::Target;
use crate::web::cx::{Cx, sentence};
use crate::web::screens::dashboard::Attention;
use crate::web::view::Status;
use crate::web::view::page::Link;
use crate::web::view::status::Mark;
use crate::web::{Site, Trouble};

/// Most jobs of each sort.
const SHOWN: usize = 8;

pub(super) async fn attention(
    site: &Site,
    cx: &Cx,
    vcenters: &[VcenterView],
    stuck: &[Job],
    groups: &[GroupState],
) -> Result<Vec<Attention>, Trouble> {
    let mut all: Vec<Attention> = vcenters.iter().filter_map(|view| of_vcenter(site, cx, view)).collect();
    let appliances = site.app.targets_with_health().await?;
    all.extend(appliances.iter().filter_map(|(target, health)| of_appliance(target, health.as_ref()?)));
    all.extend(groups.iter().filter_map(super::protection_groups::attention));
    all.extend(groups.iter().filter_map(|one| super::group_preflights::attention(cx, one)));
    all.extend(site.app.checkpoint_troubles().await?.into_iter().map(of_trouble));
    all.extend(site.app.failed_jobs_unseen(SHOWN).await?.iter().map(|job| of_job(cx, job)));
    all.extend(stuck.iter().map(|job| of_job(cx, job)));
    if cx.may(Role::Admin) && !site.app.has_recovery_key().await? {
        all.push(Attention {
            status: Status::new(Mark::Risk, "at risk"),
            what: link("Recovery key", "/settings#recovery-key"),
            why: "None was made: if this machine is lost, every password and key has to be entered again."
                .to_owned(),
            mend: link("Make one", "/settings#recovery-key"),
            seen: None,
        });
    }
    all.extend(of_this_server(site, cx));
    all.sort_by_key(|one| std::cmp::Reverse(one.status.mark));
    Ok(all)
}

fn link(label: &str, address: &str) -> Link {
    Link { label: label.to_owned(), address: address.to_owned() }
}

/// What a group left somewhere and does not agree, or does not go away.
fn of_trouble(one: LeftTrouble) -> Attention {
    let address =
        one.group.map_or_else(|| "/protection-groups".to_owned(), |id| format!("/protection-groups/{id}"));
    Attention {
        status: Status::new(Mark::Broken, "ask"),
        what: link(&one.object, &address),
        why: format!("{} {}", sentence(&one.why), one.advice),
        mend: link("Look", &address),
        seen: None,
    }
}

fn of_job(cx: &Cx, job: &Job) -> Attention {
    let address = format!("/jobs/{}", job.id);
    let seen = job.state == JobState::Failed && cx.may(Role::Operator);
    let why = job.failure.as_ref().map_or("It waits for a person.", |why| why.message.as_str());
    Attention {
        status: Status::from(job.state),
        what: link(&title(job), &address),
        why: sentence(why),
        seen: seen.then(|| format!("{address}/acknowledge")),
        mend: link("Look", &address),
    }
}

fn of_vcenter(site: &Site, cx: &Cx, view: &VcenterView) -> Option<Attention> {
    let address = format!("/vcenters/{}", view.vcenter.id);
    let about = |mark, word: &'static str, why: String, mend: Link| {
        let what = link(&view.vcenter.name, &address);
        Some(Attention { status: Status::new(mark, word), what, why, mend, seen: None })
    };
    let look = || link("Look", &address);
    if view.certificates.refused.is_some() {
        let why = "It shows another certificate than the accepted one, so nothing is sent to it.".to_owned();
        let mend = match cx.may(Role::Admin) {
            true => link("Compare", &format!("{address}/certificate")),
            false => look(),
        };
        return about(Mark::Broken, "certificate changed", why, mend);
    }
    let stream = site.app.vcenters().ok().and_then(|cases| cases.stream(view.vcenter.id));
    if let Some(StreamState::Lost { because, .. }) = stream.map(|stream| stream.state) {
        let why = format!("What is known of it may be out of date: {}", sentence(&because));
        return about(Mark::Broken, "stream lost", why, look());
    }
    if let Some(error) = &view.vcenter.last_error {
        return about(Mark::Broken, "not reached", sentence(error), look());
    }
    let not_after = view.certificates.accepted.as_ref()?.not_after?;
    let days = days_left(not_after, cx.now);
    match days {
        ..0 => about(Mark::Risk, "expired", "Its accepted certificate has expired.".to_owned(), look()),
        0..=EXPIRES_SOON => {
            let why = format!("Its certificate expires in {days} days. The new one has to be accepted here.");
            about(Mark::Risk, "expires soon", why, look())
        }
        _ => None,
    }
}

/// The certificate that browsers are shown, once it has expired or is about to.
fn of_this_server(site: &Site, cx: &Cx) -> Option<Attention> {
    let shown = site.app.certificate()?;
    let days = days_left(shown.certificate.not_after?, cx.now);
    let (word, when) = match days {
        ..0 => ("expired", "has expired".to_owned()),
        0..=EXPIRES_SOON => ("expires soon", format!("expires in {days} days")),
        _ => return None,
    };
    let then = match shown.self_signed {
        true => "Restart Zerfaux: it then makes a new one, which browsers ask about once.",
        false => "Put the new one into its files and send SIGHUP (systemctl reload zerfaux).",
    };
    Some(Attention {
        status: Status::new(Mark::Risk, word),
        what: link("This server's certificate", "/settings#certificate"),
        why: format!("The certificate that browsers see here {when}. {then}"),
        mend: link("Look", "/settings#certificate"),
        seen: None,
    })
}

/// What is worst about an appliance that is in use and not well.
fn of_appliance(target: &Target, health: &Health) -> Option<Attention> {
    if !target.is_active || matches!(health.state, HealthState::Healthy | HealthState::Unknown) {
        return None;
    }
    let worst = health.checks.iter().max_by_key(|check| check.verdict);
    let why = worst.map_or_else(String::new, |check| format!("{}: {}", check.name, sentence(&check.found)));
    let address = format!("/appliances/{}", target.id);
    Some(Attention {
        status: standing(health.state),
        what: link(&target.name, &address),
        why,
        mend: link("Look", &address),
        seen: None,
    })
}

fn days_left(at: Timestamp, now: Timestamp) -> i64 {
    at.duration_since(now).as_hours().div_euclid(24)
}
