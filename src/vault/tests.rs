//! What the vault promises, tried with everything that is not what was sealed.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use super::*;

const PLACE: Place<'static> = Place { table: "secrets", column: "sealed", row: "1" };

fn vault() -> (tempfile::TempDir, Vault) {
    let directory = tempfile::tempdir().unwrap();
    let vault = Vault::create(directory.path()).unwrap();
    (directory, vault)
}

fn opened(vault: &Vault, envelope: &[u8]) -> Vec<u8> {
    vault.unseal(&PLACE, envelope).unwrap().expose_secret().to_vec()
}

#[test]
fn what_is_sealed_opens_again_also_after_a_restart() {
    let (directory, vault) = vault();
    for value in [&b""[..], b"x", &[0; 10_000]] {
        let envelope = vault.seal(&PLACE, value).unwrap();
        assert_eq!(opened(&vault, &envelope), value);
        assert_eq!(opened(&Vault::open(directory.path()).unwrap(), &envelope), value);
    }
    let envelope = vault.seal(&PLACE, "pässword".as_bytes()).unwrap();
    assert_eq!(vault.unseal_text(&PLACE, &envelope).unwrap().expose_secret(), "pässword");
    let envelope = vault.seal(&PLACE, &[0xff]).unwrap();
    assert!(matches!(vault.unseal_text(&PLACE, &envelope), Err(VaultError::NotText { .. })));
}

#[test]
fn the_same_value_never_gives_the_same_envelope() {
    let (_directory, vault) = vault();
    let envelopes: HashSet<_> = (0..1000).map(|_| vault.seal(&PLACE, b"same").unwrap()).collect();
    assert_eq!(envelopes.len(), 1000);
}

#[test]
fn every_changed_bit_and_every_cut_is_refused() {
    let (_directory, vault) = vault();
    let envelope = vault.seal(&PLACE, b"secret").unwrap();
    for bit in 0..envelope.len() * 8 {
        let mut changed = envelope.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let error = vault.unseal(&PLACE, &changed).unwrap_err();
        let expected = match bit / 8 {
            0 => matches!(error, VaultError::Envelope { .. }),
            1..=8 => matches!(error, VaultError::UnknownKey { .. }),
            _ => matches!(error, VaultError::Tampered { .. }),
        };
        assert!(expected, "bit {bit}: {error}");
    }
    for length in 0..envelope.len() {
        assert!(vault.unseal(&PLACE, &envelope[..length]).is_err(), "cut to {length} bytes");
    }
    let longer = [envelope.as_slice(), &[0]].concat();
    assert!(matches!(vault.unseal(&PLACE, &longer), Err(VaultError::Tampered { .. })));
}

#[test]
fn an_envelope_opens_in_its_own_place_only() {
    let (_directory, vault) = vault();
    let envelope = vault.seal(&PLACE, b"secret").unwrap();
    let elsewhere = [
        Place { row: "2", ..PLACE },
        Place { column: "other", ..PLACE },
        Place { table: "other", ..PLACE },
        // The same letters, divided otherwise.
        Place { table: "secretss", column: "ealed", ..PLACE },
        Place { column: "sealed1", row: "", ..PLACE },
    ];
    for place in elsewhere {
        let error = vault.unseal(&place, &envelope).unwrap_err();
        assert!(matches!(error, VaultError::Tampered { .. }), "{place}: {error}");
    }
}

#[test]
fn a_key_of_another_installation_is_named_and_refused() {
    let ((_a, one), (_b, other)) = (vault(), vault());
    let envelope = one.seal(&PLACE, b"secret").unwrap();
    match other.unseal(&PLACE, &envelope).unwrap_err() {
        VaultError::UnknownKey { key_id, .. } => assert_eq!(key_id, one.key_id()),
        error => panic!("{error}"),
    }
}

#[test]
fn a_key_file_that_others_can_reach_is_refused() {
    let (directory, _vault) = vault();
    let path = directory.path().join("zerfaux.key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o666, 0o777] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Vault::open(directory.path()).unwrap_err();
        assert!(
            matches!(error, VaultError::Exposed { mode: found, .. } if found == mode),
            "{mode:o}: {error}"
        );
        assert!(error.to_string().contains(&format!("{mode:04o}")), "{error}");
    }
    for mode in [0o600, 0o400] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Vault::open(directory.path()).unwrap();
    }
}

