//! Who may do what: roles, users, sessions, tokens. No passwords and no secrets are in these values.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{SessionId, TokenId, UserId};

/// What a user or a token may do. Each may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Protects, rehearses and recovers: every job, failover included.
    Operator,
    /// Everything else: users, credentials, connections, settings.
    Admin,
}

impl Role {
    /// All of them, the weakest first.
    pub const ALL: [Role; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// What it may do, in one line for a person who chooses one.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Viewer => "reads everything, changes nothing",
            Self::Operator => "protects, rehearses and recovers; starts and stops jobs",
            Self::Admin => "also manages users, credentials, connections and settings",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role: it is admin, operator or viewer")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// The name of a user or a token: 1 to 64 letters, digits, `.`, `_`, `-` and `@`, kept in lower case so that no two
/// differ in case only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct AccountName(String);

/// A text that cannot be the name of a user or a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 64 letters (a to z), digits, or . _ - @, and begins with a letter or digit")]
pub struct BadAccountName;

impl AccountName {
    /// The name as it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = BadAccountName;
    fn from_str(text: &str) -> Result<Self, BadAccountName> {
        let name = text.trim().to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@".contains(c);
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && name.len() <= 64 && name.chars().all(allowed) {
            Ok(Self(name))
        } else {
            Err(BadAccountName)
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person who signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// What they sign in with.
    pub name: AccountName,
    /// What they may do.
    pub role: Role,
    /// Whether they are kept out.
    pub disabled: bool,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the password was set last.
    pub password_changed_at: Timestamp,
    /// When they signed in last.
    pub last_sign_in_at: Option<Timestamp>,
}

/// One signed-in browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its id, by which it is listed and ended; not what the cookie holds.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When a request came last, to within a minute.
    pub last_seen_at: Timestamp,
    /// When the password was typed last.
    pub confirmed_at: Timestamp,
    /// From where.
    pub address: String,
    /// With which browser, as it calls itself.
    pub agent: String,
}

/// What a program comes in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What it is for.
    pub name: AccountName,
    /// What it may do.
    pub role: Role,
    /// Its first characters, by which a person recognises it.
    pub prefix: String,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Until when it is good; None means until it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to within a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// Whether it still lets anybody in.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_role_contains_the_weaker_ones() {
        assert!(Role::Admin > Role::Operator && Role::Operator > Role::Viewer);
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
        assert!("root".parse::<Role>().unwrap_err().to_string().contains("\"root\" is no role"));
    }

    #[test]
    fn account_names_are_kept_in_lower_case_and_hold_nothing_that_could_mislead() {
        assert_eq!(" Anna ".parse::<AccountName>().unwrap().as_str(), "anna");
        for bad in ["", "-anna", "anna b", "änna", "anna\u{202e}", "a/b", &"a".repeat(65)] {
            assert_eq!(bad.parse::<AccountName>(), Err(BadAccountName), "{bad:?}");
        }
    }
}
