#!/bin/sh
# Prepares a virtual machine as a template for ZFS appliances of Zerfaux: Debian 12 or 13.
#
# Run it as root in the virtual machine, shut the machine down, and turn it into a template. It may be run again at
# any time, also on an appliance in use: what is there already stays, and this machine keeps its identity.
#
# What it does: installs OpenZFS, the NFS server, open-vm-tools, sudo and the SSH server; makes the user that Zerfaux
# logs in as, with Zerfaux's public key; lets that user run as root what Zerfaux runs and nothing else; has every clone
# of this machine make SSH host keys and a machine-id of its own at its first start, and tell its host key to Zerfaux
# through VMware (guestinfo).
set -eu

USER_NAME=@USER@
PUBLIC_KEY=@PUBLIC_KEY@

LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DEBIAN_FRONTEND=noninteractive
export LC_ALL PATH DEBIAN_FRONTEND

say() { printf '%s\n' "zerfaux: $*"; }
refuse() { printf '%s\n' "zerfaux: $*" >&2; exit 1; }

# The new text of a file comes on standard input. The file is replaced as a whole, or left alone if it says that.
put() { # MODE FILE
    new=$(mktemp "$2.XXXXXX")
    cat >"$new"
    chmod "$1" "$new"
    if cmp -s "$new" "$2" && [ "$(stat -c %a "$2")" = "$1" ]; then
        rm -f "$new"
        return 0
    fi
    mv -f "$new" "$2"
    say "wrote $2"
}

# --- Is this a machine for it? ---------------------------------------------------------------------------------

[ "$(id -u)" = 0 ] || refuse "this has to be run as root: sudo sh $0"
ID=unknown VERSION_ID=unknown
if [ -r /etc/os-release ]; then
    # shellcheck disable=SC1091
    . /etc/os-release
fi
case "$ID $VERSION_ID" in
    "debian 12" | "debian 13") ;;
    *) refuse "this is $ID $VERSION_ID; the script knows Debian 12 and 13 only. Nothing was changed." ;;
esac
# Without systemd running this is a directory that is being made into a machine: nothing is started here then.
if [ -d /run/systemd/system ]; then running=yes; else running=no; fi
say "preparing $ID $VERSION_ID for the user $USER_NAME"

# --- Packages --------------------------------------------------------------------------------------------------

missing() {
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf ' %s' "$package"
    done
}

# OpenZFS is in Debian's component "contrib", for reasons of licence.
add_contrib() {
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
        [ -f "$file" ] || continue
        sed -i '/^deb /{/ main/{/ contrib/!s/ main/ main contrib/}}' "$file"
    done
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        sed -i '/^Components:/{/ main/{/ contrib/!s/ main/ main contrib/}}' "$file"
    done
}

wanted=$(missing zfsutils-linux nfs-kernel-server open-vm-tools openssh-server openssh-client sudo perl pv)
# The module comes with some kernels. Where it does not, it is built for each kernel that is installed.
if ! modinfo zfs >/dev/null 2>&1; then
    wanted="$wanted$(missing zfs-dkms "linux-headers-$(dpkg --print-architecture)")"
fi
if [ -n "$wanted" ]; then
    say "installing$wanted; this takes a while where the kernel module has to be built"
    apt-get -q update
    # `apt-cache show` would also succeed for a name that other packages only mention.
    candidate=$(apt-cache policy zfsutils-linux | sed -n 's/^  Candidate: //p')
    if [ -z "$candidate" ] || [ "$candidate" = '(none)' ]; then
        add_contrib
        say "added the component contrib to the package sources"
        apt-get -q update
    fi
    # shellcheck disable=SC2086
    apt-get -q -y --no-install-recommends install $wanted || refuse "could not install$wanted; apt says why, above. \
Look at this machine's package sources (/etc/apt) and its way to them, then run this again."
fi
if [ "$running" = yes ]; then
    modprobe zfs || refuse "the kernel module of OpenZFS does not load. Where Secure Boot is on, switch it off for \
this virtual machine, or enrol the key that DKMS signs with. Then run this again."
fi
say "OpenZFS $(dpkg-query -W -f '${Version}' zfsutils-linux), NFS server, VMware Tools and SSH server are installed"

