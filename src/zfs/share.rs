//! NFS shares: what `sharenfs` is to say, the server that serves it, and whether it is exported.

use crate::domain::argv::Argv;
use crate::domain::networks::Networks;

use super::detect::Privilege;
use super::error::{Attempt, ZfsError};
use super::property::Property;
use super::{Complaint, Zfs, classify};

/// Starting a service waits for those that it needs.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(120);
const START: [&str; 4] = ["systemctl", "enable", "--now", "nfs-server.service"];
const LOG: [&str; 7] = ["journalctl", "-q", "-n", "20", "--no-pager", "-u", "nfs-server.service"];

const EXPORTS: [&str; 2] = ["exportfs", "-v"];

/// What the preparation script has to let the user run as root, beside `zfs` and `zpool`.
pub const PRIVILEGED: [&[&str]; 3] = [&EXPORTS, &START, &LOG];

/// The value of `sharenfs` that lets these networks mount, in the words of OpenZFS on Linux (libshare): each network with
/// `@`, a colon between them. ESXi writes as root, and asks for stable writes itself; `async` would answer before the data
/// is safe, so there is no word for it here.
pub fn share_for(clients: &Networks) -> Property {
    let hosts: Vec<String> = clients
        .iter()
        .map(|network| match network.address() {
            std::net::IpAddr::V4(address) => format!("@{address}/{}", network.bits()),
            // The colon is what stands between hosts.
            std::net::IpAddr::V6(address) => format!("@[{address}]/{}", network.bits()),
        })
        .collect();
    let value = format!("sec=sys,rw={},no_root_squash,no_subtree_check", hosts.join(":"));
    Property::written("sharenfs", value)
}

/// What is wrong with the export of a directory, if something is: it is not there, or not for all of these networks, or
/// not as ESXi needs it. `exports` is what [`Zfs::exports`] gave.
pub fn export_fault(exports: &[Exported], path: &str, clients: &Networks) -> Option<String> {
    let own: Vec<&Exported> = exports.iter().filter(|export| export.path == path).collect();
    if own.is_empty() {
        return Some(format!("{path} is not exported"));
    }
    for network in clients.iter() {
        let named = [network.to_string(), network.address().to_string()];
        let Some(export) = own.iter().find(|export| named.contains(&export.client)) else {
            return Some(format!("{path} is not exported to {network}"));
        };
        let has = |word: &str| export.options.split(',').any(|option| option == word);
        if !has("rw") || !has("no_root_squash") || has("async") {
            return Some(format!(
                "{path} is exported to {network} with the wrong options: {}",
                export.options
            ));
        }
    }
    None
}

/// One line of exportfs(8): a directory and one of those who may mount it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The directory.
    pub path: String,
    /// Who may.
    pub client: String,
    /// How.
    pub options: String,
}

/// Reads `exportfs -v`: a long path has its client on a line of its own.
fn read(text: &str) -> Vec<Exported> {
    let (mut exports, mut above) = (Vec::new(), None);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (path, entry) = match words.as_slice() {
            [path, entry] => (Some((*path).to_owned()), *entry),
            [path] if path.starts_with('/') => {
                above = Some((*path).to_owned());
                continue;
            }
            [entry] => (above.take(), *entry),
            _ => continue,
        };
        if let (Some(path), Some((client, options))) = (path, entry.split_once('(')) {
            let options = options.trim_end_matches(')').to_owned();
            exports.push(Exported { path, client: client.to_owned(), options });
        }
    }
    exports
}

impl Zfs {
    /// Has the NFS server run now and after each start.
    ///
    /// # Errors
    /// If there is none, it does not start, or the user may not start it.
    pub async fn start_nfs_server(&self) -> Result<(), ZfsError> {
        self.privileged(&START, "start the NFS server").await.map(drop)
    }

    /// What is exported now, and to whom.
    ///
    /// # Errors
    /// If the user may not ask, or there is no NFS server.
    pub async fn exports(&self) -> Result<Vec<Exported>, ZfsError> {
        self.privileged(&EXPORTS, "list what is exported").await.map(|text| read(&text))
    }

