//! Laws of the scheduler: whatever the groups, durations, failures and clocks, no group has two runs, none starves, none is
//! late without its being said, and none runs without end.

use proptest::prelude::*;

use super::*;

const START: i64 = 1_790_000_000;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn facts(want: Want) -> GroupFacts {
    GroupFacts {
        id: GroupId::new(),
        want,
        runs: true,
        busy: false,
        newest: None,
        last_good_start: None,
        last_start: None,
        failures: 0,
        expected: Duration::from_secs(5),
        allowed_from: Some(Timestamp::MIN),
        priority: 50,
        appliances: [TargetId::from_bytes([1; 16]), TargetId::from_bytes([2; 16])],
        vcenter: VcenterId::from_bytes([3; 16]),
    }
}

fn next(group: &GroupFacts, now: Timestamp) -> Next {
    decide(std::slice::from_ref(group), now, Limits::from(&Settings::default()))[0].1
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_new_group_starts_at_once_and_the_next_run_early_enough() {
    let mut group = facts(Want::Rpo(HOUR));
    assert_eq!(next(&group, at(START)), Next::Start);
    (group.newest, group.last_good_start) = (Some(at(START)), Some(at(START)));
    // An hour less 5 s for the run and 5 minutes in reserve.
    assert_eq!(next(&group, at(START + 60)), Next::At(at(START + 3600 - 305)));
    assert_eq!(next(&group, at(START + 3600 - 305)), Next::Start);
}

#[test]
fn what_is_paused_or_busy_or_closed_does_not_start_and_says_so() {
    let group = facts(Want::Rpo(HOUR));
    let (now, later) = (at(START), at(START + 600));
    assert_eq!(next(&GroupFacts { runs: false, ..group.clone() }, now), Next::Never);
    assert_eq!(next(&GroupFacts { busy: true, ..group.clone() }, now), Next::Busy);
    assert_eq!(
        next(&GroupFacts { allowed_from: Some(later), ..group.clone() }, now),
        Next::Closed(Some(later))
    );
    assert_eq!(next(&GroupFacts { allowed_from: None, ..group.clone() }, now), Next::Closed(None));
    let calendar = GroupFacts { want: Want::At(Some(later)), ..group };
    assert_eq!((next(&calendar, now), next(&calendar, later)), (Next::At(later), Next::Start));
}

#[test]
fn a_failed_run_is_repeated_after_a_pause_that_grows() {
    let group = |failures| GroupFacts { failures, last_start: Some(at(START)), ..facts(Want::Rpo(HOUR)) };
    for (failures, pause) in [(1, 10), (2, 20), (4, 80), (7, 600), (4_000_000_000, 600)] {
        assert_eq!(next(&group(failures), at(START + pause - 1)), Next::At(at(START + pause)), "{failures}");
        assert_eq!(next(&group(failures), at(START + pause)), Next::Start, "{failures}");
    }
    // Dated by a clock that was put back since: nobody waits for it.
    assert_eq!(next(&group(9), at(START - 3600)), Next::Start);
}

#[test]
fn a_source_whose_clock_is_wrong_makes_neither_a_storm_nor_a_gap() {
    for skew in [-7200, 7200, 315_360_000] {
        let mut group = facts(Want::Rpo(HOUR));
        (group.newest, group.last_good_start) = (Some(at(START + skew)), Some(at(START)));
        assert!(matches!(next(&group, at(START + 600)), Next::At(_)), "{skew}");
        assert_eq!(next(&group, at(START + 3600)), Next::Start, "{skew}");
    }
}

#[test]
fn the_expected_time_is_not_that_of_the_first_full_stream() {
    let seconds = |all: &[u64]| expected(all.iter().map(|one| Duration::from_secs(*one)).collect());
    assert_eq!(seconds(&[]), UNKNOWN_LASTS);
    assert_eq!(seconds(&[9000, 3, 4]), Duration::from_secs(4));
    assert_eq!(seconds(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), Duration::from_secs(9));
    let tight =
        |secs| is_tight(&GroupFacts { expected: Duration::from_secs(secs), ..facts(Want::Rpo(HOUR)) });
    assert!(!tight(1800) && tight(1801));
}

#[test]
fn priority_goes_first_and_is_worth_one_period_at_most() {
    let one = Limits { per_appliance: 1, per_vcenter: 9 };
    let group = |taken: i64, priority| GroupFacts {
        newest: Some(at(taken)),
        last_good_start: Some(at(taken)),
        priority,
        ..facts(Want::Rpo(HOUR))
    };
    let starts = |a: &GroupFacts, b: &GroupFacts, now| {
        let all = decide(&[a.clone(), b.clone()], at(now), one);
        assert_eq!(all.iter().filter(|(_, next)| *next == Next::Start).count(), 1);
        all[0].1 == Next::Start
    };
    assert!(starts(&group(START, 100), &group(START - 60, 0), START + 3600));
    assert!(!starts(&group(START, 100), &group(START - 3700, 0), START + 3600));
}

/// One simulated group.
struct Sim {
    facts: GroupFacts,
    lasts: i64,
    /// Of so many runs one fails; 0: none.
    fails: u32,
    started: u32,
    /// When its run ends, in true seconds, and when it was queued by our clock.
    ends: Option<(i64, Timestamp)>,
    /// In true seconds: when it could start last, and did not.
    waits_since: Option<i64>,
}

#[derive(Debug, Clone)]
struct Plan {
    rpo: i64,
    lasts: i64,
    fails: u32,
    priority: u8,
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let one = (60i64..3600, 1i64..40, 0u32..5, 0u8..=100).prop_map(|(rpo, lasts, fails, priority)| Plan {
        rpo,
        lasts,
        fails,
        priority,
    });
    prop::collection::vec(one, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn no_group_has_two_runs_or_starves_or_is_late_in_silence_or_runs_without_end(
        plans in plans(),
        per_appliance in 1usize..5,
        jumps in prop::collection::vec((0i64..7200, prop::sample::select(vec![-3600i64, 3600, 315_360_000, -315_360_000])), 0..3),
    ) {
        let limits = Limits { per_appliance, per_vcenter: 9 };
        let mut sims: Vec<Sim> = plans
            .iter()
            .map(|plan| Sim {
                facts: GroupFacts {
                    priority: plan.priority,
                    ..facts(Want::Rpo(Duration::from_secs(plan.rpo.unsigned_abs())))
                },
                lasts: plan.lasts,
                fails: plan.fails,
                started: 0,
                ends: None,
                waits_since: None,
            })
            .collect();
        // Everybody's turn comes after at most so long: each of the others once or twice, and its own pause.
        let patience: i64 = 2 * plans.iter().map(|plan| plan.lasts + 3).sum::<i64>() + 7200;
        let mut shift = 0;
        for second in (0..7200).step_by(3) {
            for (_, by) in jumps.iter().filter(|(when, _)| (second..second + 3).contains(when)) {
                shift += by;
            }
            let now = at(START + second + shift);
            for sim in &mut sims {
                let Some((ends, queued)) = sim.ends else { continue };
                if ends > second {
                    continue;
                }
                (sim.ends, sim.facts.busy) = (None, false);
                if sim.fails > 1 && sim.started % sim.fails == 0 {
                    sim.facts.failures += 1;
                } else {
                    sim.facts.failures = 0;
                    sim.facts.newest = Some(queued);
                    sim.facts.last_good_start = Some(queued);
                }
            }
            let all: Vec<GroupFacts> = sims.iter().map(|sim| sim.facts.clone()).collect();
            let decided = decide(&all, now, limits);
            let running = sims.iter().filter(|sim| sim.ends.is_some()).count();
            let starting = decided.iter().filter(|(_, next)| *next == Next::Start).count();
            prop_assert!(running + starting <= per_appliance, "no more than may");
            for (sim, (id, next)) in sims.iter_mut().zip(decided) {
                prop_assert_eq!(id, sim.facts.id);
                if next == Next::Start {
                    prop_assert!(sim.ends.is_none(), "two runs of one group");
                    (sim.ends, sim.facts.busy) = (Some((second + sim.lasts, now)), true);
                    sim.facts.last_start = Some(now);
                    sim.started += 1;
                    sim.waits_since = None;
                    continue;
                }
                if next == Next::WaitsForRoom {
                    let since = *sim.waits_since.get_or_insert(second);
                    prop_assert!(second - since < patience, "starved");
                    let full = running + starting >= per_appliance;
                    prop_assert!(full, "waits although there is room");
                }
                // Whoever is broken either runs, or waits for room, or for the pause after a failure.
                let broken = matches!(standing(&sim.facts, now), Some(RpoState::Broken { .. }));
                if broken && !sim.facts.busy && sim.facts.failures == 0 {
                    prop_assert_eq!(next, Next::WaitsForRoom, "late in silence");
                }
            }
        }
        for (sim, plan) in sims.iter().zip(&plans) {
            prop_assert!(sim.started > 0, "never ran");
            if plan.fails <= 1 {
                // A run each time that its RPO asks for one, and one more for each leap of the clock.
                let period = (plan.rpo - 5 - i64::try_from(margin(Duration::from_secs(plan.rpo.unsigned_abs())).as_secs()).unwrap()).max(3);
                let most = 7200 / period + 2 + i64::try_from(jumps.len()).unwrap() * 2;
                prop_assert!(i64::from(sim.started) <= most, "{} runs, at most {most}", sim.started);
            }
        }
    }

    #[test]
    fn no_facts_make_it_panic(
        newest in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(), now in Timestamp::MIN.as_second()..Timestamp::MAX.as_second(),
        rpo in 0u64.., failures in 0u32.., expected in 0u64..,
    ) {
        let group = GroupFacts {
            newest: Some(at(newest)), last_start: Some(at(newest)), last_good_start: Some(at(newest)), failures,
            expected: Duration::from_secs(expected), ..facts(Want::Rpo(Duration::from_secs(rpo)))
        };
        let _ = (next(&group, at(now)), standing(&group, at(now)), is_tight(&group));
    }
}
