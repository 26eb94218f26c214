# shellcheck shell=bash disable=SC2034
# Shared by the lab's scripts: where things are, how a host is reached, what must be installed.
# Not here: anything that starts, builds or tests something.

LAB_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB=${ZERFAUX_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/zerfaux-lab}
IMAGE=$LAB/image
KEYS=$LAB/keys
HOSTS=$LAB/hosts

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }

# Host names are one letter, so that address, port file and disk serials follow from them without a table.
check_name() { [[ $1 =~ ^[a-z]$ ]] || fail "a host's name is one letter from a to z, not '$1'"; }

# a -> 10.77.0.11, b -> 10.77.0.12, ... on the network that only the hosts share
lab_address() { printf '10.77.0.%d' $(($(printf '%d' "'$1") - 97 + 11)); }

# Two labs on one machine must not hear each other: the multicast port follows from the lab's directory.
multicast_port() { printf '%d' $((17800 + $(printf '%s' "$LAB" | cksum | cut -d' ' -f1) % 1000)); }

host_names() { # every host that this lab ever started and did not remove
  local host
  for host in "$HOSTS"/[a-z]; do [ ! -d "$host" ] || printf '%s\n' "${host##*/}"; done
}

pid_of() { # the pid of a host's QEMU, only if that process is still this lab's QEMU
  local pid
  pid=$(cat "$HOSTS/$1/pid" 2>/dev/null) || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$HOSTS/$1/pid" || return 1
  printf '%s' "$pid"
}

port_of() { cat "$HOSTS/$1/port" 2>/dev/null || fail "host $1 was never started in $LAB"; }

# One ssh configuration for people, scripts and other tools (syncoid): `ssh -F FILE a`.
# curve25519 and AES-GCM because the default key exchange takes a second of emulated processor.
write_ssh_config() {
  local name
  {
    for name in $(host_names); do
      [ -e "$HOSTS/$name/port" ] || continue
      printf 'Host %s\n  HostName 127.0.0.1\n  Port %s\n' "$name" "$(cat "$HOSTS/$name/port")"
    done
    cat <<CONFIG
Host *
  User zfsadmin
  IdentityFile $KEYS/id_ed25519
  IdentitiesOnly yes
  UserKnownHostsFile $KEYS/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  LogLevel ERROR
  KexAlgorithms curve25519-sha256
  Ciphers aes128-gcm@openssh.com
CONFIG
  } >"$LAB/ssh_config.new"
  mv "$LAB/ssh_config.new" "$LAB/ssh_config"
}

# What the tests read (tests/support/lab): one line per running host.
write_hosts_file() {
  local name
  for name in $(host_names); do
    pid_of "$name" >/dev/null || continue
    printf 'name=%s address=127.0.0.1 port=%s lab_address=%s key=%s known_hosts=%s\n' \
      "$name" "$(port_of "$name")" "$(lab_address "$name")" "$KEYS/id_ed25519" "$KEYS/known_hosts"
  done >"$LAB/hosts.new"
  mv "$LAB/hosts.new" "$LAB/hosts.list"
}

# Work on the shared files above happens under one lock, since two hosts start at the same time.
with_lock() {
  mkdir -p "$LAB"
  ( flock 8; "$@" ) 8>"$LAB/.files.lock"
}

# ---- Debian packages

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
can_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }; }

# The mirror this machine's own apt uses for Debian ("debian") or its security updates ("debian-security").
debian_mirror() {
  local found
  found=$(
    {
      sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources
      sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list
    } 2>/dev/null | tr ' ' '\n' | grep -E "/$1/?\$" | head -n 1
  )
  printf '%s' "${found%/}"
}
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

missing_packages() { # arguments package:command, package:/file or package:@Perl::Module; prints the packages that lack it
  local wanted probe
  for wanted in "$@"; do
    probe=${wanted#*:}
    case $probe in
      /*) [ -e "$probe" ] ;;
      @*) perl "-M${probe#@}" -e 1 2>/dev/null ;;
      *) command -v "$probe" >/dev/null ;;
    esac || printf '%s\n' "${wanted%%:*}"
  done
}

# Debian 12's own QEMU (7.2) is too slow and too old for the disks' options; backports has 10.x.
add_backports() {
  local release
  release=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  [ "$release" = bookworm ] || return 0
  grep -rqs 'bookworm-backports' /etc/apt/sources.list /etc/apt/sources.list.d && return 0
  local mirror
  mirror=$(debian_mirror debian)
  [ -n "$mirror" ] || fail "cannot find this machine's Debian mirror in /etc/apt, so bookworm-backports (QEMU 10) cannot be added"
  printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\nSigned-By: %s\n' "$mirror" "$DEBIAN_KEYRING" |
    as_root tee /etc/apt/sources.list.d/zerfaux-lab-backports.sources >/dev/null
  LAB_APT_UPDATED=
  say "added bookworm-backports to apt (zerfaux-lab-backports.sources) for QEMU"
}

# install_packages [-t SUITE] PACKAGE...
install_packages() {
  local log=$LAB/apt.log
  mkdir -p "$LAB"
  if [ -z "${LAB_APT_UPDATED:-}" ]; then
    as_root apt-get update -qq >"$log" 2>&1 || { tail -n 5 "$log" >&2; fail "apt-get update failed (whole output: $log)"; }
    LAB_APT_UPDATED=1
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q -o DPkg::Lock::Timeout=300 --no-install-recommends "$@" >>"$log" 2>&1 </dev/null ||
    { tail -n 15 "$log" >&2; fail "apt-get could not install: $* (whole output: $log)"; }
}

# What running the hosts needs; install_lab_packages says what it leaves out when it may not install.
RUN_PACKAGES=(qemu-system-x86:qemu-system-x86_64 qemu-utils:qemu-img seabios:/usr/share/seabios/bios-256k.bin
  openssh-client:ssh cpio:cpio zstd:zstd python3:python3 procps:ps iproute2:ss)
BUILD_PACKAGES=(mmdebstrap:mmdebstrap lz4:lz4 e2fsprogs:mke2fs "debian-archive-keyring:$DEBIAN_KEYRING")

install_lab_packages() { # arguments as missing_packages takes them
  local missing suite=()
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  can_install || fail "missing Debian packages: ${missing[*]} (install them, or run as root or with sudo)"
  say "installing Debian packages: ${missing[*]}"
  if [[ " ${missing[*]} " == *" qemu-"* || " ${missing[*]} " == *" seabios "* ]]; then
    add_backports
    [ "$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")" != bookworm ] || suite=(-t bookworm-backports)
  fi
  install_packages "${suite[@]}" "${missing[@]}"
}
