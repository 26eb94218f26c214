# zerfaux: what this host can do for a stream to another. $1: ssh to that one, as a command line, quoted.
PATH=$PATH:/usr/local/bin:/usr/bin:/bin LC_ALL=C
export PATH LC_ALL
printf 'client %s\n' "$(ssh -V 2>&1 | head -n 1)"
command -v pv >/dev/null 2>&1 && echo pv
dd if=/dev/null of=/dev/null status=progress 2>/dev/null && echo dd
eval "$1" </dev/null >/dev/null
printf 'ssh %s\n' "$?"
