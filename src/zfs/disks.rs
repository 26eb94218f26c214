//! The disks of a host, and making a pool of one.

use serde_json::Value;

use crate::domain::argv::Argv;
use crate::domain::disk::BlockDevice;
use crate::domain::names::DatasetName;

use super::complaint::Complaint;
use super::error::{Attempt, ZfsError};
use super::property::{Property, PropertyName};
use super::{Zfs, verbs};

const COLUMNS: &str = "NAME,PATH,TYPE,SIZE,SERIAL,WWN,FSTYPE,PTTYPE,MOUNTPOINTS";
const LINKS: &str = "/dev/disk/by-id";
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(60);

impl Zfs {
    /// The disks of the host, with what is on them. Needs no privilege.
    ///
    /// # Errors
    /// If the host cannot be reached, or has no `lsblk` of util-linux 2.37 or newer.
    pub async fn disks(&self) -> Result<Vec<BlockDevice>, ZfsError> {
        let what = "list its disks";
        let table = self.plain(&["lsblk", "-J", "-b", "-o", COLUMNS], what).await?;
        // There is no such directory on a host whose disks have no lasting names.
        let links = self.plain(&["ls", "-l", LINKS], what).await.unwrap_or_default();
        read(&table, &links).map_err(|(why, line)| ZfsError::Parse { attempt: self.at(what), why, line })
    }

    fn at(&self, what: &str) -> Box<Attempt> {
        Box::new(Attempt { what: what.to_owned(), host: self.host.label().to_owned(), needs: None })
    }

    /// Runs a command that changes nothing, as the user who logs in.
    pub(super) async fn plain(&self, words: &[&str], what: &str) -> Result<String, ZfsError> {
        let words = ["env", "LC_ALL=C"].into_iter().chain(words.iter().copied());
        let argv = Argv::new(words)
            .map_err(|error| ZfsError::Arguments { attempt: self.at(what), why: error.to_string() })?;
        let output = self
            .runner
            .run(&argv, None, DEADLINE)
            .await
            .map_err(|source| ZfsError::Host { attempt: self.at(what), source: Box::new(source) })?;
        if output.exit.is_success() {
            return Ok(output.stdout_text());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(ZfsError::Refused {
            attempt: self.at(what),
            complaint: Complaint::Unrecognised,
            exit: output.exit,
            stderr,
        })
    }

    /// Makes a pool of one disk, named by its lasting name, and says on it on whose behalf: `owner`. A pool of that name
    /// which says the same was made before, and is taken for it.
    ///
    /// The disk is never forced: `zpool` refuses one on which something is.
    ///
    /// # Errors
    /// [`ZfsError::Guarded`] if another pool has that name; or if `zpool` refuses.
    pub async fn create_pool(&self, pool: &DatasetName, disk: &str, owner: &str) -> Result<(), ZfsError> {
        // `zpool create` looks at the disk and at the directory of that name before it looks at the name: of our own pool it
        // says that the disk is in use, of another's that its mountpoint is not empty.
        let command = verbs::create_pool(pool, disk, owner);
        let others = || self.guarded(&command, format!("a pool {pool} exists that was not made by this job"));
        match self.get_local(pool, &PropertyName::fixed(verbs::OWNER)).await {
            Ok(Some(found)) if found == owner => return Ok(()),
            Ok(_) => return Err(others()),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(error),
        }
        let exists = |complaint: &Complaint| *complaint == Complaint::AlreadyExists;
        if self.run_unless(&command, exists).await? {
            return Ok(());
        }
        Err(others())
    }

    /// On whose behalf a pool was made by [`Self::create_pool`]; none: by somebody else, or there is no such pool.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn pool_owner(&self, pool: &DatasetName) -> Result<Option<String>, ZfsError> {
        match self.get_local(pool, &PropertyName::fixed(verbs::OWNER)).await {
            Err(error) if is_missing(&error) => Ok(None),
            other => other,
        }
    }

    /// Makes a file system with these properties from the first moment. One of that name is taken for it, and its
    /// properties are set.
    ///
    /// # Errors
    /// If what is above it does not exist, or a value is not accepted.
    pub async fn create_filesystem(
        &self,
        name: &DatasetName,
        properties: &[Property],
    ) -> Result<(), ZfsError> {
        let exists = |complaint: &Complaint| *complaint == Complaint::AlreadyExists;
        if self.run_unless(&verbs::create_filesystem(name, properties), exists).await? {
            return Ok(());
        }
        self.set(name, properties).await
    }

    /// Destroys a pool in which nothing lies, as the caller has seen. One that is gone is passed over.
    ///
    /// # Errors
    /// If it is in use.
    pub async fn destroy_empty_pool(&self, pool: &DatasetName) -> Result<(), ZfsError> {
        let gone = |complaint: &Complaint| matches!(complaint, Complaint::PoolMissing(_));
        self.run_unless(&verbs::destroy_pool(pool), gone).await.map(drop)
    }

    /// What `zpool status` says of a pool.
    ///
    /// # Errors
    /// If there is no such pool.
    pub async fn pool_told(&self, pool: &DatasetName) -> Result<String, ZfsError> {
        self.run(&verbs::pool_status(pool)).await
    }
}

fn is_missing(error: &ZfsError) -> bool {
    matches!(error.complaint(), Some(Complaint::DatasetMissing(_) | Complaint::PoolMissing(_)))
}

