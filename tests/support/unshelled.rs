//! The site of `shelled.rs` with a shell that was made: for the job that removes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::dr_shell::DrShell;
use zerfaux::domain::job::{Job, JobState};
use zerfaux::engine::{Definition, Engine, ManualClock};
use zerfaux::jobs::remove_dr_shell;
use zerfaux::store::Store;

use crate::laws::{Facts, Scene, World};
use crate::protected::TARGET;
use crate::shelled::{GROUP, SOURCE, ShelledScene, ShelledWorld};

/// The site, and whether the view was kept.
#[derive(Default)]
pub struct UnshelledWorld {
    pub shelled: ShelledWorld,
}

impl UnshelledWorld {
    pub fn with_view() -> Self {
        Self { shelled: ShelledWorld { keep_view: true, ..ShelledWorld::default() } }
    }

    pub async fn start(&self, place: &Path) -> Arc<UnshelledScene> {
        let made = self.shelled.start(place).await;
        let clock = Arc::new(ManualClock::sleepless(jiff::Timestamp::now() + Duration::from_secs(1800)));
        let engine = Engine::new(Store::open_in_memory().unwrap(), vec![made.definition()], clock);
        let id = engine.enqueue("create_dr_shell", made.input(), "anna").await.unwrap();
        engine.run_until_idle().await.unwrap();
        let job = engine.job(id).await.unwrap();
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.failure);
        let shell = made.store.dr_shells(GROUP).await.unwrap().remove(0);
        std::fs::write(kept(place), serde_json::to_string(&shell).unwrap()).unwrap();
        Arc::new(UnshelledScene { made, shell })
    }
}

fn kept(place: &Path) -> PathBuf {
    place.join("shell")
}

#[async_trait]
impl World for UnshelledWorld {
    fn kind(&self) -> &'static str {
        "remove_dr_shell"
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        self.start(place).await
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        Self::reopen(place)
    }
    async fn remove(&self, place: &Path) {
        self.shelled.remove(place).await;
    }
}

impl UnshelledWorld {
    /// The scene of this place in another process.
    pub fn reopen(place: &Path) -> Arc<UnshelledScene> {
        let made = ShelledWorld::reopen(place);
        let shell: DrShell = serde_json::from_str(&std::fs::read_to_string(kept(place)).unwrap()).unwrap();
        // It is put there once; a process that comes later finds what the one before has left.
        let seeded = place.join("shell_is_seeded");
        if !seeded.exists() {
            let (store, one) = (made.store.clone(), shell.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(store.put_dr_shell(&one)).unwrap();
            })
            .join()
            .unwrap();
            std::fs::write(seeded, "").unwrap();
        }
        Arc::new(UnshelledScene { made, shell })
    }
}

pub struct UnshelledScene {
    pub made: Arc<ShelledScene>,
    pub shell: DrShell,
}

#[async_trait]
impl Scene for UnshelledScene {
    fn definition(&self) -> Definition {
        let (targets, vcenters) = self.made.grounds();
        remove_dr_shell::definition(targets, vcenters)
    }
    fn input(&self) -> Value {
        json!({
            "shell": self.shell, "source_uuid": self.shell.source_uuid, "source_name": SOURCE,
            "dr_target_id": TARGET, "hosts": self.made.known["wish"]["hosts"],
        })
    }
    async fn fingerprint(&self) -> Facts {
        self.made.fingerprint().await
    }
    fn outcome(&self, job: &Job) -> Value {
        json!({ "state": job.state, "name": job.result.clone().unwrap_or_default()["name"] })
    }
}
