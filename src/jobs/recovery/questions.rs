//! Questions that a virtual machine asks while it is powered on: answered by what sort of question it is, never by its words.

use std::time::Duration;

use crate::domain::job::Failure;
use crate::domain::moref::VmRef;
use crate::engine::StepContext;
use crate::vsphere::Client;
use crate::vsphere::verbs::{Choice, Question};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// What a test says: it is a copy, so it gets another UUID.
fn answer(question: &Question) -> Option<&Choice> {
    match question.message.as_str() {
        "msg.uuid.altered" => {
            let worded = || question.choices.iter().find(|one| one.label.to_lowercase().contains("copied"));
            question.choice("button.uuid.copiedTheVM").or_else(worded)
        }
        _ => None,
    }
}

/// Answers what a machine asks, for as long as it is polled. Ends only with a question that is not known.
pub(super) async fn answer_all(cx: &StepContext, client: &Client, vm: &VmRef, name: &str) -> Failure {
    loop {
        if cx.pause(EVERY).await.is_err() {
            // Whoever powers it on ends that first.
            std::future::pending::<()>().await;
        }
        // What cannot be asked now is asked again; powering on itself says what is wrong.
        let Ok(Some(question)) = client.question(vm).await else { continue };
        let Some(choice) = answer(&question) else {
            return Failure::permanent(format!("{name:?} waits for an answer: {}", question.text))
                .advise("Answer it in vCenter, then retry this virtual machine.");
        };
        match client.answer_question(vm, &question.id, &choice.key).await {
            Ok(()) => cx.info(format!("{name:?} asked {:?}; answered that it is a copy.", question.message)),
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
        assert_eq!(answer(&question).map(|one| one.key.as_str()), Some("2"));
        question.choices = vec![choice("0", "I _moved it"), choice("5", "I _copied it")];
        assert_eq!(answer(&question).map(|one| one.key.as_str()), Some("5"));
        question.message = "msg.disk.notConfigured".to_owned();
        assert_eq!(answer(&question), None);
    }
}
