//! The contract of a storage host, second part: the programs beside `zfs` that Zerfaux uses there. Each case is a
//! script that succeeds where the host behaves as expected, so that the very same runs on real hosts.

use super::Ground;

/// Runs a script with `$d` as the mount point of a new dataset and `$n` as its name; it must succeed.
#[track_caller]
fn holds(ground: &impl Ground, script: &str) {
    let (status, stderr) = ground.shell(&format!("{}{script}", place(ground)));
    assert_eq!(status, 0, "{script}\n{stderr}");
}

/// The same for a script that must fail so and say that.
#[track_caller]
fn fails(ground: &impl Ground, script: &str, wanted: i32, said: &str) {
    let (status, stderr) = ground.shell(&format!("{}{script}", place(ground)));
    assert!(status == wanted && stderr.contains(said), "{script}\n{status}: {stderr}");
}

fn place(ground: &impl Ground) -> String {
    let name = ground.name("files");
    format!(
        "n='{name}'; zfs list '{name}' >/dev/null 2>&1 || zfs create '{name}'; d=$(zfs get -H -o value mountpoint '{name}'); "
    )
}

pub fn disks_are_listed_with_what_is_on_them(ground: &impl Ground) {
    holds(
        ground,
        "lsblk -J -b -o NAME,PATH,SIZE,TYPE,FSTYPE,PTTYPE,MOUNTPOINT,SERIAL,WWN | grep -q '\"blockdevices\"'",
    );
    holds(ground, "lsblk -n -r -o FSTYPE | grep -q zfs_member");
    holds(ground, "lsblk -n -d -r -o TYPE | grep -q disk");
    holds(ground, "ls /dev/disk/by-id > /dev/null");
    fails(ground, "lsblk -o NAME,NOSUCH", 1, "unknown column");
}

pub fn a_pool_is_not_made_of_what_is_missing_or_in_use(ground: &impl Ground) {
    let missing = "/dev/disk/by-id/scsi-nosuch";
    fails(ground, &format!("zpool create zxnone {missing}"), 1, &format!("cannot resolve path '{missing}'"));
    let used = "p=$(lsblk -n -r -p -o PKNAME,FSTYPE | grep zfs_member | head -n 1 | cut -d' ' -f1)";
    let whole = format!("{used}; zpool create zxnone \"/dev/${{p#/dev/}}\"");
    fails(ground, &whole, 1, "is in use and contains a unknown filesystem.");
    let part = format!("{used}; zpool create zxnone \"/dev/${{p#/dev/}}1\"");
    fails(ground, &part, 1, "is part of active pool");
    fails(ground, "zpool list zxnone", 1, "no such pool");
    holds(ground, "zpool status \"${n%%/*}\" | grep -q 'errors: No known data errors'");
}

pub fn what_is_shared_is_exported_to_its_clients(ground: &impl Ground) {
    holds(ground, "zfs set sharenfs=rw=@10.0.0.0/8,no_root_squash \"$n\" && exportfs -v | grep -q \"$d\"");
    holds(ground, "exportfs -v | grep '10.0.0.0/8(' | grep -q no_root_squash");
    holds(ground, "exportfs -ra && exportfs -v | grep -q \"$d\"");
    fails(ground, "zfs set 'sharenfs=10.0.0.0/8(rw)' \"$n\"", 255, "cannot be set to invalid options");
    holds(
        ground,
        "zfs unshare \"$n\" && ! exportfs -v | grep -q \"$d\" && zfs share \"$n\" && exportfs -v | grep -q \"$d\"",
    );
    holds(ground, "zfs set sharenfs=off \"$n\" && ! exportfs -v | grep -q \"$d\"");
}

pub fn files_have_owners_modes_times_links_and_attributes(ground: &impl Ground) {
    holds(
        ground,
        "cd \"$d\" && mkdir -p deep/down && echo hello > deep/f && chmod 640 deep/f && chown 1234:5678 deep/f && \
         touch -d 2026-01-02T03:04:05Z deep/f && ln deep/f twin && ln -s deep/f link && \
         [ \"$(stat -c '%a %u %g %h %s %Y %F' twin)\" = '640 1234 5678 2 6 1767323045 regular file' ] && \
         [ \"$(readlink link)\" = deep/f ] && [ \"$(cat link)\" = hello ]",
    );
    holds(
        ground,
        "cd \"$d\" && [ \"$(find deep -type f -printf '%P %y %m %U:%G %n %s\\n')\" = 'f f 640 1234:5678 2 6' ] && \
         [ \"$(find . -mindepth 1 -maxdepth 1 -name 'l*' -printf '%f %l\\n')\" = 'link deep/f' ]",
    );
    holds(
        ground,
        "cd \"$d\" && cp -a deep copy && mv copy moved && [ \"$(stat -c '%a %u %Y' moved/f)\" = '640 1234 1767323045' ] && \
         truncate -s 1000000 hole && [ \"$(stat -c %s hole)\" = 1000000 ] && rm -r moved && [ ! -e moved ]",
    );
    fails(ground, "mkdir \"$d/no/where\"", 1, "No such file or directory");
    fails(ground, "rmdir \"$d/deep\"", 1, "failed to remove");
    fails(ground, "stat \"$d/nosuch\"", 1, "No such file or directory");
}

