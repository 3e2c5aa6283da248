#!/bin/sh
# A machine of its own with the systemd of this one as process 1: this machine's files under a layer in memory, and
# namespaces of every kind but users. Prints the process id of that systemd as soon as it runs, and ends everything when
# its standard input ends: when its starter closes it, and also when its starter is killed.
# Run in a mount namespace of its own. Argument: the checkout, which stands at /usr/lib/edgestatd there; or none.
trap '' HUP INT TERM PIPE
checkout=${1:-}
directory=$(mktemp -d -t edgestatd-machine-XXXXXX) || exit 1
name=${directory##*/}
cgroups=$directory/cgroups
root=$directory/root

build() {
  set -e
  mount -t tmpfs -o mode=755 tmpfs "$directory"
  mkdir "$directory/upper" "$directory/work" "$root" "$cgroups"
  mount -t cgroup2 cgroup2 "$cgroups"
  mkdir "$cgroups/$name"
  mount -t overlay -o "lowerdir=/,upperdir=$directory/upper,workdir=$directory/work" overlay "$root"
  mount -t tmpfs -o mode=755 tmpfs "$root/run"
  mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for device in null zero full random urandom tty; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
  done
  mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
  # For the bridges of Open vSwitch.
  : > "$root/dev/net/tun"
  mount --bind /dev/net/tun "$root/dev/net/tun"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  rm -rf "$root/var/log/journal"
  if [ -n "$checkout" ]; then
    mkdir -p "$root/usr/lib/edgestatd"
    mount --bind "$checkout" "$root/usr/lib/edgestatd"
    mount -o remount,bind,ro "$root/usr/lib/edgestatd"
  fi
  : > "$root/etc/machine-id"
  # Nothing of what this machine starts, and nothing that changes the kernel: that one is shared.
  units=$root/etc/systemd/system
  rm -r "$units"
  mkdir -p "$units"
  for unit in systemd-sysctl systemd-modules-load systemd-remount-fs systemd-udevd systemd-udev-trigger \
    systemd-random-seed systemd-timesyncd systemd-binfmt kmod-static-nodes systemd-hwdb-update systemd-networkd; do
    ln -s /dev/null "$units/$unit.service"
  done
  for unit in sys-kernel-debug sys-kernel-tracing sys-fs-fuse-connections proc-sys-fs-binfmt_misc dev-hugepages dev-mqueue; do
    ln -s /dev/null "$units/$unit.mount"
  done
  printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' > "$units/machine.target"
}

# In the new namespaces: process 1.
# shellcheck disable=SC2016
inside='
set -e
mount -t proc proc "$1/proc"
mount --bind "$1/proc/sys" "$1/proc/sys"
mount -t sysfs sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
cd "$1"
mkdir .before
pivot_root . .before
umount -l /.before
rmdir /.before
mount -o remount,bind,ro /proc/sys
# As process 1 has it on a machine: what systemd mounts for a service (credentials) must be seen from there.
mount --make-rshared /
exec env -i container=edgestatd-test PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --unit=machine.target --show-status=no --log-target=journal
'

broken=
machine=
if (build) >&2; then
  (
    echo 0 > "$cgroups/$name/cgroup.procs" || exit 1
    exec unshare --pid --fork --kill-child --mount --cgroup --uts --ipc --net --propagation private \
      sh -c "$inside" sh "$root" </dev/null >&2
  ) &
  machine=$!
  init=
  while [ -z "$init" ] && kill -0 $machine 2>/dev/null; do
    read -r init < "/proc/$machine/task/$machine/children" || sleep 0.02
  done
  echo "${init% }"
  cat >/dev/null
else
  broken=yes
fi
exec >/dev/null

if [ -n "$machine" ]; then
  kill -9 $machine 2>/dev/null
  wait $machine 2>/dev/null
fi
# Process 1 takes all others with it; the groups are empty when they are gone.
left=yes
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  find "$cgroups/$name" -depth -type d -exec rmdir {} \; 2>/dev/null
  [ -d "$cgroups/$name" ] || { left=; break; }
  sleep 0.1
done
umount -R -l "$directory" 2>/dev/null
rmdir "$directory" || broken=yes
[ -z "$left$broken" ]
