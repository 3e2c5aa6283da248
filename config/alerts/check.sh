#!/bin/sh
# Asks Graphite whether one of edgestatd's alert rules has fired, as a monitoring plugin.
#
#   check.sh URL SET RULE [PREFIX]
#
# SET: a file beside this one, without its ending. PREFIX: that of edgestatd's configuration; "edge" if not given.
# Ends with 0: no; 1: yes, it is a warning; 2: yes, it is critical; 3: it could not be asked.
set -eu

unknown() {
  echo "UNKNOWN $*"
  exit 3
}

[ $# -eq 3 ] || [ $# -eq 4 ] || unknown "expected URL SET RULE [PREFIX], as in: check.sh http://graphite.example statsd edgestatd-silent"
url=${1%/}
rule=$3
prefix=${4:-edge}
case $2 in */* | .*) unknown "\"$2\" is no set" ;; esac
rules=$(dirname "$0")/$2.tsv
[ -r "$rules" ] || unknown "there is no set \"$2\" beside check.sh"
case $prefix in *[!A-Za-z0-9_.-]* | .* | *.) unknown "prefix \"$prefix\": expected words of A-Z a-z 0-9 _ - with dots between" ;; esac

tab=$(printf '\t')
found=$(grep -v '^#' "$rules" | grep -F "$rule$tab" | sed -n "s/^$(printf %s "$rule" | tr -cd 'a-z-')$tab//p") || true
[ -n "$found" ] || unknown "there is no rule \"$rule\" in $2.tsv"
severity=${found%%"$tab"*}
rest=${found#*"$tab"}
from=${rest%%"$tab"*}
target=$(printf %s "${rest#*"$tab"}" | sed "s/edge\\.\\*\\./$prefix.*./g")

# One series a line: name,start,end,step|values. Names are made of labels, which hold none of these.
answer=$(curl -fsS --max-time 30 "$url/render" -d format=raw -d "from=$from" --data-urlencode "target=$target" 2>&1) ||
  unknown "$rule: $url: $answer"
names=$(printf '%s\n' "$answer" | sed 's/,.*//' | tr -cd 'A-Za-z0-9_.\n-' | sort | tr '\n' ' ')
names=${names% }
if [ -z "$answer" ]; then
  echo "OK $rule"
elif [ "$severity" = warning ]; then
  echo "WARNING $rule: $names"
  exit 1
else
  echo "CRITICAL $rule: $names"
  exit 2
fi
