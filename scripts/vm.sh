#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# vm.sh - runs a command as root on Debian's newest cloud kernel, in QEMU without KVM
#
#	scripts/vm.sh build/tests/net/netem_test
#	scripts/vm.sh bash -c 'tc qdisc add dev lo root netem delay 20ms && ping -c 3 127.0.0.1'
#
# For kernels without sch_netem. Every argument that names a program or a file goes along, at its
# own path and with its libraries, as do bash, ip, tc, ping, busybox, and pacelab with its labs.
# The output is passed through and so is the exit status; 77 where this cannot run here. The guest's
# environment says VM_TIME=emulated, for tests that time would fail.
#
# The guest's root is an initramfs of two parts, kernel modules and tools (kept in build/vm until
# they change) and the command. Time there is emulated: it shows what happens, not how fast.
# The guest prints "vm: begin", the command's output, and "vm: exit STATUS".
set -euo pipefail
cd "$(dirname "$0")/.."

readonly seconds_max=${VM_SECONDS_MAX:-570}
readonly memory_mb=${VM_MEMORY_MB:-1024}
readonly dir=build/vm
# In the order of insmod.
readonly modules=(llc stp bridge veth tun ifb sch_netem sch_htb sch_tbf sch_ingress cls_u32 cls_bpf
	act_mirred act_gact)
readonly tools=(bash ip tc ping)
readonly environment=(B MUST_WORK V ASAN_OPTIONS UBSAN_OPTIONS)

cannot() {
	echo "vm.sh: $1"
	exit 77
}

# add_file FILE ROOT: copies it to its own path under ROOT. Links on the way are resolved, since
# /lib is one to /usr/lib in the first part and may not come again as a folder in the second.
add_file() {
	local folder
	folder=$(realpath "$(dirname "$1")")
	mkdir -p "$2$folder"
	cp -L "$1" "$2$folder/${1##*/}"
}

# add_program FILE ROOT: and the libraries and the interpreter that it names.
add_program() {
	local library
	add_file "$1" "$2"
	while read -r library; do
		add_file "$library" "$2"
	done < <(ldd "$1" 2>/dev/null | grep -o '/[^ )]*' || true)
}

# pack ROOT FILE: an initramfs that appears whole or not at all.
pack() {
	(cd "$1" && find . -mindepth 1 -print0 | sort -z |
		cpio -o -0 -H newc -R 0:0 --quiet) >"$2.$$"
	mv "$2.$$" "$2"
}

