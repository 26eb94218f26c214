//! `sample_files`: keeps what was done when it fails. A directory with a random name, files in it, a line in a
//! ledger that others write too.

use std::fs;
use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::ids::JobId;
use zerfaux::domain::job::Failure;
use zerfaux::engine::{Definition, Step, StepContext, UndoKind};

use super::{io, path_in, remove};

pub fn definition(place: PathBuf) -> Definition {
    Definition::new(
        "sample_files",
        vec![Box::new(MakeFolder(place.clone())), Box::new(WriteFiles), Box::new(Enter(place))],
    )
    .with_locks(|input| {
        let name = input["name"].as_str().ok_or_else(|| Failure::permanent("The input has no name."))?;
        Ok(vec![zerfaux::engine::LockName::host_mounts(name)])
    })
}

/// The name is drawn once, in the intent.
struct MakeFolder(PathBuf);

#[async_trait]
impl Step for MakeFolder {
    fn name(&self) -> &'static str {
        "make_folder"
    }
    fn percent(&self) -> (u8, u8) {
        (0, 10)
    }
    async fn intent(&self, _cx: &StepContext) -> Result<Value, Failure> {
        Ok(json!(format!("folder~{}", JobId::new())))
    }
    async fn run(&self, _cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let path = path_in(&self.0, intent);
        fs::create_dir_all(&path).map_err(io("making", &path))?;
        Ok(json!(path))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, _cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        remove(&path_in(&self.0, intent))
    }
}

struct WriteFiles;

#[async_trait]
impl Step for WriteFiles {
    fn name(&self) -> &'static str {
        "write_files"
    }
    fn percent(&self) -> (u8, u8) {
        (10, 90)
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let folder: PathBuf = cx.need("make_folder")?;
        for name in ["a", "b"] {
            let path = folder.join(name);
            fs::write(&path, name).map_err(io("writing", &path))?;
            cx.info(format!("Wrote {name}."));
        }
        Ok(json!(2))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        let folder: PathBuf = cx.need("make_folder")?;
        ["a", "b"].iter().try_for_each(|name| remove(&folder.join(name)))
    }
}

/// Appends a line to a file that has other lines, and must not append it twice: the line carries the job.
struct Enter(PathBuf);

impl Enter {
    fn lines(&self) -> Result<Vec<String>, Failure> {
        let path = self.0.join("ledger");
        let text = fs::read_to_string(&path).map_err(io("reading", &path))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
    fn write(&self, lines: &[String]) -> Result<(), Failure> {
        let (path, new) = (self.0.join("ledger"), self.0.join("ledger.new"));
        fs::write(&new, lines.join("\n") + "\n").map_err(io("writing", &new))?;
        fs::rename(&new, &path).map_err(io("replacing", &path))
    }
}

#[async_trait]
impl Step for Enter {
    fn name(&self) -> &'static str {
        "enter"
    }
    fn percent(&self) -> (u8, u8) {
        (90, 100)
    }
    async fn intent(&self, cx: &StepContext) -> Result<Value, Failure> {
        // What is shown must not depend on the trial, so the line names the input, and the job by its kind.
        Ok(json!(format!("{} by {}", cx.input::<Value>()?["name"], cx.job().kind)))
    }
    async fn is_done(&self, _cx: &StepContext, intent: &Value) -> Result<Option<Value>, Failure> {
        let line = intent.as_str().unwrap();
        Ok(self.lines()?.iter().any(|known| known == line).then(|| json!("entered")))
    }
    async fn run(&self, _cx: &StepContext, intent: &Value) -> Result<Value, Failure> {
        let (mut lines, line) = (self.lines()?, intent.as_str().unwrap().to_owned());
        if !lines.contains(&line) {
            lines.push(line);
            self.write(&lines)?;
        }
        Ok(json!("entered"))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, _cx: &StepContext, intent: &Value) -> Result<(), Failure> {
        let mut lines = self.lines()?;
        lines.retain(|line| Some(line.as_str()) != intent.as_str());
        self.write(&lines)
    }
}
