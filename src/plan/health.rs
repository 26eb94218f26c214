//! What the facts about an appliance mean: each thing with its verdict and what to do, and all in one word.

use jiff::{SignedDuration, Timestamp};

use super::capacity::Forecast;
use crate::domain::health::{
    Export, Health, HealthCheck, HealthFacts, HealthState, PoolFacts, Rights, Trouble, Verdict,
};
use crate::domain::size::format_bytes;

/// Clocks that differ by less are the same: requests take their time, and seconds are whole.
const SAME_CLOCK: i64 = 2;
/// A pool is to be scrubbed every month; this leaves room for a month that was missed.
const SCRUB_EVERY: SignedDuration = SignedDuration::from_hours(62 * 24);
/// From here on OpenZFS slows down and fragments.
const NEARLY_FULL: u64 = 80;
/// From here on nothing works as it should.
const FULL: u64 = 95;
/// A pool that is full within this time is looked at now.
const SOON: u64 = 14 * 86_400;

/// What Zerfaux does on an appliance, as permissions of zfs-allow(8).
pub const PERMISSIONS: [&str; 18] = [
    "atime",
    "bookmark",
    "canmount",
    "clone",
    "create",
    "destroy",
    "hold",
    "mount",
    "mountpoint",
    "promote",
    "readonly",
    "receive",
    "release",
    "rename",
    "send",
    "sharenfs",
    "snapshot",
    "userprop",
];

/// Judges what was seen of the appliance whose pool is `pool`; `forecasts` are of its pools, by name.
pub fn judge(
    facts: HealthFacts,
    pool: &str,
    forecasts: &[(String, Forecast)],
    checked_at: Timestamp,
) -> Health {
    let mut checks = Vec::new();
    if let Some(trouble) = &facts.no_contact {
        checks.push(troubled("SSH", trouble));
        return Health { checked_at, state: HealthState::Unreachable, checks, facts };
    }
    let answered = facts.answer_ms.map_or("yes".to_owned(), |ms| format!("Answered in {ms} ms."));
    checks.push(ok("SSH", answered));
    if let Some(trouble) = &facts.no_zfs {
        checks.push(troubled("OpenZFS", trouble));
        return Health { checked_at, state: HealthState::Failed, checks, facts };
    }
    checks.push(release(&facts));
    checks.extend(facts.rights.as_ref().map(|found| rights(found, pool)));
    checks.extend(pools(&facts, pool, forecasts, checked_at));
    checks.push(nfs(&facts));
    checks.extend(facts.exports.as_deref().map(exports));
    checks.extend(facts.clock_ahead.map(clock));
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Unknown);
    let state = match worst {
        Verdict::Ok | Verdict::Unknown => HealthState::Healthy,
        Verdict::Warn => HealthState::Degraded,
        Verdict::Fail => HealthState::Failed,
    };
    Health { checked_at, state, checks, facts }
}

fn check(name: impl Into<String>, verdict: Verdict, found: impl Into<String>) -> HealthCheck {
    HealthCheck { name: name.into(), verdict, found: found.into(), advice: None }
}

fn ok(name: impl Into<String>, found: impl Into<String>) -> HealthCheck {
    check(name, Verdict::Ok, found)
}

fn advised(check: HealthCheck, advice: impl Into<String>) -> HealthCheck {
    HealthCheck { advice: Some(advice.into()), ..check }
}

fn troubled(name: &str, trouble: &Trouble) -> HealthCheck {
    HealthCheck { advice: trouble.advice.clone(), ..check(name, Verdict::Fail, trouble.message.clone()) }
}

fn release(facts: &HealthFacts) -> HealthCheck {
    const NAME: &str = "OpenZFS";
    let Some(release) = &facts.release else {
        return advised(
            check(NAME, Verdict::Warn, "It does not say its release: it is older than 0.8."),
            "Update OpenZFS to 2.0 or newer.",
        );
    };
    if facts.release_is_old {
        let found = format!("Release {release} is older than 2.0.");
        return advised(check(NAME, Verdict::Warn, found), "Update OpenZFS to 2.0 or newer.");
    }
    match &facts.module {
        Some(module) if module != release => advised(
            check(NAME, Verdict::Warn, format!("The tools are {release}, the kernel module is {module}.")),
            "Reboot the appliance, so that the module of the update is loaded.",
        ),
        _ => ok(NAME, format!("Release {release}.")),
    }
}

