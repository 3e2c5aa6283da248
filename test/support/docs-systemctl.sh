#!/bin/sh
# What stands for systemctl(1) in docs-sandbox.sh, where there is no systemd: it starts, reloads and stops edgestatd.
set -eu
log=$EDGESTATD_SANDBOX/daemon.log
wanted() {
  tries=0
  until [ "$(grep -c "$1" "$log")" -gt "$2" ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 400 ] || { cat "$log" >&2; exit 1; }
    sleep 0.05
  done
}
case "$*" in
  'start edgestatd' | 'restart edgestatd')
    if [ -f "$EDGESTATD_SANDBOX/daemon.pid" ]; then kill "$(cat "$EDGESTATD_SANDBOX/daemon.pid")"; fi
    : > "$log"
    edgestatd run >> "$log" 2>&1 &
    echo $! > "$EDGESTATD_SANDBOX/daemon.pid"
    wanted '"event":"sink:delivering"' 0
    ;;
  'reload edgestatd')
    before=$(grep -c '"event":"daemon:reloaded"' "$log" || :)
    kill -HUP "$(cat "$EDGESTATD_SANDBOX/daemon.pid")"
    wanted '"event":"daemon:reloaded"' "$before"
    ;;
  *)
    echo "systemctl $*: this sandbox has no systemd" >&2
    exit 1
    ;;
esac
