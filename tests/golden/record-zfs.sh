#!/bin/bash
# Records what a real OpenZFS host says. Run as root ON a host that may be played with:
#   record-zfs.sh OUT_DIR [POOL_NAME]
# It makes one file-backed pool of its own under /var/tmp, provokes every answer and complaint that
# Zerfaux reads, writes one file per case into OUT_DIR, and destroys the pool again.
# A case file holds the command, its exit status, its standard output and its standard error.
set -u
out=$1
P=${2:-zxgold}
img=/var/tmp/$P.img
mkdir -p "$out"
export LC_ALL=C

# rec NAME COMMAND… : runs it and keeps what it said.
rec() {
    local name=$1
    shift
    "$@" >"$out/.o" 2>"$out/.e" </dev/null
    local rc=$?
    {
        printf '$ %s\n' "$*"
        printf 'exit %s\n--- stdout\n' "$rc"
        cat "$out/.o"
        printf -- '--- stderr\n'
        cat "$out/.e"
    } >"$out/$name.txt"
    echo "$name rc=$rc $(head -c 150 "$out/.e" | tr '\n' '|')"
}
# the same for a pipeline given to a shell
recsh() {
    local name=$1
    rec "$name" bash -c "$2"
}
as_nobody() { runuser -u nobody -- "$@"; }

zpool destroy -f "$P" 2>/dev/null
zpool destroy -f "${P}2" 2>/dev/null
rm -f "$img" "$img.2"
truncate -s 640M "$img"
truncate -s 128M "$img.2"
rec pool-create zpool create -o cachefile=none -O mountpoint=/var/tmp/$P-mnt "$P" "$img"
zpool create -o cachefile=none -O mountpoint=/var/tmp/$P-mnt2 "${P}2" "$img.2"

# --- versions, pools
rec version zfs version
rec version-zpool zpool version
rec pool-get zpool get -Hp -o property,value size,allocated,free,fragmentation,capacity,health,readonly "$P"
rec pool-get-missing zpool get -Hp -o property,value size,health nosuchpool
rec pool-status zpool status -p "$P"
zpool scrub -w "$P"
rec pool-status-scrubbed zpool status -p "$P"
rec pool-status-missing zpool status -p nosuchpool
rec pool-list zpool list -Hp -o name,size,allocated,free,fragmentation,capacity,health "$P" "${P}2"

# --- a tree to list
zfs create "$P/a"
zfs create "$P/a/child one"
zfs create -V 16M "$P/vol"
dd if=/dev/urandom of=/var/tmp/$P-mnt/a/f bs=1M count=8 status=none
zfs snapshot "$P/a@s1" "$P/vol@s1"
zfs set zerfaux:group=g1 "$P/a@s1"
zfs hold zerfaux:g1 "$P/a@s1"
zfs hold "some body" "$P/a@s1"
zfs bookmark "$P/a@s1" "$P/a#s1"
dd if=/dev/urandom of=/var/tmp/$P-mnt/a/g bs=1M count=8 status=none
zfs snapshot "$P/a@by hand"
zfs clone "$P/a@s1" "$P/clone"
zfs clone "$P/a@s1" "$P/clone2"
zfs set zerfaux:group=inherited-by-all "$P"
zfs set zerfaux:role=live "$P/a"
printf 'correct horse battery' >/var/tmp/$P.key
zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file:///var/tmp/$P.key "$P/enc"
zfs create "$P/enc/inner"
dd if=/dev/urandom of=/var/tmp/$P-mnt/enc/f bs=1M count=4 status=none
zfs snapshot -r "$P/enc@e1"
dd if=/dev/urandom of=/var/tmp/$P-mnt/enc/f bs=1M count=4 status=none
zfs snapshot -r "$P/enc@e2"
zfs create -o encryption=on -o keyformat=passphrase -o keylocation=file:///var/tmp/$P.key "$P/locked"
zfs unmount "$P/locked"
zfs unload-key "$P/locked"

COLS=name,type,guid,createtxg,creation,userrefs,used,referenced,available,written,origin,clones,encryptionroot,keystatus,mounted,readonly,receive_resume_token
TYPES=filesystem,volume,snapshot,bookmark

