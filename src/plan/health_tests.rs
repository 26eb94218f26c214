//! What facts mean.

use std::time::Duration;

use super::*;

fn now() -> Timestamp {
    "2026-11-27T12:00:00Z".parse().unwrap()
}

fn pool(percent: u64) -> PoolFacts {
    PoolFacts {
        name: "tank".into(),
        state: "ONLINE".into(),
        size: 100 << 30,
        allocated: percent << 30,
        fragmentation: Some(3),
        readonly: false,
        device_errors: 0,
        data_errors: None,
        scrubbed_at: Some(now() - SignedDuration::from_hours(72)),
        trouble: None,
    }
}

fn well() -> HealthFacts {
    HealthFacts {
        answer_ms: Some(4),
        release: Some("2.3.2".into()),
        module: Some("2.3.2".into()),
        rights: Some(Rights::Sudo),
        pools: vec![pool(40)],
        nfs_running: Some(true),
        exports: Some(Vec::new()),
        clock_ahead: Some(1),
        ..HealthFacts::default()
    }
}

fn judged(change: impl FnOnce(&mut HealthFacts)) -> Health {
    let mut facts = well();
    change(&mut facts);
    judge(facts, "tank", &[], now())
}

fn worst(health: &Health) -> &HealthCheck {
    health.checks.iter().max_by_key(|check| check.verdict).unwrap()
}

#[test]
fn an_appliance_without_trouble_is_healthy_and_needs_no_advice() {
    let health = judged(|_| ());
    assert_eq!(health.state, HealthState::Healthy);
    assert!(
        health.checks.iter().all(|check| check.verdict == Verdict::Ok && check.advice.is_none()),
        "{health:?}"
    );
}

#[test]
fn each_trouble_is_named_with_what_to_do() {
    type Change = Box<dyn FnOnce(&mut HealthFacts)>;
    let cases: Vec<(Change, HealthState, &str, &str)> = vec![
        (
            Box::new(|f| f.pools[0].state = "DEGRADED".into()),
            HealthState::Degraded,
            "Pool tank",
            "zpool status",
        ),
        (
            Box::new(|f| f.pools[0].state = "SUSPENDED".into()),
            HealthState::Failed,
            "Pool tank",
            "zpool status",
        ),
        (
            Box::new(|f| f.pools[0].data_errors = Some("1 data error".into())),
            HealthState::Failed,
            "Errors of tank",
            "-v tank",
        ),
        (
            Box::new(|f| f.pools[0].device_errors = 3),
            HealthState::Degraded,
            "Errors of tank",
            "zpool clear tank",
        ),
        (Box::new(|f| f.pools.clear()), HealthState::Failed, "Pool tank", "zpool import tank"),
        (Box::new(|f| f.pools[0] = pool(87)), HealthState::Degraded, "Room in tank", "Grow"),
        (Box::new(|f| f.pools[0] = pool(96)), HealthState::Failed, "Room in tank", "Grow"),
        (Box::new(|f| f.nfs_running = Some(false)), HealthState::Degraded, "NFS server", "systemctl"),
        (Box::new(|f| f.clock_ahead = Some(-90)), HealthState::Degraded, "Clock", "time server"),
        (Box::new(|f| f.module = Some("2.1.11".into())), HealthState::Degraded, "OpenZFS", "Reboot"),
    ];
    for (change, state, name, advice) in cases {
        let health = judged(change);
        let worst = worst(&health);
        assert_eq!((health.state, worst.name.as_str()), (state, name), "{health:?}");
        assert!(worst.advice.as_ref().unwrap().contains(advice), "{worst:?}");
    }
}

#[test]
fn a_missing_right_is_named_with_the_command_that_grants_it() {
    let user = || "zfsadmin".to_owned();
    let missing = Some(vec!["hold".to_owned(), "send".to_owned()]);
    let health = judged(|f| f.rights = Some(Rights::Delegated { user: user(), missing }));
    assert_eq!(health.state, HealthState::Degraded);
    let advice = worst(&health).advice.as_ref().unwrap();
    assert!(advice.starts_with("As root there: zfs allow -u zfsadmin hold,send tank."), "{advice}");
    let all = Some(PERMISSIONS.map(str::to_owned).to_vec());
    let health = judged(|f| f.rights = Some(Rights::Delegated { user: user(), missing: all }));
    assert_eq!((health.state, worst(&health).name.as_str()), (HealthState::Failed, "Rights"));
}

#[test]
fn a_pool_that_is_soon_full_is_told_before_it_is() {
    let left = Duration::from_secs(9 * 86_400);
    let forecast = Forecast::Full { at: now() + SignedDuration::try_from(left).unwrap(), left };
    let health = judge(well(), "tank", &[("tank".to_owned(), forecast)], now());
    assert_eq!(health.state, HealthState::Degraded);
    assert!(worst(&health).found.contains("full in about 9 days at this rate"), "{health:?}");
}

#[test]
fn without_contact_nothing_else_is_said() {
    let trouble = Trouble { message: "the connection was refused".into(), advice: None };
    let health = judged(|f| f.no_contact = Some(trouble));
    assert_eq!((health.state, health.checks.len()), (HealthState::Unreachable, 1));
}
