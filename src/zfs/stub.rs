//! Stands in for `crate::host` until that module has landed; same signatures.
#![allow(missing_docs)]
use crate::domain::argv::Argv;
use crate::domain::exit::Output;
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct Host(String);

#[derive(Debug, thiserror::Error)]
#[error("not built yet")]
pub struct HostError;

impl HostError {
    pub fn is_transient(&self) -> bool {
        true
    }
    pub fn advice(&self) -> String {
        String::new()
    }
}

impl Host {
    pub fn local() -> Self {
        Self("this machine".to_owned())
    }
    pub fn label(&self) -> &str {
        &self.0
    }
    pub async fn run(&self, _: &Argv, _: Option<&[u8]>, _: Duration) -> Result<Output, HostError> {
        Err(HostError)
    }
}