/// Reads `lsblk -J` and `ls -l /dev/disk/by-id`. The error is why, and where.
fn read(table: &str, links: &str) -> Result<Vec<BlockDevice>, (String, String)> {
    let tree: Value = serde_json::from_str(table)
        .map_err(|error| (error.to_string(), table.lines().next().unwrap_or_default().to_owned()))?;
    let devices = tree["blockdevices"]
        .as_array()
        .ok_or_else(|| ("it has no \"blockdevices\"".to_owned(), String::new()))?;
    let mut disks: Vec<BlockDevice> = devices.iter().map(device).collect();
    for line in links.lines() {
        // `… wwn-0x6000c29 -> ../../sdb`
        let Some((before, target)) = line.split_once(" -> ") else { continue };
        let (Some(name), Some(target)) = (before.split_whitespace().last(), target.rsplit('/').next()) else {
            continue;
        };
        if let Some(disk) = disks.iter_mut().find(|disk| disk.name == target) {
            disk.ids.push(format!("{LINKS}/{name}"));
        }
    }
    Ok(disks)
}

fn device(row: &Value) -> BlockDevice {
    let text =
        |key: &str| row[key].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    // Older releases write numbers as text.
    let size = row["size"].as_u64().or_else(|| row["size"].as_str()?.parse().ok());
    let points = row["mountpoints"].as_array().into_iter().flatten();
    BlockDevice {
        name: text("name").unwrap_or_default(),
        path: text("path").unwrap_or_default(),
        kind: text("type").unwrap_or_default(),
        size: size.unwrap_or(0),
        serial: text("serial"),
        wwn: text("wwn"),
        fstype: text("fstype"),
        pttype: text("pttype"),
        mountpoints: points.filter_map(Value::as_str).map(str::to_owned).collect(),
        children: row["children"].as_array().into_iter().flatten().map(device).collect(),
        ids: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Golden, says, scripted, silence};
    use super::*;

    const TABLE: &str = r#"{"blockdevices": [
      {"name":"sda","path":"/dev/sda","type":"disk","size":17179869184,"serial":"6000c290","wwn":null,"fstype":null,
       "pttype":"gpt","mountpoints":[null],"children":[
         {"name":"sda1","path":"/dev/sda1","type":"part","size":17178820608,"serial":null,"wwn":null,"fstype":"ext4",
          "pttype":"gpt","mountpoints":["/"]}]},
      {"name":"sdb","path":"/dev/sdb","type":"disk","size":"2147483648","serial":" ","wwn":"0x6000c29a","fstype":null,
       "pttype":null,"mountpoints":[null]},
      {"name":"sr0","path":"/dev/sr0","type":"rom","size":1073741312,"serial":"0","wwn":null,"fstype":null,
       "pttype":null,"mountpoints":[null]}]}"#;
    const LINES: &str = "total 0\n\
        lrwxrwxrwx 1 root root  9 Nov 27 22:00 wwn-0x6000c29a -> ../../sdb\n\
        lrwxrwxrwx 1 root root 10 Nov 27 22:00 scsi-x-part1 -> ../../sda1\n";

    #[test]
    fn disks_are_read_with_what_is_on_them_and_their_lasting_names() {
        let disks = read(TABLE, LINES).unwrap();
        let blank: Vec<bool> = disks.iter().map(BlockDevice::is_blank).collect();
        assert_eq!(blank, [false, true, true]);
        assert_eq!(disks[0].children[0].mountpoints, ["/"]);
        assert_eq!((disks[1].size, disks[1].serial.as_deref()), (2 << 30, None));
        assert_eq!(disks[1].ids, ["/dev/disk/by-id/wwn-0x6000c29a"]);
        assert!(disks[0].ids.is_empty(), "a link to a partition is no name of the disk");
        assert!(read("", "").is_err() && read("{}", "").is_err());
    }

    #[tokio::test]
    async fn a_pool_is_made_by_the_lasting_name_and_never_by_force() {
        let (zfs, script) = scripted(vec![("zfs get", missing()), ("zpool create", silence())]);
        let pool = "tank".parse().unwrap();
        zfs.create_pool(&pool, "/dev/disk/by-id/wwn-0x6000c29a", "job-1").await.unwrap();
        let line = "zpool create -o ashift=12 -o autoexpand=on -O compression=lz4 -O atime=off -O xattr=sa -O \
                    acltype=posixacl -O canmount=off -O zerfaux:deployment=job-1 tank \
                    /dev/disk/by-id/wwn-0x6000c29a";
        assert_eq!(script.asked().last().map(String::as_str), Some(line));
    }

    fn complains(stderr: &str) -> Golden {
        Golden { exit: 1, stdout: String::new(), stderr: format!("{stderr}\n") }
    }

    fn missing() -> Golden {
        complains("cannot open 'tank': dataset does not exist")
    }

    #[tokio::test]
    async fn a_pool_that_exists_is_ours_only_if_it_says_so() {
        let pool = "tank".parse().unwrap();
        for (value, ours) in [
            ("zerfaux:deployment\tjob-1\tlocal\n", true),
            ("zerfaux:deployment\tjob-2\tlocal\n", false),
            ("zerfaux:deployment\t-\t-\n", false),
        ] {
            let exists = complains("cannot create 'tank': pool already exists");
            let (zfs, _) = scripted(vec![("zfs get", says(value)), ("zpool create", exists)]);
            let made = zfs.create_pool(&pool, "/dev/disk/by-id/x", "job-1").await;
            assert_eq!(made.is_ok(), ours, "{value}: {made:?}");
        }
    }
}
