//! Both sites as they are drawn on the dashboard: the two vCenters that were connected first, their appliances, and
//! the protection groups and replications that are run between these by themselves.

use std::collections::BTreeMap;

use crate::app::App;
use crate::app::group_states::GroupState;
use crate::app::schedules::ScheduledReplication;
use crate::app::vcenters::VcenterView;
use crate::domain::health::{Health, HealthState};
use crate::domain::ids::TargetId;
use crate::domain::job::JobState;
use crate::domain::location::HostRef;
use crate::domain::target::Target;
use crate::web::Trouble;
use crate::web::view::site_map::{Appliance, Flow, Site, site_map};
use crate::web::view::status::Mark;
use crate::web::view::{Html, Status};

pub(super) async fn draw(
    app: &App,
    vcenters: &[VcenterView],
    groups: &[GroupState],
) -> Result<Option<Html>, Trouble> {
    let mut first: Vec<&VcenterView> = vcenters.iter().collect();
    first.sort_by_key(|view| view.vcenter.created_at);
    if first.is_empty() {
        return Ok(None);
    }
    let known = app.targets_with_health().await?;
    let targets: Vec<Target> = known.iter().map(|(target, _)| target.clone()).collect();
    let mut places: BTreeMap<TargetId, (usize, usize)> = BTreeMap::new();
    let mut sites = Vec::new();
    for (side, role) in ["Site A", "Site B"].into_iter().enumerate() {
        let Some(view) = first.get(side) else {
            sites.push(Site {
                role: role.to_owned(),
                name: "no vCenter yet".to_owned(),
                address: "/vcenters/new".to_owned(),
                status: Mark::Unknown.into(),
                appliances: Vec::new(),
            });
            continue;
        };
        let own: Vec<_> =
            known.iter().filter(|(target, _)| target.vcenter == Some(view.vcenter.id)).collect();
        places.extend(own.iter().enumerate().map(|(place, (target, _))| (target.id, (side, place))));
        sites.push(Site {
            role: role.to_owned(),
            name: view.vcenter.name.clone(),
            address: format!("/vcenters/{}", view.vcenter.id),
            status: super::vcenters::standing(view),
            appliances: own.into_iter().map(|(target, health)| appliance(target, health.as_ref())).collect(),
        });
    }
    let Ok(sites) = <[Site; 2]>::try_from(sites) else { return Ok(None) };
    let scheduled = app.scheduled_replications().await?;
    let mut flows = Vec::new();
    for state in groups {
        flows.extend(of_group(app, state, &places).await?);
    }
    flows.extend(scheduled.iter().filter_map(|one| flow(one, &targets, &places)));
    let label = format!(
        "The sites {} and {}, with {} replications between their appliances",
        sites[0].name,
        sites[1].name,
        flows.len()
    );
    Ok(Some(site_map(&sites, &flows, &label)))
}

/// A group as an arrow from its source to its replica; none if one of them is not drawn.
async fn of_group(
    app: &App,
    state: &GroupState,
    places: &BTreeMap<TargetId, (usize, usize)>,
) -> Result<Option<Flow>, Trouble> {
    let group = &state.group;
    let (Some(from), Some(to)) = (places.get(&group.source.target), places.get(&group.dr.target)) else {
        return Ok(None);
    };
    let rate = match state.running() {
        Some(run) => app.job(run.job).await?.details["bytes_per_second"].as_u64().filter(|rate| *rate > 0),
        None => None,
    };
    Ok(Some(Flow {
        name: group.name.clone(),
        address: super::protection_groups::address(group.id),
        status: super::protection_groups::status(state),
        from: *from,
        to: *to,
        rate,
    }))
}

fn appliance(target: &Target, health: Option<&Health>) -> Appliance {
    let pool = health
        .and_then(|health| health.facts.pools.iter().find(|pool| pool.name == target.zfs_pool.to_string()));
    Appliance {
        name: target.name.clone(),
        address: format!("/appliances/{}", target.id),
        status: match target.is_active {
            true => standing(health.map_or(HealthState::Unknown, |health| health.state)),
            false => Status::new(Mark::Unknown, "not in use"),
        },
        used: pool.map(|pool| (pool.allocated, pool.size)),
    }
}

/// How an appliance's health is shown.
pub(super) fn standing(state: HealthState) -> Status {
    match state {
        HealthState::Unknown => Status::new(Mark::Unknown, "not looked at yet"),
        HealthState::Healthy => Status::new(Mark::Met, "healthy"),
        HealthState::Degraded => Status::new(Mark::Risk, "degraded"),
        HealthState::Failed => Status::new(Mark::Broken, "failed"),
        HealthState::Unreachable => Status::new(Mark::Broken, "unreachable"),
    }
}

fn flow(
    one: &ScheduledReplication,
    targets: &[Target],
    places: &BTreeMap<TargetId, (usize, usize)>,
) -> Option<Flow> {
    let place = |host: &HostRef| {
        let HostRef::Ssh { endpoint, .. } = host else { return None };
        let at = |target: &&Target| {
            (&target.endpoint.host, target.endpoint.port) == (&endpoint.host, endpoint.port)
        };
        places.get(&targets.iter().find(at)?.id).copied()
    };
    let (from, to) = (place(&one.input.source.host)?, place(&one.input.destination.host)?);
    let job = one.last_job.as_ref();
    let status = match job.map(|job| job.state) {
        _ if !one.enabled => Status::new(Mark::Unknown, "paused"),
        None => Status::new(Mark::Unknown, "not yet run"),
        Some(JobState::Succeeded) => Status::new(Mark::Met, "replicated"),
        Some(JobState::Running | JobState::Cancelling | JobState::Queued) => {
            Status::new(Mark::Working, "replicating")
        }
        Some(state) => Status::from(state),
    };
    let works = job.filter(|job| job.state == JobState::Running);
    Some(Flow {
        name: one.name.clone(),
        address: job.map_or_else(|| "/jobs?kind=replicate".to_owned(), |job| format!("/jobs/{}", job.id)),
        status,
        from,
        to,
        rate: works.and_then(|job| job.details["bytes_per_second"].as_u64()).filter(|rate| *rate > 0),
    })
}