fn rights(found: &Rights, pool: &str) -> HealthCheck {
    const NAME: &str = "Rights";
    match found {
        Rights::Root => ok(NAME, "Complete: logged in as root."),
        Rights::Sudo => ok(NAME, "Complete: by sudo, without a password."),
        Rights::Delegated { user, missing: None } => advised(
            check(
                NAME,
                Verdict::Unknown,
                format!("{user} is no root and has no sudo; what is delegated could not be read."),
            ),
            sudo_line(user),
        ),
        Rights::Delegated { user, missing: Some(missing) } if missing.is_empty() => advised(
            check(NAME, Verdict::Ok, format!("Delegated to {user}: enough to replicate.")),
            format!(
                "Exporting datastores and recovering also needs to mount, which on Linux only root may. {}",
                sudo_line(user)
            ),
        ),
        Rights::Delegated { user, missing: Some(missing) } => {
            let all = missing.len() == PERMISSIONS.len();
            let (verdict, found) = match all {
                true => (Verdict::Fail, format!("{user} may not use ZFS on {pool}.")),
                false => (Verdict::Warn, format!("{user} lacks {} on {pool}.", missing.join(", "))),
            };
            let advice = format!(
                "As root there: zfs allow -u {user} {} {pool}. Or {}",
                missing.join(","),
                lower(&sudo_line(user))
            );
            advised(check(NAME, verdict, found), advice)
        }
    }
}

