//! What the retention planner promises, by example and as laws over random datasets.

use proptest::prelude::*;

use super::*;

const GROUP: &str = "01937c5e-0000-7000-8000-0000deadbeef";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Our snapshots, taken in this order at these times; the GUID is the place in the list, from 1.
fn ours(times: &[&str]) -> Vec<Snapshot> {
    let numbered = (1u64..).zip(times);
    numbered.map(|(number, time)| snapshot(number, at(time), Owner::Zerfaux(GROUP.into()))).collect()
}

fn snapshot(number: u64, created_at: Timestamp, owner: Owner) -> Snapshot {
    Snapshot {
        tag: format!("zx-{number}").parse().unwrap(),
        guid: Guid(number),
        createtxg: number * 10,
        created_at,
        owner,
        holds: 0,
        used: 0,
        referenced: 0,
        written: 0,
        clones: Vec::new(),
    }
}

fn policy(text: &str) -> Retention {
    text.parse().unwrap()
}

fn none() -> HashSet<Guid> {
    HashSet::new()
}

fn kept(verdicts: &[Verdict]) -> Vec<u64> {
    verdicts.iter().filter(|verdict| !verdict.destroys()).map(|verdict| verdict.guid.0).collect()
}

fn reasons(verdicts: &[Verdict], number: u64) -> Vec<Reason> {
    match &verdicts.iter().find(|verdict| verdict.guid == Guid(number)).unwrap().decision {
        Decision::Keep(reasons) => reasons.clone(),
        Decision::Destroy => panic!("{number} was to be destroyed"),
    }
}

const NOW: &str = "2026-11-20T14:30:00Z";

#[test]
fn last_keeps_the_newest_by_the_order_of_the_pool() {
    let mut snapshots = ours(&["2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", "2026-11-20T09:00:00Z"]);
    snapshots.reverse();
    let verdicts = decide(&snapshots, GROUP, &policy("last=2"), &none(), at(NOW));
    assert_eq!(kept(&verdicts), [3, 2], "the third was taken last although its clock says 09:00");
}

#[test]
fn a_span_keeps_its_newest_and_spans_without_a_snapshot_do_not_count() {
    let snapshots = ours(&[
        "2026-11-18T08:10:00Z",
        "2026-11-18T08:50:00Z",
        "2026-11-20T13:10:00Z",
        "2026-11-20T13:59:59Z",
        "2026-11-20T14:00:00Z",
        "2026-11-20T14:20:00Z",
    ]);
    let hourly = decide(&snapshots, GROUP, &policy("hourly=3"), &none(), at(NOW));
    assert_eq!(kept(&hourly), [2, 4, 6]);
    let daily = decide(&snapshots, GROUP, &policy("daily=2"), &none(), at(NOW));
    assert_eq!(kept(&daily), [2, 6]);
    assert_eq!(reasons(&daily, 6), [Reason::Newest, Reason::Daily]);
}

#[test]
fn a_week_runs_from_monday_across_the_turn_of_the_year() {
    // 2026-12-28 is the Monday of ISO week 2026-W53, which ends on Sunday 2027-01-03.
    let snapshots = ours(&[
        "2026-12-27T23:59:59Z",
        "2026-12-28T00:00:00Z",
        "2027-01-03T23:59:59Z",
        "2027-01-04T00:00:00Z",
    ]);
    let verdicts = decide(&snapshots, GROUP, &policy("weekly=9"), &none(), at("2027-01-05T00:00:00Z"));
    assert_eq!(kept(&verdicts), [1, 3, 4]);
    let verdicts = decide(&snapshots, GROUP, &policy("weekly=2"), &none(), at("2027-01-05T00:00:00Z"));
    assert_eq!(kept(&verdicts), [3, 4]);
}

