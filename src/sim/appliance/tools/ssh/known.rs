//! Whether the server is the one that is meant: `KnownHostsCommand`, `known_hosts`, `StrictHostKeyChecking`.

use russh::keys::{PublicKey, PublicKeyBase64};

use super::options::Options;
use super::{Io, Said, Shell};

/// What is known of the server, and how strictly.
pub(super) struct Known {
    /// The keys under its name: type and base64.
    keys: Vec<(String, String)>,
    strict: bool,
    alias: String,
}

impl Known {
    /// Asks the command and reads the files.
    pub(super) fn gather(shell: &Shell, options: &Options, io: &Io) -> Self {
        let alias = options.alias();
        let mut text = String::new();
        if let Some(command) = options.value("KnownHostsCommand") {
            text = shell.output_of_command(command, io);
        }
        let home = shell.variable("HOME").unwrap_or_default();
        let default = format!("{home}/.ssh/known_hosts");
        for file in options.value("UserKnownHostsFile").unwrap_or(&default).split_whitespace() {
            let read = shell.machine.read_file(&file.replace('~', &home));
            text.push_str(&String::from_utf8_lossy(&read.unwrap_or_default()));
            text.push('\n');
        }
        let key = |line: &str| {
            let mut parts = line.split_whitespace();
            let named = parts.next()?.split(',').any(|name| name == alias);
            let (algorithm, key) = (parts.next()?, parts.next()?);
            named.then(|| (algorithm.to_owned(), key.to_owned()))
        };
        let keys = text.lines().filter_map(key).collect();
        let strict =
            !["no", "off", "accept-new"].iter().any(|word| options.is("StrictHostKeyChecking", word));
        Self { keys, strict, alias }
    }

    /// Whether to go on with a server that has this key; the error is what is said.
    pub(super) fn judge(&self, key: &PublicKey) -> Result<(), Said> {
        let (algorithm, text) = (key.algorithm().to_string(), key.public_key_base64());
        let name = algorithm.rsplit('-').next().unwrap_or_default().to_ascii_uppercase();
        if self.keys.iter().any(|(_, known)| *known == text) {
            return Ok(());
        }
        if self.keys.is_empty() {
            if !self.strict {
                return Ok(());
            }
            return Err(format!(
                "No {name} host key is known for {} and you have requested strict checking.\r\nHost key verification \
                 failed.\r\n",
                self.alias
            ));
        }
        let rule = "@".repeat(59);
        let told = format!(
            "{rule}\r\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\r\n{rule}\r\nIT IS POSSIBLE THAT \
             SOMEONE IS DOING SOMETHING NASTY!\r\n"
        );
        if self.strict {
            return Err(format!("{told}Host key verification failed.\r\n"));
        }
        Ok(())
    }
}
