#!/bin/sh
# Starts edgestatd with the first Node.js that is new enough: its own where the package brings one, else the system's.
lib=/usr/lib/edgestatd

is_new_enough() {
  version=$(NODE_OPTIONS='' "$1" --version 2>/dev/null) || return 1
  version=${version#v}
  major=${version%%.*}
  minor=${version#*.}
  minor=${minor%%.*}
  case $major$minor in '' | *[!0-9]*) return 1 ;; esac
  [ "$major" -gt 22 ] || { [ "$major" -eq 22 ] && [ "$minor" -ge 13 ]; }
}

if [ -x "$lib/bin/node" ]; then
  exec "$lib/bin/node" "$lib/dist/src/bin.js" "$@"
fi
found=
for node in /usr/bin/node /usr/bin/nodejs "$(command -v node 2>/dev/null)"; do
  [ -x "$node" ] || continue
  if is_new_enough "$node"; then
    exec "$node" "$lib/dist/src/bin.js" "$@"
  fi
  # /usr/bin is in the PATH too.
  case ", $found" in *", $node ("*) continue ;; esac
  found="${found:+$found, }$node (${version:-does not say its version})"
done
echo "edgestatd: needs Node.js 22.13 or newer; found ${found:-none in /usr/bin nor in the PATH}: \
install edgestatd-bundle, which brings its own, or nodejs 22.13 or newer (Debian 12 has 18; see /usr/share/doc/edgestatd/install.md)" >&2
exit 1
