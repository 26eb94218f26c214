//! What is on a host, for looking around: names and sizes, without everything that planning needs.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::error::ZfsError;
use super::parse::{Unreadable, columns, given, number_or_zero, time};
use super::{Zfs, pieces, verbs};
use crate::domain::dataset::{DatasetKind, PROPERTY_ROLE, Role};
use crate::domain::names::DatasetName;

/// A dataset as a list of many shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Browsed {
    /// Its name.
    pub name: DatasetName,
    /// File system or volume.
    pub kind: DatasetKind,
    /// Bytes it uses with its snapshots and children.
    pub used: u64,
    /// Bytes it refers to.
    pub referenced: u64,
    /// Bytes it could still take.
    pub available: u64,
    /// Where it is or would be mounted; none for a volume.
    pub mountpoint: Option<String>,
    /// What Zerfaux uses it for, where that is set on it itself.
    pub role: Option<Role>,
}

impl Zfs {
    /// Every dataset in `root` and below, by name. One whose name Zerfaux does not accept is left out.
    ///
    /// # Errors
    /// If there is no such dataset, the host cannot be reached, or the output is not understood.
    pub async fn browse(&self, root: &DatasetName) -> Result<Vec<Browsed>, ZfsError> {
        let (list, owners) = (verbs::browse(root), verbs::browse_owners(root));
        let (facts, owners) = futures_util::future::try_join(self.run(&list), self.run(&owners)).await?;
        read(&facts, &owners).map_err(|bad| self.unreadable(&list, bad))
    }

    /// How many snapshots each of these datasets has, and when the newest was made. One without is absent.
    ///
    /// # Errors
    /// If the host cannot be reached, or the output is not understood.
    pub async fn snapshot_times(
        &self,
        names: &[DatasetName],
    ) -> Result<BTreeMap<DatasetName, (u64, Timestamp)>, ZfsError> {
        let mut found: BTreeMap<DatasetName, (u64, Timestamp)> = BTreeMap::new();
        for piece in pieces(names) {
            let command = verbs::snapshot_times(piece);
            let text = self.table(&command).await?;
            count(&text, &mut found).map_err(|bad| self.unreadable(&command, bad))?;
        }
        Ok(found)
    }
}

fn read(facts: &str, owners: &str) -> Result<Vec<Browsed>, Unreadable> {
    let mut roles: HashMap<&str, Role> = HashMap::new();
    for line in owners.lines() {
        let [name, property, value] = columns(line)?;
        if property == PROPERTY_ROLE {
            roles.extend(Role::parse(value).map(|role| (name, role)));
        }
    }
    let mut all = Vec::new();
    for line in facts.lines() {
        let [name, kind, used, referenced, available, mountpoint] = columns(line)?;
        let Ok(parsed) = name.parse() else { continue };
        all.push(Browsed {
            name: parsed,
            kind: if kind == "volume" { DatasetKind::Volume } else { DatasetKind::Filesystem },
            used: number_or_zero(used, "used", line)?,
            referenced: number_or_zero(referenced, "referenced", line)?,
            available: number_or_zero(available, "available", line)?,
            mountpoint: given(mountpoint).map(str::to_owned),
            role: roles.get(name).copied(),
        });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

fn count(text: &str, found: &mut BTreeMap<DatasetName, (u64, Timestamp)>) -> Result<(), Unreadable> {
    for line in text.lines() {
        let [name, created] = columns(line)?;
        let Some(Ok(dataset)) = name.split_once('@').map(|(dataset, _)| dataset.parse()) else { continue };
        let at = time(created, "creation", line)?;
        let entry = found.entry(dataset).or_insert((0, at));
        *entry = (entry.0 + 1, entry.1.max(at));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_read_with_their_roles_and_odd_names_are_left_out() {
        let facts = "tank\tfilesystem\t100\t20\t900\t/tank\ntank/v\tvolume\t8\t8\t900\t-\n\
            tank/a%b\tfilesystem\t1\t1\t1\tnone\n";
        let owners = "tank/v\tzerfaux:group\tg\ntank/v\tzerfaux:role\treplica\n";
        let all = read(facts, owners).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].mountpoint.as_deref(), all[0].role), (Some("/tank"), None));
        assert_eq!((all[1].kind, all[1].role), (DatasetKind::Volume, Some(Role::Replica)));
    }

    #[test]
    fn snapshots_are_counted_with_the_time_of_the_newest() {
        let mut found = BTreeMap::new();
        count("tank/a@1\t100\ntank/a@2\t300\ntank/b@1\t200\n", &mut found).unwrap();
        let of = |name: &str| found[&name.parse::<DatasetName>().unwrap()];
        assert_eq!((of("tank/a").0, of("tank/a").1.as_second()), (2, 300));
        assert_eq!(of("tank/b").0, 1);
    }
}
