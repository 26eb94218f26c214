//! `sample_pages`: takes everything back when it fails. Copies page by page and keeps a cursor, so that it goes
//! on in the middle after a crash.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zerfaux::domain::job::Failure;
use zerfaux::engine::{Definition, Step, StepContext, UndoKind};

use super::{io, remove};

pub fn definition(place: PathBuf) -> Definition {
    let steps: Vec<Box<dyn Step>> =
        vec![Box::new(Count(place.clone())), Box::new(Copy(place.clone())), Box::new(Publish(place))];
    Definition::new("sample_pages", steps).unwinding_on_failure()
}

/// Only looks.
struct Count(PathBuf);

#[async_trait]
impl Step for Count {
    fn name(&self) -> &'static str {
        "count"
    }
    fn percent(&self) -> (u8, u8) {
        (0, 5)
    }
    async fn run(&self, _cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let path = self.0.join("source");
        let text = std::fs::read_to_string(&path).map_err(io("reading", &path))?;
        Ok(json!(text.lines().collect::<Vec<_>>()))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Nothing("it only looks")
    }
}

/// How far the copy is: as many pages are in the first so many bytes.
#[derive(Serialize, Deserialize, Default)]
struct Cursor {
    pages: usize,
    bytes: u64,
}

struct Copy(PathBuf);

#[async_trait]
impl Step for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }
    fn percent(&self) -> (u8, u8) {
        (5, 95)
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let pages: Vec<String> = cx.need("count")?;
        let mut cursor = cx.last_note::<Cursor>()?.unwrap_or_default();
        let path = self.0.join("copy");
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let mut file = file.map_err(io("opening", &path))?;
        // What was written behind the cursor before a crash is written again.
        file.set_len(cursor.bytes).map_err(io("cutting", &path))?;
        file.seek(SeekFrom::End(0)).map_err(io("seeking in", &path))?;
        for page in &pages[cursor.pages..] {
            file.write_all(page.as_bytes()).map_err(io("writing", &path))?;
            cursor = Cursor { pages: cursor.pages + 1, bytes: cursor.bytes + page.len() as u64 };
            cx.note(&cursor).await?;
            #[allow(clippy::cast_precision_loss)]
            cx.progress(cursor.pages as f64 / pages.len() as f64);
        }
        Ok(json!(cursor.pages))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, _cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        remove(&self.0.join("copy"))
    }
}

/// Writes how many pages there are beside the copy, and a note in a history that is kept on purpose.
struct Publish(PathBuf);

#[async_trait]
impl Step for Publish {
    fn name(&self) -> &'static str {
        "publish"
    }
    fn percent(&self) -> (u8, u8) {
        (95, 100)
    }
    async fn run(&self, cx: &StepContext, _intent: &Value) -> Result<Value, Failure> {
        let pages: usize = cx.need("copy")?;
        for name in ["index", "history"] {
            let path = self.0.join(name);
            std::fs::write(&path, pages.to_string()).map_err(io("writing", &path))?;
        }
        Ok(json!({"pages": pages}))
    }
    fn undo_kind(&self) -> UndoKind {
        UndoKind::Undoes
    }
    async fn undo(&self, _cx: &StepContext, _intent: &Value) -> Result<(), Failure> {
        remove(&self.0.join("index"))
    }
}
