//! Kinds of jobs for trying the laws themselves: two that keep them, and some that do not.

pub mod broken;
pub mod files;
pub mod pages;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zerfaux::domain::job::Failure;
use zerfaux::engine::Definition;

use crate::laws::{Facts, Scene, World};

/// A world that is one directory.
pub struct Directory {
    pub kind: &'static str,
    pub definition: fn(PathBuf) -> Definition,
    /// Files that are there before the job.
    pub given: &'static [(&'static str, &'static str)],
    pub may_remain: &'static [(&'static str, &'static str)],
}

struct Opened {
    place: PathBuf,
    definition: fn(PathBuf) -> Definition,
    may_remain: &'static [(&'static str, &'static str)],
}

#[async_trait]
impl World for Directory {
    fn kind(&self) -> &'static str {
        self.kind
    }
    async fn build(&self, place: &Path) -> Arc<dyn Scene> {
        for (name, content) in self.given {
            fs::write(place.join(name), content).unwrap();
        }
        self.open(place)
    }
    fn open(&self, place: &Path) -> Arc<dyn Scene> {
        let (definition, may_remain) = (self.definition, self.may_remain);
        Arc::new(Opened { place: place.to_owned(), definition, may_remain })
    }
}

#[async_trait]
impl Scene for Opened {
    fn definition(&self) -> Definition {
        (self.definition)(self.place.clone())
    }
    fn input(&self) -> Value {
        json!({"name": "report"})
    }
    /// Every file with its content. A random part of a name, written `name~random`, shows as a count.
    async fn fingerprint(&self) -> Facts {
        let mut facts = Facts::new();
        for entry in walkdir::WalkDir::new(&self.place).min_depth(1).sort_by_file_name() {
            let entry = entry.unwrap();
            let name = entry.path().strip_prefix(&self.place).unwrap().display().to_string();
            let known: Vec<_> = name.split('/').map(|part| part.split('~').next().unwrap()).collect();
            let content = match entry.file_type().is_dir() {
                true => "a directory".to_owned(),
                false => fs::read_to_string(entry.path()).unwrap(),
            };
            let same = facts.keys().filter(|name| name.starts_with(&known.join("/"))).count();
            facts.insert(format!("{} #{same}", known.join("/")), content);
        }
        facts
    }
    fn may_remain(&self) -> Vec<(&'static str, &'static str)> {
        self.may_remain.to_vec()
    }
}

/// Words for what the file system answered.
fn io(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> Failure {
    let text = format!("{what} {} did not work", path.display());
    move |error| Failure::permanent(format!("{text}: {error}"))
}

/// Removes a file or a directory that may be gone already.
fn remove(path: &Path) -> Result<(), Failure> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io("removing", path)(error)),
        _ => Ok(()),
    }
}

/// The path that an intent names.
fn path_in(place: &Path, intent: &Value) -> PathBuf {
    place.join(intent.as_str().unwrap())
}
