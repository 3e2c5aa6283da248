#!/bin/sh
# Owns what a testbed leaves in the kernel and on disk: makes the namespaces and a directory, and removes everything as
# soon as its standard input ends. That happens when its starter closes it, and also when its starter is killed.
# Arguments: the names of the namespaces. Prints the directory when all is made.
trap '' HUP INT TERM PIPE

alive() {
  for name; do ip netns pids "$name" 2>/dev/null; done
}

directory=$(mktemp -d -t edgestatd-testbed-XXXXXX) || exit 1
made=
for name; do
  # One that exists is somebody else's: it is neither used nor removed.
  ip netns add "$name" || { broken=yes; break; }
  made="$made $name"
done
if [ -z "$broken" ]; then
  echo "$directory"
  cat >/dev/null
fi
exec >/dev/null

# Two looks in a row must find nothing: a killed starter may have left a program that was just entering.
quiet=0
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  pids=$(alive $made)
  if [ -n "$pids" ]; then
    quiet=0
    kill -9 $pids 2>/dev/null
  else
    quiet=$((quiet + 1))
    [ $quiet -ge 2 ] && break
  fi
  sleep 0.03
done
for name in $made; do ip netns delete "$name" || broken=yes; done
rm -rf -- "$directory" || broken=yes
[ $quiet -ge 2 ] && [ -z "$broken" ]
