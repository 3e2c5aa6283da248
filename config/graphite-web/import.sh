#!/bin/sh
# Puts edgestatd's dashboards into a graphite-web: each as a dashboard, and as a template for one machine.
#
#   import.sh URL SET [PREFIX]
#
# SET: a folder beside this file. PREFIX: that of edgestatd's configuration; "edge" if not given.
set -eu

fail() {
  echo "import.sh: $*" >&2
  exit 2
}

[ $# -eq 2 ] || [ $# -eq 3 ] || fail "expected URL SET [PREFIX], as in: import.sh http://graphite.example statsd"
url=${1%/}
folder=$(dirname "$0")/$2
prefix=${3:-edge}
case $2 in */* | .*) fail "\"$2\" is no set: expected the name of a folder beside this file" ;; esac
[ -d "$folder" ] || fail "there is no set \"$2\" beside this file"
case $prefix in *[!A-Za-z0-9_.-]* | .* | *.) fail "prefix \"$prefix\": expected words of A-Z a-z 0-9 _ - with dots between" ;; esac

# An error is told with status 200, too.
save() {
  answer=$(curl -fsS --max-time 30 --data-urlencode "state@$3" "$url/dashboard/$1/$2") || fail "$url did not take $2"
  case $answer in
    *'"success": true'* | *'"success":true'*) ;;
    *) fail "$url did not take $2: $answer" ;;
  esac
}

state=$(mktemp)
trap 'rm -f "$state"' EXIT
trap 'exit 1' HUP INT TERM
for file in "$folder"/*.json; do
  name=$(basename "$file" .json)
  # In targets, and in the URLs of their graphs.
  sed "s/edge\\.\\*\\./$prefix.*./g" "$file" >"$state"
  save save "$name" "$state"
  # graphite-web puts what stands in the address of a template in the place of this word.
  sed "s/edge\\.\\*\\./EDGESTATD_MACHINE./g" "$file" >"$state"
  save save_template "$name/EDGESTATD_MACHINE" "$state"
  echo "$url/dashboard/$name"
done
