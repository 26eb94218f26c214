//! The scene language: one line per act, many lines one remote script, since each remote command costs 0.3 s.
//!
//! Datasets are named relative to the side's root; `.` is the root itself. A word with a space is put in `"`.
//!
//! ```text
//! # a comment
//! + DATASET [PROPERTY=VALUE ...]        create a filesystem, parents too
//! v DATASET SIZE [PROPERTY=VALUE ...]   create a volume
//! e DATASET PASSPHRASE [PROPERTY=...]   create an encrypted filesystem
//! w DATASET PATH SIZE [SEED]            write a file of pseudo-random bytes (SIZE: 20M, 64K, 100)
//! d VOLUME SIZE [SEED]                  write pseudo-random bytes at the beginning of a volume
//! x DATASET PATH                        remove a file
//! @ DATASET SNAPSHOT [r]                take a snapshot, with r of all below too
//! b DATASET SNAPSHOT BOOKMARK           make a bookmark
//! c DATASET SNAPSHOT NEW                clone
//! h DATASET SNAPSHOT TAG                hold;     r DATASET SNAPSHOT TAG   release
//! p DATASET PROPERTY=VALUE ...          set;      i DATASET PROPERTY       inherit
//! m DATASET                             mount;    u DATASET                unmount
//! k DATASET PASSPHRASE                  load key; l DATASET                unload key
//! = DATASET NEW                         rename, without remounting
//! - DATASET[@SNAPSHOT|#BOOKMARK]        destroy just this
//! ```

/// One word for `sh`, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// `.` is the root; anything else lies below it.
pub(super) fn below(root: &str, relative: &str) -> String {
    match relative.strip_prefix('.') {
        Some(rest) if rest.is_empty() || rest.starts_with(['@', '#']) => format!("{root}{rest}"),
        _ => format!("{root}/{relative}"),
    }
}

/// Says which line failed, knows `random SEED BYTES`, and finds a dataset's mount point.
///
/// The bytes come from perl, which every Debian has: a random block, combined with itself turned by another distance
/// for each block of output, so that it neither compresses nor takes long on an emulated processor.
const PROLOGUE: &str = r#"
trap '[ $? = 0 ] || echo "this line of the scene failed: $line" >&2' EXIT
random() {
  perl -e '
    my ($seed, $left) = @ARGV;
    srand($seed);
    my $block = pack("L*", map { int(rand(4294967296)) } 1 .. 16384);
    for (my $turn = 40503; $left > 0; $turn = ($turn + 40503) % 65536) {
      my $out = $block ^ (substr($block, $turn) . substr($block, 0, $turn));
      print substr($out, 0, $left);
      $left -= length($out);
    }' "$1" "$2"
}
place() { zfs get -Hp -o value mountpoint "$1"; }
"#;

/// The remote script for these lines. `first_seed` tells apart what different calls write.
pub(super) fn compose(root: &str, lines: &str, first_seed: u64) -> String {
    let mut script = String::from(PROLOGUE);
    for (number, line) in lines.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let seed = first_seed + number as u64;
        let command =
            command(root, &words(line), seed).unwrap_or_else(|| panic!("not a line of a scene: {line}"));
        script.push_str(&format!("line={}\n{command}\n", quoted(line)));
    }
    script
}

