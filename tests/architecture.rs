//! The picture in `src/lib.rs` is true: imports only run downward, some crates are named in one room only, and
//! files stay small enough to be read.

#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use syn::visit::Visit;

/// Which rooms each room may import. A room that is not here may not exist.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("plan", &["domain"]),
    ("store", &["domain"]),
    ("vault", &["domain"]),
    ("ssh", &["domain"]),
    ("host", &["ssh", "domain"]),
    ("zfs", &["host", "domain"]),
    ("vsphere", &["domain"]),
    ("notify", &["domain"]),
    ("engine", &["store", "domain"]),
    ("jobs", &["engine", "plan", "store", "vault", "vsphere", "zfs", "host", "ssh", "notify", "domain"]),
    ("auth", &["store", "domain"]),
    // Of `jobs`, the use cases take the inputs and the previews; the jobs themselves run in the engine.
    ("app", &["domain", "plan", "store", "vault", "auth", "engine", "jobs"]),
    ("web", &["app", "auth", "domain"]),
    ("api", &["app", "auth", "domain"]),
    // The composition root is called from the commands, and from nowhere else.
    ("cli", &["app", "domain", "boot", "config", "telemetry", "sim"]),
    // Simulators share no code with the clients that they test.
    ("sim", &["domain"]),
    // How much is logged, and how, is a setting.
    ("config", &["domain", "telemetry"]),
    ("telemetry", &["domain"]),
    ("boot", &["*"]),
    // The crate root and the program only hand over.
    ("lib", &["*"]),
    ("main", &["*"]),
];

/// Crates that only some rooms may name.
const ONLY_HERE: &[(&str, &[&str])] = &[
    ("rusqlite", &["store"]),
    ("refinery", &["store"]),
    ("russh", &["ssh", "sim"]),
    ("reqwest", &["vsphere", "notify"]),
    ("askama", &["web"]),
];

/// Macros that only some rooms may use.
const ONLY_HERE_MACROS: &[(&str, &[&str])] = &[("println", &["cli"]), ("print", &["cli"])];

/// The longest file that is still read from top to bottom.
const MOST_LINES: usize = 400;

/// Something in a file that the picture does not show.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Breach {
    Arrow { from: String, to: String },
    Crate { room: String, named: String },
    Macro { room: String, named: String },
    Unknown { room: String },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrow { from, to } => write!(f, "{from} imports {to}"),
            Self::Crate { room, named } => write!(f, "{room} names the crate {named}"),
            Self::Macro { room, named } => write!(f, "{room} uses {named}!"),
            Self::Unknown { room } => write!(f, "the room {room} has no arrows here: say what it may import"),
        }
    }
}

/// Collects every path in a file that is compiled into the product, as lists of its segments.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
    macros: BTreeSet<String>,
    /// Modules in files of their own that are only compiled for tests: their names or `#[path]`s.
    test_modules: Vec<String>,
}

fn is_test_only(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string().replace(' ', "");
        list.path.is_ident("cfg") && (condition == "test" || condition.starts_with("all(test"))
    })
}

