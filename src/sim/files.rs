//! A tree of files in memory, by relative path.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

/// What a listing says about a file or directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Path relative to the top, with `/` between its parts.
    pub path: String,
    /// Whether it is a directory.
    pub directory: bool,
    /// Bytes.
    pub size: u64,
    /// When it was last changed.
    pub modified: Timestamp,
}

impl FileEntry {
    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// Why a file operation failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FileError {
    /// There is nothing of this name.
    #[error("{0} is not there")]
    NotFound(String),
    /// There is something of this name already.
    #[error("{0} is there already")]
    Exists(String),
    /// The file system takes no writes.
    #[error("the file system is read-only")]
    ReadOnly,
    /// There is not enough room.
    #[error("no space is left")]
    NoSpace,
    /// Another host holds it open.
    #[error("{0} is locked")]
    Locked(String),
}

#[derive(Debug, Clone)]
struct Node {
    /// None for a directory.
    content: Option<Content>,
    modified: Timestamp,
}

#[derive(Debug, Clone)]
enum Content {
    Bytes(Arc<[u8]>),
    /// Only the size matters.
    Sparse(u64),
}

impl Content {
    fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Sparse(size) => *size,
        }
    }
}

/// Files and directories.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    nodes: BTreeMap<String, Node>,
}

/// `a//b/` as `a/b`.
fn tidy(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}

impl Tree {
    /// Bytes in all files.
    pub fn used(&self) -> u64 {
        self.nodes.values().filter_map(|node| node.content.as_ref()).map(Content::size).sum()
    }

    fn entry(path: &str, node: &Node) -> FileEntry {
        FileEntry {
            path: path.to_owned(),
            directory: node.content.is_none(),
            size: node.content.as_ref().map_or(0, Content::size),
            modified: node.modified,
        }
    }

    /// One file or directory.
    pub fn look(&self, path: &str) -> Option<FileEntry> {
        let path = tidy(path);
        self.nodes.get(&path).map(|node| Self::entry(&path, node))
    }

    /// Whether there is a directory of this name; the top always is one.
    fn is_directory(&self, path: &str) -> bool {
        path.is_empty() || self.nodes.get(path).is_some_and(|node| node.content.is_none())
    }

    fn below<'a>(&'a self, directory: &'a str) -> impl Iterator<Item = (&'a String, &'a Node)> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        self.nodes.range(prefix.clone()..).take_while(move |(path, _)| path.starts_with(&prefix))
    }

    /// What is directly in a directory.
    pub fn list(&self, directory: &str) -> Result<Vec<FileEntry>, FileError> {
        let directory = tidy(directory);
        if !self.is_directory(&directory) {
            return Err(FileError::NotFound(directory));
        }
        let start = if directory.is_empty() { 0 } else { directory.len() + 1 };
        let direct = self.below(&directory).filter(|(path, _)| !path[start..].contains('/'));
        Ok(direct.map(|(path, node)| Self::entry(path, node)).collect())
    }

    /// The content of a file. That of a file which was only allocated reads as nothing.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let path = tidy(path);
        match self.nodes.get(&path).and_then(|node| node.content.as_ref()) {
            Some(Content::Bytes(bytes)) => Ok(bytes.to_vec()),
            Some(Content::Sparse(_)) => Ok(Vec::new()),
            None => Err(FileError::NotFound(path)),
        }
    }

    fn put(&mut self, path: &str, content: Content, now: Timestamp) -> Result<(), FileError> {
        let path = tidy(path);
        if self.is_directory(&path) {
            return Err(FileError::Exists(path));
        }
        if let Some(above) = parent(&path) {
            self.make_directory(above, true, now)?;
        }
        self.nodes.insert(path, Node { content: Some(content), modified: now });
        Ok(())
    }

    /// Makes or replaces a file, with the directories above it.
    pub fn write(&mut self, path: &str, content: &[u8], now: Timestamp) -> Result<(), FileError> {
        self.put(path, Content::Bytes(content.into()), now)
    }

    /// Makes or resizes a file whose content does not matter.
    pub fn allocate(&mut self, path: &str, size: u64, now: Timestamp) -> Result<(), FileError> {
        self.put(path, Content::Sparse(size), now)
    }

    /// Makes a directory. With `parents` it may be there already, and the ones above it are made too.
    pub fn make_directory(&mut self, path: &str, parents: bool, now: Timestamp) -> Result<(), FileError> {
        let path = tidy(path);
        if parents && self.is_directory(&path) {
            return Ok(());
        }
        if self.nodes.contains_key(&path) || path.is_empty() {
            return Err(FileError::Exists(path));
        }
        match parent(&path) {
            Some(above) if parents => self.make_directory(above, true, now)?,
            Some(above) if !self.is_directory(above) => return Err(FileError::NotFound(above.to_owned())),
            _ => {}
        }
        self.nodes.insert(path, Node { content: None, modified: now });
        Ok(())
    }

    /// Removes a file, or a directory with all that is in it.
    pub fn remove(&mut self, path: &str) -> Result<(), FileError> {
        let path = tidy(path);
        if self.nodes.remove(&path).is_none() {
            return Err(FileError::NotFound(path));
        }
        let inside: Vec<_> = self.below(&path).map(|(path, _)| path.clone()).collect();
        inside.iter().for_each(|path| {
            self.nodes.remove(path);
        });
        Ok(())
    }

    /// Moves a file or a directory.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError> {
        let (from, to) = (tidy(from), tidy(to));
        if self.nodes.contains_key(&to) {
            return Err(FileError::Exists(to));
        }
        if to.strip_prefix(from.as_str()).is_some_and(|rest| rest.starts_with('/')) {
            return Err(FileError::NotFound(to));
        }
        let Some(node) = self.nodes.remove(&from) else { return Err(FileError::NotFound(from)) };
        if let Some(above) = parent(&to) {
            self.make_directory(above, true, node.modified)?;
        }
        let inside: Vec<_> = self.below(&from).map(|(path, _)| path.clone()).collect();
        for path in inside {
            if let Some(node) = self.nodes.remove(&path) {
                self.nodes.insert(format!("{to}{}", &path[from.len()..]), node);
            }
        }
        self.nodes.insert(to, node);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_listed_moved_and_removed_with_what_is_in_it() {
        let now = Timestamp::UNIX_EPOCH;
        let mut tree = Tree::default();
        tree.write("vm/erp/erp.vmx", b"config", now).unwrap();
        tree.allocate("vm/erp/erp-flat.vmdk", 10, now).unwrap();
        tree.allocate("vm/erp2.vmdk", 5, now).unwrap();
        let names = |tree: &Tree, at: &str| {
            tree.list(at).unwrap().iter().map(|entry| entry.name().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names(&tree, ""), ["vm"]);
        assert_eq!(names(&tree, "/vm/"), ["erp", "erp2.vmdk"]);
        assert_eq!(tree.used(), 21);
        tree.rename("vm/erp", "keep/erp").unwrap();
        assert_eq!(names(&tree, "vm"), ["erp2.vmdk"]);
        assert_eq!(tree.read("keep/erp/erp.vmx").unwrap(), b"config");
        assert_eq!(tree.list("vm/erp"), Err(FileError::NotFound("vm/erp".into())));
        tree.remove("keep").unwrap();
        assert!(tree.look("keep/erp/erp.vmx").is_none());
        assert_eq!(tree.make_directory("a/b", false, now), Err(FileError::NotFound("a".into())));
    }
}
