use proptest::prelude::*;

use super::*;

fn at() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().unwrap()
}

fn run(number: u8) -> JobId {
    JobId::from_bytes([number; 16])
}

/// The state after these events, each of which has to fit.
fn state(events: &[Event]) -> RecoveryState {
    events.iter().fold(RecoveryState::default(), |state, event| {
        state.after(*event, at()).unwrap_or_else(|misfit| panic!("{event:?}: {misfit}"))
    })
}

/// A verb from beginning to end.
fn whole(verb: Verb, by: u8) -> [Event; 2] {
    [Event::Started(verb, run(by)), Event::Done(verb, run(by))]
}

fn story(verbs: &[Verb]) -> RecoveryState {
    let events: Vec<Event> = verbs.iter().zip(1..).flat_map(|(verb, by)| whole(*verb, by)).collect();
    state(&events)
}

fn offered(state: &RecoveryState) -> Vec<Verb> {
    Verb::ALL.into_iter().filter(|verb| state.may(*verb).is_ok()).collect()
}

#[test]
fn the_whole_way_there_and_home_again_leads_back_to_where_it_began() {
    use Verb::{Cleanup, Commit, Failback, PlannedFailover, Reprotect, Rollback, Test};
    let steps: [(&[Verb], Phase, &[Verb]); 8] = [
        (&[], Phase::Protected, &[Test, PlannedFailover, Verb::DisasterFailover]),
        (&[Test], Phase::Testing, &[Cleanup, Verb::DisasterFailover]),
        (&[Test, Cleanup], Phase::Protected, &[Test, PlannedFailover, Verb::DisasterFailover]),
        (&[PlannedFailover], Phase::FailedOverUncommitted, &[Commit, Rollback]),
        (&[PlannedFailover, Rollback], Phase::Protected, &[Test, PlannedFailover, Verb::DisasterFailover]),
        (&[PlannedFailover, Commit], Phase::FailedOver, &[Reprotect]),
        (&[PlannedFailover, Commit, Reprotect], Phase::Protected, &[Test, Verb::DisasterFailover, Failback]),
        (
            &[PlannedFailover, Commit, Reprotect, Failback],
            Phase::Protected,
            &[Test, PlannedFailover, Verb::DisasterFailover],
        ),
    ];
    for (verbs, phase, next) in steps {
        let state = story(verbs);
        assert_eq!((state.phase(), offered(&state)), (phase, next.to_vec()), "{verbs:?}");
    }
    let home = story(&[PlannedFailover, Commit, Reprotect, Failback]);
    assert_eq!((home.live, home.epoch), (Home::Own, 3));
    assert_eq!(story(&[PlannedFailover, Rollback]).epoch, 1);
}

#[test]
fn a_disaster_failover_is_not_hindered_by_a_test_nor_by_its_cleanup() {
    let disaster = Verb::DisasterFailover;
    let running = state(&[Event::Started(Verb::Test, run(1))]);
    assert_eq!(running.may(disaster), Ok(()));
    let pending = state(&[
        Event::Started(Verb::Test, run(1)),
        Event::Done(Verb::Test, run(1)),
        Event::Started(Verb::Cleanup, run(2)),
        Event::EndedIncomplete(Verb::Cleanup, run(2)),
    ]);
    assert!(pending.cleanup_pending());
    assert_eq!(pending.may(disaster), Ok(()));
    assert_eq!(pending.may(Verb::PlannedFailover), Err(NotNow::TestThere));
    let over = pending.after(Event::Started(disaster, run(3)), at()).unwrap();
    // And the cleanup goes on meanwhile.
    assert_eq!(over.phase(), Phase::FailingOver);
    assert_eq!(offered(&over), [Verb::Cleanup]);
    let over = over.after(Event::Started(Verb::Cleanup, run(2)), at()).unwrap();
    let over = over.after(Event::Done(Verb::Cleanup, run(2)), at()).unwrap();
    assert!(over.test().is_none() && !over.cleanup_pending());
    assert_eq!(over.phase(), Phase::FailingOver);
}

#[test]
fn a_planned_failover_whose_source_dies_becomes_a_disaster_failover() {
    let planned = Verb::PlannedFailover;
    let failed = state(&[Event::Started(planned, run(1)), Event::Failed(planned, run(1))]);
    assert_eq!(failed.phase(), Phase::FailingOver);
    assert_eq!(offered(&failed), [planned, Verb::DisasterFailover, Verb::Rollback]);
    let back = failed.after(Event::Undone(planned, run(1)), at()).unwrap();
    assert_eq!((back.phase(), back.line()), (Phase::Protected, None));
}

