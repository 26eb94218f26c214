//! Kinds that break one law each, so that the laws can be seen to find it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::Failure;
use zerfaux::engine::{Definition, Step, StepContext, UndoKind};

use super::{io, remove};

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Appends on every run.
    Appends,
    /// Leaves its file behind when it is undone.
    LeavesBehind,
    /// Cannot be undone twice.
    UndoesOnce,
    /// Draws its name while it runs, not in its intent.
    DrawsLate,
}

struct Broken(PathBuf, Fault);

fn kind(name: &'static str, place: PathBuf, fault: Fault) -> Definition {
    Definition::new(name, vec![Box::new(Broken(place, fault))])
}

pub fn appends(place: PathBuf) -> Definition {
    kind("broken_appends", place, Fault::Appends)
}
pub fn leaves_behind(place: PathBuf) -> Definition {
    kind("broken_leaves_behind", place, Fault::LeavesBehind)
}
pub fn undoes_once(place: PathBuf) -> Definition {
    kind("broken_undoes_once", place, Fault::UndoesOnce)
}
pub fn draws_late(place: PathBuf) -> Definition {
    kind("broken_draws_late", place, Fault::DrawsLate)
}

#[async_trait]
impl Step for Broken {
    fn name(&self) -> &'static str {
        "write"
    }
    fn percent(&self) -> (u8, u8) {
        (0, 100)
    }
    async fn run(&self, _cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let path = self.0.join("out");
        match self.1 {
            Fault::Appends => {
                let file = OpenOptions::new().create(true).append(true).open(&path);
                file.and_then(|mut file| file.write_all(b"x")).map_err(io("appending to", &path))?;
            }
            Fault::DrawsLate => {
                let path = self.0.join(format!("out~{}", JobId::new()));
                fs::write(&path, "x").map_err(io("writing", &path))?;
            }
            Fault::LeavesBehind | Fault::UndoesOnce => fs::write(&path, "x").map_err(io("writing", &path))?,
        }
        Ok(json!("written"))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, _cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let path = self.0.join("out");
        match self.1 {
            Fault::LeavesBehind | Fault::DrawsLate => Ok(()),
            Fault::UndoesOnce => fs::remove_file(&path).map_err(io("removing", &path)),
            Fault::Appends => remove(&path),
        }
    }
}
