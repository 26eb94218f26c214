//! Whether this installation is well: for `doctor`, `/readyz` and the page about it.

use serde::Serialize;

use super::{App, AppError};
use crate::domain::health::Verdict;
use crate::jobs::health_check::look_now;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What, in a word or two.
    pub name: String,
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

    /// Looks at everything that this installation depends on. Slow where the database is large.
    ///
    /// # Errors
    /// If the database cannot be read at all.
    pub async fn doctor(&self) -> Result<Vec<Check>, AppError> {
        let damage = self.store.check().await?;
        let database = match damage.first() {
            None => Check::ok("database", "Every page and reference is sound."),
            Some(first) => Check::of("database", CheckState::Fail, format!("It is damaged: {first}."))
                .advise("Stop Zerfaux, keep the files aside, and restore the newest backup."),
        };
        let verdict = self.store.verify_audit().await?;
        let audit = match &verdict.broken {
            None => Check::ok("audit log", format!("{} lines, unbroken.", verdict.lines)),
            Some(broken) => {
                let found = format!("Broken at line {}: {}.", broken.seq, broken.what);
                Check::of("audit log", CheckState::Fail, found).advise(
                    "Somebody changed the database by other means than Zerfaux: compare it with a backup.",
                )
            }
        };
        let mut checks = vec![database, audit];
        checks.extend(self.quick_checks().await?);
        checks.extend(self.target_checks().await?);
        Ok(checks)
    }

    /// Looks at every active appliance now. What is found is told and not kept, because the service may run beside.
    async fn target_checks(&self) -> Result<Vec<Check>, AppError> {
        let mut checks = Vec::new();
        for target in self.store.targets().await?.into_iter().filter(|target| target.is_active) {
            let of = |what: &str| format!("{}: {what}", target.name);
            let health = match look_now(&self.target_hosts(), target.id).await {
                Ok(health) => health,
                Err(failure) => {
                    let check =
                        Check { name: of("look"), ..Check::of("", CheckState::Fail, failure.message) };
                    checks.push(Check { advice: failure.advice, ..check });
                    continue;
                }
            };
            for one in health.checks {
                let state = match one.verdict {
                    Verdict::Ok | Verdict::Unknown => CheckState::Ok,
                    Verdict::Warn => CheckState::Warn,
                    Verdict::Fail => CheckState::Fail,
                };
                checks.push(Check { name: of(&one.name), state, found: one.found, advice: one.advice });
            }
        }
        Ok(checks)
    }

    /// Looks at what can be seen at a glance.
    ///
    /// # Errors
    /// If the database cannot be read at all.
    pub async fn quick_checks(&self) -> Result<Vec<Check>, AppError> {
        let users = match self.store.count_users().await? {
            0 => Check::of("users", CheckState::Warn, "Nobody can sign in yet.").advise(
                "Open the setup link that `zerfaux serve` prints, or run `zerfaux user add NAME --role admin`.",
            ),
            1 => Check::ok("users", "1 user."),
            n => Check::ok("users", format!("{n} users.")),
        };
        let secrets = match (self.secrets.is_some(), self.has_recovery_key().await?) {
            (true, true) => Check::ok("secrets", "Key file and recovery key are there."),
            (true, false) => {
                let found = "No recovery key was made: a lost key file would lose every secret.";
                Check::of("secrets", CheckState::Warn, found)
                    .advise("Make one under Settings and keep it on paper, away from this machine.")
            }
            (false, _) => {
                let found = "There is no key file, so no password and no SSH key can be kept.";
                Check::of("secrets", CheckState::Warn, found)
                    .advise("`zerfaux serve` makes it at its first start. If it was lost, put it back.")
            }
        };
        Ok(vec![users, secrets])
    }
}

impl Check {
    fn of(name: &str, state: CheckState, found: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state, found: found.into(), advice: None }
    }

    fn ok(name: &str, found: impl Into<String>) -> Self {
        Self::of(name, CheckState::Ok, found)
    }

    fn advise(mut self, advice: &str) -> Self {
        self.advice = Some(advice.to_owned());
        self
    }
}
