//! Questions that a virtual machine asks while it is powered on: answered by what sort of question it is, never by its words.

use std::time::Duration;

use crate::domain::job::Failure;
use crate::domain::moref::VmRef;
use crate::domain::recovery_run::RunKind;
use crate::engine::StepContext;
use crate::vsphere::Client;
use crate::vsphere::verbs::{Choice, Question};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// What is said: one of a test is a copy, so it gets another UUID; one that is failed over was moved and keeps its own.
fn answer(question: &Question, kind: RunKind) -> Option<&Choice> {
    let (button, word) = match kind.is_failover() {
        true => ("button.uuid.movedTheVM", "moved"),
        false => ("button.uuid.copiedTheVM", "copied"),
    };
    match question.message.as_str() {
        "msg.uuid.altered" => {
            let worded = || question.choices.iter().find(|one| one.label.to_lowercase().contains(word));
            question.choice(button).or_else(worded)
        }
        _ => None,
    }
}

/// Answers what a machine asks, for as long as it is polled. Ends only with a question that is not known.
pub(super) async fn answer_all(
    cx: &StepContext,
    client: &Client,
    kind: RunKind,
    (vm, name): (&VmRef, &str),
) -> Failure {
    let word = if kind.is_failover() { "it was moved" } else { "it is a copy" };
    loop {
        if cx.pause(EVERY).await.is_err() {
            // Whoever powers it on ends that first.
            std::future::pending::<()>().await;
        }
        // What cannot be asked now is asked again; powering on itself says what is wrong.
        let Ok(Some(question)) = client.question(vm).await else { continue };
        let Some(choice) = answer(&question, kind) else {
            return Failure::permanent(format!("{name:?} waits for an answer: {}", question.text))
                .advise("Answer it in vCenter, then retry this virtual machine.");
        };
        match client.answer_question(vm, &question.id, &choice.key).await {
            Ok(()) => cx.info(format!("{name:?} asked {:?}; answered that {word}.", question.message)),
            Err(error) => cx.info(format!("{name:?}: {}", Failure::from(error).message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_answered_and_never_by_its_words() {
        let choice = |key: &str, label: &str| Choice { key: key.to_owned(), label: label.to_owned() };
        let mut question = Question {
            id: "7".to_owned(),
            message: "msg.uuid.altered".to_owned(),
            text: "moved or copied?".to_owned(),
            choices: vec![choice("1", "button.uuid.movedTheVM"), choice("2", "button.uuid.copiedTheVM")],
        };
        let said = |question: &Question, kind| answer(question, kind).map(|one| one.key.clone());
        assert_eq!(said(&question, RunKind::Test).as_deref(), Some("2"));
        assert_eq!(said(&question, RunKind::PlannedFailover).as_deref(), Some("1"));
        question.choices = vec![choice("0", "I _moved it"), choice("5", "I _copied it")];
        assert_eq!(said(&question, RunKind::Test).as_deref(), Some("5"));
        assert_eq!(said(&question, RunKind::DisasterFailover).as_deref(), Some("0"));
        question.message = "msg.disk.notConfigured".to_owned();
        assert_eq!(said(&question, RunKind::DisasterFailover), None);
    }
}
