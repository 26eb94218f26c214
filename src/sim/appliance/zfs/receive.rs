//! `zfs receive`.

use std::io::Read;
use std::sync::Arc;

use super::super::machine::Machine;
use super::super::model::dataset::{Encryption, Partial};
use super::super::model::properties::{applies, check};
use super::super::model::tree::{Block, Tree, crypt};
use super::super::model::{Dataset, Snapshot, Source, State, Target, parent, pool_of};
use super::super::shell::Io;
use super::super::stream::{self, Begin, Broken, Name, Record};
use super::super::token;
use super::create::{mount_if_wanted, value};
use super::destroy::to_snapshot;
use super::get::put;
use super::{Options, Reply, usage};

const USAGE: &str = "\treceive [-vMnsFhu] [-o <property>=<value>] ... [-x <property>] ...\n\t    \
                     <filesystem|volume|snapshot>\n\treceive [-vMnsFhu] [-o <property>=<value>] ... [-x <property>] \
                     ... \n\t    [-d | -e] <filesystem>\n\treceive -A <filesystem|volume>\n";

pub(super) fn run(machine: &Arc<Machine>, words: &[String], io: &Io) -> i32 {
    let options = match Options::read(words, "AdeFhMnsuvo:x:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error).tell(io),
    };
    let [name] = options.rest.as_slice() else {
        return Reply::fails(2, "missing snapshot argument").tell(io);
    };
    if options.has('A') {
        return abort(&mut machine.state(), name).tell(io);
    }
    let receiver = Receiver { machine, options: &options, into: name };
    match receiver.all(io) {
        Ok(()) => 0,
        Err(told) => {
            io.complain(told);
            1
        }
    }
}

fn abort(state: &mut State, name: &str) -> Reply {
    let Some(dataset) = state.datasets.get_mut(name) else {
        return Reply::fails(2, format!("cannot open '{name}': dataset does not exist\n{}", usage(USAGE)));
    };
    if dataset.receiving {
        return Reply::fails(1, format!("cannot destroy '{name}': dataset is busy"));
    }
    if dataset.partial.is_none() {
        return Reply::fails(1, format!("'{name}' does not have any resumable receive state to abort"));
    }
    if dataset.is_unfinished() {
        state.datasets.remove(name);
    } else {
        dataset.partial = None;
    }
    Reply::default()
}

struct Receiver<'a> {
    machine: &'a Arc<Machine>,
    options: &'a Options,
    into: &'a str,
}

/// A receive under way.
struct Work {
    target: String,
    tag: String,
    partial: Partial,
    /// The transaction group of the blocks that arrive.
    birth: u64,
    /// The key that the blocks are encrypted with on arrival.
    key: Option<u64>,
    room: u64,
    quota: bool,
    made: bool,
}

fn what(begin: &Begin) -> &'static str {
    match (begin.resume, begin.from_guid) {
        (Some(_), _) => "cannot receive resume stream",
        (None, None) => "cannot receive new filesystem stream",
        (None, Some(_)) => "cannot receive incremental stream",
    }
}