impl Paths {
    fn add_use(&mut self, tree: &syn::UseTree, mut before: Vec<String>) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_use(&path.tree, before);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|item| self.add_use(item, before.clone()))
            }
            syn::UseTree::Name(name) => {
                before.push(name.ident.to_string());
                self.found.push(before);
            }
            syn::UseTree::Rename(rename) => {
                before.push(rename.ident.to_string());
                self.found.push(before);
            }
            syn::UseTree::Glob(_) => self.found.push(before),
        }
    }

    /// The paths in the arguments of a macro, which are not parsed: `a :: b :: c`.
    fn add_tokens(&mut self, tokens: &str) {
        let words: Vec<_> = tokens
            .split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
            .filter(|word| !word.is_empty())
            .collect();
        let mut path: Vec<String> = Vec::new();
        let mut joined = false;
        for word in words {
            if word == "::" {
                joined = true;
                continue;
            }
            if !joined && !path.is_empty() {
                self.found.push(std::mem::take(&mut path));
            }
            path.extend(word.split("::").filter(|part| !part.is_empty()).map(str::to_owned));
            joined = false;
        }
        self.found.push(path);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Mod(module) => &module.attrs,
            syn::Item::Fn(function) => &function.attrs,
            syn::Item::Use(import) => &import.attrs,
            syn::Item::Impl(implementation) => &implementation.attrs,
            syn::Item::Struct(structure) => &structure.attrs,
            syn::Item::Const(constant) => &constant.attrs,
            _ => &Vec::new(),
        };
        if !is_test_only(attributes) {
            return syn::visit::visit_item(self, item);
        }
        if let syn::Item::Mod(module) = item {
            let path = module.attrs.iter().find_map(|attribute| match &attribute.meta {
                syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
                    syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
                    _ => None,
                },
                _ => None,
            });
            self.test_modules.push(path.unwrap_or_else(|| module.ident.to_string()));
        }
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        self.add_use(&import.tree, Vec::new());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.found.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(name) = call.path.segments.last() {
            self.macros.insert(name.ident.to_string());
        }
        self.add_tokens(&call.tokens.to_string());
        syn::visit::visit_macro(self, call);
    }
}

/// Which modules lead to a file, from the crate root: `engine`, `log` for `engine/log.rs`.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<_> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The room that a path leads to, seen from a file; None for a crate, a type, something in the same room.
fn target(path: &[String], module: &[String]) -> Option<String> {
    match path.first()?.as_str() {
        "crate" | "zerfaux" => path.get(1).cloned(),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            // More than the file's depth cannot compile; inline modules only make it deeper.
            (ups >= module.len()).then(|| path.get(ups).cloned()).flatten()
        }
        _ => None,
    }
}

fn breaches(file: &Path, paths: &Paths) -> BTreeSet<Breach> {
    let module = module_of(file);
    let room = module[0].clone();
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
        return BTreeSet::from([Breach::Unknown { room }]);
    };
    let is_room = |name: &String| ARROWS.iter().any(|(room, _)| room == name);
    let mut found = BTreeSet::new();
    for path in &paths.found {
        if let Some(to) = target(path, &module).filter(is_room)
            && to != room
            && !allowed.contains(&"*")
            && !allowed.contains(&to.as_str())
        {
            found.insert(Breach::Arrow { from: room.clone(), to });
        }
        let named = path.first().and_then(|first| ONLY_HERE.iter().find(|(named, _)| named == first));
        if let Some((named, rooms)) = named
            && !rooms.contains(&room.as_str())
        {
            found.insert(Breach::Crate { room: room.clone(), named: (*named).to_owned() });
        }
    }
    for (named, rooms) in ONLY_HERE_MACROS {
        if paths.macros.contains(*named) && !rooms.contains(&room.as_str()) {
            found.insert(Breach::Macro { room: room.clone(), named: (*named).to_owned() });
        }
    }
    found
}

fn read(source: &str) -> Paths {
    let mut paths = Paths::default();
    paths.visit_file(&syn::parse_file(source).unwrap());
    paths
}

/// Every file under `src`, by its path there.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let entries = walkdir::WalkDir::new(&root).sort_by_file_name().into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.path().extension().is_some_and(|ending| ending == "rs"));
    files
        .map(|entry| {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            (entry.path().strip_prefix(&root).unwrap().to_owned(), text)
        })
        .collect()
}

/// The files and folders that are only compiled for tests, because the module that declares them says so.
fn test_only(files: &[(PathBuf, Paths)]) -> Vec<PathBuf> {
    let declared = files.iter().flat_map(|(file, paths)| {
        let folder = match file.file_name().is_some_and(|name| name == "mod.rs") || module_of(file).len() == 1
        {
            true => file.parent().unwrap().to_owned(),
            false => file.with_extension(""),
        };
        let folder = if file.iter().count() == 1 { PathBuf::new() } else { folder };
        paths.test_modules.iter().flat_map(move |name| match name.ends_with(".rs") {
            true => vec![file.parent().unwrap().join(name)],
            false => vec![folder.join(name), folder.join(format!("{name}.rs"))],
        })
    });
    declared.collect()
}

