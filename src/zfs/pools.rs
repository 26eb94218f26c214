//! All pools of a host at once, for looking at its health.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::error::ZfsError;
use super::parse::{Unreadable, columns, number};
use super::pool::section;
use super::{Zfs, verbs};
use crate::domain::health::PoolFacts;

impl Zfs {
    /// Every imported pool, by name. `utc_offset` is that of the host's zone in seconds: zpool tells times in it.
    ///
    /// # Errors
    /// If the host cannot be reached, or the output is not understood.
    pub async fn pools(&self, utc_offset: i32) -> Result<Vec<PoolFacts>, ZfsError> {
        let (list, status) = (verbs::pools(), verbs::pools_status());
        let (facts, told) = futures_util::future::try_join(self.run(&list), self.run(&status)).await?;
        read(&facts, &told, utc_offset).map_err(|bad| self.unreadable(&list, bad))
    }
}

fn read(facts: &str, told: &str, utc_offset: i32) -> Result<Vec<PoolFacts>, Unreadable> {
    let mut pools = Vec::new();
    for line in facts.lines() {
        let [name, size, allocated, fragmentation, health, readonly] = columns(line)?;
        let status = part_of(told, name);
        pools.push(PoolFacts {
            name: name.to_owned(),
            state: health.to_owned(),
            size: number(size, "size", line)?,
            allocated: number(allocated, "allocated", line)?,
            fragmentation: fragmentation.trim_end_matches('%').parse().ok(),
            readonly: readonly == "on",
            device_errors: device_errors(status),
            data_errors: section(status, "errors").filter(|text| text != "No known data errors"),
            scrubbed_at: section(status, "scan").and_then(|scan| scrubbed(&scan, utc_offset)),
            trouble: section(status, "status"),
        });
    }
    Ok(pools)
}

/// The part of `zpool status` about this pool.
fn part_of<'a>(told: &'a str, pool: &str) -> &'a str {
    let begins = |line: &str| line.trim_start().strip_prefix("pool:").map(str::trim).map(str::to_owned);
    let mut place = 0;
    let (mut from, mut to) = (None, told.len());
    for line in told.split_inclusive('\n') {
        if let Some(name) = begins(line) {
            if from.is_some() {
                to = place;
                break;
            }
            if name == pool {
                from = Some(place);
            }
        }
        place += line.len();
    }
    from.map_or("", |from| &told[from..to])
}

/// The errors of the devices themselves: those of the groups above them would be counted twice.
fn device_errors(status: &str) -> u64 {
    let rows: Vec<(usize, u64)> = status
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("NAME"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, _, read, write, checksum, ..] = words.as_slice() else { return None };
            let sum =
                read.parse::<u64>().ok()? + write.parse::<u64>().ok()? + checksum.parse::<u64>().ok()?;
            Some((line.len() - line.trim_start().len(), sum))
        })
        .collect();
    let leaf = |at: usize| rows.get(at + 1).is_none_or(|(below, _)| *below <= rows[at].0);
    (0..rows.len()).filter(|at| leaf(*at)).map(|at| rows[at].1).sum()
}

/// When the scrub that `scan` speaks of ended: `scrub repaired 0B in 00:00:01 with 0 errors on Sun Nov  9 00:24:01 2026`.
fn scrubbed(scan: &str, utc_offset: i32) -> Option<Timestamp> {
    let (_, date) = scan.strip_prefix("scrub repaired")?.rsplit_once(" on ")?;
    let words: Vec<&str> = date.split_whitespace().take(5).collect();
    let local = DateTime::strptime("%a %b %d %H:%M:%S %Y", words.join(" ")).ok()?;
    Offset::from_seconds(utc_offset).ok()?.to_timestamp(local).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "  pool: tank\n state: DEGRADED\nstatus: One or more devices has been taken offline.\n\
        \tSufficient replicas exist.\naction: Online the device.\n  scan: scrub repaired 0B in 00:00:01 with 0 errors on Sun Nov  8 00:24:01 2026\n\
        config:\n\n\tNAME        STATE     READ WRITE CKSUM\n\ttank        DEGRADED     0     0     0\n\
        \t  mirror-0  DEGRADED     2     0     0\n\t    sda     ONLINE       2     0     1\n\
        \t    sdb     OFFLINE      0     0     4\n\nerrors: No known data errors\n\n  pool: vault\n state: ONLINE\n\
        config:\n\n\tNAME        STATE     READ WRITE CKSUM\n\tvault       ONLINE       0     0     0\n\
        \t  sdc       ONLINE       0     0     0\n\nerrors: 2 data errors, use '-v' for a list\n";

    #[test]
    fn pools_are_read_with_what_zpool_says_of_each() {
        let facts = "tank\t1000\t400\t12\tDEGRADED\toff\nvault\t2000\t0\t-\tONLINE\ton\n";
        let pools = read(facts, STATUS, 3600).unwrap();
        assert_eq!((pools[0].device_errors, pools[0].fragmentation), (7, Some(12)));
        assert_eq!(pools[0].scrubbed_at.unwrap().to_string(), "2026-11-07T23:24:01Z");
        assert!(pools[0].trouble.as_ref().unwrap().ends_with("Sufficient replicas exist."));
        assert_eq!(pools[0].data_errors, None);
        assert_eq!((pools[1].device_errors, pools[1].readonly, pools[1].scrubbed_at), (0, true, None));
        assert!(pools[1].data_errors.as_ref().unwrap().starts_with("2 data errors"));
        assert_eq!(pools[1].trouble, None);
    }

    #[test]
    fn a_scrub_under_way_has_not_ended() {
        for scan in
            ["scrub in progress since Sun Nov  8 00:24:01 2026", "none requested", "resilvered 1K in 0 on x"]
        {
            assert_eq!(scrubbed(scan, 0), None, "{scan}");
        }
    }
}
