//! Whether this installation is well: for `doctor`, `/readyz` and the page about it.

use serde::Serialize;

use super::{App, AppError};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What, in a word or two.
    pub name: &'static str,
    /// How it is.
    pub state: CheckState,
    /// What was found, as a sentence.
    pub found: String,
    /// What to do about it, if anything.
    pub advice: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Well.
    Ok,
    /// Works, but somebody should look.
    Warn,
    /// Does not work.
    Fail,
}

impl CheckState {
    /// The word for people and programs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl App {
    /// Whether the database answers: what has to hold for requests to be served.
    ///
    /// # Errors
    /// If it does not.
    pub async fn is_ready(&self) -> Result<(), AppError> {
        self.store.count_users().await?;
        Ok(())
    }

    /// Looks at everything that this installation depends on.
    ///
    /// # Errors
    /// If the database cannot be read at all.
    pub async fn doctor(&self) -> Result<Vec<Check>, AppError> {
        let mut checks = Vec::new();
        let mut note = |name, state, found: String, advice: &str| {
            let advice = (!advice.is_empty()).then(|| advice.to_owned());
            checks.push(Check { name, state, found, advice });
        };
        let damage = self.store.check().await?;
        match damage.first() {
            None => note("database", CheckState::Ok, "Every page and reference is sound.".into(), ""),
            Some(first) => note(
                "database",
                CheckState::Fail,
                format!("It is damaged: {first}."),
                "Stop Zerfaux, keep the files aside, and restore the newest backup.",
            ),
        }
        let verdict = self.store.verify_audit().await?;
        match &verdict.broken {
            None => note("audit log", CheckState::Ok, format!("{} lines, unbroken.", verdict.lines), ""),
            Some(broken) => note(
                "audit log",
                CheckState::Fail,
                format!("Broken at line {}: {}.", broken.seq, broken.what),
                "Somebody changed the database by other means than Zerfaux: compare it with a backup.",
            ),
        }
        match self.store.count_users().await? {
            0 => note(
                "users",
                CheckState::Warn,
                "Nobody can sign in yet.".into(),
                "Open the setup link that `zerfaux serve` prints, or run `zerfaux user add NAME --role admin`.",
            ),
            1 => note("users", CheckState::Ok, "1 user.".into(), ""),
            n => note("users", CheckState::Ok, format!("{n} users."), ""),
        }
        match (self.secrets.is_some(), self.has_recovery_key().await?) {
            (true, true) => note("secrets", CheckState::Ok, "Key file and recovery key are there.".into(), ""),
            (true, false) => note(
                "secrets",
                CheckState::Warn,
                "No recovery key was made: a lost key file would lose every secret.".into(),
                "Make one under Settings and keep it on paper, away from this machine.",
            ),
            (false, _) => note(
                "secrets",
                CheckState::Warn,
                "There is no key file, so no password and no SSH key can be kept.".into(),
                "`zerfaux serve` makes it at its first start. If it was lost, put it back.",
            ),
        }
        Ok(checks)
    }
}