#[test]
fn a_missing_key_file_is_not_made_and_an_existing_one_not_replaced() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(Vault::open(directory.path()), Err(VaultError::Missing { .. })));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    let vault = Vault::create(directory.path()).unwrap();
    let before = fs::read(directory.path().join("zerfaux.key")).unwrap();
    assert!(matches!(Vault::create(directory.path()), Err(VaultError::Exists { .. })));
    let wrapped = vault.recovery_wrap(&RecoveryKey::generate().unwrap()).unwrap();
    assert_eq!(wrapped.len(), 1);
    assert!(before == fs::read(directory.path().join("zerfaux.key")).unwrap());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no unfinished file stays");
}

#[test]
fn a_changed_key_file_is_refused_with_its_line() {
    let (directory, vault) = vault();
    vault.begin_rotation().unwrap();
    let path = directory.path().join("zerfaux.key");
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let wrong = |text: String| {
        fs::write(&path, text).unwrap();
        match Vault::open(directory.path()).unwrap_err() {
            VaultError::Malformed { line, .. } => line,
            error => panic!("{error}"),
        }
    };
    assert_eq!(wrong(String::new()), 1);
    assert_eq!(wrong(text.replace("keys-1", "keys-2")), 1);
    assert_eq!(wrong(format!("{}\n", lines[0])), 2);
    assert_eq!(wrong(text[..text.len() - 10].to_owned()), 3);
    let swapped_ids = format!("{}\n{} {}\n", lines[0], &lines[1][..16], &lines[2][17..]);
    assert_eq!(wrong(swapped_ids), 2, "a key under another key's id");
}

#[test]
fn no_debug_output_or_error_shows_a_secret() {
    let (directory, vault) = vault();
    let recovery = RecoveryKey::generate().unwrap();
    let envelope = vault.seal(&PLACE, b"canary-7f3a").unwrap();
    let (secret, text) =
        (vault.unseal(&PLACE, &envelope).unwrap(), vault.unseal_text(&PLACE, &envelope).unwrap());
    let shown = format!("{vault:?} {recovery:?} {secret:?} {text:?} {:?}", recovery.to_text());
    let file = fs::read_to_string(directory.path().join("zerfaux.key")).unwrap();
    let key = file.lines().nth(1).unwrap().split_once(' ').unwrap().1;
    for canary in ["canary", key, recovery.to_text().expose_secret(), "99, 97, 110"] {
        assert!(!shown.contains(canary), "{shown}");
    }
    assert!(!envelope.windows(6).any(|window| window == b"canary"));
    let error = vault.unseal(&Place { row: "2", ..PLACE }, &envelope).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("canary"));
}

fn retyped(text: &str) -> Result<RecoveryKey, RecoveryKeyError> {
    RecoveryKey::from_text(&SecretString::from(text))
}

#[test]
fn a_recovery_key_can_be_typed_in_other_forms() {
    let (directory, vault) = vault();
    let recovery = RecoveryKey::generate().unwrap();
    let text = recovery.to_text().expose_secret().to_owned();
    assert_eq!((text.len(), text.split('-').count()), (47, 8));
    let wrapped = vault.recovery_wrap(&recovery).unwrap().remove(0).bytes;
    let forms = [
        text.clone(),
        text.to_lowercase(),
        text.replace('-', ""),
        text.replace('-', " - "),
        format!("  {text}\n"),
        text.replace('0', "o").replace('1', "l"),
        text.replace('0', "O").replace('1', "I"),
    ];
    for form in forms {
        assert!(vault.is_wrapped_by(&retyped(&form).unwrap(), &wrapped), "{form}");
    }
    drop(directory);
}

#[test]
fn every_single_wrong_character_is_recognised_with_its_group() {
    for _ in 0..5 {
        let text = RecoveryKey::generate().unwrap().to_text().expose_secret().to_owned();
        for (at, original) in text.char_indices().filter(|(_, c)| *c != '-') {
            for wrong in "0123456789ABCDEFGHJKMNPQRSTVWXYZ".chars().filter(|c| *c != original) {
                let mut typed: Vec<char> = text.chars().collect();
                typed[at] = wrong;
                let error = retyped(&typed.into_iter().collect::<String>()).unwrap_err();
                assert_eq!(error, RecoveryKeyError::Group { group: at / 6 + 1 });
            }
        }
    }
}

