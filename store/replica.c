/* SPDX-License-Identifier: MIT */
/*
 * replica.c - one replica: a protocol, its clients, its peers and its log on one loop
 *
 * Theory of operation
 *
 * The protocol is called from completions (a request, a message, a durable batch) and from timers,
 * never from its own calls of struct proto_io: those only queue. What was queued leaves at the end
 * of the turn, in this order: stalled clients go on, the log's batch is written, every stream
 * with output sends it. So one turn costs one system call however much it did.
 *
 * Invariants:
 *  1. Calls into the protocol do not nest (asserted by ->inside).
 *  2. persisted() is called only with what wal.c has called durable. After a failed write or
 *     fdatasync nothing more is reported, and the replica ends with EXIT_INTERNAL.
 *  3. No reply leaves before the turn in which the protocol gave it has ended.
 */
#include "store/replica.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"

#define LISTEN_BACKLOG 1024
/* What a snapshot cannot remove is small beside what it can. */
#define SEGMENTS_PER_SNAPSHOT 4
#define LINGER_NS_MAX NS_PER_S
#define LINGER_POLL_NS (5 * NS_PER_MS)

static struct replica *replica_of(struct proto_io *io)
{
	return list_entry(io, struct replica, io);
}

static void enter(struct replica *r)
{
	assert(!r->inside);
	r->inside = true;
}

static void leave(struct replica *r)
{
	r->inside = false;
}

/* --- what the protocol may ask for --- */

static void io_send(struct proto_io *io, unsigned to, const void *bytes, size_t len)
{
	peers_send(&replica_of(io)->peers, to, bytes, len);
}

static uint64_t io_persist(struct proto_io *io, const void *bytes, size_t len)
{
	return wal_append(&replica_of(io)->wal, bytes, len);
}

static void io_reply(struct proto_io *io, uint64_t ticket, const struct proto_reply *reply)
{
	net_reply(&replica_of(io)->net, ticket, reply);
}

static void io_arm(struct proto_io *io, unsigned timer, uint64_t at_ns)
{
	struct replica *r = replica_of(io);

	assert(timer < PROTO_TIMERS_MAX);
	if (at_ns)
		loop_arm(r->loop, &r->timers[timer].timer, at_ns);
	else
		loop_disarm(r->loop, &r->timers[timer].timer);
}

static uint64_t io_now(struct proto_io *io)
{
	return loop_now(replica_of(io)->loop);
}

static uint64_t io_wall(struct proto_io *io)
{
	/* Wraps as it should: time since 1970 is more than any skew. */
	return clock_wall_ns() + (uint64_t)replica_of(io)->config.skew_ns;
}

static uint64_t io_random(struct proto_io *io)
{
	return prng_next(&replica_of(io)->prng);
}

/* --- what the protocol is told --- */

/* What takes away makes some room in memory. */
static bool makes_room(enum proto_op op)
{
	return op == PROTO_DEL || op == PROTO_REMOVE || op == PROTO_RESOLVE;
}

/* Why a write is not begun. Reads need no room. */
static const char *no_room_for(const struct replica *r, enum proto_op op)
{
	uint64_t max = r->config.memory_max;

	if (proto_reads(op))
		return NULL;
	if (wal_full(&r->wal))
		return "disk full";
	if (makes_room(op))
		return NULL;
	if ((max && proto_memory(r->proto) >= max) || table_full(r->table))
		return "memory full";
	return NULL;
}

void replica_request(struct replica *r, const struct proto_request *req)
{
	const char *why = no_room_for(r, req->op);

	if (why) {
		struct proto_reply refusal = {.status = PROTO_UNAVAILABLE, .why = why};

		net_reply(&r->net, req->ticket, &refusal);
		return;
	}
	enter(r);
	proto_request(r->proto, req);
	leave(r);
}

void replica_admin(struct replica *r, uint64_t ticket, enum proto_admin what, unsigned node)
{
	struct proto_reply refusal = {
		.status = PROTO_UNSUPPORTED, .why = "this protocol has no such operation"};

	if (r->config.ops->admin && wal_full(&r->wal))
		refusal = (struct proto_reply){.status = PROTO_UNAVAILABLE, .why = "disk full"};
	if (!r->config.ops->admin || wal_full(&r->wal)) {
		net_reply(&r->net, ticket, &refusal);
		return;
	}
	enter(r);
	r->config.ops->admin(r->proto, ticket, what, node);
	leave(r);
}