# --- interrupted receives: a first one, and an incremental one
zfs create "$P/dst"
recsh receive-cut-first "zfs send '$P/a@s1' | head -c 3000000 | zfs receive -s -u '$P/dst/first'"
zfs send "$P/a@s1" | zfs receive -s -u -o readonly=on "$P/dst/inc"
recsh receive-cut-incremental "zfs send -i @s1 '$P/a@by hand' | head -c 3000000 | zfs receive -s -u '$P/dst/inc'"
recsh receive-cut-not-resumable "zfs send '$P/a@s1' | head -c 3000000 | zfs receive -u '$P/dst/cut'"
recsh receive-cut-raw "zfs send -w '$P/enc@e1' | head -c 2000000 | zfs receive -s -u '$P/dst/rawcut'"
T1=$(zfs get -H -o value receive_resume_token "$P/dst/first")
T2=$(zfs get -H -o value receive_resume_token "$P/dst/inc")
T3=$(zfs get -H -o value receive_resume_token "$P/dst/rawcut")
printf '%s\n' "$T1" >"$out/.t1"
printf '%s\n' "$T2" >"$out/.t2"
printf '%s\n' "$T3" >"$out/.t3"

rec list-tree zfs list -Hp -r -t $TYPES -o $COLS "$P"
rec list-depth-1 zfs list -Hp -d 1 -t $TYPES -o $COLS "$P/a" "$P/vol" "$P/nosuch" "$P/enc" "$P/dst/first" nosuchpool/x "$P/locked"
rec list-missing zfs list -Hp -d 1 -t $TYPES -o $COLS "$P/nosuch"
rec list-owners zfs get -Hp -r -s local -t $TYPES -o name,property,value zerfaux:group,zerfaux:role "$P"
rec get-tree zfs get -Hp -r -t $TYPES -o name,property,value,source type,guid,zerfaux:group,receive_resume_token "$P"
rec list-hidden-recv zfs list -Hp -o name,type,guid "$P/dst/inc/%recv"
rec holds zfs holds -Hp "$P/a@s1" "$P/vol@s1"
rec holds-missing zfs holds -Hp "$P/a@nosuch"
rec holds-some-missing zfs holds -Hp "$P/a@s1" "$P/a@nosuch"

# --- tokens
rec token-full zfs send -nvt "$T1"
rec token-incremental zfs send -nvt "$T2"
rec token-raw zfs send -nvt "$T3"
rec token-garbage zfs send -nvt 1-abc-def
rec token-garbage-2 zfs send -nvt "${T1%??????????}0000000000"
recsh receive-over-partial "zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u '$P/dst/inc'"
recsh receive-full-over-partial "zfs send '$P/a@s1' | zfs receive -s -u '$P/dst/first'"
recsh receive-wrong-resume "zfs send -t '$T2' | zfs receive -s -u '$P/dst/first'"
rec abort zfs receive -A "$P/dst/rawcut"
rec abort-again zfs receive -A "$P/dst/rawcut"
rec abort-nothing zfs receive -A "$P/a"
zfs snapshot "$P/a@gone"
dd if=/dev/urandom of=/var/tmp/$P-mnt/a/h bs=1M count=4 status=none
zfs snapshot "$P/a@later"
zfs receive -A "$P/dst/inc"
zfs send -I @s1 "$P/a@gone" | zfs receive -s -u "$P/dst/inc"
zfs send -i @gone "$P/a@later" | head -c 2000000 | zfs receive -s -u "$P/dst/inc" 2>/dev/null
T4=$(zfs get -H -o value receive_resume_token "$P/dst/inc")
rec token-still-good zfs send -nvt "$T4"
zfs destroy "$P/a@gone"
rec token-base-gone zfs send -nvt "$T4"
zfs destroy "$P/a@later"
rec token-target-gone zfs send -nvt "$T4"
zfs receive -A "$P/dst/inc"
zfs rollback -r "$P/dst/inc@by hand" 

