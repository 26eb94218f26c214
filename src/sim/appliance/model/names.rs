//! What is done to names in a tree: directories, links, moving, removing. Errors are the words of errno(3).

use std::sync::Arc;

use super::object::Object;
use super::tree::Tree;

/// What `strerror` says.
pub(crate) type Errno = &'static str;

pub(crate) const NOT_THERE: Errno = "No such file or directory";
pub(crate) const EXISTS: Errno = "File exists";
pub(crate) const NOT_A_DIRECTORY: Errno = "Not a directory";
pub(crate) const IS_A_DIRECTORY: Errno = "Is a directory";
pub(crate) const NOT_EMPTY: Errno = "Directory not empty";
pub(crate) const READ_ONLY: Errno = "Read-only file system";
pub(crate) const INVALID: Errno = "Invalid argument";
pub(crate) const CROSS_DEVICE: Errno = "Invalid cross-device link";

fn above(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(above, _)| above)
}

impl Tree {
    /// Whether a directory is there; the top always is.
    pub(crate) fn has_directory(&self, path: &str) -> bool {
        path.is_empty() || self.object(path).is_some_and(|object| object.is_directory())
    }

    /// Makes a directory; those above it too.
    pub(crate) fn make_directory(&mut self, path: &str) {
        if path.is_empty() || self.names.contains_key(path) {
            return;
        }
        self.make_directory(above(path));
        self.insert(path, Object::directory());
    }

    /// Whether something new may stand there.
    pub(crate) fn vacant(&self, path: &str) -> Result<(), Errno> {
        if path.is_empty() || self.names.contains_key(path) {
            return Err(EXISTS);
        }
        self.has_place_above(path)
    }

    /// Whether the directory above a path is there.
    pub(crate) fn has_place_above(&self, path: &str) -> Result<(), Errno> {
        match self.object(above(path)) {
            _ if above(path).is_empty() => Ok(()),
            None => Err(NOT_THERE),
            Some(found) if found.is_directory() => Ok(()),
            Some(_) => Err(NOT_A_DIRECTORY),
        }
    }

    /// Gives the top a place of its own, so that it can have an owner and a mode.
    pub(crate) fn keep_top(&mut self) {
        if !self.names.contains_key("") {
            self.insert("", Object::directory());
        }
    }

    /// Makes a directory in one that is there.
    pub(crate) fn add_directory(&mut self, path: &str) -> Result<(), Errno> {
        self.vacant(path)?;
        self.insert(path, Object::directory());
        Ok(())
    }

    /// Makes a symbolic link.
    pub(crate) fn add_link(&mut self, path: &str, target: &str) -> Result<(), Errno> {
        self.vacant(path)?;
        self.insert(path, Object::link(target));
        Ok(())
    }

    /// A second name for a file.
    pub(crate) fn hard_link(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let number = *self.names.get(from).ok_or(NOT_THERE)?;
        if self.has_directory(from) {
            return Err("Operation not permitted");
        }
        self.vacant(to)?;
        self.names.insert(to.to_owned(), number);
        Ok(())
    }

    /// How many names a file has.
    pub(crate) fn links(&self, path: &str) -> usize {
        let number = self.names.get(path);
        self.names.values().filter(|other| Some(*other) == number).count()
    }

    /// The nearest names below a directory, or all of them.
    pub(crate) fn below<'a>(
        &'a self,
        directory: &'a str,
        deep: bool,
    ) -> impl Iterator<Item = (&'a String, &'a Arc<Object>)> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let start = prefix.len();
        self.names
            .range(prefix.clone()..)
            .take_while(move |(name, _)| name.starts_with(&prefix))
            .filter(move |(name, _)| name.len() > start && (deep || !name[start..].contains('/')))
            .filter_map(|(name, number)| Some((name, self.objects.get(number)?)))
    }

    /// Removes a file, or a directory with what is in it. False if there is none.
    pub(crate) fn remove(&mut self, path: &str) -> bool {
        let below = format!("{path}/");
        let gone: Vec<String> =
            self.names.keys().filter(|name| *name == path || name.starts_with(&below)).cloned().collect();
        for name in &gone {
            let number = self.names.remove(name);
            if let Some(number) = number.filter(|number| !self.names.values().any(|other| other == number)) {
                self.objects.remove(&number);
            }
        }
        !gone.is_empty()
    }

    /// Moves a file, or a directory with what is in it, as rename(2) does: over a file, not over what is in use.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        let moved = Arc::clone(self.object(from).ok_or(NOT_THERE)?);
        if from == to {
            return Ok(());
        }
        if to.strip_prefix(from).is_some_and(|rest| rest.starts_with('/')) {
            return Err(INVALID);
        }
        self.has_place_above(to)?;
        if let Some(there) = self.object(to) {
            match (moved.is_directory(), there.is_directory()) {
                (false, true) => return Err(IS_A_DIRECTORY),
                (true, false) => return Err(NOT_A_DIRECTORY),
                (true, true) if self.below(to, false).next().is_some() => return Err(NOT_EMPTY),
                _ => self.remove(to),
            };
        }
        let below = format!("{from}/");
        let names: Vec<String> =
            self.names.keys().filter(|name| *name == from || name.starts_with(&below)).cloned().collect();
        for name in names {
            if let Some(number) = self.names.remove(&name) {
                self.names.insert(format!("{to}{}", &name[from.len()..]), number);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_lives_as_long_as_one_of_its_names_and_a_directory_moves_with_what_is_in_it() {
        let mut tree = Tree::new(8);
        tree.write("a/b/one", 0, b"hello world", 1, None);
        tree.hard_link("a/b/one", "a/two").unwrap();
        assert_eq!((tree.links("a/two"), tree.size()), (2, 11));
        tree.rename("a/b", "c").unwrap();
        assert!(tree.remove("c/one") && !tree.remove("c/one"));
        assert_eq!(tree.read("a/two", None).unwrap(), b"hello world");
        assert_eq!(tree.read_at("a/two", 6, 3, None).unwrap(), b"wor");
        assert_eq!(tree.rename("a", "a/x"), Err(INVALID));
        assert_eq!(tree.add_directory("no/x"), Err(NOT_THERE));
        assert_eq!(tree.rename("a/two", "c"), Err(IS_A_DIRECTORY));
        assert_eq!(tree.below("", false).map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert!(tree.remove("a") && tree.objects.len() == 1);
    }

    #[test]
    fn a_file_that_is_cut_and_grown_again_has_a_hole() {
        let mut tree = Tree::new(8);
        tree.write("f", 0, b"0123456789abcdef", 1, None);
        tree.set_length("f", 10);
        tree.set_length("f", 20);
        assert_eq!(tree.read("f", None).unwrap(), b"0123456789\0\0\0\0\0\0\0\0\0\0");
        tree.set_length("huge", 1 << 40);
        assert_eq!((tree.size(), tree.read_at("huge", 1 << 39, 4, None).unwrap()), (10, vec![0; 4]));
    }
}