#[test]
fn imports_only_run_downward_and_crates_stay_in_their_rooms() {
    let files: Vec<_> = sources().into_iter().map(|(file, text)| (file, read(&text))).collect();
    assert!(files.len() > 20, "the sources were found");
    let left_out = test_only(&files);
    let product = files.iter().filter(|(file, _)| !left_out.iter().any(|test| file.starts_with(test)));
    let wrong: Vec<_> = product
        .flat_map(|(file, paths)| {
            breaches(file, paths).into_iter().map(move |breach| format!("src/{}: {breach}", file.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "not as in the picture in src/lib.rs:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_short_enough_to_be_read() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(file, lines)| format!("src/{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines:\n{}", long.join("\n"));
}

fn found(file: &str, source: &str) -> Vec<String> {
    breaches(Path::new(file), &read(source)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_wrong_arrow_would_be_found_however_it_is_written() {
    for source in [
        "use crate::store::Store;",
        "use crate::{domain::ids::JobId, store::{Store, JobChange}};",
        "use crate::store as database;",
        "fn f() { let x = crate::store::Store::open(); }",
        "fn f(store: &crate::store::Store) {}",
        "struct S { list: Vec<Option<crate::store::Store>> }",
        "fn f() { println_like!(\"{}\", crate::store::path()); }",
        "use super::store::Store;",
        "mod inner { use super::super::store::Store; }",
        "pub use zerfaux::store::Store;",
    ] {
        assert_eq!(found("plan/mod.rs", source), ["plan imports store"], "{source}");
    }
    assert_eq!(found("plan/retention.rs", "use super::super::engine::Engine;"), ["plan imports engine"]);
    assert_eq!(found("engine/mod.rs", "use crate::store::Store; use crate::app::X;"), ["engine imports app"]);
    assert_eq!(found("cellar/mod.rs", ""), ["the room cellar has no arrows here: say what it may import"]);
}

#[test]
fn a_crate_or_a_macro_in_the_wrong_room_would_be_found() {
    assert_eq!(found("engine/mod.rs", "use rusqlite::Connection;"), ["engine names the crate rusqlite"]);
    assert_eq!(found("zfs/mod.rs", "fn f(c: russh::Channel) {}"), ["zfs names the crate russh"]);
    assert_eq!(found("host/mod.rs", "fn f() { println!(\"x\"); }"), ["host uses println!"]);
    assert!(found("store/jobs.rs", "use rusqlite::Connection;").is_empty());
    assert!(found("cli/mod.rs", "fn f() { println!(\"x\"); }").is_empty());
}

#[test]
fn what_is_right_is_left_alone() {
    for source in [
        "use crate::domain::ids::JobId;",
        "use super::names::Name;",
        "mod inner { use super::super::names::Name; }",
        "#[cfg(test)] mod tests { use crate::store::Store; fn f() { println!(\"x\"); } }",
        "#[cfg(test)] use crate::store::Store;",
        "fn store() {} fn f() { store(); crate::plan::retention::keep(); }",
    ] {
        assert_eq!(found("plan/replication/base.rs", source), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn a_module_in_a_file_of_its_own_is_left_out_only_if_it_is_for_tests() {
    let files = vec![
        (PathBuf::from("engine/log.rs"), read("#[cfg(test)] #[path = \"log_tests.rs\"] mod tests;")),
        (PathBuf::from("engine/mod.rs"), read("#[cfg(test)] mod tests; mod runner;")),
        (PathBuf::from("plan/keep.rs"), read("#[cfg(test)] mod tests;")),
    ];
    let left_out = test_only(&files);
    for path in ["engine/log_tests.rs", "engine/tests", "engine/tests.rs", "plan/keep/tests.rs"] {
        assert!(left_out.contains(&PathBuf::from(path)), "{path} in {left_out:?}");
    }
    assert!(!left_out.contains(&PathBuf::from("engine/runner.rs")));
}
