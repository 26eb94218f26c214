//! Any crash leaves a log that folds to a legal standing; anything else is refused.

use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::ids::JobId;

const STEPS: [&str; 3] = ["first", "second", "third"];

fn started(n: u64) -> StepEvent {
    StepEvent::Started { intent: json!(n) }
}
fn succeeded() -> StepEvent {
    StepEvent::Succeeded { output: json!("out") }
}
fn noted(n: u64) -> StepEvent {
    StepEvent::Noted { note: json!(n) }
}
fn failed() -> StepEvent {
    StepEvent::Failed { failure: Failure::transient("no answer") }
}
fn undo_failed() -> StepEvent {
    StepEvent::UndoFailed { failure: Failure::permanent("busy") }
}

/// Numbers events from 1, as the store does.
fn log(events: &[(&str, StepEvent)]) -> Vec<EventRecord> {
    let job = JobId::new();
    events
        .iter()
        .zip(1..)
        .map(|((step, event), seq)| EventRecord {
            job,
            seq,
            at: Timestamp::UNIX_EPOCH,
            step: (*step).to_owned(),
            event: event.clone(),
        })
        .collect()
}

fn refused(events: &[(&str, StepEvent)]) -> IllegalEvent {
    let records = log(events);
    fold(&records[..records.len() - 1], &STEPS).expect("all but the last event are legal");
    fold(&records, &STEPS).expect_err("the last event is illegal")
}

#[test]
fn a_straight_run_is_complete() {
    let events: Vec<_> = STEPS.iter().flat_map(|&step| [(step, started(1)), (step, succeeded())]).collect();
    let standing = fold(&log(&events), &STEPS).unwrap();
    assert!(standing.is_complete() && !standing.is_clean() && standing.top().is_none());
    assert_eq!(standing.last_seq(), 6);
}

#[test]
fn after_a_crash_the_started_step_is_on_top_with_its_intent_and_its_newest_note() {
    let events = [
        ("first", started(1)),
        ("first", succeeded()),
        ("second", started(7)),
        ("second", noted(1)),
        ("second", noted(2)),
    ];
    let standing = fold(&log(&events), &STEPS).unwrap();
    let (entry, state) = standing.top().unwrap();
    assert_eq!((entry.step.as_str(), &entry.intent, &entry.note), ("second", &json!(7), &Some(json!(2))));
    assert_eq!(*state, TopState::Running);
}

#[test]
fn a_log_taken_back_completely_begins_anew_with_a_new_intent() {
    let mut events = vec![
        ("first", started(1)),
        ("first", succeeded()),
        ("second", started(2)),
        ("second", failed()),
        ("second", StepEvent::UndoStarted),
        ("second", StepEvent::Undone),
        ("first", StepEvent::UndoStarted),
        ("first", StepEvent::Undone),
    ];
    let standing = fold(&log(&events), &STEPS).unwrap();
    assert!(standing.is_clean());
    assert_eq!(standing.failure().unwrap().0, "second", "why it was taken back is still known");
    events.push(("first", started(99)));
    assert!(fold(&log(&events), &STEPS).is_ok());
}

#[test]
fn a_step_that_fails_before_it_acts_leaves_nothing_to_take_back() {
    let standing = fold(&log(&[("first", failed())]), &STEPS).unwrap();
    assert!(standing.is_clean());
    assert_eq!(standing.failure().unwrap().0, "first");
}

#[test]
fn the_output_of_a_step_is_there_while_it_is_taken_back() {
    let events = [("first", started(1)), ("first", succeeded()), ("first", StepEvent::UndoStarted)];
    let standing = fold(&log(&events), &STEPS).unwrap();
    assert_eq!(standing.top().unwrap().0.output, Some(json!("out")));
}

