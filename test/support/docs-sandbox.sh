#!/bin/sh
# A machine of its own for the commands that the pages print: its own /etc, /var/lib, /home and /run over those that are
# there, its own network with a real StatsD at 127.0.0.1:8125, and nothing of it left behind. Run as root by
# docs-sandbox.ts below unshare(1), which ends every process in it when this script ends.
#
#   docs-sandbox.sh ROOT DIRECTORY NODE     DIRECTORY has bin/, blocks/*.sh, perhaps prepare.sh; results go to results/
set -eu
root=$1
directory=$2
node=$3

mount --make-rprivate /
mkdir "$directory/over" "$directory/results"
mount -t tmpfs tmpfs "$directory/over"
for place in etc var/lib home; do
  mkdir -p "$directory/over/$place/upper" "$directory/over/$place/work"
  mount -t overlay overlay -o "lowerdir=/$place,upperdir=$directory/over/$place/upper,workdir=$directory/over/$place/work" "/$place"
done
mount -t tmpfs tmpfs /run
ip link set lo up
mkdir -p /etc/edgestatd /var/lib/edgestatd

export PATH="$directory/bin:$PATH" HOME="$directory" EDGESTATD_SANDBOX="$directory"
unset XDG_RUNTIME_DIR RUNTIME_DIRECTORY NOTIFY_SOCKET
cat > "$directory/statsd.js" <<'END'
{ port: 8125, address: '127.0.0.1', mgmt_port: 8126, mgmt_address: '127.0.0.1', backends: [], flushInterval: 600000, automaticConfigReload: false }
END
"$node" -r "$root/test/support/statsd-on-new-node.cjs" "$root/node_modules/statsd/stats.js" "$directory/statsd.js" \
  > "$directory/statsd.log" 2>&1 &
tries=0
until grep -q ':1FBD 00000000:0000' /proc/net/udp; do
  tries=$((tries + 1))
  [ "$tries" -lt 200 ] || { echo 'StatsD does not listen' >&2; exit 1; }
  sleep 0.05
done

cd "$directory"
if [ -f prepare.sh ]; then bash -euo pipefail prepare.sh; fi
for block in blocks/*.sh; do
  name=$(basename "$block" .sh)
  status=0
  timeout 60 bash -euo pipefail "$block" > "results/$name.out" 2>&1 < /dev/null || status=$?
  echo "$status" > "results/$name.status"
done
