//! The preview against what retention really keeps, run after run; and the words.

use std::collections::HashSet;

use super::*;
use crate::domain::dataset::{Guid, Owner, Snapshot};
use crate::plan::retention::decide;

const GROUP: &str = "01937c5e-0000-7000-8000-0000deadbeef";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn policy(text: &str) -> Retention {
    text.parse().unwrap()
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(count * 60)
}

/// The ages of what is there after `runs` runs, each of which takes a checkpoint and lets retention tidy up.
fn simulated(policy: &Retention, every: Duration, runs: u64, begins: Timestamp) -> (Vec<u64>, Timestamp) {
    let mut there: Vec<Snapshot> = Vec::new();
    let mut now = begins;
    for number in 1..=runs {
        now = begins + every * u32::try_from(number).unwrap();
        there.push(Snapshot {
            tag: format!("zx-{number}").parse().unwrap(),
            guid: Guid(number),
            createtxg: number,
            created_at: now,
            owner: Owner::Zerfaux(GROUP.into()),
            holds: 0,
            used: 0,
            referenced: 0,
            written: 0,
            clones: Vec::new(),
        });
        let verdicts = decide(&there, GROUP, policy, &HashSet::new(), now);
        let gone: HashSet<Guid> = verdicts.iter().filter(|one| one.destroys()).map(|one| one.guid).collect();
        there.retain(|one| !gone.contains(&one.guid));
    }
    let age = |one: &Snapshot| now.duration_since(one.created_at).as_secs().unsigned_abs();
    (there.iter().rev().map(age).collect(), now)
}

#[test]
fn the_preview_is_what_retention_keeps_after_a_long_time() {
    let cases = [
        ("last=3", 15, 50),
        ("last=3,hourly=24", 15, 400),
        ("last=5,hourly=6,daily=4", 37, 400),
        ("hourly=3,weekly=2", 60, 700),
        ("last=2,daily=7,weekly=4", 240, 400),
        ("last=12,hourly=24,daily=7,weekly=4", 60, 1200),
        ("daily=3,monthly=3", 420, 700),
        // Rarer than what the rule counts: an hour without one does not count.
        ("hourly=5,weekly=3", 1440, 60),
        ("weekly=3,monthly=2", 3000, 80),
    ];
    for begins in ["2026-11-20T14:07:13Z", "2027-01-01T00:00:00Z", "2026-12-27T23:59:59Z"] {
        for (text, every, runs) in cases {
            let (there, now) = simulated(&policy(text), minutes(every), runs, at(begins));
            let promised = kept(&policy(text), minutes(every), now).unwrap();
            assert_eq!(promised.ages(), there, "{text} every {every} minutes since {begins}");
        }
    }
}

#[test]
fn it_is_said_in_words() {
    let newest = at("2026-11-28T10:00:00Z");
    let told = |text: &str, every| words(&policy(text), minutes(every), newest);
    assert_eq!(told("last=1", 15), "The newest: 1 checkpoint.");
    assert_eq!(told("last=4", 15), "The newest 4: about 4 checkpoints, the oldest about 45 minutes old.");
    assert_eq!(
        told("last=12,hourly=24,daily=7,weekly=4", 15),
        "The newest 12, one an hour for 24 hours, one a day for 7 days, one a week for 4 weeks: about 39 checkpoints, \
         the oldest about 19 days old."
    );
    assert!(told("all", 15).starts_with("Every checkpoint, about 96 more each day, without end"));
    assert!(told("hourly=4000000000", 15).contains("more than 20000 checkpoints"));
}

#[test]
fn a_typing_error_does_not_keep_the_machine_busy() {
    let huge =
        Retention { last: u32::MAX, hourly: u32::MAX, daily: u32::MAX, weekly: u32::MAX, monthly: u32::MAX };
    for every in [1, 1440] {
        let kept = kept(&huge, minutes(every), at("2026-11-28T10:00:00Z")).unwrap();
        assert!(kept.count() <= 5 * MOST as usize);
    }
}

#[test]
fn older_checkpoints_take_what_changed_between_them_and_never_more_than_there_is() {
    let newest = at("2026-11-28T10:00:00Z");
    let week = kept(&policy("daily=8"), minutes(1440), newest).unwrap();
    let change = Change { a_day: 10, measured: true };
    assert_eq!(older(&week, 1000, change), 70);
    assert_eq!(older(&week, 4, change), 28, "each holds the whole dataset at the most");
    assert_eq!(Change::assumed(2000).a_day, 100);
    let hour = |hour: i64, bytes| (newest + Duration::from_secs(hour as u64 * 3600), bytes);
    assert_eq!(Change::measured(&[hour(0, 5000)]), None);
    let measured = Change::measured(&[hour(12, 30), hour(0, 5000), hour(6, 20)]);
    assert_eq!(measured, Some(Change { a_day: 100, measured: true }), "what the first sent is not a change");
}

#[test]
fn space_and_time_say_what_they_rest_on() {
    let kept = kept(&policy("daily=8"), minutes(1440), at("2026-11-28T10:00:00Z")).unwrap();
    let told = space(Some(&kept), Some(100 << 30), None);
    assert!(told.starts_with("100 GiB for the newest state, and up to 35.0 GiB"), "{told}");
    assert!(told.contains("assumed: 5 %"), "{told}");
    assert!(space(Some(&kept), None, None).contains("not known"));
    assert!(space(None, Some(1 << 30), None).contains("more each day"));
    let told = first_transfer(Some(100 << 30), None);
    assert!(told.starts_with("about 17 m 4 s for 100 GiB, at 100 MiB/s"), "{told}");
    let limited = first_transfer(Some(100 << 30), Some("10M".parse().unwrap()));
    assert!(limited.contains("the bandwidth limit") && limited.contains("10.0 MiB/s"), "{limited}");
    assert!(first_transfer(None, None).starts_with("unknown"));
}
