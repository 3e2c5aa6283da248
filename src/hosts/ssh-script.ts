/**
 * What is said to a remote /bin/sh: dash, bash, BusyBox ash, ksh. Pure.
 *
 * Everything that it answers is framed by a marker that nobody can know beforehand: `MARKER`, a letter, a text, a
 * newline. `b`: the shell began. `p`: what `kill` ends the program by. `r`: how the program ended. `k`: the kind of a
 * file. `e`: the end, which comes once on each stream that is used. All else between is what was asked for.
 */
import type { Argv } from '../host.ts';
import { quoteCommand, quoteWord } from './quote.ts';

/** What the login shell is told: understood alike by POSIX shells, csh and fish. */
export const START = 'exec /bin/sh';

/** `safetySeconds`: programs are ended after so long whatever happens, where `timeout` is there. */
export function prelude(marker: string, safetySeconds: number): string {
  const middle = marker.length / 2;
  // In halves: a forced command that repeats what it reads is no shell.
  // bash takes options from SHELLOPTS too: `-e` would end it, and `-x` speak between the answers.
  return `set +aCefuvx
m=${marker.slice(0, middle)}; m=$m''${marker.slice(middle)}; echo "\${m}b"
${ENVIRONMENT}
${tools(safetySeconds)}
${FUNCTIONS}
echo "\${m}e"; echo "\${m}e" >&2
`;
}

/** A program with its words; both streams. */
export const runScript = (marker: string, argv: Argv): string => `edge_run ${marker} ${quoteCommand(argv)}`;

/** The whole of a file; both streams. */
export const fileScript = (marker: string, path: string, limit?: number): string =>
  `edge_file ${marker} ${quoteWord(path)} ${limit ?? ''}`;

/** Blocks of a file, after a line `DEVICE:INODE SIZE`; both streams. */
export const partScript = (marker: string, path: string, skip: number, count: number): string =>
  `edge_part ${marker} ${quoteWord(path)} ${skip} ${count}`;

/**
 * A letter for each file, a newline, and the files with what cat(1) says of them, each followed by `E=`, the separator and
 * a NUL, unless one of the files may never end; `r` is the status of cat. One stream.
 */
export const filesScript = (marker: string, separator: string, paths: readonly string[]): string =>
  `edge_files ${marker} ${separator} ${paths.map((path) => `${quoteWord(path)} $e`).join(' ')}`;

/** The paths in a directory, each with a NUL; one stream. */
export const listScript = (marker: string, path: string): string => `edge_list ${marker} ${quoteWord(path)}`;

/** What `p` told, and a signal's name without SIG. */
export const killScript = (id: string, signal: string): string => `kill -${signal} ${id} 2>/dev/null`;

/** The same for sudo alone, where a timeout(1) stands before it, which would take SIGALRM for its own. */
export const killSudoScript = (id: string, signal: string): string =>
  `edge_sudo ${id} ${signal} ${id.replace('-', '')} 2>/dev/null`;

/** As programs find it on our machine (src/hosts/program.ts). No function of an rc file may pose as a program. */
const ENVIRONMENT = `unset -f cat cd dd echo env head kill printf read setsid sleep stat test timeout trap true wait 2>/dev/null
unset IFS ENV BASH_ENV CDPATH LANG LANGUAGE LC_ADDRESS LC_COLLATE LC_CTYPE LC_IDENTIFICATION LC_MEASUREMENT LC_MESSAGES
unset LC_MONETARY LC_NAME LC_NUMERIC LC_PAPER LC_TELEPHONE LC_TIME
LC_ALL=C; export LC_ALL
q=; IFS=:; set -f
for d in $PATH /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
case $q: in *:"$d":*) ;; *) case $d in /*) q=$q:$d ;; esac ;; esac
done
PATH=\${q#:}; export PATH; unset IFS; set +f
cd /; unset OLDPWD`;

/**
 * A connection that breaks is the end of the shell's input: whatever it has started is ended then. `w`: what programs
 * are started by, so that they are a process group of their own, as timeout(1) of coreutils makes one too; BusyBox knows
 * three forms of timeout. `g`: the group and not the process is ended.
 */