int replica_message(struct replica *r, unsigned from, const void *bytes, size_t len)
{
	int ret;

	size_t waiting = wal_waiting(&r->wal);

	/*
	 * What others ask to be written has a bound, on a disk that is full and on one that is
	 * slow. Which messages would be written only the protocol knows. To them all is lost, which
	 * they must bear (proto.h, rule 2), and who is not heard is waited for or left alone.
	 */
	if (waiting > REPLICA_PEERS_LOG_MAX || (wal_full(&r->wal) && wal_busy(&r->wal))) {
		r->peers.dropped++;
		return 0;
	}
	enter(r);
	ret = r->config.ops->message(r->proto, from, bytes, len);
	leave(r);
	return ret;
}

static void timer_fire(struct loop_timer *timer)
{
	struct replica_timer *t = list_entry(timer, struct replica_timer, timer);

	enter(t->replica);
	t->replica->config.ops->timer(t->replica->proto, t->number);
	leave(t->replica);
}

static void durable(void *arg, uint64_t seq)
{
	struct replica *r = arg;

	enter(r);
	r->config.ops->persisted(r->proto, seq);
	leave(r);
}

static void log_failed(void *arg, const char *what, int error)
{
	struct replica *r = arg;

	log_error("%s/" WAL_FILE ": %s failed: %s; nothing can be called durable any more, "
		  "this replica stops",
		r->config.dir, what, strerror(-error));
	replica_stop(r, EXIT_INTERNAL);
}

/* Reads go on: only writes need room. */
static void log_full(void *arg, int error)
{
	const struct replica *r = arg;

	if (error)
		log_warn("%s/" WAL_FILE ": no room: %s; writes are refused until there is some",
			r->config.dir, strerror(-error));
	else
		log_info("%s/" WAL_FILE ": there is room again", r->config.dir);
}

bool replica_busy(const struct replica *r)
{
	/* A full disk holds up nobody: what would need it is refused. */
	return wal_busy(&r->wal) && !wal_full(&r->wal);
}

static void turn_end(void *arg)
{
	struct replica *r = arg;
	uint64_t done;

	net_turn(&r->net);
	snapshot_turn(&r->snapshot);
	done = r->wal.done_seq;
	wal_flush(&r->wal);
	/* What was written at once has made room for those that net_turn() left waiting. */
	if (r->wal.done_seq != done)
		net_turn_again(&r->net);
	stream_set_flush(&r->streams);
}

void replica_info(struct buf *text, const struct replica *r)
{
	const struct snapshot *s = &r->snapshot;
	uint64_t wall_ns = clock_wall_ns();
	char file[WAL_NAME_MAX];

	wal_name(r->wal.segment, file);
	buf_printf(text,
		"wal_bytes:%llu\r\nwal_files:%u\r\nwal_file:%s\r\n"
		"wal_file_end:%llu\r\nrecovered_records:%llu\r\ntorn_bytes:%llu\r\ndisk_full:%d\r\n",
		(unsigned long long)wal_bytes(&r->wal), r->wal.older.count + 1, file,
		(unsigned long long)r->wal.offset, (unsigned long long)r->recovered.restored,
		(unsigned long long)r->recovered.torn_bytes, wal_full(&r->wal));
	buf_printf(text,
		"snapshots:%llu\r\nsnapshot_under_way:%d\r\nsnapshot_record:%llu\r\n"
		"snapshot_bytes:%llu\r\nsnapshot_age_ms:%llu\r\nsnapshot_took_ms:%llu\r\n"
		"snapshot_part_us_max:%llu\r\n",
		(unsigned long long)s->count, s->step != SNAPSHOT_IDLE,
		(unsigned long long)s->done_after, (unsigned long long)s->done_bytes,
		s->done_wall_ns && wall_ns > s->done_wall_ns
			? (unsigned long long)((wall_ns - s->done_wall_ns) / NS_PER_MS)
			: 0,
		(unsigned long long)(s->took_ns / NS_PER_MS),
		(unsigned long long)(s->part_ns_max / NS_PER_US));
}

/* --- snapshots --- */

static bool snapshot_part(void *arg, struct proto_snapshot *s)
{
	struct replica *r = arg;
	bool more;

	enter(r);
	more = r->config.ops->snapshot(r->proto, s);
	leave(r);
	return more;
}

static void snapshot_counted(void *arg, const struct proto_snapshot *s)
{
	struct replica *r = arg;

	if (!r->config.ops->snapshot_done)
		return;
	enter(r);
	r->config.ops->snapshot_done(r->proto, s);
	leave(r);
}

static void snapshot_given_up(void *arg, int error)
{
	const struct replica *r = arg;

	log_warn("%s/" SNAPSHOT_FILE ": given up: %s; it is tried again, the log goes on growing",
		r->config.dir, strerror(-error));
}

