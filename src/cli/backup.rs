//! `zerfaux backup FILE` and `zerfaux restore FILE`

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Trouble};
use super::options::{absolute, data_dir};
use super::output;
use crate::app::backups;
use crate::config::Settings;

/// Copy the database of the data directory into one file.
///
/// Works while Zerfaux runs. The copy is whole and checked when the command ends, and only its owner can read
/// it. A file that exists is never overwritten. Secrets in it are sealed; the key file zerfaux.key, which opens
/// them, is not in it: keep a copy of that somewhere else.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to write
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Make a backup the database of the data directory.
///
/// The data directory must not have a database: nothing is ever restored over one. The backup is checked first,
/// and migrated if an older version made it. Jobs that were under way when it was made are not run again by
/// themselves: look at them with `zerfaux job list`.
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The file that `zerfaux backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(&self, settings: &Settings) -> Result<Exit, Trouble> {
        let (directory, file) = (data_dir(settings), absolute(&self.file)?);
        backups::back_up(&directory, &file)
            .map_err(|error| Trouble::failed(&error).advise(error.advice()))?;
        output::line(format_args!(
            "{} is a checked copy of the database in {}.",
            file.display(),
            directory.display()
        ));
        Ok(Exit::Done)
    }
}

impl Restore {
    pub(super) fn run(&self, settings: &Settings) -> Result<Exit, Trouble> {
        let (directory, file) = (data_dir(settings), absolute(&self.file)?);
        let restored = backups::restore(&file, &directory).map_err(|error| {
            let trouble =
                if error.protects_data() { Trouble::refused(&error) } else { Trouble::failed(&error) };
            trouble.advise(error.advice())
        })?;
        output::line(format_args!(
            "{} holds what was in {} (generation {}).",
            directory.display(),
            file.display(),
            restored.generation
        ));
        if restored.interrupted > 0 {
            output::line(format_args!(
                "Jobs that were under way and now wait for you: {}. See: zerfaux job list --data-dir {}",
                restored.interrupted,
                directory.display()
            ));
        }
        if restored.has_secrets {
            output::line(format_args!(
                "It has secrets: put the zerfaux.key that belongs to it into {}.",
                directory.display()
            ));
        }
        Ok(Exit::Done)
    }
}
