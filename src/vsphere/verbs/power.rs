//! Power, guest shutdown, and answers to questions that block a virtual machine.

use crate::domain::moref::{EsxiRef, TaskRef, VmRef};
use crate::vsphere::{Client, Request, VsphereError};

impl Client {
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

    /// Answers the question that a virtual machine asks (`runtime.question`: its id and a choice's key).
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
