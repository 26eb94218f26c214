//! What a resume token says.
//!
//! `zfs send -nvt` prints it on any host and for any user, also where the snapshots it speaks of are
//! not there (it then fails after printing).

use crate::domain::dataset::{Guid, TokenContents};

use super::error::ZfsError;
use super::property::ResumeToken;
use super::{Zfs, verbs};

impl Zfs {
    /// What `token` says; none if it does not have the form of a token, or this host cannot read it.
    pub(super) async fn contents_of(&self, token: &str) -> Result<Option<TokenContents>, ZfsError> {
        match token.parse::<ResumeToken>() {
            Ok(token) => self.token_contents(&token).await,
            Err(_) => Ok(None),
        }
    }

    /// What `token` says; none if this host cannot read it.
    ///
    /// # Errors
    /// If the host cannot be reached.
    pub async fn token_contents(&self, token: &ResumeToken) -> Result<Option<TokenContents>, ZfsError> {
        let answer = self.ask(&verbs::token_contents(token)).await?;
        // 2.3.2 prints it on standard output; older releases on standard error.
        Ok(read(&answer.stdout).or_else(|| read(&answer.stderr)))
    }

    /// Whether the stream that `token` speaks of can still be sent from this host; if not, the error
    /// says why (see [`super::Complaint::TokenStale`]).
    ///
    /// # Errors
    /// If the token is stale or corrupt, or the host cannot be reached.
    pub async fn check_token(&self, token: &ResumeToken) -> Result<(), ZfsError> {
        self.run(&verbs::token_contents(token)).await.map(|_| ())
    }
}

pub(super) fn read(text: &str) -> Option<TokenContents> {
    let value = |key: &str| {
        let pair = |line: &'_ str| -> Option<String> {
            let (name, value) = line.strip_prefix('\t')?.split_once(" = ")?;
            (name == key).then(|| value.to_owned())
        };
        text.lines().find_map(pair)
    };
    let number = |key: &str| {
        let text = value(key)?;
        match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        }
    };
    Some(TokenContents {
        to_guid: Guid(number("toguid")?),
        to_name: value("toname")?,
        from_guid: number("fromguid").map(Guid),
        bytes: number("bytes").unwrap_or(0),
        raw: value("rawok").is_some(),
    })
}
