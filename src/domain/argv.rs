//! A command and its arguments, and the one place where they are quoted for a shell.

use std::fmt;

/// A command line as separate words. No word holds a NUL byte; the first is not empty.
///
/// SSH carries a command as one string that the remote user's shell splits again (RFC 4254,
/// section 6.5), so every word has to be quoted on the way. That happens in [`Argv::to_shell`] and
/// nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Argv {
    words: Vec<String>,
}

/// Why words do not make a command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgvError {
    /// There is no command to run.
    #[error("a command line needs a command")]
    Empty,
    /// No operating system takes a NUL byte in an argument.
    #[error("argument {index} contains a NUL byte")]
    Nul {
        /// Position of the word, the command being 0.
        index: usize,
    },
}

impl Argv {
    /// Checks the words and keeps them.
    ///
    /// # Errors
    /// If there is no command, or a word contains a NUL byte.
    pub fn new<I, S>(words: I) -> Result<Self, ArgvError>
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        if words.first().is_none_or(String::is_empty) {
            return Err(ArgvError::Empty);
        }
        match words.iter().position(|word| word.contains('\0')) {
            Some(index) => Err(ArgvError::Nul { index }),
            None => Ok(Self { words }),
        }
    }

    /// The command and its arguments.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// The same command run through `words` put in front of it, for example `sudo -n`.
    #[must_use]
    pub fn behind(&self, prefix: &Argv) -> Argv {
        Argv { words: prefix.words.iter().chain(&self.words).cloned().collect() }
    }

    /// The command as one string that a POSIX shell splits back into exactly these words.
    pub fn to_shell(&self) -> String {
        let quoted: Vec<String> = self.words.iter().map(|word| quote(word)).collect();
        quoted.join(" ")
    }
}

impl fmt::Display for Argv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_shell())
    }
}

/// Quotes one word: plain where every byte is harmless, else in single quotes, inside which a POSIX
/// shell takes everything literally but the quote itself (POSIX.1-2017, XCU 2.2.2). `csh`, which
/// also expands `!`, is not supported as a login shell.
fn quote(word: &str) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@=,+".contains(&byte);
    if !word.is_empty() && word.bytes().all(harmless) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_words_stay_readable_and_others_are_quoted() {
        let argv = Argv::new(["zfs", "list", "tank/a b", "it's", "", "$(reboot)"]).unwrap();
        assert_eq!(argv.to_shell(), r"zfs list 'tank/a b' 'it'\''s' '' '$(reboot)'");
    }

    #[test]
    fn a_nul_byte_or_no_command_is_refused() {
        assert_eq!(Argv::new(["zfs", "a\0b"]), Err(ArgvError::Nul { index: 1 }));
        assert_eq!(Argv::new(Vec::<String>::new()), Err(ArgvError::Empty));
        assert_eq!(Argv::new([""]), Err(ArgvError::Empty));
    }
}