pub fn sums_are_made_and_compared(ground: &impl Ground) {
    holds(
        ground,
        "cd \"$d\" && echo a > a && echo b > b && sha256sum a b > /tmp/zx.sums && sha256sum -c --quiet /tmp/zx.sums && \
         [ \"$(sha256sum < a | cut -d' ' -f1)\" = 87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7 ]",
    );
    fails(
        ground,
        "cd \"$d\" && echo c > a && sha256sum -c /tmp/zx.sums > /dev/null",
        1,
        "1 computed checksum did NOT match",
    );
}

pub fn rsync_copies_with_all_that_belongs_to_it(ground: &impl Ground) {
    let rsync = "rsync -aHX --numeric-ids --stats";
    holds(
        ground,
        "cd \"$d\" && mkdir -p from/sub && echo one > from/one && echo two > from/sub/two && ln from/one from/twin && \
         ln -s one from/link && chmod 600 from/one && chown 1234:5678 from/one && touch -d 2026-01-02T03:04:05Z from/one",
    );
    holds(
        ground,
        &format!(
            "cd \"$d\" && {rsync} -n from/ to/ > said && grep -q '(DRY RUN)' said && [ ! -e to ] && {rsync} from/ to/ > said && \
             grep -q 'Number of files: 6 (reg: 3, dir: 2, link: 1)' said && grep -q 'Number of created files: 6' said && grep -q 'Number of regular files transferred: 2' said && \
             [ \"$(stat -c '%a %u %g %h %Y' to/one)\" = '600 1234 5678 2 1767323045' ] && [ \"$(readlink to/link)\" = one ]"
        ),
    );
    holds(
        ground,
        &format!(
            "cd \"$d\" && {rsync} from/ to/ > said && grep -q 'Number of regular files transferred: 0' said && \
             touch to/extra && {rsync} --delete from/ to/ > said && grep -q 'Number of deleted files: 1' said && [ ! -e to/extra ]"
        ),
    );
    fails(ground, "rsync -a \"$d/nosuch/\" \"$d/to/\"", 23, "No such file or directory (2)");
    fails(ground, "rsync -a \"$d/from/\" \"$d/no/such/\"", 11, "No such file or directory (2)");
}

pub fn mounts_and_free_room_are_told(ground: &impl Ground) {
    holds(
        ground,
        "mkdir -p \"$d/deep\" && [ \"$(findmnt -n -o SOURCE -T \"$d/deep\")\" = \"$n\" ] && mountpoint -q \"$d\"",
    );
    holds(ground, "! mountpoint -q \"$d/deep\" && ! findmnt -n \"$d/deep\" > /dev/null");
    holds(ground, "[ \"$(df -B1 --output=avail \"$d\" | tail -n 1)\" -gt 1000000 ]");
}

pub fn units_that_are_not_there_are_named(ground: &impl Ground) {
    fails(ground, "systemctl start zxnosuch", 5, "Unit zxnosuch.service not found.");
    fails(ground, "systemctl status zxnosuch", 4, "could not be found");
    holds(ground, "! systemctl is-active --quiet zxnosuch && [ \"$(date +%s)\" -gt 1700000000 ]");
}

pub fn the_shell_runs_what_a_direct_stream_needs(ground: &impl Ground) {
    holds(ground, "f() { echo \"<$1>\"; }; [ \"$(f 'a b')\" = '<a b>' ]");
    holds(ground, "sleep 60 & kill $!; s=0; wait $! || s=$?; [ $s = 143 ]");
    holds(ground, "(sleep 0.1; exit 5) & p=$!; s=0; wait \"$p\" || s=$?; [ $s = 5 ]");
    holds(ground, "[ \"$(exec 3>&1; { echo out >&3; } >/dev/null)\" = out ]");
    holds(
        ground,
        "[ \"$(printf 'a b\\nc' | while read -r x y || [ -n \"$x\" ]; do echo \"$y-$x\"; done | tr '\\n' ,)\" = 'b-a,-c,' ]",
    );
    holds(ground, "n=0; while [ $n -lt 3 ]; do n=$((n + 1)); done; case $n in 3) true ;; *) false ;; esac");
    holds(ground, "[ \"$(cat /dev/zero | head -c 100000 | wc -c)\" = 100000 ]");
    holds(
        ground,
        "dd if=/dev/null of=/dev/null status=progress 2>/dev/null && ssh -V 2>&1 | grep -q '^OpenSSH_'",
    );
}