#[test]
fn a_month_is_a_calendar_month_of_utc() {
    let snapshots = ours(&["2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z", "2026-11-19T00:00:00Z"]);
    let verdicts = decide(&snapshots, GROUP, &policy("monthly=12"), &none(), at(NOW));
    assert_eq!(kept(&verdicts), [1, 3]);
}

#[test]
fn snapshots_dated_in_the_future_push_nobody_out_and_do_not_pile_up() {
    let snapshots = ours(&[
        "2026-11-20T12:00:00Z",
        "2026-11-20T13:00:00Z",
        "2036-11-20T13:00:00Z",
        "2036-11-20T13:05:00Z",
        "2036-11-20T13:10:00Z",
        "2026-11-20T14:00:00Z",
    ]);
    let verdicts = decide(&snapshots, GROUP, &policy("last=2,daily=1"), &none(), at(NOW));
    assert_eq!(kept(&verdicts), [2, 4, 5, 6]);
    assert_eq!(verdicts.iter().filter(|verdict| verdict.dated_in_future).count(), 3);
    let hourly = decide(&snapshots, GROUP, &policy("hourly=3"), &none(), at(NOW));
    assert_eq!(kept(&hourly), [1, 2, 5, 6]);
}

#[test]
fn when_our_own_clock_falls_back_the_policy_still_holds() {
    let snapshots = ours(&["2026-11-18T08:00:00Z", "2026-11-19T08:00:00Z", "2026-11-20T08:00:00Z"]);
    let verdicts = decide(&snapshots, GROUP, &policy("daily=2"), &none(), at("2016-01-01T00:00:00Z"));
    assert_eq!(kept(&verdicts), [2, 3]);
}

#[test]
fn what_a_hold_or_a_clone_keeps_is_reported_as_such() {
    let mut snapshots = ours(&[
        "2026-11-17T08:00:00Z",
        "2026-11-18T08:00:00Z",
        "2026-11-19T08:00:00Z",
        "2026-11-20T08:00:00Z",
    ]);
    snapshots[0].holds = 2;
    snapshots[1].clones = vec!["tank/zerfaux/run/x".parse().unwrap()];
    let verdicts = decide(&snapshots, GROUP, &policy("last=1"), &none(), at(NOW));
    assert_eq!(kept(&verdicts), [1, 2, 4]);
    assert_eq!(reasons(&verdicts, 1), [Reason::Held(2)]);
    assert_eq!(reasons(&verdicts, 2)[0].to_string(), "cloned as tank/zerfaux/run/x");
    let against: Vec<bool> = verdicts.iter().map(Verdict::kept_against_policy).collect();
    assert_eq!(against, [true, true, false, false]);
}

#[test]
fn others_stay_and_an_empty_policy_keeps_everything() {
    let mut snapshots = ours(&["2026-11-18T08:00:00Z", "2026-11-19T08:00:00Z", "2026-11-20T08:00:00Z"]);
    snapshots[0].owner = Owner::Foreign;
    snapshots[1].owner = Owner::Zerfaux("01937c5e-0000-7000-8000-00000000cafe".into());
    let verdicts = decide(&snapshots, GROUP, &policy("last=1"), &none(), at(NOW));
    assert_eq!(reasons(&verdicts, 1), [Reason::NotOurs]);
    assert_eq!(reasons(&verdicts, 2), [Reason::NotOurs]);
    let snapshots = ours(&["2026-11-18T08:00:00Z", "2036-11-19T08:00:00Z", "2026-11-20T08:00:00Z"]);
    let verdicts = decide(&snapshots, GROUP, &Retention::default(), &none(), at(NOW));
    assert_eq!(kept(&verdicts), [1, 2, 3]);
    assert!(decide(&[], GROUP, &policy("last=1"), &none(), at(NOW)).is_empty());
}

#[test]
fn a_foreign_snapshot_takes_no_place_from_ours() {
    let mut snapshots = ours(&["2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z"]);
    snapshots[2].owner = Owner::Foreign;
    let verdicts = decide(&snapshots, GROUP, &policy("last=2,daily=1"), &none(), at(NOW));
    assert_eq!(kept(&verdicts), [1, 2, 3]);
}