fetch_kernel() {
	local deb
	package=$(newest_kernel)
	if [ -z "$package" ]; then
		apt-get update -qq >/dev/null 2>&1 || true
		package=$(newest_kernel)
	fi
	[ -n "$package" ] || cannot "no linux-image-cloud-amd64 in this machine's package lists"
	kernel=$dir/$package
	[ ! -e "$kernel/ready" ] || return 0
	rm -rf "$kernel"
	mkdir -p "$kernel"
	(cd "$kernel" &&
		apt-get download -qq -o APT::Sandbox::User=root "$package" >apt.log 2>&1) ||
		cannot "cannot download $package: $(tail -n 1 "$kernel/apt.log")"
	deb=("$kernel"/*.deb)
	dpkg-deb -x "${deb[0]}" "$kernel/files"
	rm -f "${deb[0]}"
	touch "$kernel/ready"
}

newest_kernel() {
	apt-cache depends linux-image-cloud-amd64 2>/dev/null |
		sed -n 's/^ *Depends: \(linux-image-[0-9].*-cloud-amd64\)$/\1/p' | head -n 1
}

write_init() {
	cat >"$1/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin/busybox.d
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/bin/busybox.d HOME=/root TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
chmod 1777 /tmp
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
ln -s /proc/self/fd /dev/fd
for module in $(cat /modules/order); do
	insmod "/modules/$module.ko" || echo "vm: module $module does not load"
done
ip link set lo up
echo "vm: begin"
/command
echo "vm: exit $?"
poweroff -f
INIT
	chmod 755 "$1/init"
}

# build_base: the part that does not depend on the command.
build_base() {
	local root=$dir/base.root name file key
	key=$({
		cat "$0"
		readlink -f "$kernel"
		for name in busybox "${tools[@]}"; do
			stat -Lc '%n %s %Y' "$(command -v "$name")"
		done
	} | sha256sum)
	base=$dir/base-${key:0:16}.cpio
	[ ! -e "$base" ] || return 0
	rm -rf "$root" "$dir"/base-*.cpio
	mkdir -p "$root"/{dev,proc,sys,run,tmp,root,etc,modules}
	for name in bin sbin lib lib64; do
		[ -L "/$name" ] || continue
		mkdir -p "$root/usr/$name"
		cp -d "/$name" "$root/$name"
	done
	mkdir -p "$root/bin/busybox.d"
	cp "$(command -v busybox)" "$root/bin/busybox"
	for name in "${tools[@]}"; do
		add_program "$(command -v "$name")" "$root"
	done
	for file in /usr/lib/*/tc/*.dist /usr/lib/tc/*.dist /etc/protocols /etc/iproute2/*; do
		[ ! -f "$file" ] || add_file "$file" "$root"
	done
	printf 'root:x:0:0:root:/root:/bin/bash\n' >"$root/etc/passwd"
	printf 'nobody:x:65534:65534:nobody:/:/bin/false\n' >>"$root/etc/passwd"
	for name in "${modules[@]}"; do
		file=$(find "$kernel/files" -name "$name.ko*" | head -n 1)
		case $file in
		*.ko) cp "$file" "$root/modules/$name.ko" ;;
		*.ko.xz) xz -dc "$file" >"$root/modules/$name.ko" ;;
		*) continue ;; # built in
		esac
		echo "$name" >>"$root/modules/order"
	done
	write_init "$root"
	pack "$root" "$base"
	rm -rf "$root"
}

# build_command FILE ARGUMENT...: the part that does.
build_command() {
	local out=$1 root=$scratch/root name path
	shift
	mkdir -p "$root$PWD"
	for name in "$@" build/pacelab build/pacelab-replica scripts/labs/*.lua; do
		path=$name
		if [ ! -f "$path" ]; then
			path=$(type -P -- "$name" || true)
			[ -f "$path" ] || continue
		fi
		[ "${path:0:1}" = / ] || path=$PWD/$path
		if [ -x "$path" ]; then
			add_program "$path" "$root"
		else
			add_file "$path" "$root"
		fi
	done
	{
		echo '#!/bin/bash'
		echo "cd ${PWD@Q}"
		echo "export VM_TIME=emulated"
		for name in "${environment[@]}"; do
			[ -z "${!name+set}" ] || echo "export $name=${!name@Q}"
		done
		echo "exec ${*@Q} </dev/null 2>&1"
	} >"$root/command"
	chmod 755 "$root/command"
	pack "$root" "$out"
}

# pass_through: prints what the command prints; its exit status becomes awk's.
pass_through() {
	awk '
		{ sub(/\r$/, "") }
		/^vm: exit [0-9]+$/ { status = $3; ended = 1; next }
		begun && !ended { print; fflush() }
		/vm: begin$/ { begun = 1 } # behind the escape codes of the firmware
		!begun || ended { early = early "  " $0 "\n" }
		END {
			if (ended)
				exit status
			print "vm.sh: the guest did not reach the end of the command"
			printf "%s", early
			exit 70
		}'
}

[ $# -gt 0 ] || {
	sed -n '3,6s/^# \{0,1\}//p' "$0"
	exit 64
}
[ "$(uname -m)" = x86_64 ] || cannot "the kernel package is for x86_64, not $(uname -m)"
for need in qemu-system-x86_64 busybox cpio apt-get dpkg-deb; do
	command -v "$need" >/dev/null || cannot "no $need here"
done
mkdir -p "$dir"
scratch=$(mktemp -d "$dir/run.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
exec 9>"$dir/lock"
flock 9
fetch_kernel
build_base
flock -u 9
exec 9>&-
build_command "$scratch/command.cpio" "$@"
cat "$base" "$scratch/command.cpio" >"$scratch/initrd"
vmlinuz=("$kernel"/files/boot/vmlinuz-*)
timeout -k 5 "$seconds_max" qemu-system-x86_64 -accel "${VM_ACCEL:-tcg,thread=multi}" -cpu max \
	-smp 2 -m "$memory_mb" -nographic -nodefaults -serial stdio -no-reboot \
	-kernel "${vmlinuz[0]}" -initrd "$scratch/initrd" \
	-append "console=ttyS0 panic=-1 quiet" </dev/null 2>&1 | pass_through
