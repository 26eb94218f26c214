//! What is in a dataset: files of blocks, shared between a file system, its snapshots and its clones.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

/// One block. Never changed once it is written, as on a copy-on-write disk.
#[derive(Debug)]
pub(crate) struct Block {
    /// As it lies on the disk: of an encrypted dataset, encrypted.
    pub(crate) bytes: Bytes,
    /// The transaction group in which it was written.
    pub(crate) birth: u64,
}

/// A file or directory; of a volume, the volume itself.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) is_directory: bool,
    pub(crate) length: u64,
    /// By position, in units of the block size; what is not there is zeros.
    pub(crate) blocks: BTreeMap<u64, Arc<Block>>,
}

/// Everything in a dataset at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) block_size: u64,
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

    /// The whole of a file.
    pub(crate) fn read(&self, path: &str, key: Key) -> Option<Vec<u8>> {
        let number = *self.names.get(path)?;
        let object = self.objects.get(&number)?;
        let mut all = vec![0; usize::try_from(object.length).ok()?];
        for (index, block) in &object.blocks {
            let start = usize::try_from(index * self.block_size).ok()?;
            let Some(room) = all.get_mut(start..) else { continue };
            let count = room.len().min(block.bytes.len());
            let plain = crypt(&block.bytes, key, number, *index);
            room[..count].copy_from_slice(&plain[..count]);
        }
        Some(all)
    }

    /// Makes a directory; those above it too.
    pub(crate) fn make_directory(&mut self, path: &str) {
        if path.is_empty() || self.names.contains_key(path) {
            return;
        }
        if let Some((above, _)) = path.rsplit_once('/') {
            self.make_directory(above);
        }
        self.insert(path, Object { is_directory: true, length: 0, blocks: BTreeMap::new() });
    }

    fn insert(&mut self, path: &str, object: Object) -> u64 {
        let number = self.next;
        self.next += 1;
        self.names.insert(path.to_owned(), number);
        self.objects.insert(number, Arc::new(object));
        number
    }

    /// Puts an object under its number, as a stream says.
    pub(crate) fn place(&mut self, path: &str, number: u64, is_directory: bool, length: u64) {
        self.names.insert(path.to_owned(), number);
        self.next = self.next.max(number + 1);
        let size = self.block_size;
        let object = self
            .objects
            .entry(number)
            .or_insert_with(|| Arc::new(Object { is_directory, length, blocks: BTreeMap::new() }));
        if object.length != length {
            let object = Arc::make_mut(object);
            object.length = length;
            object.blocks.retain(|index, _| index * size < length);
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
                self.insert(path, Object { is_directory: false, length: 0, blocks: BTreeMap::new() })
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
    }

    /// Cuts a file to nothing, or makes it.
    pub(crate) fn truncate(&mut self, path: &str) {
        match self.names.get(path).and_then(|number| self.objects.get_mut(number)) {
            Some(object) => {
                *Arc::make_mut(object) = Object { is_directory: false, length: 0, blocks: BTreeMap::new() };
            }
            None => self.write(path, 0, &[], 0, None),
        }
    }

    /// Removes a file, or a directory with what is in it. False if there is none.
    pub(crate) fn remove(&mut self, path: &str) -> bool {
        let below = format!("{path}/");
        let gone: Vec<String> =
            self.names.keys().filter(|name| *name == path || name.starts_with(&below)).cloned().collect();
        for name in &gone {
            if let Some(number) = self.names.remove(name) {
                self.objects.remove(&number);
            }
        }
        !gone.is_empty()
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