prop_compose! {
    /// Mostly ours, within about two years round `NOW`, the clock at times going backwards.
    fn any_snapshots()(
        seeds in prop::collection::vec((any::<u8>(), -700i64 * 24 * 60..40 * 24 * 60, 0u64..400), 0..60),
    ) -> Vec<Snapshot> {
        let mut minutes = at(NOW).as_second() / 60 - 300 * 24 * 60;
        (1u64..).zip(seeds).map(|(number, (kind, jump, step))| {
            minutes = if kind > 240 { at(NOW).as_second() / 60 + jump } else { minutes + (step * step).cast_signed() / 10 };
            let owner = match kind % 8 {
                0 => Owner::Foreign,
                1 => Owner::Zerfaux("another-group".into()),
                _ => Owner::Zerfaux(GROUP.into()),
            };
            let mut snapshot = snapshot(number, Timestamp::from_second(minutes * 60).unwrap(), owner);
            snapshot.holds = u64::from(kind % 16 == 2);
            if kind % 16 == 3 {
                snapshot.clones = vec!["tank/clone".parse().unwrap()];
            }
            snapshot
        }).collect()
    }
}

prop_compose! {
    fn any_policy()(last in 0u32..6, hourly in 0u32..6, daily in 0u32..6, weekly in 0u32..6, monthly in 0u32..6)
        -> Retention { Retention { last, hourly, daily, weekly, monthly } }
}

fn any_protected() -> impl Strategy<Value = HashSet<Guid>> {
    prop::collection::hash_set((1u64..60).prop_map(Guid), 0..5)
}

fn destroyed(verdicts: &[Verdict]) -> HashSet<Guid> {
    verdicts.iter().filter(|verdict| verdict.destroys()).map(|verdict| verdict.guid).collect()
}