#[test]
fn swapped_neighbours_swapped_groups_and_missing_characters_are_recognised() {
    for _ in 0..50 {
        let text = RecoveryKey::generate().unwrap().to_text().expose_secret().to_owned();
        let characters: Vec<char> = text.chars().filter(|c| *c != '-').collect();
        for at in 0..characters.len() - 1 {
            let mut typed = characters.clone();
            typed.swap(at, at + 1);
            if typed != characters && at % 5 != 4 {
                let error = retyped(&typed.into_iter().collect::<String>()).unwrap_err();
                assert_eq!(error, RecoveryKeyError::Group { group: at / 5 + 1 });
            }
        }
        let mut groups: Vec<&str> = text.split('-').collect();
        groups.swap(2, 5);
        assert_eq!(retyped(&groups.join("-")).unwrap_err(), RecoveryKeyError::Group { group: 3 });
        assert_eq!(retyped(&text[1..]).unwrap_err(), RecoveryKeyError::Length { found: 39 });
        assert_eq!(retyped(&text.replacen(&text[6..7], "!", 1)).is_err(), true);
        assert_eq!(
            retyped(&format!("u{}", &text[1..])).unwrap_err(),
            RecoveryKeyError::Character { group: 1 }
        );
    }
}

#[test]
fn the_recovery_key_brings_the_secrets_back_on_another_machine() {
    let (_directory, vault) = vault();
    let recovery = RecoveryKey::generate().unwrap();
    let old = vault.seal(&PLACE, b"old").unwrap();
    vault.begin_rotation().unwrap();
    let new = vault.seal(&PLACE, b"new").unwrap();
    let wrapped: Vec<Vec<u8>> =
        vault.recovery_wrap(&recovery).unwrap().into_iter().map(|one| one.bytes).collect();
    let there = tempfile::tempdir().unwrap();
    let stranger = RecoveryKey::generate().unwrap();
    let refused = Vault::from_recovery_key(there.path(), &stranger, &wrapped);
    assert!(matches!(refused, Err(VaultError::WrongRecoveryKey)));
    assert_eq!(fs::read_dir(there.path()).unwrap().count(), 0);
    let typed = RecoveryKey::from_text(&recovery.to_text()).unwrap();
    let restored = Vault::from_recovery_key(there.path(), &typed, &wrapped).unwrap();
    assert_eq!((opened(&restored, &old), opened(&restored, &new)), (b"old".to_vec(), b"new".to_vec()));
    assert_eq!(restored.key_ids(), vault.key_ids());
    assert!(matches!(
        Vault::from_recovery_key(there.path(), &typed, &wrapped),
        Err(VaultError::Exists { .. })
    ));
}

#[test]
fn a_wrapped_key_with_a_changed_bit_is_refused() {
    let (_directory, vault) = vault();
    let recovery = RecoveryKey::generate().unwrap();
    let wrapped = vault.recovery_wrap(&recovery).unwrap().remove(0).bytes;
    for bit in 0..wrapped.len() * 8 {
        let mut changed = wrapped.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!vault.is_wrapped_by(&recovery, &changed), "bit {bit}");
    }
}

fn key_file(directory: &Path) -> Vec<u8> {
    fs::read(directory.join("zerfaux.key")).unwrap()
}

#[test]
fn a_rotation_reaches_every_clone_and_ends_with_one_key() {
    let (directory, vault) = vault();
    let clone = vault.clone();
    let (before, first) = (key_file(directory.path()), vault.key_id());
    let old = vault.seal(&PLACE, b"secret").unwrap();
    vault.begin_rotation().unwrap();
    assert_ne!(vault.key_id(), first);
    assert_eq!(clone.key_ids(), [vault.key_id(), first.clone()]);
    assert_eq!(Vault::open(directory.path()).unwrap().key_ids(), vault.key_ids());
    let new = clone.reseal(&PLACE, &old).unwrap();
    assert_eq!(clone.sealed_under(&PLACE, &new).unwrap(), vault.key_id());
    assert_eq!(clone.sealed_under(&PLACE, &old).unwrap(), first);
    vault.finish_rotation().unwrap();
    assert_eq!(opened(&clone, &new), b"secret");
    assert!(matches!(clone.unseal(&PLACE, &old), Err(VaultError::UnknownKey { .. })));
    assert_eq!(Vault::open(directory.path()).unwrap().key_ids().len(), 1);
    assert_ne!(before, key_file(directory.path()));
}

#[test]
fn a_rotation_that_cannot_write_the_key_file_keeps_the_old_key() {
    let (directory, vault) = vault();
    let (first, envelope) = (vault.key_id(), vault.seal(&PLACE, b"secret").unwrap());
    // A folder of the name under which the new file is written stops even root.
    fs::create_dir(directory.path().join("zerfaux.key.unfinished")).unwrap();
    assert!(matches!(vault.begin_rotation(), Err(VaultError::File { .. })));
    assert_eq!(vault.key_ids(), [first]);
    assert_eq!(opened(&Vault::open(directory.path()).unwrap(), &envelope), b"secret");
}
