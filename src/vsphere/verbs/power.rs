//! Power, guest shutdown, and answers to questions that block a virtual machine.

use crate::domain::moref::{EsxiRef, TaskRef, VmRef};
use crate::vsphere::{Client, Node, Request, VsphereError};

/// A question that a virtual machine waits for an answer to: nothing goes on until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// By which it is answered.
    pub id: String,
    /// What sort of question it is, such as `msg.uuid.altered`; the same in every language.
    pub message: String,
    /// In the server's words.
    pub text: String,
    /// The possible answers.
    pub choices: Vec<Choice>,
}

/// A possible answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// By which it is chosen.
    pub key: String,
    /// What sort of answer it is, such as `button.uuid.movedTheVM`; some servers write a person's words here.
    pub label: String,
}

impl Question {
    /// The answer of this sort.
    pub fn choice(&self, label: &str) -> Option<&Choice> {
        self.choices.iter().find(|choice| choice.label == label)
    }

    fn read(node: &Node) -> Option<Self> {
        let choices = node.child("choice").into_iter().flat_map(|choice| choice.all("choiceInfo"));
        let choice = |info: &Node| {
            Some(Choice { key: info.string_at("key")?, label: info.string_at("label").unwrap_or_default() })
        };
        Some(Self {
            id: node.string_at("id")?,
            message: node.string_at("message.id").unwrap_or_default(),
            text: node.string_at("text").unwrap_or_default(),
            choices: choices.filter_map(choice).collect(),
        })
    }
}

impl Client {
    /// The question that a virtual machine asks now, if it does.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn question(&self, vm: &VmRef) -> Result<Option<Question>, VsphereError> {
        let found = self.properties(vm, VmRef::KIND, &["runtime.question"]).await?;
        Ok(found.get("runtime.question").and_then(Question::read))
    }

    /// Powers a virtual machine on, on this host if one is named.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn power_on(&self, vm: &VmRef, host: Option<&EsxiRef>) -> Result<TaskRef, VsphereError> {
        let request = Request::new("PowerOnVM_Task", vm, format!("power on {vm}"), |xml| {
            if let Some(host) = host {
                xml.reference("host", host);
            }
        });
        self.start(&request).await
    }

    /// Cuts the power of a virtual machine.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn power_off(&self, vm: &VmRef) -> Result<TaskRef, VsphereError> {
        self.start(&Request::new("PowerOffVM_Task", vm, format!("power off {vm}"), |_| ())).await
    }

    /// Resets a virtual machine.
    ///
    /// # Errors
    /// If the server refuses or does not answer.
    pub async fn reset(&self, vm: &VmRef) -> Result<TaskRef, VsphereError> {
        self.start(&Request::new("ResetVM_Task", vm, format!("reset {vm}"), |_| ())).await
    }

    /// Asks the guest to shut down, and returns at once: it is off when its power state says so.
    ///
    /// # Errors
    /// If VMware Tools do not run, or the server refuses or does not answer.
    pub async fn shut_down_guest(&self, vm: &VmRef) -> Result<(), VsphereError> {
        let what = format!("shut down the guest of {vm}");
        self.call(&Request::new("ShutdownGuest", vm, what, |_| ())).await.map(drop)
    }

    /// Answers the question that a virtual machine asks, by its id, with a choice's key. See
    /// [`question`](Self::question).
    ///
    /// # Errors
    /// If it no longer asks that, or the server does not answer.
    pub async fn answer_question(
        &self,
        vm: &VmRef,
        question: &str,
        choice: &str,
    ) -> Result<(), VsphereError> {
        let request = Request::new("AnswerVM", vm, format!("answer the question of {vm}"), |xml| {
            xml.text("questionId", question).text("answerChoice", choice);
        });
        self.call(&request).await.map(drop)
    }
}
