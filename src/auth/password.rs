//! Passwords: the rule for new ones, and their argon2id hashes.
//!
//! Hashing takes 19 MiB and some ten milliseconds of a processor by design, so it runs off the async threads and
//! two at a time; more wait. A hundred people signing in at once then cost time, not memory.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

/// Fewest characters of a password (OWASP ASVS 5.0, 6.2.1); no rule asks for kinds of characters.
pub const SHORTEST: usize = 8;
/// Most bytes, so that nobody makes us hash a book.
pub const LONGEST: usize = 1024;
/// Hashes computed at the same time.
const AT_ONCE: usize = 2;

/// Passwords of eight or more characters that are tried first by everybody who guesses.
const COMMON: &str = include_str!("common_passwords.txt");

/// Why a new password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too few characters.
    #[error("has to have at least {SHORTEST} characters; fifteen or more are better")]
    Short,
    /// Too many bytes.
    #[error("may have at most {LONGEST} bytes")]
    Long,
    /// One that is tried first.
    #[error("is one of those that are tried first by everybody who guesses; choose another one")]
    Common,
    /// The account's own name.
    #[error("may not be the name of the account")]
    Name,
}

/// Whether `password` may be the password of the account `name`.
///
/// # Errors
/// With the rule that it breaks.
pub fn check(name: &str, password: &SecretString) -> Result<(), Weak> {
    let text = password.expose_secret();
    let folded = text.to_lowercase();
    if text.chars().count() < SHORTEST {
        Err(Weak::Short)
    } else if text.len() > LONGEST {
        Err(Weak::Long)
    } else if folded == name.to_lowercase() {
        Err(Weak::Name)
    } else if COMMON.lines().any(|common| common == folded) {
        Err(Weak::Common)
    } else {
        Ok(())
    }
}

/// What came of comparing a password with a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the password. With a new hash, if the old one was made with weaker parameters than today's.
    Right(Option<String>),
    /// It is not.
    Wrong,
}

/// Computes and compares hashes. Clones share the limit on how many at once.
#[derive(Debug, Clone)]
pub struct Passwords {
    places: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// The hash to keep, with its own salt and parameters in it (PHC string).
    ///
    /// # Errors
    /// If memory runs out.
    pub async fn hash(&self, password: &SecretString) -> Result<String, HashError> {
        let password = password.clone();
        self.compute(move || make(&password)).await?
    }

    /// Compares a password with a hash. With no hash, because there is no such account, it takes just as long.
    ///
    /// # Errors
    /// If the hash cannot be read, or memory runs out.
    pub async fn verify(&self, password: &SecretString, hash: Option<String>) -> Result<Verdict, HashError> {
        let password = password.clone();
        self.compute(move || match hash {
            Some(hash) => compare(&password, &hash),
            None => make(&password).map(|_as_long| Verdict::Wrong),
        })
        .await?
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|_closed| HashError("the service is stopping".to_owned()))?;
        let computing = tokio::task::spawn_blocking(move || {
            let result = work();
            // Held by the thread, not by the caller, who may stop waiting.
            drop(place);
            result
        });
        computing.await.map_err(|error| HashError(error.to_string()))
    }
}

/// A hash could not be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not compute the hash of a password: {0}")]
pub struct HashError(String);

/// OWASP's first choice for argon2id: 19 MiB, two passes, one lane.
fn argon() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn make(password: &SecretString) -> Result<String, HashError> {
    let hash = argon().hash_password(bytes(password)).map_err(|error| HashError(error.to_string()))?;
    Ok(hash.to_string())
}

fn compare(password: &SecretString, hash: &str) -> Result<Verdict, HashError> {
    let parsed = PasswordHash::new(hash).map_err(|error| HashError(error.to_string()))?;
    if argon().verify_password(bytes(password), &parsed).is_err() {
        return Ok(Verdict::Wrong);
    }
    let today = Params::try_from(&parsed).is_ok_and(|params| {
        params.m_cost() >= Params::DEFAULT_M_COST && params.t_cost() >= Params::DEFAULT_T_COST
    });
    Ok(Verdict::Right(if today { None } else { Some(make(password)?) }))
}

fn bytes(password: &SecretString) -> &[u8] {
    let bytes = password.expose_secret().as_bytes();
    &bytes[..bytes.len().min(LONGEST)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_password_is_judged_by_length_and_by_whether_it_is_tried_first() {
        let judged = |text: &str| check("annabelle", &SecretString::from(text));
        assert_eq!(judged("short"), Err(Weak::Short));
        assert_eq!(judged("PassWord123"), Err(Weak::Common));
        assert_eq!(judged("Annabelle"), Err(Weak::Name));
        assert_eq!(judged(&"x".repeat(1025)), Err(Weak::Long));
        assert_eq!(judged("eight ch"), Ok(()));
        assert_eq!(judged(&"long ".repeat(40)), Ok(()));
    }

    #[tokio::test]
    async fn a_hash_opens_to_its_own_password_only() {
        let passwords = Passwords::default();
        let right = SecretString::from("correct horse battery");
        let hash = passwords.hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(passwords.verify(&right, Some(hash.clone())).await.unwrap(), Verdict::Right(None));
        let wrong = SecretString::from("correct horse batterx");
        assert_eq!(passwords.verify(&wrong, Some(hash)).await.unwrap(), Verdict::Wrong);
        assert_eq!(passwords.verify(&right, None).await.unwrap(), Verdict::Wrong);
    }
}