    /// The last lines of the NFS server's log; none if they cannot be read.
    pub async fn nfs_server_log(&self) -> Option<String> {
        let log = self.privileged(&LOG, "read the log of the NFS server").await.ok()?;
        Some(log.trim().to_owned()).filter(|log| !log.is_empty())
    }

    /// Runs what only root may, through sudo where that is how commands are run.
    pub(super) async fn privileged(&self, words: &[&str], what: &str) -> Result<String, ZfsError> {
        let attempt =
            || Box::new(Attempt { what: what.to_owned(), host: self.host.label().to_owned(), needs: None });
        let sudo: &[&str] = if self.tools.privilege == Privilege::Sudo { &["sudo", "-n"] } else { &[] };
        let all = ["env", "LC_ALL=C"].iter().chain(sudo).chain(words).copied();
        let argv = Argv::new(all)
            .map_err(|error| ZfsError::Arguments { attempt: attempt(), why: error.to_string() })?;
        let output = self
            .runner
            .run(&argv, None, DEADLINE)
            .await
            .map_err(|source| ZfsError::Host { attempt: attempt(), source: Box::new(source) })?;
        if output.exit.is_success() {
            return Ok(output.stdout_text());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        // A unit that does not exist is no dataset.
        let complaint = match classify(&stderr) {
            Complaint::DatasetMissing(_) | Complaint::PoolMissing(_) => Complaint::Unrecognised,
            other => other,
        };
        Err(ZfsError::Refused { attempt: attempt(), complaint, exit: output.exit, stderr })
    }

    /// The names of what lies in a directory.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn files_at(&self, path: &str) -> Result<Vec<String>, ZfsError> {
        let listed = self.plain(&["ls", "-A", path], &format!("look into {path}")).await?;
        Ok(listed.lines().filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(text: &str) -> Networks {
        text.parse().unwrap()
    }

    #[test]
    fn a_share_is_limited_to_its_networks_and_never_asynchronous() {
        let one = share_for(&networks("10.0.0.0/8")).to_string();
        assert_eq!(one, "sharenfs=sec=sys,rw=@10.0.0.0/8,no_root_squash,no_subtree_check");
        let several = share_for(&networks("10.0.0.0/8, 192.168.7.5, fd00::/64")).to_string();
        assert!(several.contains("rw=@10.0.0.0/8:@192.168.7.5/32:@[fd00::]/64,"), "{several}");
        assert!(!several.contains("async") && !several.contains('*'));
    }

    #[test]
    fn an_export_counts_only_for_every_network_and_with_the_options_that_esxi_needs() {
        let good = "/tank/nfs     \t10.0.0.0/8(sync,wdelay,hide,no_subtree_check,sec=sys,rw,secure,no_root_squash)\n\
                    /tank/zerfaux/live/erp\n\t\t10.0.0.0/8(ro,no_root_squash)\n\
                    /tank/nfs     \t192.168.7.5(async,rw,no_root_squash)\n";
        let exports = read(good);
        assert_eq!(exports.len(), 3, "{exports:?}");
        assert_eq!(exports[1].path, "/tank/zerfaux/live/erp");
        let fault = |path: &str, clients: &str| export_fault(&exports, path, &networks(clients));
        assert_eq!(fault("/tank/nfs", "10.0.0.0/8"), None);
        for (path, clients, says) in [
            ("/tank", "10.0.0.0/8", "/tank is not exported"),
            ("/tank/nfs", "10.0.0.0/8, 10.0.0.0/9", "not exported to 10.0.0.0/9"),
            ("/tank/nfs", "192.168.7.5", "wrong options"),
            ("/tank/zerfaux/live/erp", "10.0.0.0/8", "wrong options"),
        ] {
            let fault = fault(path, clients).unwrap();
            assert!(fault.contains(says), "{fault}");
        }
        assert!(export_fault(&[], "/tank/nfs", &networks("10.0.0.0/8")).is_some());
    }
}