static void snapshot_start(struct replica *r, uint32_t kind)
{
	struct snapshot_config config = {
		.loop = r->loop,
		.wal = &r->wal,
		.dir = r->dir,
		.kind = kind,
		.log_min = r->config.ops->snapshot ? r->config.snapshot_log : 0,
		.part = snapshot_part,
		.counted = snapshot_counted,
		.failed = log_failed,
		.given_up = snapshot_given_up,
		.arg = r,
	};

	snapshot_init(&r->snapshot, &config, &r->recovered_snapshot);
}

/* --- start and end --- */

static int restore(void *arg, const void *bytes, size_t len)
{
	struct replica *r = arg;

	return r->config.ops->restore(r->proto, bytes, len);
}

/*
 * The ring of a killed process outlives it by some milliseconds, with the listening socket and the
 * folder that it worked in: a replica that is started again at once finds its own address and its
 * own lock in use, and waits. Return: whether it may still be so.
 */
static bool predecessor_lingers(uint64_t until_ns)
{
	struct timespec poll = clock_timespec(LINGER_POLL_NS);

	if (clock_now_ns() > until_ns)
		return false;
	(void)nanosleep(&poll, NULL);
	return true;
}

/* The folder is the replica's own as long as it lives. */
static int dir_open(struct replica *r, struct err *err)
{
	uint64_t until_ns = clock_now_ns() + LINGER_NS_MAX;

	r->dir = open(r->config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->dir < 0)
		return err_sys(err, -errno, "open %s", r->config.dir);
	while (flock(r->dir, LOCK_EX | LOCK_NB) < 0)
		if (errno != EWOULDBLOCK || !predecessor_lingers(until_ns))
			return err_sys(err, -EWOULDBLOCK, "lock %s (does another replica use it?)",
				r->config.dir);
	return 0;
}

static int log_recover(struct replica *r, struct err *err)
{
	struct wal_source source = {
		.dir = r->dir,
		.name = r->config.dir,
		/* With another replica's votes and entries it would break its promises. */
		.kind = wal_kind(r->config.ops->name, r->config.proto.self),
		.restore = restore,
		.arg = r,
	};
	struct wal_config config = {
		.loop = r->loop,
		.dir = r->dir,
		.name = r->config.dir,
		.kind = source.kind,
		.from = &r->recovered,
		.when = r->config.sync,
		.segment_max = r->config.snapshot_log / SEGMENTS_PER_SNAPSHOT,
		.durable = durable,
		.failed = log_failed,
		.full = log_full,
		.arg = r,
	};
	char name[WAL_NAME_MAX];
	int ret = snapshot_recover(&source, &r->recovered_snapshot, err);

	if (ret < 0)
		return ret;
	source.after = r->recovered_snapshot.after;
	source.reach = r->recovered_snapshot.last;
	ret = wal_recover(&source, &r->recovered, err);
	if (ret == 0)
		ret = snapshot_clean(&source, source.after, err);
	if (ret < 0)
		return ret;
	wal_name(r->recovered.segment, name);
	if (r->recovered.torn_bytes)
		log_warn("%s/%s: torn tail of %llu bytes cut at offset %llu", r->config.dir, name,
			(unsigned long long)r->recovered.torn_bytes,
			(unsigned long long)r->recovered.end);
	snapshot_start(r, source.kind);
	return wal_init(&r->wal, &config, err);
}

static int bind_when_free(int fd, const struct sockaddr_in *addr)
{
	uint64_t until_ns = clock_now_ns() + LINGER_NS_MAX;

	while (bind(fd, (const struct sockaddr *)addr, sizeof *addr) < 0 ||
		listen(fd, LISTEN_BACKLOG) < 0) {
		if (errno != EADDRINUSE)
			return -errno;
		if (!predecessor_lingers(until_ns))
			return -EADDRINUSE;
	}
	return 0;
}

static int listen_at(const struct sockaddr_in *addr, int *ret_fd, struct err *err)
{
	char text[INET_ADDRSTRLEN] = "";
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;
	int ret;

	if (fd < 0)
		return err_sys(err, -errno, "socket");
	(void)inet_ntop(AF_INET, &addr->sin_addr, text, sizeof text);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	ret = bind_when_free(fd, addr);
	if (ret < 0) {
		close(fd);
		return err_sys(err, ret, "listen on %s:%u", text, ntohs(addr->sin_port));
	}
	*ret_fd = fd;
	return 0;
}

