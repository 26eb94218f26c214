//! Puts a new public key beside the old one on an appliance, logged in with the old one.

use std::time::Duration;

use super::targets::Targets;
use crate::domain::argv::Argv;
use crate::domain::job::Failure;
use crate::domain::ssh_key::{SshKey, SshKeySuccessor};
use crate::domain::target::Target;

/// The new key gets what stands in front of the old one (`restrict`, `from=`): it may no more than that. Nothing is
/// taken away. What cannot be told from here is said and left to a person.
const SCRIPT: &str = r#"
old=$1; new=$2; file="$HOME/.ssh/authorized_keys"
if ! [ -f "$file" ]; then echo absent; exit 0; fi
if grep -qF -- "$new" "$file"; then echo present; exit 0; fi
line=$(grep -F -- "$old" "$file" | grep -v '^[[:space:]]*#' | head -n 1)
if [ -z "$line" ]; then echo unknown; exit 0; fi
if [ -n "$(tail -c 1 "$file")" ]; then echo >> "$file" || exit 1; fi
printf '%s%s zerfaux\n' "${line%%"$old"*}" "$new" >> "$file" || exit 1
echo installed
"#;

const DEADLINE: Duration = Duration::from_secs(30);

/// Installs `next` where `key` lets Zerfaux in. What was done is told as a sentence.
///
/// # Errors
/// If one does not get in, the file cannot be written, or the old key stands elsewhere.
pub async fn install(
    targets: &Targets,
    target: &Target,
    key: &SshKey,
    next: &SshKeySuccessor,
) -> Result<String, Failure> {
    let host = targets.hosts().host(&target.host(key.secret)).await?;
    let words = ["sh", "-c", SCRIPT, "sh", bare(&key.public_key), bare(&next.public_key)];
    let argv = Argv::new(words)
        .map_err(|error| Failure::permanent(format!("The key cannot be handed on: {error}.")))?;
    let output = host.run(&argv, None, DEADLINE).await.map_err(Failure::from)?;
    let told = String::from_utf8_lossy(&output.stdout);
    match told.trim() {
        "installed" if output.exit.is_success() => Ok("Installed beside the old one.".to_owned()),
        "present" if output.exit.is_success() => Ok("It is there already.".to_owned()),
        "absent" | "unknown" => Err(Failure::permanent(
            "The old key does not stand in ~/.ssh/authorized_keys there, so it is let in in another way.",
        )
        .advise("Install the new one where the old one stands.")),
        _ => {
            let why = String::from_utf8_lossy(&output.stderr);
            let why: String = why.trim().chars().take(300).collect();
            Err(Failure::permanent(format!("~/.ssh/authorized_keys there could not be changed: {why}"))
                .advise("Install it by hand."))
        }
    }
}

/// Algorithm and key, without the comment.
fn bare(line: &str) -> &str {
    let second = line.match_indices(' ').nth(1);
    second.map_or(line, |(end, _)| &line[..end]).trim_end()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    fn run(home: &std::path::Path) -> String {
        let output = Command::new("sh")
            .args(["-c", SCRIPT, "sh", "ssh-ed25519 AAAAold+/=", "ssh-ed25519 AAAAnew+/="])
            .env("HOME", home)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn the_new_key_may_what_the_old_one_may_and_nothing_is_taken_away() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(run(home.path()), "absent");
        fs::create_dir(home.path().join(".ssh")).unwrap();
        let file = home.path().join(".ssh/authorized_keys");
        let before = "# ssh-ed25519 AAAAold+/= a comment\nssh-rsa AAAAother anna\n\
            restrict,from=\"10.0.0.0/8\" ssh-ed25519 AAAAold+/= zerfaux:lab";
        fs::write(&file, before).unwrap();
        assert_eq!(run(home.path()), "installed");
        let after = fs::read_to_string(&file).unwrap();
        assert_eq!(after, format!("{before}\nrestrict,from=\"10.0.0.0/8\" ssh-ed25519 AAAAnew+/= zerfaux\n"));
        assert_eq!(run(home.path()), "present");
        assert_eq!(fs::read_to_string(&file).unwrap(), after, "twice is once");
        fs::write(&file, "ssh-rsa AAAAother anna\n").unwrap();
        assert_eq!(run(home.path()), "unknown");
    }

    #[test]
    fn a_comment_is_not_handed_on() {
        assert_eq!(bare("ssh-ed25519 AAAA zerfaux:lab x"), "ssh-ed25519 AAAA");
        assert_eq!(bare("ssh-ed25519 AAAA"), "ssh-ed25519 AAAA");
    }
}