#[test]
fn illegal_orders_are_refused_in_words() {
    let skipped = refused(&[("second", started(1))]);
    assert_eq!(skipped.to_string(), r#"event 1 says "started" of step "second", but no step was begun"#);
    refused(&[("first", succeeded())]);
    refused(&[("first", started(1)), ("second", started(1))]);
    refused(&[("first", started(1)), ("first", succeeded()), ("first", started(1))]);
    refused(&[("first", started(1)), ("first", succeeded()), ("first", noted(1))]);
    refused(&[("first", started(1)), ("first", StepEvent::Undone)]);
    refused(&[("first", started(1)), ("first", StepEvent::UndoStarted), ("first", started(1))]);
    refused(&[("first", started(1)), ("first", StepEvent::UndoStarted), ("first", succeeded())]);
    refused(&[
        ("first", started(1)),
        ("first", succeeded()),
        ("second", started(1)),
        ("first", StepEvent::UndoStarted),
    ]);
    refused(&[
        ("first", started(1)),
        ("first", StepEvent::UndoStarted),
        ("first", undo_failed()),
        ("first", started(1)),
    ]);
    assert!(matches!(refused(&[("fourth", started(1))]), IllegalEvent::UnknownStep { .. }));
}

#[test]
fn an_intent_is_decided_once() {
    let error = refused(&[("first", started(1)), ("first", failed()), ("first", started(2))]);
    assert!(matches!(error, IllegalEvent::IntentChanged { .. }), "{error}");
}

#[test]
fn a_gap_and_a_double_in_the_numbers_are_refused() {
    let mut records = log(&[("first", started(1)), ("first", succeeded())]);
    records[1].seq = 3;
    assert_eq!(fold(&records, &STEPS), Err(IllegalEvent::Sequence { expected: 2, found: 3 }));
    records[1].seq = 1;
    assert_eq!(fold(&records, &STEPS), Err(IllegalEvent::Sequence { expected: 2, found: 1 }));
}

/// What an engine could do next, chosen by `choice`; the model that the fold is held against.
fn walk(choices: &[u8]) -> Vec<(&'static str, StepEvent)> {
    let mut events = Vec::new();
    let (mut done, mut top) = (0_usize, None::<&str>);
    for choice in choices {
        let next = match (top, choice % 4) {
            (None, 0) if done < 3 && choice % 8 == 4 => (STEPS[done], failed(), None),
            (None, 0..=2) if done < 3 => (STEPS[done], started(done as u64), Some("running")),
            (None, _) if done > 0 => {
                done -= 1;
                (STEPS[done], StepEvent::UndoStarted, Some("undoing"))
            }
            (None, _) => continue,
            (Some("running"), 0) => (STEPS[done], noted(u64::from(*choice)), Some("running")),
            (Some("running"), 1) => (STEPS[done], failed(), Some("failed")),
            (Some("running"), 2) => (STEPS[done], started(done as u64), Some("running")),
            (Some("running"), _) => (STEPS[done], succeeded(), None),
            (Some("failed"), 0..=1) => (STEPS[done], started(done as u64), Some("running")),
            (Some("undoing"), 0) => (STEPS[done], undo_failed(), Some("undo_failed")),
            (Some("undoing"), 1..=2) => (STEPS[done], StepEvent::Undone, None),
            (Some(_), _) => (STEPS[done], StepEvent::UndoStarted, Some("undoing")),
        };
        if matches!(next.1, StepEvent::Succeeded { .. }) {
            done += 1;
        }
        top = next.2;
        events.push((next.0, next.1));
    }
    events
}

proptest! {
    #[test]
    fn every_prefix_of_what_an_engine_writes_folds_to_a_legal_standing(choices in proptest::collection::vec(any::<u8>(), 0..60)) {
        let records = log(&walk(&choices));
        for cut in 0..=records.len() {
            let standing = fold(&records[..cut], &STEPS).unwrap();
            prop_assert!(standing.done().len() + usize::from(standing.top().is_some()) <= STEPS.len());
            prop_assert!(standing.done().iter().zip(STEPS).all(|(entry, step)| entry.step == step && entry.output.is_some()));
            prop_assert_eq!(standing.last_seq(), i64::try_from(cut).unwrap());
            // One event more, from any crash, must be possible: either forward or back, or there is nothing.
            let can_start = STEPS.iter().zip(0..).any(|(step, n)| standing.clone().apply(standing.last_seq() + 1, step, &started(n)).is_ok());
            let can_undo = STEPS.iter().any(|step| standing.clone().apply(standing.last_seq() + 1, step, &StepEvent::UndoStarted).is_ok());
            prop_assert_eq!(can_start, !standing.is_complete() && !standing.is_undoing());
            prop_assert_eq!(can_undo, !standing.is_clean());
        }
    }

    #[test]
    fn a_refused_event_changes_nothing(choices in proptest::collection::vec(any::<u8>(), 0..30), step in 0..3_usize, which in 0..7_usize) {
        let mut standing = fold(&log(&walk(&choices)), &STEPS).unwrap();
        let event = [started(55), noted(1), succeeded(), failed(), StepEvent::UndoStarted, StepEvent::Undone, undo_failed()][which].clone();
        let before = standing.clone();
        if standing.apply(before.last_seq() + 1, STEPS[step], &event).is_err() {
            prop_assert_eq!(before, standing);
        }
    }
}
