//! The site of `unshelled.rs` whose source has other hardware by now: for the job that repairs the shell.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::dr_shell::ShellSpec;
use zerfaux::domain::hardware::Controller;
use zerfaux::domain::job::Job;
use zerfaux::engine::Definition;
use zerfaux::jobs::repair_dr_shell;

use crate::laws::{Facts, Scene, World};
use crate::unshelled::{UnshelledScene, UnshelledWorld};

#[derive(Default)]
pub struct ReshapedWorld {
    pub unshelled: UnshelledWorld,
}

impl ReshapedWorld {
    pub fn with_view() -> Self {
        Self { unshelled: UnshelledWorld::with_view() }
    }

    pub async fn start(&self, place: &Path) -> Arc<ReshapedScene> {
        Arc::new(ReshapedScene(self.unshelled.start(place).await))
    }
}

#[async_trait]
impl World for ReshapedWorld {
    fn kind(&self) -> &'static str {
        "repair_dr_shell"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        Arc::new(ReshapedScene(UnshelledWorld::reopen(place)))
    }
    async fn remove(&self, place: &Path) {
        self.unshelled.remove(place).await;
    }
}

pub struct ReshapedScene(pub Arc<UnshelledScene>);

impl ReshapedScene {
    /// As the source is configured now: more processors, one more controller, another sort of card.
    pub fn wanted(&self) -> ShellSpec {
        let mut spec = self.0.shell.spec.clone();
        spec.cpus = 8;
        spec.memory_mib = 4096;
        spec.controllers.push(Controller { key: 1002, kind: "ParaVirtualSCSIController".to_owned(), bus: 2 });
        spec.nics[0].kind = "VirtualE1000".to_owned();
        spec
    }
}

#[async_trait]
impl Scene for ReshapedScene {
    fn definition(&self) -> Definition {
        let (targets, vcenters) = self.0.made.grounds();
        repair_dr_shell::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        let mut input = self.0.made.known["wish"].clone();
        input["spec"] = json!(self.wanted());
        input["keep_view"] = json!(self.0.shell.view.is_some());
        input["shell"] = json!(self.0.shell);
        input
    }
    async fn fingerprint(&self) -> Facts {
        self.0.fingerprint().await
    }
    fn outcome(&self, job: &Job) -> Value {
        self.0.made.outcome(job)
    }
}