# --- estimates and sends
rec estimate-full zfs send -nvP -L -e -c "$P/a@s1"
rec estimate-incremental zfs send -nvP -i @s1 "$P/a@by hand"
rec estimate-intermediate zfs send -nvP -I @s1 "$P/a@by hand"
rec estimate-bookmark zfs send -nvP -i "#s1" "$P/a@by hand"
rec estimate-raw zfs send -nvP -w "$P/enc@e2"
rec estimate-token zfs send -nvP -t "$T1"
rec estimate-human zfs send -nv "$P/a@s1"
rec send-missing zfs send "$P/a@nosuch"
rec send-missing-dataset zfs send "$P/nosuch@s1"
rec send-missing-pool zfs send "nosuchpool/x@s1"
rec send-base-missing zfs send -i @nosuch "$P/a@s1"
rec send-bookmark-missing zfs send -i "#nosuch" "$P/a@s1"
rec send-wrong-order zfs send -i "@by hand" "$P/a@s1"
rec send-bookmark-intermediate zfs send -I "#s1" "$P/a@by hand"
zfs unmount "$P/enc/inner" "$P/enc" 2>/dev/null
zfs unmount "$P/enc/inner"; zfs unmount "$P/enc"; zfs unload-key "$P/enc"
recsh send-key-unavailable "zfs send '$P/enc@e1' | cat >/dev/null; exit \${PIPESTATUS[0]}"

# --- receives that are refused
zfs send "$P/a@s1" | zfs receive -u "$P/dst/mod"
zfs set readonly=off "$P/dst/mod"
zfs mount "$P/dst/mod"
echo changed >/var/tmp/$P-mnt/dst/mod/f
sync
recsh receive-modified "zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u '$P/dst/mod'"
zfs snapshot "$P/dst/mod@other"
recsh receive-newer-snapshot "zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u '$P/dst/mod'"
recsh receive-exists "zfs send '$P/a@s1' | zfs receive -s -u '$P/dst/mod'"
zfs create "$P/dst/empty"
recsh receive-exists-empty "zfs send '$P/a@s1' | zfs receive -s -u '$P/dst/empty'"
recsh receive-no-base-dataset "zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u '$P/dst/none'"
zfs create "$P/dst/alien"; zfs snapshot "$P/dst/alien@x"
recsh receive-base-mismatch "zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u '$P/dst/alien'"
recsh receive-no-parent "zfs send '$P/a@s1' | zfs receive -s -u '$P/nope/deeper/x'"
recsh receive-no-pool "zfs send '$P/a@s1' | zfs receive -s -u nosuchpool/x"
recsh receive-garbage "echo this is no stream | zfs receive -s -u '$P/dst/garbage'"
recsh receive-nothing "true | zfs receive -s -u '$P/dst/garbage'"
recsh receive-volume-over-fs "zfs send '$P/vol@s1' | zfs receive -s -u '$P/dst/mod'"
recsh receive-no-space "zfs send '$P/a@s1' | (zfs create -o quota=4M '$P/dst/small'; zfs receive -s -u '$P/dst/small/x')"
dd if=/dev/urandom of=/var/tmp/$P-mnt2/fill bs=1M status=none 2>"$out/.full"
sync
recsh receive-pool-full "zfs send '$P/a@s1' | zfs receive -s -u '${P}2/x'"
rec snapshot-pool-full zfs snapshot "${P}2@full"
rec create-pool-full zfs create "${P}2/y"

# a destination that was not written to but has a snapshot of its own after the base
zfs send "$P/a@s1" | zfs receive -u -o readonly=on "$P/dst/newer"
zfs snapshot "$P/dst/newer@mine"
recsh receive-only-newer-snapshot "zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u '$P/dst/newer'"
# two receives at a time into one dataset
zfs send "$P/a@s1" | zfs receive -u -o readonly=on "$P/dst/twice"
recsh receive-busy "(zfs send -i @s1 '$P/a@by hand' | (head -c 3000000; sleep 12) | zfs receive -s -u '$P/dst/twice' >/dev/null 2>&1) & sleep 6; zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u '$P/dst/twice'; rc=\$?; wait; exit \$rc"
# a base kept by an interrupted receive
rec destroy-under-partial zfs destroy "$P/dst/twice@s1"
# a resumed stream with the properties of the first
TR=$(zfs get -H -o value receive_resume_token "$P/dst/first")
recsh receive-resumed "zfs send -t '$TR' | zfs receive -s -u -o readonly=on -o canmount=noauto -o sharenfs=off -o atime=off -x mountpoint '$P/dst/first'"
rec receive-resumed-properties zfs get -Hp -o property,value,source readonly,canmount,sharenfs,atime,mountpoint "$P/dst/first"
# an increment with the same properties again
recsh receive-incremental-properties "zfs send -i @s1 '$P/a@by hand' | zfs receive -s -u -o readonly=on -o canmount=noauto -o sharenfs=off -o atime=off -x mountpoint '$P/dst/first'"

