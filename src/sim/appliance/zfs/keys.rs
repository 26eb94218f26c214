//! `zfs mount`, `unmount`, `load-key`, `unload-key`.

use super::super::model::{State, Target};
use super::create::from_passphrase;
use super::{Options, Reply};

fn missing(name: &str) -> Reply {
    Reply::fails(1, format!("cannot open '{name}': dataset does not exist"))
}

pub(super) fn mount(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "aflvo:O") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [name] = options.rest.as_slice() else {
        if options.has('a') {
            for name in state.datasets.keys().cloned().collect::<Vec<_>>() {
                super::create::mount_if_wanted(state, &name);
            }
            return Reply::default();
        }
        let point =
            |name: &String| state.property(Target::Dataset(name), "mountpoint").map(|(point, _)| point);
        let mounted = state.datasets.iter().filter(|(_, dataset)| dataset.mounted);
        let lines = mounted.map(|(name, _)| format!("{name:<30}  {}\n", point(name).unwrap_or_default()));
        return Reply { stdout: lines.collect(), ..Reply::default() };
    };
    let Some(dataset) = state.datasets.get(name) else { return missing(name) };
    if dataset.is_volume() {
        return Reply::fails(
            1,
            format!("cannot open '{name}': operation not applicable to datasets of this type"),
        );
    }
    let value = |property| {
        state.property(Target::Dataset(name), property).map(|(value, _)| value).unwrap_or_default()
    };
    let told = if dataset.mounted {
        "filesystem already mounted".to_owned()
    } else if !value("mountpoint").starts_with('/') {
        return Reply::fails(1, format!("cannot mount '{name}': no mountpoint set"));
    } else if value("canmount") == "off" {
        "'canmount' property is set to 'off'".to_owned()
    } else if dataset.is_locked() {
        "encryption key not loaded".to_owned()
    } else {
        if let Some(dataset) = state.datasets.get_mut(name) {
            dataset.mounted = true;
        }
        return Reply::default();
    };
    Reply::fails(1, format!("cannot mount '{name}': {told}"))
}

pub(super) fn unmount(state: &mut State, words: &[String]) -> Reply {
    let options = match Options::read(words, "afu") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [name] = options.rest.as_slice() else { return Reply::fails(2, "missing filesystem argument") };
    match state.datasets.get_mut(name) {
        None => missing(name),
        Some(dataset) if dataset.is_volume() => Reply::fails(
            1,
            format!("cannot open '{name}': operation not applicable to datasets of this type"),
        ),
        Some(dataset) if !dataset.mounted => {
            Reply::fails(1, format!("cannot unmount '{name}': not currently mounted"))
        }
        Some(dataset) => {
            dataset.mounted = false;
            Reply::default()
        }
    }
}

pub(super) fn load(state: &mut State, words: &[String], input: &[u8]) -> Reply {
    let fails = |why: String| Reply::fails(255, format!("Key load error: {why}"));
    let options = match Options::read(words, "nraL:") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [name] = options.rest.as_slice() else { return Reply::fails(2, "missing dataset argument(s)") };
    let Some(dataset) = state.datasets.get(name) else { return missing(name) };
    let Some(encryption) = dataset.encryption.clone() else {
        return fails(format!("'{name}' is not encrypted."));
    };
    if encryption.root != *name {
        return fails(format!("Keys must be loaded for encryption root of '{name}' ({}).", encryption.root));
    }
    let only_tries = options.has('n');
    if encryption.loaded.is_some() && !only_tries {
        return fails(format!("Key already loaded for '{name}'."));
    }
    let (hidden, check) = from_passphrase(input);
    if check != encryption.check {
        return fails(format!("Incorrect key provided for '{name}'."));
    }
    if only_tries {
        return Reply::default();
    }
    for dataset in state.datasets.values_mut() {
        if let Some(other) = dataset.encryption.as_mut().filter(|other| other.root == *name) {
            other.loaded = Some(other.wrapped ^ hidden);
        }
    }
    Reply::default()
}

pub(super) fn unload(state: &mut State, words: &[String]) -> Reply {
    let fails = |why: String| Reply::fails(255, format!("Key unload error: {why}"));
    let options = match Options::read(words, "ra") {
        Ok(options) => options,
        Err(error) => return Reply::fails(2, error),
    };
    let [name] = options.rest.as_slice() else { return Reply::fails(2, "missing dataset argument(s)") };
    let Some(dataset) = state.datasets.get(name) else { return missing(name) };
    let Some(encryption) = &dataset.encryption else { return fails(format!("'{name}' is not encrypted.")) };
    if encryption.root != *name {
        return fails(format!(
            "Keys must be unloaded for encryption root of '{name}' ({}).",
            encryption.root
        ));
    }
    if encryption.loaded.is_none() {
        return fails(format!("Key already unloaded for '{name}'."));
    }
    let under = |dataset: &&mut super::super::model::Dataset| {
        dataset.encryption.as_ref().is_some_and(|other| other.root == *name)
    };
    if state.datasets.values_mut().filter(under).any(|dataset| dataset.mounted) {
        return fails(format!("'{name}' is busy."));
    }
    for dataset in state.datasets.values_mut() {
        if let Some(other) = dataset.encryption.as_mut().filter(|other| other.root == *name) {
            other.loaded = None;
        }
    }
    Reply::default()
}