#[test]
fn a_failover_that_left_machines_behind_is_retried_committed_or_rolled_back() {
    let verb = Verb::DisasterFailover;
    let some = state(&[Event::Started(verb, run(1)), Event::EndedIncomplete(verb, run(1))]);
    assert_eq!(some.phase(), Phase::FailedOverUncommitted);
    assert_eq!(offered(&some), [verb, Verb::Commit, Verb::Rollback]);
    assert_eq!(
        some.may(Verb::Test).unwrap_err().to_string(),
        "the disaster failover left something undone; run it again or roll it back first"
    );
    let again = some.after(Event::Started(verb, run(1)), at()).unwrap();
    let failed = again.after(Event::Failed(verb, run(1)), at()).unwrap();
    assert_eq!(offered(&failed), [verb, Verb::Commit, Verb::Rollback]);
}

#[test]
fn what_was_promoted_is_not_rolled_back() {
    let over = story(&[Verb::PlannedFailover]);
    let begun = over.after(Event::Started(Verb::Commit, run(9)), at()).unwrap();
    let failed = begun.after(Event::Failed(Verb::Commit, run(9)), at()).unwrap();
    assert_eq!(offered(&failed), [Verb::Commit, Verb::Rollback]);
    let promoted = begun.after(Event::EndedIncomplete(Verb::Commit, run(9)), at()).unwrap();
    assert_eq!(offered(&promoted), [Verb::Commit]);
}

#[test]
fn the_clones_of_a_failed_test_belong_to_its_job() {
    let failed = state(&[Event::Started(Verb::Test, run(1)), Event::Failed(Verb::Test, run(1))]);
    let other = failed.after(Event::Started(Verb::Test, run(2)), at());
    assert_eq!(other, Err(Misfit::NotNow(NotNow::TestThere)));
    let again = failed.after(Event::Started(Verb::Test, run(1)), at()).unwrap();
    assert_eq!(again.test().unwrap().progress, Progress::Running);
    // Cleaning up keeps whose they are until they are gone.
    let cleaning = failed.after(Event::Started(Verb::Cleanup, run(3)), at()).unwrap();
    assert_eq!(cleaning.test_run, Some(run(1)));
    assert_eq!(cleaning.after(Event::Done(Verb::Cleanup, run(3)), at()).unwrap().test_run, None);
}

#[test]
fn a_state_reads_back_what_it_writes_and_an_empty_one_is_the_first() {
    let over = story(&[Verb::Test, Verb::DisasterFailover]);
    let text = serde_json::to_string(&over).unwrap();
    assert_eq!(serde_json::from_str::<RecoveryState>(&text).unwrap(), over);
    assert_eq!(serde_json::from_str::<RecoveryState>("{}").unwrap(), RecoveryState::default());
}

fn any_event() -> impl Strategy<Value = Event> {
    let verb = prop::sample::select(Verb::ALL.to_vec());
    (0..5u8, verb, 1..3u8).prop_map(|(what, verb, by)| match what {
        0 => Event::Started(verb, run(by)),
        1 => Event::Done(verb, run(by)),
        2 => Event::EndedIncomplete(verb, run(by)),
        3 => Event::Failed(verb, run(by)),
        _ => Event::Undone(verb, run(by)),
    })
}

proptest! {
    /// Whatever happens in whatever order: what does not fit changes nothing, and there is always a way on.
    #[test]
    fn no_state_is_a_dead_end(events in prop::collection::vec(any_event(), 0..200)) {
        let mut state = RecoveryState::default();
        for event in events {
            let before = state.clone();
            match state.after(event, at()) {
                Err(_) => prop_assert_eq!(&state, &before),
                Ok(next) => {
                    // Taken twice is taken once.
                    prop_assert_eq!(&next.after(event, at()).unwrap_or_else(|_| next.clone()), &next);
                    state = next;
                }
            }
            let on = offered(&state);
            prop_assert!(state.is_working() || !on.is_empty(), "{:?}", state);
            for doing in state.line().into_iter().chain(state.test()) {
                match doing.progress {
                    // No verb works twice at once, and on the line nothing works beside it.
                    Progress::Running => {
                        prop_assert_eq!(state.may(doing.verb), Err(NotNow::Running(doing.verb)));
                        let beside = on.iter().find(|verb| verb.is_of_test() == doing.verb.is_of_test());
                        prop_assert_eq!(beside, None);
                    }
                    // What stopped short can be run again, or cleaned up where it stands.
                    Progress::Incomplete | Progress::Failed => prop_assert!(on.contains(&doing.verb), "{:?}", state),
                    Progress::Standing => prop_assert!(on.contains(&Verb::Cleanup)),
                }
            }
            // A clone always has a run that answers for it.
            prop_assert_eq!(state.test().is_some(), state.test_run.is_some());
            if state.phase() == Phase::FailedOverUncommitted {
                prop_assert!(state.failover_run.is_some(), "{:?}", state);
            }
            // A disaster failover waits for nothing of a test.
            if state.line().is_none() && matches!(state.phase(), Phase::Protected | Phase::Testing) {
                prop_assert_eq!(state.may(Verb::DisasterFailover), Ok(()));
            }
        }
    }
}