# --- raw and encryption
recsh receive-raw-first "zfs send -w '$P/enc@e1' | zfs receive -s -u -o readonly=on -o canmount=noauto -o sharenfs=off -o atime=off -x mountpoint '$P/dst/raw'"
recsh receive-raw-incremental "zfs send -w -i @e1 '$P/enc@e2' | zfs receive -s -u -o readonly=on -o canmount=noauto -o sharenfs=off -o atime=off -x mountpoint '$P/dst/raw'"
recsh receive-raw-set-encryption "zfs send -w '$P/enc@e1' | zfs receive -s -u -o encryption=off '$P/dst/raw2'"
recsh receive-raw-x-encryption "zfs send -w '$P/enc@e1' | zfs receive -s -u -x encryption '$P/dst/raw3'"
zfs load-key "$P/enc"
recsh receive-plain-into-raw "zfs send -i @e1 '$P/enc@e2' | zfs receive -s -u '$P/dst/raw'"
zfs rollback -r "$P/dst/raw@e1"
recsh receive-plain-into-raw-2 "zfs send -i @e1 '$P/enc@e2' | zfs receive -s -u '$P/dst/raw'"
zfs send "$P/enc@e1" | zfs receive -u "$P/dst/plain"
recsh receive-raw-into-plain "zfs send -w -i @e1 '$P/enc@e2' | zfs receive -s -u '$P/dst/plain'"
recsh receive-under-locked "zfs send '$P/a@s1' | zfs receive -s -u '$P/locked/x'"
zfs load-key -L file:///var/tmp/$P.key "$P/dst/raw"
zfs mount "$P/dst/raw"
recsh raw-mounted-incremental "zfs send -w -i @e1 '$P/enc@e2' | zfs receive -s -u '$P/dst/raw'"
# the same with the key of the raw replica loaded: a plain increment breaks the chain of IV sets
zfs unmount "$P/dst/raw"
zfs rollback -r "$P/dst/raw@e1"
recsh receive-plain-into-raw-loaded "zfs send -i @e1 '$P/enc@e2' | zfs receive -s -u '$P/dst/raw'"
zfs snapshot "$P/enc@e3"
recsh receive-raw-after-plain "zfs send -w -i @e2 '$P/enc@e3' | zfs receive -s -u '$P/dst/raw'"
zfs mount "$P/dst/raw"
rec load-key-wrong bash -c "echo wrongwrongwrong | zfs load-key -L prompt '$P/locked'"
rec load-key-stdin bash -c "printf 'correct horse battery' | zfs load-key -L prompt '$P/locked'"
rec load-key-again bash -c "printf 'correct horse battery' | zfs load-key -L prompt '$P/locked'"
rec unload-key zfs unload-key "$P/locked"
rec unload-key-again zfs unload-key "$P/locked"
rec unload-key-busy zfs unload-key "$P/dst/raw"
rec load-key-unencrypted bash -c "echo x | zfs load-key -L prompt '$P/a'"
rec load-key-not-root bash -c "echo x | zfs load-key -L prompt '$P/enc/inner'"
rec mount-locked zfs mount "$P/locked"
rec clone-locked zfs clone "$P/dst/raw@e1" "$P/rawclone"

