#!/bin/sh
# pid 1 of a guest: makes a small system, runs the program that the file job beside this one starts, and powers off.
dir=${0%/*}
share=$(cat "$dir/share")
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts -o ptmxmode=666
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mkdir -p /run/tmp /run/guest /run/share
mount --bind "$dir" /run/guest
[ -z "$share" ] || mount --bind "$share" /run/share
mount -t tmpfs tmp /tmp
mkdir -p "$dir"
mount --bind /run/guest "$dir"
[ -z "$share" ] || { mkdir -p "$share" && mount --bind /run/share "$share"; }
chmod 1777 /tmp
ip link set lo up
cd /usr/lib/uml/modules/"$(uname -r)"/kernel || exit
for module in fs/netfs/netfs fs/fscache/fscache net/9p/9pnet net/9p/9pnet_fd fs/9p/9p fs/fuse/fuse \
	net/vmw_vsock/vsock net/vmw_vsock/vmw_vsock_virtio_transport_common net/vmw_vsock/vsock_loopback; do
	[ ! -f $module.ko ] || busybox insmod $module.ko
done
chmod 666 /dev/fuse
cd /
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp
sh "$dir/job" >"$dir/output" 2>&1 </dev/null
echo $? >"$dir/status"
sync
echo o >/proc/sysrq-trigger
exec sleep 60