# --- The user --------------------------------------------------------------------------------------------------

if ! id "$USER_NAME" >/dev/null 2>&1; then
    useradd --create-home --shell /bin/bash --comment 'Zerfaux' "$USER_NAME"
    # No password: one gets in with the key only.
    usermod --password '*' "$USER_NAME"
    say "made the user $USER_NAME"
fi
home=$(getent passwd "$USER_NAME" | cut -d: -f6)
group=$(id -gn "$USER_NAME")
[ -d "$home" ] || refuse "the user $USER_NAME has no home directory"
install -d -m 700 -o "$USER_NAME" -g "$group" "$home/.ssh"
keys=$home/.ssh/authorized_keys
if ! { [ -f "$keys" ] && grep -qxF -e "$PUBLIC_KEY" "$keys"; }; then
    # A last line without its end would swallow ours.
    if [ -s "$keys" ] && [ -n "$(tail -c 1 "$keys")" ]; then echo >>"$keys"; fi
    printf '%s\n' "$PUBLIC_KEY" >>"$keys"
    say "added the key of Zerfaux to $keys"
fi
chown "$USER_NAME:$group" "$keys"
chmod 600 "$keys"

# --- What it may do as root --------------------------------------------------------------------------------------

if [ "$USER_NAME" != root ]; then
    rules=$(mktemp /etc/sudoers.d/.zerfaux.XXXXXX)
    cat >"$rules" <<RULES
# What Zerfaux runs as root, and nothing else. Written by its preparation script.
$USER_NAME ALL=(root) NOPASSWD: /usr/sbin/zfs, /usr/sbin/zpool
$USER_NAME ALL=(root) NOPASSWD: /usr/sbin/exportfs -v
$USER_NAME ALL=(root) NOPASSWD: /usr/bin/systemctl enable --now nfs-server.service
$USER_NAME ALL=(root) NOPASSWD: /usr/bin/journalctl -q -n 20 --no-pager -u nfs-server.service
$USER_NAME ALL=(root) NOPASSWD: /usr/bin/rm ^-f -- /srv/zerfaux/[^/]+/[^/]+/[^/]*[.]lck[^/]*$
RULES
    chmod 440 "$rules"
    if ! visudo -q -c -f "$rules"; then
        rm -f "$rules"
        refuse "sudo does not take the rules for $USER_NAME; they were not put in place"
    fi
    if cmp -s "$rules" /etc/sudoers.d/zerfaux && [ "$(stat -c %a /etc/sudoers.d/zerfaux)" = 440 ]; then
        rm -f "$rules"
    else
        mv -f "$rules" /etc/sudoers.d/zerfaux
        say "wrote /etc/sudoers.d/zerfaux"
    fi
fi

# --- The SSH server ----------------------------------------------------------------------------------------------

# A peer that died is let go after half a minute, or its `zfs receive` keeps the dataset busy.
install -d -m 755 /etc/ssh/sshd_config.d
put 644 /etc/ssh/sshd_config.d/10-zerfaux.conf <<'CONFIG'
# Written by the preparation script of Zerfaux.
ClientAliveInterval 10
ClientAliveCountMax 3
CONFIG
install -d -m 755 /run/sshd
sshd -t || refuse "the SSH server does not take its configuration; see above"

# --- An identity of its own for every clone ------------------------------------------------------------------------

install -d -m 755 /usr/local/lib/zerfaux /var/lib/zerfaux
put 755 /usr/local/lib/zerfaux/identity <<'IDENTITY'
#!/bin/sh
# Runs early at every start. A machine that was cloned (its BIOS UUID is another one than that noted here) gets SSH host
# keys and a machine-id of its own, once. Then the host key is told to Zerfaux through VMware, with the number
# that Zerfaux set before it powered the machine on: what was told to an earlier start proves nothing.
set -eu
state=/var/lib/zerfaux
here=$(cat /sys/class/dmi/id/product_uuid 2>/dev/null || echo unknown)

