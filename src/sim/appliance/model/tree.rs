//! What is in a dataset: files of blocks, shared between a file system, its snapshots and its clones.
//!
//! Here: objects and their blocks. What is done to names is in `names.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

pub(crate) use super::object::Block;
use super::object::{Object, this_moment};
use crate::sim::appliance::stream::Name;

/// Everything in a dataset at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) block_size: u64,
    /// Paths without a leading `/`, each with the number of its object; two names of one number are a hard link.
    pub(crate) names: BTreeMap<String, u64>,
    pub(crate) objects: BTreeMap<u64, Arc<Object>>,
    /// Numbers are never used twice, so that one means the same file in every snapshot.
    next: u64,
}

/// The key of an encrypted dataset, or none.
pub(crate) type Key = Option<u64>;

impl Tree {
    pub(crate) fn new(block_size: u64) -> Self {
        Self { block_size, names: BTreeMap::new(), objects: BTreeMap::new(), next: 2 }
    }

    pub(crate) fn object(&self, path: &str) -> Option<&Arc<Object>> {
        self.objects.get(self.names.get(path)?)
    }

    pub(crate) fn object_mut(&mut self, path: &str) -> Option<&mut Object> {
        self.objects.get_mut(self.names.get(path)?).map(Arc::make_mut)
    }

    /// The whole of a file.
    pub(crate) fn read(&self, path: &str, key: Key) -> Option<Vec<u8>> {
        self.read_at(path, 0, self.object(path)?.length, key)
    }

    /// At most `count` bytes of a file from `offset` on; fewer at its end.
    pub(crate) fn read_at(&self, path: &str, offset: u64, count: u64, key: Key) -> Option<Vec<u8>> {
        let number = *self.names.get(path)?;
        let object = self.objects.get(&number)?;
        let end = object.length.min(offset.saturating_add(count));
        let mut all = vec![0; usize::try_from(end.saturating_sub(offset)).ok()?];
        let blocks = object.blocks.range(offset / self.block_size..end.div_ceil(self.block_size));
        for (index, block) in blocks {
            let plain = crypt(&block.bytes, key, number, *index);
            let start = index * self.block_size;
            let skip = usize::try_from(offset.saturating_sub(start)).ok()?;
            let place = usize::try_from(start.saturating_sub(offset)).ok()?;
            let (Some(from), Some(to)) = (plain.get(skip..), all.get_mut(place..)) else { continue };
            let count = from.len().min(to.len());
            to[..count].copy_from_slice(&from[..count]);
        }
        Some(all)
    }

    pub(super) fn insert(&mut self, path: &str, object: Object) -> u64 {
        let number = self.next;
        self.next += 1;
        self.names.insert(path.to_owned(), number);
        self.objects.insert(number, Arc::new(object));
        number
    }

    /// A volume's one object.
    pub(crate) fn place_volume(&mut self, size: u64) {
        self.names.insert(String::new(), 1);
        self.objects.insert(1, Arc::new(Object { length: size, ..Object::file() }));
    }

    /// Puts an object under its number, as a stream says.
    pub(crate) fn place(&mut self, name: &Name) {
        self.names.insert(name.path.clone(), name.number);
        self.next = self.next.max(name.number + 1);
        let size = self.block_size;
        let object = self.objects.entry(name.number).or_insert_with(|| Arc::new(Object::file()));
        if object.length != name.length || object.kind != name.kind || object.meta != name.meta {
            let object = Arc::make_mut(object);
            (object.length, object.kind, object.meta) = (name.length, name.kind.clone(), name.meta.clone());
            object.blocks.retain(|index, _| index * size < name.length);
        }
    }

    /// Drops every name that `keep` does not hold.
    pub(crate) fn keep_only(&mut self, keep: &BTreeMap<String, u64>) {
        self.names.retain(|path, number| keep.get(path) == Some(number));
        let kept: std::collections::BTreeSet<u64> = keep.values().copied().collect();
        self.objects.retain(|number, _| kept.contains(number));
    }

    /// Puts one block where it belongs.
    pub(crate) fn put_block(&mut self, number: u64, index: u64, block: Block) {
        if let Some(object) = self.objects.get_mut(&number) {
            Arc::make_mut(object).blocks.insert(index, Arc::new(block));
        }
    }

    /// Writes into a file, which is made if it is not there, and grows if need be.
    pub(crate) fn write(&mut self, path: &str, offset: u64, bytes: &[u8], birth: u64, key: Key) {
        let number = match self.names.get(path) {
            Some(number) => *number,
            None => {
                if let Some((above, _)) = path.rsplit_once('/') {
                    self.make_directory(above);
                }
                self.insert(path, Object::file())
            }
        };
        let size = self.block_size;
        let Some(object) = self.objects.get_mut(&number).map(Arc::make_mut) else { return };
        let (mut at, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            let (index, inside) = (at / size, usize::try_from(at % size).unwrap_or(0));
            let count = rest.len().min(usize::try_from(size).unwrap_or(usize::MAX) - inside);
            let mut content = match object.blocks.get(&index) {
                Some(old) => crypt(&old.bytes, key, number, index).to_vec(),
                None => Vec::new(),
            };
            if content.len() < inside + count {
                content.resize(inside + count, 0);
            }
            content[inside..inside + count].copy_from_slice(&rest[..count]);
            let bytes = crypt(&Bytes::from(content), key, number, index);
            object.blocks.insert(index, Arc::new(Block { bytes, birth }));
            at += count as u64;
            rest = &rest[count..];
        }
        object.length = object.length.max(at);
        object.meta.modified = this_moment();
    }

    /// Gives a file this length, cutting it or leaving a hole at its end; makes it if it is not there.
    pub(crate) fn set_length(&mut self, path: &str, length: u64) {
        if self.object(path).is_none() {
            self.write(path, 0, &[], 0, None);
        }
        let size = self.block_size;
        let Some(object) = self.object_mut(path) else { return };
        // A block that is cut in the middle keeps its tail; nothing reads beyond the length.
        object.blocks.retain(|index, _| index * size < length);
        if let Some((index, last)) = object.blocks.iter().next_back().map(|(index, block)| (*index, block)) {
            let keep = usize::try_from(length.saturating_sub(index * size)).unwrap_or(usize::MAX);
            if keep < last.bytes.len() {
                let block = Block { bytes: last.bytes.slice(..keep), birth: last.birth };
                object.blocks.insert(index, Arc::new(block));
            }
        }
        object.length = length;
        object.meta.modified = this_moment();
    }

    /// Every block with its object's number and its place.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = (u64, u64, &Arc<Block>)> {
        self.objects.iter().flat_map(|(number, object)| {
            object.blocks.iter().map(move |(index, block)| (*number, *index, block))
        })
    }

    /// Bytes in its blocks.
    pub(crate) fn size(&self) -> u64 {
        self.blocks().map(|(_, _, block)| block.bytes.len() as u64).sum()
    }
}

/// Turns plain bytes into encrypted ones and back. A stand-in for AES: enough that no plain text lies in a raw
/// stream, no protection of anything.
pub(crate) fn crypt(bytes: &Bytes, key: Key, number: u64, index: u64) -> Bytes {
    let Some(key) = key else { return bytes.clone() };
    let mut state = key ^ number.rotate_left(32) ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = bytes.to_vec();
    for chunk in out.chunks_mut(8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        for (byte, mask) in chunk.iter_mut().zip(state.to_le_bytes()) {
            *byte ^= mask;
        }
    }
    Bytes::from(out)
}
