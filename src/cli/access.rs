//! `zerfaux user …` and `zerfaux token …`: also beside a `zerfaux serve` that runs.

use clap::{Args, Subcommand};

use super::exit::{Exit, Trouble};
use super::options::app_beside;
use super::output;
use super::password::new_password;
use crate::app::Principal;
use crate::config::Settings;
use crate::domain::access::Role;

/// Who may sign in: add, list, disable, set a password.
#[derive(Debug, Args)]
pub(super) struct User {
    #[command(subcommand)]
    verb: UserVerb,
}

#[derive(Debug, Subcommand)]
enum UserVerb {
    /// Add a user. The password is asked for
    Add {
        /// What they sign in with
        name: String,
        /// What they may do: admin, operator or viewer
        #[arg(long)]
        role: Role,
        /// Take the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Set a user's password, and end their sessions
    Passwd {
        /// Whose
        name: String,
        /// Take the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// All users
    List {
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Keep a user out, and end their sessions
    Disable {
        /// Whom
        name: String,
    },
}

impl User {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        let (app, who) = (app_beside(settings).await?, Principal::command_line());
        match self.verb {
            UserVerb::Add { name, role, password_stdin } => {
                let password = new_password(password_stdin)?;
                let user = app.add_user(&who, &name, role.as_str(), &password).await?;
                output::line(format_args!("{} ({}) can sign in now.", user.name, user.role));
            }
            UserVerb::Passwd { name, password_stdin } => {
                let user = app.user_named(&name).await?;
                app.set_password(&who, user.id, &new_password(password_stdin)?).await?;
                output::line(format_args!(
                    "The password of {} is set; their sessions have ended.",
                    user.name
                ));
            }
            UserVerb::List { json } => {
                for user in app.users().await? {
                    if json {
                        output::json(&serde_json::json!({
                            "id": user.id, "name": user.name, "role": user.role, "disabled": user.disabled,
                            "created_at": user.created_at, "last_sign_in_at": user.last_sign_in_at,
                        }));
                    } else {
                        let state = if user.disabled { "disabled" } else { "active" };
                        output::line(format_args!(
                            "{:24} {:9} {state}",
                            user.name.as_str(),
                            user.role.as_str()
                        ));
                    }
                }
            }
            UserVerb::Disable { name } => {
                let user = app.user_named(&name).await?;
                app.set_disabled(&who, user.id, true).await?;
                output::line(format_args!("{} can no longer sign in.", user.name));
            }
        }
        app.close().await;
        Ok(Exit::Done)
    }
}

/// Tokens for programs that use the API: create, list, revoke.
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    verb: TokenVerb,
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Create a token, and print it alone on standard output. It is kept nowhere
    Create {
        /// What it is for
        name: String,
        /// What it may do: admin, operator or viewer
        #[arg(long)]
        role: Role,
        /// For how many days it is good; without this, until it is revoked
        #[arg(long, value_name = "DAYS")]
        expires: Option<i64>,
    },
    /// All tokens
    List {
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token, for good
    Revoke {
        /// Which
        name: String,
    },
}

impl Token {
    pub(super) async fn run(self, settings: &Settings) -> Result<Exit, Trouble> {
        let (app, who) = (app_beside(settings).await?, Principal::command_line());
        match self.verb {
            TokenVerb::Create { name, role, expires } => {
                let (_, secret) = app.create_token(&who, &name, role.as_str(), expires).await?;
                output::line(secret.reveal());
            }
            TokenVerb::List { json } => {
                let now = app.now();
                for token in app.tokens().await? {
                    let state = match (token.revoked_at, token.is_good(now)) {
                        (Some(_), _) => "revoked",
                        (None, true) => "good",
                        (None, false) => "expired",
                    };
                    if json {
                        output::json(&serde_json::json!({
                            "id": token.id, "name": token.name, "role": token.role, "state": state,
                            "prefix": token.prefix, "created_by": token.created_by,
                            "created_at": token.created_at, "expires_at": token.expires_at,
                            "last_used_at": token.last_used_at,
                        }));
                    } else {
                        let (name, role) = (token.name.as_str(), token.role.as_str());
                        output::line(format_args!("{name:24} {role:9} {state:8} {}…", token.prefix));
                    }
                }
            }
            TokenVerb::Revoke { name } => {
                app.revoke_token(&who, &name).await?;
                output::line(format_args!("The token {name} is no longer good."));
            }
        }
        app.close().await;
        Ok(Exit::Done)
    }
}
