#!/bin/sh
# Owns what a test's sshd leaves on a machine: runs it in a PID namespace, and ends that and removes the directory as
# soon as standard input ends. That happens when its starter closes it, and also when its starter is killed.
# Arguments: the directory, in which start.sh is, and words before the program. Reads `start` and `kill`, prints `done`.
trap '' HUP INT TERM PIPE
directory=$1
shift

# The first process of a PID namespace takes all others with it, and is waited for only when they are gone. Its number
# may be another one's by now, where it has ended by itself: that one is in another namespace.
end() {
  [ -n "$outside" ] || return 0
  first=
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    [ -s "$directory/namespace" ] && read -r first namespace <"$directory/namespace" && break
    kill -0 "$outside" 2>/dev/null || break
    sleep 0.05
  done
  if [ -n "$first" ] && [ "$(readlink "/proc/$first/ns/pid")" = "$namespace" ]; then
    kill -9 "$first"
  else
    kill -9 "$outside" 2>/dev/null
  fi
  wait "$outside" 2>/dev/null
  outside=
  rm -f -- "$directory/namespace"
}

while read -r command; do
  case $command in
    start)
      end
      # What a shell starts in the background ignores SIGINT, and so would all that sshd starts.
      env --default-signal "$@" unshare --pid --mount --fork --kill-child /bin/sh "$directory/start.sh" \
        </dev/null >>"$directory/log" 2>&1 &
      outside=$!
      ;;
    kill) end ;;
  esac
  echo done
done
exec >/dev/null
end
rm -rf -- "$directory"
