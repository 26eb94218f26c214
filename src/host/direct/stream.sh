# zerfaux: a stream from this host to another. $1 writes it, $2 counts it, $3 takes it: command lines, quoted.
# Standard output carries the count and how each of the three ended; standard error what they say, marked by whose it
# is; standard input a beat every few seconds. When the beat ends, so does $3, and with it the others: nothing goes on
# here for somebody who is gone. Nothing is written to any file.
PATH=$PATH:/usr/local/bin:/usr/bin:/bin LC_ALL=C
export PATH LC_ALL
exec 3>&1 4>&2 5<&0 </dev/null

say() { while IFS= read -r line || [ -n "$line" ]; do printf '%s %s\n' "$1" "$line" >&4; done; }
ended() { printf '\n%s %s\n' "$1" "$2" >&3; }

# Ends process $1 when the beat on standard input stops for 30 s, or is over.
watch() {
  missed=0
  while read -r word; do
    case $word in beat) missed=0 ;; tick) missed=$((missed + 1)) ;; *) break ;; esac
    [ "$missed" -lt 6 ] || break
  done
  kill "$1"
}

# Descriptors are closed by exec in shells of their own: a shell keeps a copy of what it closes for one command only,
# and whoever is left over would hold the connection open.
take() {
  eval "exec $1" <&7 2>&1 3>&- 4>&- 5<&- 7<&- &
  taker=$!
  (
    exec <&5 2>/dev/null 3>&- 4>&- 5<&- 7<&-
    (while sleep 5 && echo tick; do :; done) &
    cat
    echo gone
  ) | (
    exec >/dev/null 2>&1 3>&- 4>&- 5<&- 7<&-
    watch "$taker"
  ) &
  watcher=$!
  wait "$taker"
  ended receive "$?"
  kill "$watcher" 2>/dev/null
}

{
  {
    eval "$1" 3>&- 4>&- 5<&-
    ended send "$?"
  } 2>&1 >&6 6>&- | (exec 6>&-; say send)
} 6>&1 | {
  eval "$2" 2>&3 3>&- 4>&- 5<&-
  ended meter "$?"
} | {
  take "$3" | (exec 7<&-; say receive)
} 7<&0
exit 0