fn sudo_line(user: &str) -> String {
    format!(
        "Give the user sudo, in /etc/sudoers.d/zerfaux: {user} ALL=(root) NOPASSWD: /usr/sbin/zfs, /usr/sbin/zpool"
    )
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

fn pools(
    facts: &HealthFacts,
    wanted: &str,
    forecasts: &[(String, Forecast)],
    now: Timestamp,
) -> Vec<HealthCheck> {
    if let Some(trouble) = &facts.no_pools {
        return vec![troubled("Pools", trouble)];
    }
    let mut checks = Vec::new();
    if !facts.pools.iter().any(|pool| pool.name == wanted) {
        let names: Vec<&str> = facts.pools.iter().map(|pool| pool.name.as_str()).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        checks.push(advised(
            check(format!("Pool {wanted}"), Verdict::Fail, format!("It is not there. Imported: {there}.")),
            format!("Import it (zpool import {wanted}), or edit the appliance and name the right pool."),
        ));
    }
    for pool in &facts.pools {
        checks.push(state(pool));
        checks.extend(errors(pool));
        checks.push(scrub(pool, now));
        let forecast = forecasts.iter().find(|(name, _)| *name == pool.name).map(|(_, forecast)| forecast);
        checks.push(room(pool, forecast.copied().unwrap_or(Forecast::TooEarly)));
    }
    checks
}

fn state(pool: &PoolFacts) -> HealthCheck {
    let name = format!("Pool {}", pool.name);
    let told = pool.trouble.as_ref().map(|trouble| format!(" {trouble}")).unwrap_or_default();
    let look = format!("Look at it there: zpool status -v {}", pool.name);
    match pool.state.as_str() {
        "ONLINE" if pool.readonly => advised(
            check(name, Verdict::Warn, "It is imported read-only."),
            format!("Nothing can be received: export it and import it again (zpool import {}).", pool.name),
        ),
        "ONLINE" => ok(name, "ONLINE."),
        "DEGRADED" => advised(check(name, Verdict::Warn, format!("DEGRADED.{told}")), look),
        other => advised(check(name, Verdict::Fail, format!("{other}.{told}")), look),
    }
}

fn errors(pool: &PoolFacts) -> Option<HealthCheck> {
    let name = format!("Errors of {}", pool.name);
    let look = format!("See which files: zpool status -v {}", pool.name);
    if let Some(damage) = &pool.data_errors {
        return Some(advised(check(name, Verdict::Fail, format!("Data is damaged: {damage}.")), look));
    }
    (pool.device_errors > 0).then(|| {
        let found = format!("Its devices have counted {} errors; no data is lost.", pool.device_errors);
        advised(
            check(name, Verdict::Warn, found),
            format!("Look which device it is (zpool status {0}), then zpool clear {0}.", pool.name),
        )
    })
}

fn scrub(pool: &PoolFacts, now: Timestamp) -> HealthCheck {
    let name = format!("Scrub of {}", pool.name);
    let run = format!("Run one, best every month: zpool scrub {}", pool.name);
    match pool.scrubbed_at {
        None => advised(check(name, Verdict::Unknown, "None is known."), run),
        Some(at) => {
            let age = now.duration_since(at);
            let found = match age.as_hours() / 24 {
                0 => "The last one ended today.".to_owned(),
                1 => "The last one ended 1 day ago.".to_owned(),
                days => format!("The last one ended {days} days ago."),
            };
            if age > SCRUB_EVERY { advised(check(name, Verdict::Warn, found), run) } else { ok(name, found) }
        }
    }
}

fn room(pool: &PoolFacts, forecast: Forecast) -> HealthCheck {
    let name = format!("Room in {}", pool.name);
    let percent = pool.allocated.saturating_mul(100) / pool.size.max(1);
    let free = format_bytes(pool.size.saturating_sub(pool.allocated));
    let mut found = format!("{percent} % of {} used, {free} free", format_bytes(pool.size));
    if let Some(words) = forecast.words() {
        found.push_str(&format!("; {words}"));
    }
    found.push('.');
    let soon = matches!(forecast, Forecast::Full { left, .. } if left.as_secs() < SOON);
    let verdict = match percent {
        FULL.. => Verdict::Fail,
        NEARLY_FULL.. => Verdict::Warn,
        _ if soon => Verdict::Warn,
        _ => Verdict::Ok,
    };
    let check = check(name, verdict, found);
    if verdict == Verdict::Ok {
        return check;
    }
    advised(
        check,
        "Grow its disks (then zpool online -e), or keep fewer checkpoints. When it is full, replication stops.",
    )
}

fn nfs(facts: &HealthFacts) -> HealthCheck {
    const NAME: &str = "NFS server";
    match facts.nfs_running {
        Some(true) => ok(NAME, "Running."),
        Some(false) => advised(
            check(NAME, Verdict::Warn, "It does not run, so no host can mount a datastore from here."),
            "As root there: apt install nfs-kernel-server, then systemctl enable --now nfs-server",
        ),
        None => check(NAME, Verdict::Unknown, "Whether it runs could not be told."),
    }
}

fn exports(found: &[Export]) -> HealthCheck {
    const NAME: &str = "Exports";
    if let Some(open) = found.iter().find(|export| export.clients.starts_with('*')) {
        return advised(
            check(NAME, Verdict::Warn, format!("{} is exported to every host that reaches it.", open.path)),
            "Limit it to the hosts' networks: zfs set sharenfs='rw=@10.0.0.0/8,sync,no_root_squash' DATASET",
        );
    }
    match found.len() {
        0 => ok(NAME, "Nothing is exported."),
        1 => ok(NAME, "1 export."),
        n => ok(NAME, format!("{n} exports.")),
    }
}

fn clock(ahead: i64) -> HealthCheck {
    const NAME: &str = "Clock";
    if ahead.abs() <= SAME_CLOCK {
        return ok(NAME, "The same as here.");
    }
    let found =
        format!("{} s {} this machine's.", ahead.abs(), if ahead > 0 { "ahead of" } else { "behind" });
    advised(
        check(NAME, Verdict::Warn, found),
        "Let both follow a time server (systemd-timesyncd or chrony): ages of checkpoints are judged by their clocks.",
    )
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
