//! Options that several commands share.

use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;

use super::exit::Trouble;
use crate::app::App;
use crate::config::Settings;
use crate::domain::location::{Address, HostKeysRef, HostRef, IdentityRef, Location};
use crate::telemetry::{LogFilter, LogFormat};

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct General {
    /// Settings file (TOML). The command line wins over the environment (ZERFAUX_…), which wins over the file
    #[arg(long, global = true, value_name = "FILE", help_heading = "General")]
    pub(super) config: Option<PathBuf>,
    /// Where the database is. `replicate` keeps nothing unless this is given
    #[arg(long, global = true, value_name = "DIR", help_heading = "General")]
    pub(super) data_dir: Option<PathBuf>,
    /// How log lines on standard error look: text or json
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "General")]
    pub(super) log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, debug or trace; also by module, as info,zerfaux::ssh=debug
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "General")]
    pub(super) log: Option<LogFilter>,
}

/// Options for getting onto hosts.
#[derive(Debug, Args)]
pub(super) struct Ssh {
    /// Private key to log in with. May be given more than once. Default: ~/.ssh/id_ed25519, id_ecdsa and
    /// id_rsa, then the keys of the ssh-agent. The passphrase of an encrypted key is taken from
    /// ZERFAUX_IDENTITY_PASSPHRASE
    #[arg(long, value_name = "FILE", help_heading = "SSH")]
    identity: Vec<PathBuf>,
    /// File of known host keys. Default: ~/.ssh/known_hosts
    #[arg(long, value_name = "FILE", help_heading = "SSH")]
    known_hosts: Option<PathBuf>,
    /// Accept the key of a host that is not in that file yet, and add it. A changed key is never accepted
    #[arg(long, help_heading = "SSH")]
    accept_new_host_keys: bool,
}

impl Ssh {
    /// Reads a location as a person types it.
    pub(super) fn location(&self, text: &str) -> Result<Location, Trouble> {
        let user =
            std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "root".into());
        let Address { endpoint, dataset } = Address::parse(text, &user).map_err(|error| {
            Trouble::usage(&error).advise(
                "Write ssh://user@host[:port]/pool/dataset or user@host:pool/dataset, or pool/dataset for this host.",
            )
        })?;
        let host = match endpoint {
            None => HostRef::Local,
            Some(endpoint) => {
                HostRef::Ssh { endpoint, identities: self.identities()?, host_keys: self.host_keys()? }
            }
        };
        Ok(Location { host, dataset })
    }

    fn identities(&self) -> Result<Vec<IdentityRef>, Trouble> {
        if !self.identity.is_empty() {
            return self.identity.iter().map(|path| Ok(IdentityRef::File(absolute(path)?))).collect();
        }
        let mut found = Vec::new();
        for name in ["id_ed25519", "id_ecdsa", "id_rsa"] {
            found.extend(home().map(|home| home.join(".ssh").join(name)).filter(|path| path.is_file()));
        }
        // A key that needs a passphrase nobody gave would stop the others; the agent usually has it.
        found.retain(|path| crate::app::replications::key_is_usable(path, passphrase().as_ref()));
        let mut identities: Vec<IdentityRef> = found.into_iter().map(IdentityRef::File).collect();
        identities.extend(std::env::var_os("SSH_AUTH_SOCK").map(|socket| IdentityRef::Agent(socket.into())));
        if identities.is_empty() {
            return Err(Trouble::misuse("There is no SSH key to log in with.")
                .advise("Name one with --identity FILE, or start an ssh-agent and add a key to it."));
        }
        Ok(identities)
    }

    fn host_keys(&self) -> Result<HostKeysRef, Trouble> {
        let path = match &self.known_hosts {
            Some(path) => absolute(path)?,
            None => home()
                .map(|home| home.join(".ssh/known_hosts"))
                .ok_or_else(|| Trouble::misuse("HOME is not set: name a file with --known-hosts."))?,
        };
        Ok(HostKeysRef::KnownHosts { path, accept_new: self.accept_new_host_keys })
    }
}

fn home() -> Option<PathBuf> {
    std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// A job may be resumed from another directory, so paths are kept whole.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).map_err(|error| Trouble::usage(&error))
}

/// The passphrase of encrypted key files.
pub(super) fn passphrase() -> Option<SecretString> {
    std::env::var("ZERFAUX_IDENTITY_PASSPHRASE").ok().filter(|text| !text.is_empty()).map(SecretString::from)
}

/// The application over this data directory.
pub(super) async fn lasting_app(data_dir: &Path) -> Result<App, Trouble> {
    crate::boot::lasting(data_dir, passphrase()).await.map_err(|error| {
        let trouble = if error.protects_data() { Trouble::refused(&error) } else { Trouble::failed(&error) };
        trouble.advise(error.advice())
    })
}

/// The data directory that was named, or the default one.
pub(super) fn data_dir(settings: &Settings) -> PathBuf {
    use std::os::unix::fs::MetadataExt;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    settings.data_dir_or_default(is_root, |name| std::env::var_os(name))
}

/// The application over this data directory, also beside a `serve` that has it. Runs no jobs.
pub(super) async fn app_beside(settings: &Settings) -> Result<App, Trouble> {
    crate::boot::beside(&data_dir(settings)).await.map_err(|error| {
        let trouble = if error.protects_data() { Trouble::refused(&error) } else { Trouble::failed(&error) };
        trouble.advise(error.advice())
    })
}