if [ "$(cat "$state/machine" 2>/dev/null || true)" != "$here" ]; then
    rm -f /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub
    ssh-keygen -A
    # One that systemd has made for this very start is new already.
    if [ "$(cat /etc/machine-id)" = "$(cat "$state/machine-id" 2>/dev/null || echo none)" ]; then
        rm -f /var/lib/dbus/machine-id
        # From random numbers, not from what the machine shows of itself: that may be cloned, too.
        tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id.new
        chmod 444 /etc/machine-id.new
        mv -f /etc/machine-id.new /etc/machine-id
        if [ -d /var/lib/dbus ]; then ln -sf /etc/machine-id /var/lib/dbus/machine-id; fi
    fi
    cat /etc/machine-id >"$state/machine-id"
    sync
    printf '%s\n' "$here" >"$state/machine"
    echo "zerfaux: this machine has an identity of its own now"
fi

tell() { vmware-rpctool "$1" 2>/dev/null; }
if ! number=$(tell 'info-get guestinfo.zerfaux.nonce'); then
    if vmware-checkvm >/dev/null 2>&1; then
        echo "zerfaux: Zerfaux has not asked for the host key of this machine, so it is not told"
    else
        echo "zerfaux: VMware does not run this machine, or its tools are missing: the host key is not told"
    fi
    exit 0
fi
case $number in
    '' | *[!0-9a-f]*)
        echo "zerfaux: what Zerfaux set before the start (guestinfo.zerfaux.nonce) is no number: the host key is not told"
        exit 0
        ;;
esac
print=$(ssh-keygen -l -E sha256 -f /etc/ssh/ssh_host_ed25519_key.pub | cut -d ' ' -f 2)
tell "info-set guestinfo.zerfaux.hostkey $number $print" >/dev/null
echo "zerfaux: told the host key $print"
IDENTITY
put 644 /etc/systemd/system/zerfaux-identity.service <<'UNIT'
# Written by the preparation script of Zerfaux.
[Unit]
Description=Give a cloned machine its own identity, and tell Zerfaux its SSH host key
DefaultDependencies=no
RequiresMountsFor=/etc/ssh /var/lib/zerfaux
After=local-fs.target systemd-remount-fs.service systemd-random-seed.service
Before=network-pre.target ssh.service ssh.socket shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/zerfaux/identity

[Install]
WantedBy=multi-user.target
UNIT
# This machine keeps what it has; only a clone of it is another machine.
if ! cat /sys/class/dmi/id/product_uuid >/var/lib/zerfaux/machine 2>/dev/null; then
    echo unknown >/var/lib/zerfaux/machine
    say "this machine shows no BIOS UUID. A clone that shows one gets an identity of its own, any other keeps this one."
fi
cat /etc/machine-id >/var/lib/zerfaux/machine-id 2>/dev/null || :>/var/lib/zerfaux/machine-id

# --- Services ------------------------------------------------------------------------------------------------------

disabled=
for unit in ssh.service nfs-server.service zfs-import-cache.service zfs-mount.service zfs-share.service \
    zfs-import.target zfs.target zerfaux-identity.service; do
    systemctl -q is-enabled "$unit" 2>/dev/null || disabled="$disabled $unit"
done
if [ -n "$disabled" ]; then
    # All at once: each time, systemd reads all that it knows anew.
    # shellcheck disable=SC2086
    systemctl -q enable $disabled
    say "enabled$disabled"
fi
if [ "$running" = yes ]; then
    systemctl daemon-reload
    systemctl try-reload-or-restart ssh.service
    systemctl -q start nfs-server.service
    vmware-checkvm >/dev/null 2>&1 || say "VMware does not run this machine, so it cannot tell its host key. A \
clone that VMware runs will do so; of any other, the key is taken as it is shown first."
fi
apt-get -q clean

say "done. Shut this machine down and turn it into a template, then register it in Zerfaux."