# --- snapshots, holds, bookmarks, destroys
rec snapshot-exists zfs snapshot "$P/a@s1"
rec snapshot-some-exist zfs snapshot "$P/a@s1" "$P/vol@s9"
rec snapshot-missing zfs snapshot "$P/nosuch@s1"
rec hold-again zfs hold zerfaux:g1 "$P/a@s1"
rec hold-some-again zfs hold zerfaux:g1 "$P/a@s1" "$P/a@by hand"
rec hold-missing zfs hold zerfaux:g1 "$P/a@nosuch"
rec release-absent zfs release zerfaux:nobody "$P/a@s1"
rec release-missing zfs release zerfaux:g1 "$P/a@nosuch"
rec bookmark-again zfs bookmark "$P/a@s1" "$P/a#s1"
rec bookmark-other zfs bookmark "$P/a@by hand" "$P/a#s1"
rec bookmark-missing zfs bookmark "$P/a@nosuch" "$P/a#n"
rec destroy-bookmark-missing zfs destroy "$P/a#nosuch"
rec destroy-missing zfs destroy "$P/a@nosuch"
rec destroy-several-missing zfs destroy "$P/a@nosuch,nosuch2"
rec destroy-missing-dataset zfs destroy "$P/nosuch@s1"
rec destroy-held zfs destroy "$P/a@by hand"
rec destroy-clones-and-held zfs destroy "$P/a@s1"
rec snapshot-twice-one-fs zfs snapshot "$P/a@t1" "$P/a@t2"
zfs release zerfaux:g1 "$P/a@by hand" 2>/dev/null
zfs snapshot "$P/a@d1"
zfs snapshot "$P/a@d2"
zfs snapshot "$P/a@d3"
rec inspect zfs get -Hp -o name,property,value,source guid,userrefs,clones,zerfaux:group "$P/a@s1" "$P/a@nosuch" "$P/a@d2"
zfs clone "$P/a@d1" "$P/dclone"
rec destroy-clone zfs destroy "$P/a@d1"
rec destroy-several-one-clone zfs destroy "$P/a@d1,d2"
rec destroy-own zfs destroy "$P/a@d3"
rec destroy-several-left zfs list -H -o name -t snapshot "$P/a"
rec destroy-dataset-children zfs destroy "$P/a"
zfs create "$P/onlysnap"; zfs snapshot "$P/onlysnap@x"
rec destroy-dataset-only-snapshots zfs destroy "$P/onlysnap"
rec destroy-dataset-snapshots zfs destroy "$P/dst/inc"
rec unmount-busy bash -c "cd /var/tmp/$P-mnt/clone && zfs unmount '$P/clone'"
rec rename-busy bash -c "cd /var/tmp/$P-mnt/clone && zfs rename '$P/clone' '$P/clone-renamed'"
rec rename-u bash -c "cd /var/tmp/$P-mnt/clone && zfs rename -u '$P/clone' '$P/clone-renamed'"
rec rename-exists zfs rename -u "$P/clone2" "$P/vol"
rec rename-no-parent zfs rename -u "$P/clone2" "$P/no/parent"
rec rename-missing zfs rename -u "$P/nosuch" "$P/there"
rec unmount zfs unmount "$P/clone2"
rec unmount-again zfs unmount "$P/clone2"
rec mount zfs mount "$P/clone2"
rec mount-again zfs mount "$P/clone2"
rec mount-canmount-off bash -c "zfs create -o canmount=off '$P/cmo'; zfs mount '$P/cmo'"
rec mount-volume zfs mount "$P/vol"
rec unmount-volume zfs unmount "$P/vol"
rec clone-exists zfs clone "$P/a@s1" "$P/clone2"
rec clone-missing zfs clone "$P/a@nosuch" "$P/clone3"
rec promote-not-clone zfs promote "$P/a"
zfs snapshot "$P/clone2@s1"
rec promote-conflict zfs promote "$P/clone2"
rec create-exists zfs create "$P/a"
rec create-p-exists zfs create -p -u -o canmount=off -o mountpoint=none "$P/a"
rec create-p zfs create -p -u -o canmount=off -o mountpoint=none "$P/p1/p2/p3"
rec create-p-listing zfs list -Hp -r -o name,canmount,mountpoint,mounted "$P/p1"
rec create-no-pool zfs create -p -u -o canmount=off nosuchpool/a/b
rec set-bad zfs set readonly=perhaps "$P/a"
rec set-missing zfs set zerfaux:group=x "$P/nosuch"
rec get-missing zfs get -Hp -o value zerfaux:group "$P/nosuch"
rec inherit-unset zfs inherit zerfaux:nothing "$P/a"
rec get-local zfs get -Hp -o name,property,value,source zerfaux:group,zerfaux:role,readonly "$P/a"
rec bad-name zfs list "$P/a b%c"
recsh volume-receive "zfs send '$P/vol@s1' | zfs receive -s -u -o readonly=on '$P/dst/vol'"
recsh volume-receive-fs-props "zfs send '$P/vol@s1' | zfs receive -s -u -o readonly=on -o canmount=noauto '$P/dst/vol2'"
recsh volume-receive-x-mountpoint "zfs send '$P/vol@s1' | zfs receive -s -u -o readonly=on -x mountpoint '$P/dst/vol3'"