/// A sum that is at least as large in every rule.
fn bigger(policy: &Retention, more: &Retention) -> Retention {
    Retention {
        last: policy.last + more.last,
        hourly: policy.hourly + more.hourly,
        daily: policy.daily + more.daily,
        weekly: policy.weekly + more.weekly,
        monthly: policy.monthly + more.monthly,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_protected_not_ours_held_or_cloned_is_never_destroyed(
        snapshots in any_snapshots(), policy in any_policy(), protected in any_protected(),
    ) {
        let verdicts = decide(&snapshots, GROUP, &policy, &protected, at(NOW));
        prop_assert_eq!(verdicts.len(), snapshots.len());
        for (snapshot, verdict) in snapshots.iter().zip(&verdicts) {
            prop_assert_eq!((snapshot.guid, &snapshot.tag), (verdict.guid, &verdict.tag));
            if verdict.destroys() {
                prop_assert!(!protected.contains(&snapshot.guid));
                prop_assert_eq!(&snapshot.owner, &Owner::Zerfaux(GROUP.into()));
                prop_assert_eq!(snapshot.holds, 0);
                prop_assert!(snapshot.clones.is_empty());
            }
        }
    }

    #[test]
    fn no_more_is_destroyed_than_the_policy_allows(
        snapshots in any_snapshots(), policy in any_policy(), protected in any_protected(),
    ) {
        let verdicts = decide(&snapshots, GROUP, &policy, &protected, at(NOW));
        let gone = destroyed(&verdicts);
        let ours: Vec<&Snapshot> = snapshots.iter().filter(|snapshot| is_ours(snapshot, GROUP)).collect();
        // Never the newest `last`, nor the newest one; counted over those that are not in the future.
        let past: Vec<&&Snapshot> = ours.iter().filter(|snapshot| snapshot.created_at <= at(NOW)).collect();
        for snapshot in past.iter().rev().take(policy.last as usize) {
            prop_assert!(!gone.contains(&snapshot.guid));
        }
        if let Some(newest) = ours.last() {
            prop_assert!(!gone.contains(&newest.guid));
        }
        if policy.keeps_all() {
            prop_assert!(gone.is_empty());
        }
        // Each day is represented as long as the policy counts that many days.
        let days: HashSet<Span> = past.iter().map(|snapshot| day(snapshot.created_at)).collect();
        let left: HashSet<Span> =
            past.iter().filter(|snapshot| !gone.contains(&snapshot.guid)).map(|snapshot| day(snapshot.created_at)).collect();
        prop_assert!(left.len() >= days.len().min(policy.daily as usize));
    }

    #[test]
    fn no_more_is_kept_than_the_policy_wants(snapshots in any_snapshots(), policy in any_policy()) {
        prop_assume!(!policy.keeps_all());
        let verdicts = decide(&snapshots, GROUP, &policy, &none(), at(NOW));
        let wanted = |verdict: &&Verdict| match &verdict.decision {
            Decision::Keep(reasons) => reasons.iter().any(|reason| {
                !matches!(reason, Reason::NotOurs | Reason::Newest | Reason::Held(_) | Reason::HasClones(_))
            }),
            Decision::Destroy => false,
        };
        let Retention { last, hourly, daily, weekly, monthly } = policy;
        let most = (last + hourly + daily + weekly + monthly) as usize;
        for future in [false, true] {
            let kept = verdicts.iter().filter(wanted).filter(|verdict| verdict.dated_in_future == future).count();
            prop_assert!(kept <= most);
        }
    }

    #[test]
    fn deciding_again_on_the_survivors_destroys_nothing(
        snapshots in any_snapshots(), policy in any_policy(), protected in any_protected(),
    ) {
        let gone = destroyed(&decide(&snapshots, GROUP, &policy, &protected, at(NOW)));
        let survivors: Vec<Snapshot> =
            snapshots.into_iter().filter(|snapshot| !gone.contains(&snapshot.guid)).collect();
        let again = decide(&survivors, GROUP, &policy, &protected, at(NOW));
        prop_assert_eq!(destroyed(&again), HashSet::new());
    }

    #[test]
    fn a_bigger_policy_never_destroys_more(
        snapshots in any_snapshots(), policy in any_policy(), more in any_policy(), protected in any_protected(),
    ) {
        // All zero is the biggest policy there is, not the smallest.
        prop_assume!(!policy.keeps_all());
        let less = destroyed(&decide(&snapshots, GROUP, &policy, &protected, at(NOW)));
        let bigger = destroyed(&decide(&snapshots, GROUP, &bigger(&policy, &more), &protected, at(NOW)));
        prop_assert!(bigger.is_subset(&less));
    }

    #[test]
    fn the_order_of_the_list_does_not_matter(
        (snapshots, shuffled) in any_snapshots().prop_flat_map(|list| (Just(list.clone()), Just(list).prop_shuffle())),
        policy in any_policy(), protected in any_protected(),
    ) {
        let one: HashMap<Guid, Decision> = decide(&snapshots, GROUP, &policy, &protected, at(NOW))
            .into_iter().map(|verdict| (verdict.guid, verdict.decision)).collect();
        let other: HashMap<Guid, Decision> = decide(&shuffled, GROUP, &policy, &protected, at(NOW))
            .into_iter().map(|verdict| (verdict.guid, verdict.decision)).collect();
        prop_assert_eq!(one, other);
    }

    #[test]
    fn no_date_makes_the_planner_panic(second in Timestamp::MIN.as_second()..=Timestamp::MAX.as_second(), policy in any_policy()) {
        let snapshots = [snapshot(1, Timestamp::from_second(second).unwrap(), Owner::Zerfaux(GROUP.into()))];
        let verdicts = decide(&snapshots, GROUP, &policy, &none(), at(NOW));
        prop_assert_eq!(kept(&verdicts), vec![1]);
    }
}