/* Return: a bound socket, or a negative errno. */
static int datagrams_at(const struct sockaddr_in *addr, struct err *err)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	uint64_t until_ns = clock_now_ns() + LINGER_NS_MAX;
	int ret;

	if (fd < 0)
		return err_sys(err, -errno, "socket");
	while (bind(fd, (const struct sockaddr *)addr, sizeof *addr) < 0) {
		if (errno == EADDRINUSE && predecessor_lingers(until_ns))
			continue;
		ret = err_sys(err, -errno, "bind datagrams to port %u", ntohs(addr->sin_port));
		close(fd);
		return ret;
	}
	return fd;
}

static int listen_all(struct replica *r, struct err *err)
{
	const struct replica_config *config = &r->config;
	struct sockaddr_in peer_addr = {
		.sin_family = AF_INET,
		.sin_addr = config->peers[config->proto.self],
		.sin_port = htons(config->peer_port),
	};
	int datagram_fd = -1;
	int peer_fd = -1;
	int fd;
	int ret;

	if (config->proto.nodes > 1) {
		ret = listen_at(&peer_addr, &peer_fd, err);
		if (ret < 0)
			return ret;
	}
	if (config->proto.nodes > 1 && config->proto.datagrams) {
		datagram_fd = datagrams_at(&peer_addr, err);
		if (datagram_fd < 0) {
			close(peer_fd);
			return datagram_fd;
		}
	}
	peers_init(&r->peers, r, peer_fd, datagram_fd);
	ret = listen_at(&config->listen, &fd, err);
	if (ret < 0)
		return ret;
	net_listen(&r->net, fd, true);
	if (config->admin_fd >= 0)
		net_listen(&r->net, config->admin_fd, false);
	return 0;
}

static void signal_done(struct loop_op *op, const struct loop_event *event)
{
	struct replica *r = list_entry(op, struct replica, signal);

	if (event->res >= 0)
		replica_stop(r, EXIT_AS_EXPECTED);
}

static int replica_init(struct replica *r, struct err *err)
{
	struct loop_config loop = {.turn_end = turn_end, .arg = r};
	int ret = loop_open(&r->loop, &loop, err);

	if (ret < 0)
		return ret;
	stream_set_init(&r->streams, r->loop);
	net_init(&r->net, r);
	r->table = table_open();
	r->proto = proto_open(r->config.ops, &r->config.proto, &r->io, r->table);
	ret = dir_open(r, err);
	if (ret == 0)
		ret = log_recover(r, err);
	if (ret == 0)
		ret = listen_all(r, err);
	if (ret < 0)
		return ret;
	if (r->config.signal_fd >= 0)
		loop_poll(r->loop, &r->signal, r->config.signal_fd);
	/* Recovery may have taken seconds: no time-out of the protocol begins before them. */
	loop_refresh(r->loop);
	enter(r);
	r->config.ops->start(r->proto);
	leave(r);
	peers_start(&r->peers);
	return 0;
}

int replica_open(struct replica **ret_replica, const struct replica_config *config, struct err *err)
{
	struct replica *r = calloc(1, sizeof *r);
	int ret;

	assert(r);
	r->config = *config;
	r->dir = r->snapshot.fd = -1;
	r->wal.fd = r->wal.behind_fd = r->wal.spare.fd = -1;
	r->signal.done = signal_done;
	r->io = (struct proto_io){
		.send = io_send,
		.persist = io_persist,
		.reply = io_reply,
		.arm = io_arm,
		.now = io_now,
		.wall = io_wall,
		.random = io_random,
	};
	prng_init(&r->prng, config->seed, config->proto.self);
	for (unsigned i = 0; i < PROTO_TIMERS_MAX; i++)
		r->timers[i] = (struct replica_timer){
			.timer = {.fire = timer_fire}, .replica = r, .number = i};
	ret = replica_init(r, err);
	if (ret < 0) {
		replica_close(r);
		return ret;
	}
	log_info("replica %u of %u is up: %s, io_uring with %s, %llu records recovered",
		config->proto.self, config->proto.nodes, config->ops->name, loop_features(r->loop),
		(unsigned long long)r->recovered.restored);
	*ret_replica = r;
	return 0;
}

void replica_close(struct replica *r)
{
	if (!r)
		return;
	loop_close(r->loop);
	net_fini(&r->net);
	peers_fini(&r->peers);
	snapshot_fini(&r->snapshot);
	wal_fini(&r->wal);
	wal_report_fini(&r->recovered);
	if (r->dir >= 0)
		close(r->dir);
	proto_close(r->proto);
	table_close(r->table);
	free(r);
}

int replica_run(struct replica *r)
{
	int ret = loop_run(r->loop);

	if (ret < 0) {
		log_error("io_uring failed: %s", strerror(-ret));
		return EXIT_INTERNAL;
	}
	return r->status;
}

void replica_stop(struct replica *r, int status)
{
	if (status > r->status)
		r->status = status;
	loop_stop(r->loop);
}