# --- without privilege, and delegated
rec sudo-password runuser -u nobody -- sudo -n zfs version
rec plain-list runuser -u nobody -- zfs list -Hp -o name "$P/a"
rec plain-snapshot runuser -u nobody -- zfs snapshot "$P/a@plain"
rec plain-hold runuser -u nobody -- zfs hold zerfaux:g1 "$P/a@s1"
rec plain-release runuser -u nobody -- zfs release zerfaux:g1 "$P/a@s1"
rec plain-bookmark runuser -u nobody -- zfs bookmark "$P/a@s1" "$P/a#plain"
rec plain-destroy runuser -u nobody -- zfs destroy "$P/a@d2"
recsh plain-send "runuser -u nobody -- zfs send '$P/a@s1' | cat >/dev/null; exit \${PIPESTATUS[0]}"
recsh plain-receive "zfs send '$P/a@s1' | runuser -u nobody -- zfs receive -s -u '$P/dst/plainrecv'"
rec plain-set runuser -u nobody -- zfs set readonly=on "$P/a"
rec plain-clone runuser -u nobody -- zfs clone "$P/a@s1" "$P/plainclone"
rec plain-rename runuser -u nobody -- zfs rename -u "$P/clone2" "$P/plainrenamed"
rec plain-promote runuser -u nobody -- zfs promote "$P/dclone"
rec plain-create runuser -u nobody -- zfs create "$P/plaincreate"
rec plain-abort runuser -u nobody -- zfs receive -A "$P/dst/first"
rec plain-load-key runuser -u nobody -- bash -c "echo correct horse battery | zfs load-key -L prompt '$P/locked'"
rec plain-pool-status runuser -u nobody -- zpool status -p "$P"
zfs allow -u nobody receive,create,mount "$P/dst"
recsh delegated-receive "zfs send '$P/a@s1' | runuser -u nobody -- zfs receive -s -u -x mountpoint '$P/dst/deleg'"
recsh delegated-receive-props "zfs send '$P/a@s1' | runuser -u nobody -- zfs receive -s -u -o readonly=on -o canmount=noauto '$P/dst/deleg2'"
zfs allow -u nobody readonly,canmount,sharenfs,atime,mountpoint "$P/dst"
recsh delegated-receive-all "zfs send '$P/a@s1' | runuser -u nobody -- zfs receive -s -u -o readonly=on -o canmount=noauto -o sharenfs=off -o atime=off -x mountpoint '$P/dst/deleg3'"
recsh delegated-receive-mounts "zfs send '$P/a@s1' | runuser -u nobody -- zfs receive -s '$P/dst/deleg4'"
echo "nobody ALL=(root) NOPASSWD: /usr/sbin/zfs version" >/etc/sudoers.d/zxgold
rec sudo-refused runuser -u nobody -- sudo -n /usr/sbin/zfs list
rm -f /etc/sudoers.d/zxgold
rec module-missing unshare -m sh -c "mount -t tmpfs none /sys/module && mount -t tmpfs none /dev && mkdir -p /dev/x && runuser -u nobody -- zfs list"
rec device-missing unshare -m sh -c "mount -t tmpfs none /dev && zfs list"
rec device-forbidden unshare -m sh -c "mount -t tmpfs none /dev && mknod -m 600 /dev/zfs c \$(stat -c '0x%t 0x%T' /proc/1/root/dev/zfs) && runuser -u nobody -- zfs list"
rec list-missing-pool zfs list -Hp -o name nosuchpool
rec no-command env LC_ALL=C zfs-is-not-here version
rec no-command-shell bash -c "zfs-is-not-here version"
rec no-command-sh sh -c "zfs-is-not-here version"

# --- clear away
zpool destroy -f "${P}2"
zpool destroy -f "$P"
rm -f "$img" "$img.2" "/var/tmp/$P.key" "$out"/.o "$out"/.e "$out"/.t? "$out"/.full