const tools = (seconds: number): string => `trap 'trap "" HUP; kill -HUP 0' EXIT
e=/proc/self/environ; w=; g=
case $(timeout --version 2>/dev/null </dev/null) in
*coreutils*) w="timeout -k 10 ${seconds}"; g=- ;;
*)
if setsid true; then w=setsid; g=-; fi </dev/null >/dev/null 2>&1
if timeout -k 2 9 true; then w="$w timeout -k 10 ${seconds}"
elif timeout 9 true; then w="$w timeout ${seconds}"
elif timeout -t 9 true; then w="$w timeout -t ${seconds}"
fi </dev/null >/dev/null 2>&1 ;;
esac
w=\${w:-env}`;

/**
 * edge_run: the program is started in the background, so that the shell goes on reading what it is told (`kill`).
 * Two `cat` stand between it and us: what it leaves behind can hold their pipes, but never write into what the shell is
 * asked next; the end comes when both have ended.
 *
 * edge_kind: `f` file, `d` directory, `p` FIFO, `s` socket, `o` other, `n` missing, `x` behind a directory that may not be searched.
 *
 * edge_files: one `cat` for all, its own environment between them, which holds nothing but a separator: that file says
 * where each of the others ends, whatever is in them.
 */
const FUNCTIONS = `edge_run() {
m=$1; shift
{ { {
trap 'kill -TERM $g$p; sleep 1; kill -KILL $g$p' HUP
$w "$@" </dev/null 2>&3 3>&- 5>&- &
p=$!
echo "\${m}p$g$p" >&5
wait $p
r=$?; l=; f=
kill -0 $g$p && l=l
case $r in 126|127) edge_find "$1" ;; esac
echo "\${m}r$r$l$f"
} 3>&1 >&4 4>&- 5>&2 2>/dev/null | cat >&2
} 4>&1 | cat
echo "\${m}e"; echo "\${m}e" >&2
} &
}
edge_sudo() {
c=$1
case $w in timeout*) read -r c <"/proc/$3/task/$3/children" ;; esac
kill -$2 $c
}
edge_find() {
f=n
case $1 in
*/*) edge_try "$1" ;;
*) IFS=:; set -f; for d in $PATH; do edge_try "$d/$1"; done ;;
esac
}
edge_try() {
if [ -f "$1" ] && [ -x "$1" ]; then f=; elif [ -e "$1" ] && [ "$f" = n ]; then f=x; fi
}
edge_kind() {
if [ -f "$1" ]; then k=f; elif [ -d "$1" ]; then k=d; elif [ -p "$1" ]; then k=p; elif [ -S "$1" ]; then k=s
elif [ -e "$1" ]; then k=o
else
k=n; d=$1
while :; do
case $d in */*) d=\${d%/*} ;; *) break ;; esac
if [ -d "$d/" ]; then [ -x "$d/" ] || k=x; break; elif [ -e "$d" ]; then break; fi
done
fi
}
edge_file() {
edge_kind "$2"
echo "$1k$k"
{
case $k in [fp]) if [ -n "$3" ]; then cat -- "$2" | head -c "$3"; else cat -- "$2"; fi ;; esac
echo "$1e"; echo "$1e" >&2
} </dev/null &
}
edge_part() {
edge_kind "$2"
echo "$1k$k"
{
case $k in f) { stat -L -c '%d:%i %s' /proc/self/fd/0 && dd bs=4096 skip="$3" count="$4" 2>/dev/null; } <"$2" ;; esac
echo "$1e"; echo "$1e" >&2
} &
}
edge_files() {
m=$1; s=$2; shift 2; a=
for q do
[ "$q" = $e ] || { edge_kind "$q"; a=$a$k; }
done
echo "$a"
{
case $a in *[!fdnsx]*) ;; *) env -i E=$s cat -- "$@" 2>&1; echo "\${m}r$?" ;; esac
echo "\${m}e"
} </dev/null &
}
edge_list() {
edge_kind "$2"; m=$1; q=$2
echo "\${m}k$k"
if [ $k = d ]; then
[ -r "$q" ] || echo "\${m}kx"
for d in '*' '.*'; do
case $d in .*) set -- "$q"/.* ;; *) set -- "$q"/* ;; esac
[ $# -ne 1 ] || [ -e "$1" ] || [ -L "$1" ] || shift
[ $# -eq 0 ] || printf '%s\\0' "$@"
done
[ -d "$q" ] || echo "\${m}kn"
fi
echo "\${m}e"
}`;
