//! The same export on several hosts: how each of them ended, tried again where that may help.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::datastore_mounts::{Mounted, mount, on_host, same, unmount};
use crate::domain::deployment::DatastoreHost;
use crate::domain::job::{Failure, FailureKind, Level};
use crate::engine::StepContext;
use crate::vsphere::Client;
use crate::vsphere::verbs::NasMount;

/// How often mounting is tried in all, and the pause between.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_secs(10);
const ADVICE: &str = "Check the network and the firewall between those hosts and the appliance (TCP 111 and 2049), and \
                      that the NFS networks contain their addresses.";

/// What is to be mounted where.
pub(super) struct Wish<'a> {
    pub(super) client: &'a Client,
    pub(super) hosts: &'a [DatastoreHost],
    pub(super) mount: &'a NasMount,
}

/// Hosts that had it mounted before anything was done, by their references: taking back leaves it there.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Before {
    before: Vec<String>,
}

impl Before {
    fn read(intent: &Value) -> Result<Self, Failure> {
        Self::deserialize(intent)
            .map_err(|error| Failure::permanent(format!("The recorded hosts could not be read: {error}.")))
    }

    fn had(&self, host: &DatastoreHost) -> bool {
        self.before.iter().any(|id| id == host.moref.id())
    }
}

/// What came of one host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct HostResult {
    pub(super) host: String,
    pub(super) moref: String,
    #[serde(flatten)]
    pub(super) mounted: Mounted,
}

/// Which hosts have it mounted already.
pub(super) async fn mounted_before(wish: &Wish<'_>) -> Result<Before, Failure> {
    let mut before = Vec::new();
    for host in wish.hosts {
        let there = on_host(wish.client, &host.moref).await?;
        if matches!(same(&there, wish.mount), Ok(Some(_))) {
            before.push(host.moref.id().to_owned());
        }
    }
    Ok(Before { before })
}

/// Mounts it on every host, as often as that may help.
pub(super) async fn mount_on_all(
    cx: &StepContext,
    wish: &Wish<'_>,
    intent: &Value,
) -> Result<Vec<HostResult>, Failure> {
    let before = Before::read(intent)?;
    let mut results: Vec<Option<Mounted>> = wish.hosts.iter().map(|_| None).collect();
    for attempt in 1..=ATTEMPTS {
        let mut again = false;
        for (number, host) in wish.hosts.iter().enumerate() {
            if matches!(results[number], Some(Mounted::Done { .. } | Mounted::AlreadyThere { .. })) {
                continue;
            }
            let mounted = match mount(wish.client, &host.moref, wish.mount).await {
                // By an earlier attempt of this very step.
                Ok(Mounted::AlreadyThere { datastore }) if !before.had(host) => Mounted::Done { datastore },
                Ok(mounted) => mounted,
                Err(failure) if failure.kind == FailureKind::Cancelled => return Err(failure),
                Err(failure) => {
                    again |= failure.kind == FailureKind::Transient;
                    Mounted::Failed { message: failure.message }
                }
            };
            tell(cx, host, wish.mount, &mounted);
            results[number] = Some(mounted);
            #[allow(clippy::cast_precision_loss)]
            cx.progress((number + 1) as f64 / wish.hosts.len() as f64);
        }
        if !again || attempt == ATTEMPTS {
            break;
        }
        cx.pause(PAUSE).await?;
    }
    let result = |(host, mounted): (&DatastoreHost, Option<Mounted>)| HostResult {
        host: host.name.clone(),
        moref: host.moref.id().to_owned(),
        mounted: mounted.unwrap_or(Mounted::Failed { message: "It was not tried.".to_owned() }),
    };
    Ok(wish.hosts.iter().zip(results).map(result).collect())
}

fn tell(cx: &StepContext, host: &DatastoreHost, wanted: &NasMount, mounted: &Mounted) {
    match mounted {
        Mounted::Done { .. } => {
            cx.console(Level::Success, format!("{}: {:?} is mounted.", host.name, wanted.name));
        }
        Mounted::AlreadyThere { .. } => {
            cx.info(format!("{}: {:?} was mounted already.", host.name, wanted.name));
        }
        Mounted::Failed { message } => cx.console(Level::Error, format!("{}: {message}", host.name)),
    }
}

/// Fails if no host has it, and warns if some have not.
pub(super) fn not_on_all(cx: &StepContext, results: &[HostResult]) -> Result<(), Failure> {
    let is_failed = |one: &&HostResult| matches!(one.mounted, Mounted::Failed { .. });
    let failed: Vec<&str> = results.iter().filter(is_failed).map(|one| one.host.as_str()).collect();
    if !results.is_empty() && failed.len() == results.len() {
        return Err(Failure::permanent(format!("Mount failed on {}.", failed.join(", "))).advise(ADVICE));
    }
    if !failed.is_empty() {
        cx.warn(format!("Mount failed on {}. {ADVICE}", failed.join(", ")));
    }
    Ok(())
}

/// Takes it off the hosts that had it not before, and looks that it is gone there.
pub(super) async fn take_off_all(cx: &StepContext, wish: &Wish<'_>, intent: &Value) -> Result<(), Failure> {
    let before = Before::read(intent)?;
    for host in wish.hosts.iter().filter(|host| !before.had(host)) {
        if unmount(wish.client, &host.moref, wish.mount).await? {
            cx.info(format!("Unmounted {:?} from {}.", wish.mount.name, host.name));
        }
    }
    Ok(())
}