fn command(root: &str, words: &[String], seed: u64) -> Option<String> {
    let (act, arguments) = words.split_first()?;
    let dataset = || arguments.first().map(|name| below(root, name));
    let word = |index: usize| arguments.get(index).map(|word| quoted(word));
    let snapshot = || Some(quoted(&format!("{}@{}", dataset()?, arguments.get(1)?)));
    let options = |from: usize| -> String {
        arguments.iter().skip(from).map(|pair| format!("-o {} ", quoted(pair))).collect()
    };
    let seed_at = |index: usize| match arguments.get(index) {
        Some(given) => given.parse().ok(),
        None => Some(seed),
    };
    let named = quoted(&dataset()?);
    Some(match act.as_str() {
        "+" => format!("zfs create -p {}{named}", options(1)),
        "v" => format!("zfs create -p -s -V {} {}{named}", word(1)?, options(2)),
        "e" => format!(
            "printf %s {} | zfs create -o encryption=on -o keyformat=passphrase -o pbkdf2iters=100000 {}{named}",
            word(1)?,
            options(2)
        ),
        "w" => {
            format!("random {} {} >\"$(place {named})\"/{}", seed_at(3)?, size(arguments.get(2)?)?, word(1)?)
        }
        "d" => format!(
            "udevadm settle; random {} {} | dd of=/dev/zvol/{named} bs=1M conv=notrunc,fsync iflag=fullblock status=none",
            seed_at(2)?,
            size(arguments.get(1)?)?
        ),
        "x" => format!("rm \"$(place {named})\"/{}", word(1)?),
        "@" => format!("zfs snapshot {}{}", recursive(arguments.get(2))?, snapshot()?),
        "b" => format!(
            "zfs bookmark {} {}",
            snapshot()?,
            quoted(&format!("{}#{}", dataset()?, arguments.get(2)?))
        ),
        "c" => format!("zfs clone {} {}", snapshot()?, quoted(&below(root, arguments.get(2)?))),
        "h" => format!("zfs hold {} {}", word(2)?, snapshot()?),
        "r" => format!("zfs release {} {}", word(2)?, snapshot()?),
        "p" => format!(
            "zfs set {} {named}",
            arguments.get(1..)?.iter().map(|p| quoted(p)).collect::<Vec<_>>().join(" ")
        ),
        "i" => format!("zfs inherit {} {named}", word(1)?),
        "m" => format!("zfs mount {named}"),
        "u" => format!("zfs unmount {named}"),
        "k" => format!("printf %s {} | zfs load-key {named}", word(1)?),
        "l" => format!("zfs unload-key {named}"),
        "=" => format!("zfs rename -u {named} {}", quoted(&below(root, arguments.get(1)?))),
        "-" => format!("zfs destroy {named}"),
        _ => return None,
    })
}

fn recursive(word: Option<&String>) -> Option<&'static str> {
    match word.map(String::as_str) {
        None => Some(""),
        Some("r") => Some("-r "),
        Some(_) => None,
    }
}

/// `20M`, `64K`, `1G` or a plain number, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) => (digits, text.chars().last()?),
        None => (text, ' '),
    };
    let shift = match unit {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        _ => 0,
    };
    digits.parse::<u64>().ok()?.checked_shl(shift)
}

/// Words of a line: separated by spaces; `"two words"` is one.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_line_becomes_a_quoted_command_below_its_root() {
        let script = compose("lab/x", "+ data recordsize=1M\n@ data s1 r\nb . s1 mark\n- data@s1", 1);
        assert!(script.contains("zfs create -p -o 'recordsize=1M' 'lab/x/data'"), "{script}");
        assert!(script.contains("zfs snapshot -r 'lab/x/data@s1'"), "{script}");
        assert!(script.contains("zfs bookmark 'lab/x@s1' 'lab/x#mark'"), "{script}");
        assert!(script.contains("zfs destroy 'lab/x/data@s1'"), "{script}");
    }

    #[test]
    fn a_word_with_spaces_and_quotes_stays_one_word() {
        assert_eq!(words(r#"+ "it's mine" a=b"#), ["+", "it's mine", "a=b"]);
        assert_eq!(quoted("it's mine"), r"'it'\''s mine'");
    }

    #[test]
    fn sizes_are_in_powers_of_1024() {
        assert_eq!(size("20M"), Some(20 * 1024 * 1024));
        assert_eq!(size("100"), Some(100));
        assert_eq!(size("M"), None);
    }

    #[test]
    #[should_panic(expected = "not a line of a scene: ? data")]
    fn an_unknown_line_is_refused() {
        compose("lab/x", "? data", 1);
    }
}
