#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# guard_test.sh - replicas among clients and replicas that mean harm: they go on, in bounded memory
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

replica=$B/pacelab-replica
net=127.$((RANDOM % 200 + 20)).$((RANDOM % 250))
peer_port=$((RANDOM % 10000 + 20000))
# Buffers of clients and peers (NET_MEMORY_MAX), and as much for all else and what malloc keeps.
rss_max_kib=$((2 * 512 * 1024))
command -v redis-cli >/dev/null || skip_all "no redis-cli"
command -v python3 >/dev/null || skip_all "no python3"
ulimit -n "$(ulimit -Hn)"
# A sanitizer keeps what was freed, to find those who use it still: little of that, here.
case $B in
*/san-*) export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=16" ;;
esac

# start N [OPTION...]: replica N of three.
pid=()
start() {
	local n=$1
	shift
	mkdir -p "$tmp/$n"
	"$replica" --proto raft --id "$n" --peers "$net.1,$net.2,$net.3" --cluster ours \
		--peer-port "$peer_port" --dir "$tmp/$n" "$@" >"$tmp/$n.out" 2>>"$tmp/$n.log" &
	pid[n]=$!
}
cli() {
	local n=$1
	shift
	timeout 20 redis-cli -h "$net.$((n + 1))" "$@"
}
end_replicas() {
	kill -9 "${pid[@]}" 2>/dev/null
	wait
}
at_exit end_replicas

# says N TEXT: INFO of replica N has it.
says() {
	cli "$1" info | tr -d '\r' | grep -q "^$2"
}
serves() {
	cli 0 info | grep -q '^ready:1' && [ "$(cli 0 set k v)" = OK ] && [ "$(cli 0 get k)" = v ]
}
# peak: the most memory that replica 0 ever had, in KiB.
peak() {
	awk '/^VmHWM/ { print $2 }' "/proc/${pid[0]}/status"
}
bounded() {
	local kib
	kib=$(peak)
	echo "peak $kib KiB, the bound is $rss_max_kib"
	cli 0 info | grep -E '^(buffers|clients_|connected|peers_|frames_)'
	[ "$kib" -lt "$rss_max_kib" ]
}

# attack NAME: of the client below; the replica serves and is bounded behind it.
cat >"$tmp/attack.py" <<'PY'
import os, select, socket, struct, sys, time

name, net, peer_port = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = (net + ".1", 6379)
peer = (net + ".1", peer_port)

def dial(to, source=None):
    s = socket.socket()
    if source:
        s.bind((net + "." + source, 0))
    s.settimeout(20)
    s.connect(to)
    return s

def crc32c(b):
    c = 0xffffffff
    for x in b:
        c ^= x
        for _ in range(8):
            c = c >> 1 ^ (0x82f63b78 if c & 1 else 0)
    return c ^ 0xffffffff

def header(kind, sender, length, version=3):
    h = struct.pack("<IBBHII", 0x424c4350, version, kind, sender, length, 0)
    return h + struct.pack("<I", crc32c(h))

def closed(s):
    """Whether the other side closes, whatever it says before."""
    try:
        while s.recv(65536):
            pass
    except ConnectionError:
        pass
    except socket.timeout:
        return False
    return True

def push(crowd, data, seconds):
    """Send it to all again and again until each is closed or none takes more for 3 seconds."""
    at = {s: 0 for s in crowd}
    for s in crowd:
        s.setblocking(False)
    end = time.monotonic() + seconds
    moved = time.monotonic()
    sent = 0
    while at and time.monotonic() < end and time.monotonic() - moved < 3:
        for s in select.select([], list(at), [], 0.1)[1]:
            try:
                n = s.send(data[at[s] % len(data):])
                at[s] += n
                sent += n
                moved = time.monotonic()
            except BlockingIOError:
                pass
            except ConnectionError:
                del at[s]
    print(name, "sent", sent >> 20, "MiB,", len(at), "of", len(crowd), "still open")
    return at

def garbage():
    for source in "9", "2":
        for data in os.urandom(100000), b"GET / HTTP/1.1\r\n\r\n", b"\0" * 65536, b"PCLB" * 100:
            s = dial(peer, source)
            try:
                s.sendall(data)
            except ConnectionError:
                pass
            assert closed(s)

def endless_frames():
    for source in "9", "2":
        for length in 0xffffffff, 1 << 30, 1 << 20:
            for kind in 0, 4, 255:
                s = dial(peer, source)
                s.sendall(header(kind, 1, length))
                assert closed(s)

def slow_bytes():
    begin = time.monotonic()
    hello = header(0, 1, 60)
    crowd = [dial(peer, "9") for _ in range(20)]
    gone = 0
    for i in range(60):
        for s in list(crowd):
            try:
                s.send(hello[i % 20 : i % 20 + 1])
            except ConnectionError:
                crowd.remove(s)
                gone += 1
        if not crowd:
            break
        select.select([], [], [], 0.5)
    assert gone == 20 and time.monotonic() - begin < 30, gone

