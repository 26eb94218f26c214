//! The commands that are about pools.

use super::OWNER;
use crate::domain::names::DatasetName;
use crate::zfs::command::{Command, Tool};

/// A pool of one disk, without force: 4 KiB sectors at least (zpoolprops(7): `ashift` cannot be changed later), grown when
/// its disk grows. Extended attributes lie with their file, so that each does not cost a hidden directory. The root itself
/// is not mounted: what is kept has a dataset.
pub fn create_pool(pool: &DatasetName, disk: &str, owner: &str) -> Command {
    const OPTIONS: [&str; 15] = [
        "create",
        "-o",
        "ashift=12",
        "-o",
        "autoexpand=on",
        "-O",
        "compression=lz4",
        "-O",
        "atime=off",
        "-O",
        "xattr=sa",
        "-O",
        "acltype=posixacl",
        "-O",
        "canmount=off",
    ];
    Command::changes_pool(&OPTIONS, format!("create the pool {pool}")).on([
        "-O".to_owned(),
        format!("{OWNER}={owner}"),
        pool.to_string(),
        disk.to_owned(),
    ])
}

/// Destroys a pool. There is no `-f`, and the caller has seen that nothing is in it.
pub fn destroy_pool(pool: &DatasetName) -> Command {
    Command::changes_pool(&["destroy"], format!("destroy the pool {pool}")).on([pool])
}

/// The facts of every imported pool.
pub fn pools() -> Command {
    const WANTED: &str = "name,size,allocated,fragmentation,health,readonly";
    Command::reads(Tool::Zpool, &["list", "-Hp", "-o", WANTED], "list the pools")
}

/// What `zpool` says of every imported pool.
pub fn pools_status() -> Command {
    Command::reads(Tool::Zpool, &["status", "-p"], "read the status of the pools")
}

/// The facts of the pool that `dataset` lies in.
pub fn pool_properties(dataset: &DatasetName) -> Command {
    const WANTED: &str = "size,allocated,free,fragmentation,capacity,health,readonly";
    let what = format!("read the state of pool {}", dataset.pool());
    Command::reads(Tool::Zpool, &["get", "-Hp", "-o", "property,value", WANTED], what).on([dataset.pool()])
}

/// Its errors and its last scrub.
pub fn pool_status(dataset: &DatasetName) -> Command {
    let what = format!("read the status of pool {}", dataset.pool());
    Command::reads(Tool::Zpool, &["status", "-p"], what).on([dataset.pool()])
}