impl Receiver<'_> {
    fn all(&self, io: &Io) -> Result<(), String> {
        let mut source = stream::Source(|buffer: &mut [u8]| io.read(buffer));
        stream::read_magic(&mut source)
            .map_err(|_| "cannot receive: failed to read from stream".to_owned())?;
        loop {
            let begin = match stream::read(&mut source) {
                Ok(Record::Begin(begin)) => *begin,
                _ => return Err("cannot receive: failed to read from stream".to_owned()),
            };
            let more = begin.more;
            self.one(begin, &mut source, io)?;
            if !more {
                return Ok(());
            }
        }
    }

    fn one(&self, begin: Begin, source: &mut dyn Read, io: &Io) -> Result<(), String> {
        let mut work = {
            let mut state = self.machine.state();
            self.begin(&mut state, begin, io)?
        };
        let come = self.take(&mut work, source);
        let mut state = self.machine.state();
        if let Some(dataset) = state.datasets.get_mut(&work.target) {
            dataset.receiving = false;
        }
        match come {
            Ok(()) => {
                self.commit(&mut state, work, io);
                Ok(())
            }
            Err(told) => Err(self.give_up(&mut state, work, told)),
        }
    }

    /// Looks whether the stream may be received, and makes room for it.
    fn begin(&self, state: &mut State, begin: Begin, io: &Io) -> Result<Work, String> {
        let said = what(&begin);
        let refuse = |why: String| format!("{said}: {why}");
        let (into, tag) = match Target::parse(self.into) {
            Target::Snapshot(into, tag) => (into, tag.to_owned()),
            _ => (self.into, begin.to_name.rsplit('@').next().unwrap_or_default().to_owned()),
        };
        let target = format!("{into}{}", begin.below);
        self.check_properties(&begin, &target, io).map_err(refuse)?;
        if begin.resume.is_some() {
            return Self::resume(state, begin, target, tag);
        }
        let exists = state.datasets.contains_key(&target);
        let mut encryption = None;
        let base = match begin.from_guid {
            None => {
                if exists {
                    self.overwrite(state, &target).map_err(refuse)?;
                }
                let above = parent(&target).unwrap_or(&target);
                let Some(found) = state.datasets.get(above) else {
                    return Err(format!(
                        "cannot open '{above}': dataset does not exist\n{said}: unable to restore to destination"
                    ));
                };
                encryption = found.encryption.clone().filter(|_| begin.raw.is_none());
                if encryption.as_ref().is_some_and(|encryption| encryption.loaded.is_none()) {
                    return Err(refuse("inherited key must be loaded".to_owned()));
                }
                if encryption.is_some() && begin.embedded {
                    return Err(refuse(
                        "incompatible embedded data stream feature with encrypted receive.".to_owned(),
                    ));
                }
                None
            }
            Some(guid) => Some(self.base(state, &begin, guid, &target).map_err(refuse)?),
        };
        let made = !state.datasets.contains_key(&target);
        if made {
            let mut dataset = state.new_dataset(begin.volsize, Some(begin.block_size));
            dataset.encryption = match begin.raw {
                Some((wrapped, check)) => {
                    Some(Encryption { root: target.clone(), wrapped, check, loaded: None })
                }
                None => encryption,
            };
            state.datasets.insert(target.clone(), dataset);
        }
        let (room, quota) = state.room(&target);
        let birth = state.next_txg();
        let dataset = state.datasets.get_mut(&target).ok_or_else(String::new)?;
        dataset.receiving = true;
        let key = if begin.raw.is_some() { None } else { dataset.key() };
        let tree = base.as_ref().map_or_else(|| Tree::new(begin.block_size), |base| Tree::clone(&base.tree));
        let base = base.map(|base| base.id);
        let partial = Partial { begin, tree, reached: (0, 0), bytes: 0, base };
        dataset.partial = Some(partial.clone());
        Ok(Work { target, tag, partial, birth, key, room, quota, made })
    }

    fn check_properties(&self, begin: &Begin, target: &str, io: &Io) -> Result<(), String> {
        let volume = begin.volsize.is_some();
        let set: Vec<(String, String)> = self.options.pairs('o');
        let names = set.iter().map(|(name, _)| name.as_str()).chain(self.options.values('x'));
        for name in names {
            if begin.raw.is_some()
                && matches!(name, "encryption" | "keyformat" | "keylocation" | "pbkdf2iters")
            {
                return Err(format!(
                    "encryption property '{name}' cannot be set or excluded for raw streams."
                ));
            }
        }
        for (name, value) in &set {
            check(name, value)?;
            if !name.contains(':') && !applies(name, volume) {
                return Err(format!("property '{name}' does not apply to datasets of this type"));
            }
        }
        for name in self.options.values('x').filter(|name| !name.contains(':') && !applies(name, volume)) {
            io.complain(format_args!(
                "Warning: {target}: property '{name}' does not apply to datasets of this type"
            ));
        }
        Ok(())
    }

    /// A full stream onto something that exists: only with `-F`, and only where there are no snapshots.
    fn overwrite(&self, state: &mut State, target: &str) -> Result<(), String> {
        let dataset = state.datasets.get(target);
        if !self.options.has('F') {
            return Err(format!("destination '{target}' exists\nmust specify -F to overwrite it"));
        }
        if let Some(snapshot) = dataset.and_then(|dataset| dataset.snapshots.first()) {
            let name = format!("{target}@{}", snapshot.tag);
            return Err(format!("destination has snapshots (eg. {name})\nmust destroy them to overwrite it"));
        }
        if state.pools.contains_key(target) || !state.children(target).is_empty() {
            return Err(format!("destination '{target}' exists\nmust specify -F to overwrite it"));
        }
        state.datasets.remove(target);
        Ok(())
    }

    /// The snapshot that an increment builds on.
    fn base(&self, state: &mut State, begin: &Begin, guid: u64, target: &str) -> Result<Snapshot, String> {
        let Some(dataset) = state.datasets.get(target) else {
            return Err(format!("destination '{target}' does not exist"));
        };
        if dataset.partial.is_some() {
            return Err(format!(
                "destination {target} contains partially-complete state from \"zfs receive -s\"."
            ));
        }
        if dataset.receiving {
            return Err("dataset is busy".to_owned());
        }
        if begin.raw.is_some() && dataset.encryption.is_none() {
            return Err("cannot perform raw receive on top of existing unencrypted dataset".to_owned());
        }
        let Some(base) = dataset.snapshots.iter().find(|snapshot| snapshot.guid == guid).cloned() else {
            return Err(format!("most recent snapshot of {target} does not\nmatch incremental source"));
        };
        if dataset.is_locked() && begin.raw.is_none() {
            return Err("inherited key must be loaded".to_owned());
        }
        if begin.raw.is_some() && base.ivset != begin.from_ivset {
            return Err("IV set guid mismatch. See the 'zfs receive' man page section\n discussing the \
                        limitations of raw encrypted send streams."
                .to_owned());
        }
        if dataset.changed_since(base.createtxg) {
            if !self.options.has('F') {
                return Err(format!("destination {target} has been modified\nsince most recent snapshot"));
            }
            to_snapshot(state, target, &base, true)?;
        }
        let tag = begin.to_name.rsplit('@').next().unwrap_or_default();
        if state.has(&format!("{target}@{tag}")) {
            return Err(format!("destination '{target}@{tag}' already exists"));
        }
        Ok(base)
    }

    /// Goes on with an interrupted receive.
    fn resume(state: &mut State, begin: Begin, target: String, tag: String) -> Result<Work, String> {
        let mismatch = if begin.embedded {
            "cannot receive resume stream: incompatible embedded data stream feature with encrypted receive."
        } else {
            "cannot receive resume stream: kernel modules must be upgraded to receive this stream."
        };
        let (room, quota) = state.room(&target);
        let birth = state.next_txg();
        let Some(dataset) = state.datasets.get_mut(&target) else {
            return Err(format!("cannot receive resume stream: destination '{target}' does not exist"));
        };
        if dataset.receiving {
            return Err("cannot receive resume stream: dataset is busy".to_owned());
        }
        let Some(partial) = &dataset.partial else { return Err(mismatch.to_owned()) };
        let fits = partial.begin.to_guid == begin.to_guid
            && partial.begin.from_guid == begin.from_guid
            && begin.resume == Some(partial.reached);
        if !fits {
            return Err(mismatch.to_owned());
        }
        let mut partial = partial.clone();
        partial.begin = Begin { resume: None, ..begin };
        dataset.receiving = true;
        let key = if partial.begin.raw.is_some() { None } else { dataset.key() };
        let made = dataset.is_unfinished();
        Ok(Work { target, tag, partial, birth, key, room, quota, made })
    }

    /// Takes the records of one snapshot; the error is what follows `cannot receive …: `.
    fn take(&self, work: &mut Work, source: &mut dyn Read) -> Result<(), Option<String>> {
        loop {
            match stream::read(source) {
                Ok(Record::Names(names)) => Self::place(&mut work.partial.tree, &names),
                Ok(Record::Write { number, index, bytes }) => {
                    let length = bytes.len() as u64;
                    if work.partial.bytes + length > work.room {
                        let quota = format!("destination {} space quota exceeded.", work.target);
                        return Err(Some(if work.quota { quota } else { "out of space".to_owned() }));
                    }
                    let bytes = crypt(&bytes, work.key, number, index);
                    work.partial.tree.put_block(number, index, Block { bytes, birth: work.birth });
                    work.partial.reached = (number, index * work.partial.tree.block_size);
                    work.partial.bytes += length;
                }
                Ok(Record::End) => return Ok(()),
                Ok(Record::Begin(_)) | Err(Broken::Incomplete | Broken::NotAStream) => return Err(None),
            }
        }
    }

    fn place(tree: &mut Tree, names: &[Name]) {
        let keep = names.iter().map(|name| (name.path.clone(), name.number)).collect();
        tree.keep_only(&keep);
        names.iter().for_each(|name| tree.place(name));
    }

    fn commit(&self, state: &mut State, work: Work, io: &Io) {
        let (txg, id) = (state.next_txg(), state.next_id());
        let begin = work.partial.begin;
        let Some(dataset) = state.datasets.get_mut(&work.target) else { return };
        let tree = Arc::new(work.partial.tree);
        dataset.head = Arc::clone(&tree);
        dataset.changed = txg;
        dataset.volsize = begin.volsize;
        dataset.partial = None;
        dataset.snapshots.push(Snapshot {
            id,
            guid: begin.to_guid,
            tag: work.tag,
            createtxg: txg,
            creation: begin.creation,
            tree,
            properties: Default::default(),
            holds: Default::default(),
            ivset: if begin.raw.is_some() { begin.ivset } else { super::super::model::guid() },
        });
        let excluded: Vec<&str> = self.options.values('x').collect();
        for (name, text) in begin.properties.iter().filter(|(name, _)| !excluded.contains(&name.as_str())) {
            Self::received(dataset, name, text);
        }
        for (name, text) in self.options.pairs('o') {
            let _ = put(state, Target::Dataset(&work.target), &name, &text, Source::Local);
        }
        if !self.options.has('u') && work.made && begin.volsize.is_none() {
            mount_if_wanted(state, &work.target);
        }
        if self.options.has('v') {
            io.say(format!("received {} stream into {}\n", super::human(work.partial.bytes), work.target));
        }
    }

    /// A property of the stream, which gives way to a local one.
    fn received(dataset: &mut Dataset, name: &str, text: &str) {
        let local = dataset.properties.get(name).is_some_and(|value| value.source == Source::Local);
        if !local {
            dataset.properties.insert(name.to_owned(), value(text, Source::Received));
        }
    }

    /// Keeps what came, or takes it back, and says why.
    fn give_up(&self, state: &mut State, work: Work, told: Option<String>) -> String {
        let said = what(&work.partial.begin);
        let keeps = self.options.has('s') && told.is_none();
        let text = token::of(&work.partial);
        let gone = state.datasets.get_mut(&work.target).is_none_or(|dataset| {
            dataset.partial = keeps.then_some(work.partial);
            work.made && !keeps
        });
        if gone && (work.made || !state.pools.contains_key(pool_of(&work.target))) {
            state.datasets.remove(&work.target);
        }
        match told {
            Some(why) => format!("{said}: {why}"),
            None if keeps => format!(
                "{said}: checksum mismatch or incomplete stream.\nPartially received snapshot is saved.\nA resuming \
                 stream can be generated on the sending system by running:\n    zfs send -t {text}"
            ),
            None => format!("{said}: incomplete stream"),
        }
    }
}
