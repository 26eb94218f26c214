//! Who comes in, and what they may do.
//!
//! In: passwords, what cookies and tokens hold, the limits of sessions, the throttle on guessing, and the one table of
//! routes and roles ([`table`]). Out: HTTP (`server`), and when any of it is asked (`app`).

pub mod limits;
pub mod password;
pub mod secret;
pub mod table;
pub mod throttle;

use jiff::Timestamp;

use crate::domain::access::Role;
use crate::domain::ids::{SessionId, TokenId, UserId};

/// Who asks for something: the one whom permission is checked for and whom the audit log names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The user's or the token's name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// From where the request came.
    pub source: String,
    /// How they proved who they are.
    pub via: Via,
}

/// How somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// A browser, by its cookie.
    Session {
        /// The session.
        id: SessionId,
        /// Whose it is.
        user: UserId,
        /// When the password was typed last in it.
        confirmed_at: Timestamp,
    },
    /// A program, by its token.
    Token(TokenId),
    /// A person at this machine who may read the data directory.
    CommandLine,
}

impl Principal {
    /// The person at this machine.
    pub fn command_line() -> Self {
        Self { name: "cli".into(), role: Role::Admin, source: "cli".into(), via: Via::CommandLine }
    }

    /// The name in the audit log and on jobs. A token is told apart from a user of the same name.
    pub fn actor(&self) -> String {
        match self.via {
            Via::Token(_) => format!("token {}", self.name),
            Via::Session { .. } | Via::CommandLine => self.name.clone(),
        }
    }

    /// The session and its user, for those who came by one.
    pub fn session(&self) -> Option<(SessionId, UserId)> {
        match self.via {
            Via::Session { id, user, .. } => Some((id, user)),
            Via::Token(_) | Via::CommandLine => None,
        }
    }
}
