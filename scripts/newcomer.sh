#!/bin/sh
# A newcomer's walk through the README, in a clean Debian: what it says to install, clone and run, in that order. Ends
# with another code than 0 at the first step that fails, and names it. Run it as root in a machine or chroot that may be
# changed:
#
#   scripts/newcomer.sh REPOSITORY [FOLDER]
#
# REPOSITORY is what git clones; FOLDER, which must not exist, is where to (default: /root/edgestatd).
set -eu

repository=${1:?usage: scripts/newcomer.sh REPOSITORY [FOLDER]}
folder=${2:-/root/edgestatd}
log=$(mktemp)
daemon=

step() {
  echo "newcomer: $1"
  current=$1
}
finish() {
  code=$?
  if [ -n "$daemon" ]; then kill -s TERM -- "-$daemon" 2>/dev/null || true; fi
  if [ "$code" -ne 0 ]; then
    echo "newcomer: failed at: $current" >&2
    tail -n 30 "$log" >&2
  fi
  rm -f "$log"
}
trap finish EXIT

step 'install git, Node.js and npm'
if ! command -v git >/dev/null || ! command -v npm >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  apt-get update >>"$log" 2>&1
  apt-get install -y --no-install-recommends ca-certificates git nodejs npm >>"$log" 2>&1
fi

step 'git clone'
git clone --quiet "$repository" "$folder" >>"$log" 2>&1
cd "$folder"

step 'npm ci'
npm ci >>"$log" 2>&1

step 'npm run -s edgestatd -- check --offline'
npm run -s edgestatd -- check --offline >>"$log" 2>&1

# Where nobody listens at 127.0.0.1:8125, which is so on a clean machine, the log says that.
step 'npm start, until it sends or says that nobody listens'
setsid npm start >"$log" 2>&1 &
daemon=$!
tries=0
until grep -q '"event":"sink:\(delivering\|down\)"' "$log"; do
  kill -0 "$daemon" 2>/dev/null || exit 1
  tries=$((tries + 1))
  [ "$tries" -le 60 ] || exit 1
  sleep 1
done

# As Ctrl-C does: the signal is for npm and all that it started. npm's own exit code says nothing of the daemon's.
step 'a signal ends it'
kill -s TERM -- "-$daemon"
wait "$daemon" || true
tries=0
until grep -q '"event":"daemon:stopped"' "$log"; do
  tries=$((tries + 1))
  [ "$tries" -le 30 ] || exit 1
  sleep 1
done
daemon=

step 'npm run -s edgestatd -- once'
npm run -s edgestatd -- once >"$log" 2>&1
grep -q '^edge\.[^ ]*\.tcp\.' "$log"

step 'npm run -s edgestatd -- metrics'
npm run -s edgestatd -- metrics >"$log" 2>&1
grep -q 'retransmit_ratio' "$log"

step 'check says plainly that nobody listens at 127.0.0.1:8125'
if npm run -s edgestatd -- check >"$log" 2>&1; then exit 1; fi
grep -q '^fail .*statsd' "$log"

step 'a configuration of his own, with a mistake in it'
printf 'prefix: edge\nsinks: [ { type: statsd, hots: 192.0.2.1 } ]\njobs: [ { collector: tcp, every: 10s } ]\n' >/tmp/newcomer.yaml
if npm run -s edgestatd -- check --offline --config /tmp/newcomer.yaml >"$log" 2>&1; then exit 1; fi
grep -q 'newcomer.yaml:2:.*hots.*host' "$log"
rm -f /tmp/newcomer.yaml

current=
echo 'newcomer: arrived'
