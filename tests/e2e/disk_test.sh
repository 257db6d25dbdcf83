#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# disk_test.sh - a replica on a disk that fails: it stops and says why, and has lost nothing
#
# The disk is a loop device on a file in a tmpfs that is too small for it: what does not fit there
# is an input/output error up here. Then the tmpfs grows, and the disk is well again.
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
need_root
command -v redis-cli >/dev/null || skip_all "no redis-cli"
command -v mkfs.ext4 >/dev/null || skip_all "no mkfs.ext4"

replica=$B/pacelab-replica
address=127.$((RANDOM % 200 + 20)).$((RANDOM % 250)).$((RANDOM % 250 + 1))
under=$tmp/under
dir=$tmp/data
device=
pid=
mkdir "$under" "$dir"

leave() {
	[ -z "$pid" ] || kill -9 "$pid"
	umount -l "$dir" 2>/dev/null
	[ -z "$device" ] || losetup -d "$device" 2>/dev/null
	umount -l "$under" 2>/dev/null
}
at_exit leave

# disk: a file system of 300 MB where there is room for 24.
disk() {
	mount -t tmpfs -o size=24m none "$under" || return 1
	truncate -s 300M "$under/disk"
	device=$(losetup --show -f "$under/disk") || return 1
	mkfs.ext4 -q -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 -J size=4 "$device" &&
		mount "$device" "$dir"
}
disk >"$tmp/said" 2>&1 || skip_all "no loop device: $(tail -1 "$tmp/said")"

start() {
	"$replica" --proto single --id 0 --peers "$address" --dir "$dir" --fsync "$1" >"$tmp/out" \
		2>"$tmp/log" &
	pid=$!
	wait_until 10 redis-cli -h "$address" ping
}

# write_on: values of 200 KB until the replica refuses one; those that it took are in $tmp/taken.
write_on() {
	local i
	: >"$tmp/taken"
	for i in $(seq 400); do
		yes "$i" | head -c 200000 | timeout 20 redis-cli -h "$address" -x set "k$i" \
			>"$tmp/reply" 2>&1
		grep -qx OK "$tmp/reply" || return 0
		echo "$i" >>"$tmp/taken"
	done
	echo "the disk never failed"
	return 1
}

stops() {
	local status=0
	start always || return 1
	write_on || return 1
	wait "$pid" || status=$?
	pid=
	cat "$tmp/log"
	wc -l <"$tmp/taken"
	[ "$status" -eq 70 ] && [ "$(wc -l <"$tmp/taken")" -gt 5 ] &&
		grep -q 'failed: Input/output error; nothing can be called durable' "$tmp/log"
}

# The file system may have gone read-only; its own log is read again with the mount. The kernel ends
# a dead process's ring in its own time, and until then the files in it are open.
heal() {
	wait_until 20 umount "$dir" && mount -o remount,size=400m "$under" && mount "$device" "$dir"
}

comes_back() {
	local i
	heal || return 1
	start always || { cat "$tmp/log"; return 1; }
	while read -r i; do
		[ "$(redis-cli -h "$address" get "k$i" | cksum)" = \
			"$({ yes "$i" | head -c 200000; echo; } | cksum)" ] || {
			echo "k$i is gone"
			return 1
		}
	done <"$tmp/taken"
	redis-cli -h "$address" set after this | grep -qx OK
}

verify() {
	local name=$1
	shift
	if "$@" >"$tmp/said" 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$(cat "$tmp/said")"
	fi
}
verify replica__stops_when_the_disk_fails stops
sed 's/^/# /' "$tmp/said"
verify replica__has_lost_nothing_when_the_disk_is_well_again comes_back
tap_done