def other_version():
    s = dial(peer, "2")
    s.sendall(header(0, 1, 4, version=77))
    said = s.recv(65536)
    assert said[:4] == b"PCLB" and said[4] == 3 and said[5] == 5, said[:8]
    assert closed(s)

def crowd_of_peers():
    crowd = [dial(peer, "9" if i % 2 else "2") for i in range(5000)]
    for s in crowd:
        s.close()

def crowd_of_clients():
    crowd = []
    for i in range(5000):
        crowd.append(dial(client))
    refused = 0
    for s in crowd:
        s.settimeout(0.001 if refused == 0 else 20)
    for s in reversed(crowd):
        s.settimeout(5)
        try:
            s.sendall(b"PING\r\n")
            said = s.recv(100)
        except ConnectionError:
            said = b""
        if said == b"+PONG\r\n":
            break
        assert said == b"" or b"max number of clients" in said, said
        refused += 1
    print("refused", refused)
    assert refused > 500
    for s in crowd:
        s.close()

def endless_resp():
    for data in b"*1\r\n$99999999999\r\n", b"*99999999\r\n", b"x" * 100000, b"*1\r\n$" + b"1" * 99:
        s = dial(client)
        try:
            s.sendall(data)
        except ConnectionError:
            pass
        assert closed(s), data[:20]
    # Commands as long as they may be, never whole, from three hundred clients.
    part = b"*9\r\n$4\r\nMSET\r\n" + (b"$1000000\r\n" + b"x" * 1000000 + b"\r\n") * 7
    crowd = [dial(client) for _ in range(300)]
    at = {s: 0 for s in crowd}
    view = memoryview(part)
    for s in crowd:
        s.setblocking(False)
    end = time.monotonic() + 30
    while at and time.monotonic() < end:
        for s in select.select([], list(at), [], 0.1)[1]:
            try:
                at[s] += s.send(view[at[s] : at[s] + 262144])
                if at[s] == len(part):
                    del at[s]
            except BlockingIOError:
                pass
            except ConnectionError:
                del at[s]
    for s in crowd:
        s.close()

def never_reads():
    s = dial(client)
    said = None
    end = time.monotonic() + 60
    while said != b"+OK\r\n" and time.monotonic() < end:
        big = b"x" * 1000000
        s.sendall(b"*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$1000000\r\n" + big + b"\r\n")
        said = s.recv(1000)
    assert said == b"+OK\r\n", said
    push([dial(client) for _ in range(300)], b"GET big\r\n" * 1000, 30)

globals()[name]()
PY
attack() {
	local status=0
	timeout 150 python3 "$tmp/attack.py" "$1" "$net" "$peer_port" || status=$?
	if ! wait_until 60 serves; then
		echo "it does not serve any more"
		cli 0 info
		cli 0 get k
		tail -n 5 "$tmp"/*.log
		return 1
	fi
	bounded && return "$status"
}

start 0
start 1
start 2 --cluster theirs
both_say() {
	wait_until 60 says 0 'peer_2:refused,cluster=theirs there, cluster=ours here' &&
		wait_until 60 says 2 'peer_0:refused,cluster=ours there, cluster=theirs here' &&
		grep -q 'replica 2 is not talked to: cluster=theirs there, cluster=ours here' \
			"$tmp/0.log" &&
		grep -q 'refused: cluster=ours there, cluster=theirs here' "$tmp/2.log"
}
check replica__of_another_cluster_is_refused_and_both_sides_say_so both_say
# In this shell: they start and wait for replicas.
joins_as_one_of_ours() {
	kill -9 "${pid[2]}"
	wait "${pid[2]}" 2>/dev/null
	start 2
	wait_until 60 says 0 peers_up:2 && wait_until 60 serves
}
if joins_as_one_of_ours; then
	ok replica__is_taken_in_when_it_has_the_right_name
else
	not_ok replica__is_taken_in_when_it_has_the_right_name "$(tail -n 5 "$tmp"/*.log)"
fi
check peers__survive_garbage attack garbage
check peers__survive_endless_frames attack endless_frames
check peers__survive_slow_bytes attack slow_bytes
check peers__are_told_of_another_version attack other_version
check peers__survive_five_thousand_connections attack crowd_of_peers
if [ "$(ulimit -n)" -ge 6000 ]; then
	check clients__over_the_limit_are_refused attack crowd_of_clients
else
	skip clients__over_the_limit_are_refused "no 6,000 descriptors"
fi
check clients__survive_endless_commands attack endless_resp
check clients__survive_one_that_never_reads attack never_reads
still_whole() {
	wait_until 60 says 0 peers_up:2
}
check replicas__are_still_together still_whole
log_is_short() {
	wc -l "$tmp/0.log"
	[ "$(wc -l <"$tmp/0.log")" -lt 1000 ]
}
check replica__does_not_fill_its_log log_is_short
tap_done
