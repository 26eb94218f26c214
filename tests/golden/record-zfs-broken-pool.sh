#!/bin/bash
# Records what OpenZFS says of a degraded and of a suspended pool. Run as root on a host that is THROWN AWAY
# afterwards: it leaves a suspended pool behind, which only a restart clears. The files land in /var/tmp/zx-danger.
export LC_ALL=C
out=/var/tmp/zx-danger; mkdir -p $out
rec() { local name=$1; shift; timeout 25 "$@" >"$out/.o" 2>"$out/.e" </dev/null; local rc=$?
 { printf '$ %s\n' "$*"; printf 'exit %s\n--- stdout\n' "$rc"; cat "$out/.o"; printf -- '--- stderr\n'; cat "$out/.e"; } >"$out/$name.txt"; echo "$name rc=$rc $(head -c 300 $out/.e | tr '\n' '|')"; }
# pool on dm device, failing
truncate -s 300M /var/tmp/zxd.img; truncate -s 300M /var/tmp/zxd2.img
L=$(losetup -f --show /var/tmp/zxd.img); S=$(blockdev --getsz $L)
dmsetup create zxd --table "0 $S linear $L 0"
zpool create -o failmode=continue -O mountpoint=/var/tmp/zxdm zxd /dev/mapper/zxd
zfs create zxd/a; dd if=/dev/urandom of=/var/tmp/zxdm/a/f bs=1M count=30 status=none; zfs snapshot zxd/a@s1; zpool sync zxd
# degraded mirror
truncate -s 100M /var/tmp/m1.img /var/tmp/m2.img
zpool create zxm mirror /var/tmp/m1.img /var/tmp/m2.img; zpool offline zxm /var/tmp/m2.img
rec pool-status-degraded zpool status -p zxm
rec pool-get-degraded zpool get -Hp -o property,value size,allocated,free,fragmentation,capacity,health,readonly zxm
zpool online zxm /var/tmp/m2.img
# read errors: remount with an error table
dmsetup suspend zxd; dmsetup reload zxd --table "0 $S error"; dmsetup resume zxd
echo 3 > /proc/sys/vm/drop_caches
zfs set x:y=z zxd & sleep 3
rec send-io-error bash -c 'zfs send zxd/a@s1 | cat >/dev/null; exit ${PIPESTATUS[0]}'
rec snapshot-suspended zfs snapshot zxd/a@s2
rec list-suspended zfs list -Hp -o name,guid zxd/a
rec pool-status-suspended zpool status -p zxd
rec pool-get-suspended zpool get -Hp -o property,value size,allocated,free,fragmentation,capacity,health,readonly zxd
rec receive-suspended bash -c 'cat /dev/null | zfs receive -s -u zxd/b'
rec create-suspended zfs create zxd/c
