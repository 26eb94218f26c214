//! Makes an installation know the simulated sites, as an administrator would: key, vCenters, appliances, a schedule.
//! What is there from the last time is changed, because simulated sites come up at new ports with new keys.

use std::time::Duration;

use secrecy::SecretString;

use super::super::exit::Trouble;
use super::sites::{APPLIANCE_USER, DESTINATION, SOURCE, Site, Sites, VCENTER_PASSWORD, VCENTER_USER};
use crate::app::jobs::JobQuery;
use crate::app::replications::{History, OnConflict, ReplicateInput};
use crate::app::ssh_keys::KeySource;
use crate::app::targets::{Saved as SavedTarget, TargetWish};
use crate::app::vcenters::{Saved, VcenterWish};
use crate::app::{App, AppError, Principal};
use crate::domain::ids::VcenterId;
use crate::domain::job::JobState;
use crate::domain::location::{HostRef, Location};
use crate::domain::retention::Retention;
use crate::domain::ssh_key::SshKey;
use crate::domain::target::Target;
use crate::domain::transport::{Dial, Transport};

/// The key's name.
const KEY: &str = "demo";
/// The schedule's name.
const SCHEDULE: &str = "vm01";

/// The key with which the simulated appliances are reached; made if it is not there.
pub(in crate::cli) async fn key(app: &App, who: &Principal) -> Result<SshKey, AppError> {
    match app.ssh_keys().await?.into_iter().find(|key| key.name == KEY) {
        Some(key) => Ok(key),
        None => app.add_ssh_key(who, KEY, KeySource::Generate).await,
    }
}

/// Makes everything known, queues the first readings, and replicates every so often.
pub(in crate::cli) async fn seed(app: &App, sites: &Sites, every: Duration) -> Result<(), Trouble> {
    let who = Principal::command_line();
    if !app.has_recovery_key().await? {
        // Nothing of a demo is worth recovering, so nobody has to write it down.
        let _shown_to_nobody = app.make_recovery_key(&who).await?;
    }
    end_old_jobs(app).await?;
    let key = key(app, &who).await?;
    let (mut targets, mut vcenters) = (Vec::new(), Vec::new());
    for site in [&sites.primary, &sites.dr] {
        let vcenter = connect(app, &who, site).await?;
        vcenters.push(vcenter);
        app.vcenters()?.sync(&who, vcenter).await?;
        targets.push(add(app, &who, site, &key, vcenter).await?);
    }
    let input = replication(&targets[0], &targets[1], &key)?;
    app.schedule_replication(SCHEDULE, &input, every).await?;
    if let [primary, dr] = vcenters[..] {
        super::deployment::in_background(app, sites, &key, [primary, dr], targets[1].id);
    }
    Ok(())
}

/// Jobs of the last time had to do with sites that are gone.
async fn end_old_jobs(app: &App) -> Result<(), AppError> {
    let states = JobState::ALL.into_iter().filter(|state| !state.is_final()).collect();
    for job in app.job_page(JobQuery { states, limit: 1000, ..JobQuery::default() }).await?.items {
        // One that cannot be cancelled ends by itself.
        let _ended = app.cancel(job.id).await;
    }
    Ok(())
}

/// What a person does to connect a site's vCenter, its certificate compared.
pub(in crate::cli) async fn connect(app: &App, who: &Principal, site: &Site) -> Result<VcenterId, Trouble> {
    let cases = app.vcenters()?;
    let known = cases.list().await?.into_iter().find(|one| one.name == site.vcenter_name);
    let wish = vcenter_wish(site, Some(site.vcenter.thumbprint()))?;
    let saved = match known {
        None => cases.create(who, wish).await?,
        Some(known) => cases.update(who, known.id, wish).await?,
    };
    match saved {
        Saved::Kept(vcenter) => Ok(vcenter.id),
        other => Err(other.kept().err().map_or_else(|| Trouble::misuse("not kept"), Trouble::from)),
    }
}

/// The connection as it is typed.
pub(in crate::cli) fn vcenter_wish(site: &Site, thumbprint: Option<&str>) -> Result<VcenterWish, Trouble> {
    let address = site.vcenter.address();
    let accepted = thumbprint.map(str::parse).transpose();
    Ok(VcenterWish {
        name: site.vcenter_name.to_owned(),
        host: address.ip().to_string(),
        port: address.port(),
        username: VCENTER_USER.to_owned(),
        password: Some(SecretString::from(VCENTER_PASSWORD)),
        accepted: accepted
            .map_err(|error: crate::domain::thumbprint::NotAThumbprint| Trouble::failed(&error))?,
    })
}

/// What a person does to add a site's appliance, its host key compared.
pub(in crate::cli) async fn add(
    app: &App,
    who: &Principal,
    site: &Site,
    key: &SshKey,
    vcenter: VcenterId,
) -> Result<Target, Trouble> {
    let known = app.targets().await?.into_iter().find(|one| one.name == site.appliance_name);
    let wish = target_wish(site, key, vcenter, &site.appliance.host_key_fingerprint());
    let saved = match known {
        None => app.create_target(who, &wish).await?,
        Some(known) => app.update_target(who, known.id, &wish).await?,
    };
    Ok(SavedTarget::kept(saved, site.appliance_name)?)
}

/// The appliance as it is typed.
pub(in crate::cli) fn target_wish(
    site: &Site,
    key: &SshKey,
    vcenter: VcenterId,
    fingerprint: &str,
) -> TargetWish {
    let address = site.appliance.address();
    TargetWish {
        name: site.appliance_name.to_owned(),
        hostname: address.ip().to_string(),
        port: address.port().to_string(),
        ssh_username: APPLIANCE_USER.to_owned(),
        ssh_key_id: key.id.to_string(),
        zfs_pool: site.pool.to_owned(),
        nfs_address: site.nfs_address.to_owned(),
        vcenter_id: vcenter.to_string(),
        host_key_fingerprint: fingerprint.to_owned(),
        ..TargetWish::default()
    }
}

/// The replication between the two appliances.
pub(in crate::cli) fn replication(
    source: &Target,
    destination: &Target,
    key: &SshKey,
) -> Result<ReplicateInput, Trouble> {
    let location = |target: &Target, dataset: &str| {
        let dataset = dataset.parse();
        let dataset = dataset.map_err(|error: crate::domain::names::NameError| Trouble::failed(&error))?;
        Ok::<_, Trouble>(Location { host: target.host(key.secret), dataset })
    };
    let destination = location(destination, DESTINATION)?;
    // Both sites are on loopback, which without a word would mean the dialling one itself.
    let replication_address = match &destination.host {
        HostRef::Ssh { endpoint, .. } => Some(Dial::from(endpoint)),
        _ => None,
    };
    Ok(ReplicateInput {
        source: location(source, SOURCE)?,
        destination,
        group: None,
        recursive: true,
        snapshot: true,
        history: History::All,
        keep_source: Retention { last: 2, ..Retention::default() },
        keep_destination: Retention { last: 12, ..Retention::default() },
        bandwidth_limit: None,
        transport: Transport::Auto,
        replication_address,
        guests: None,
        on_conflict: OnConflict::Stop,
    })
}
