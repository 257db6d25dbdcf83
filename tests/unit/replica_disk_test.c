/* SPDX-License-Identifier: MIT */
/*
 * replica_disk_test.c - a replica and its disk: restarts around a snapshot, a disk that is slow
 *
 * The replica lives in this process and does something only when the test turns its loop. So a
 * disk that never ends what it was given is a loop that is not turned.
 */
#include "store/replica.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "tests/lib/test.h"
#include "tests/unit/data_dir.h"

#define DEADLINE_NS (20 * NS_PER_S)
#define PIPELINED 64u
#define HELD_TURNS 20u

struct world {
	struct replica_config config;
	struct replica *r;
	char dir[64];
	int client;
	uint64_t answered;
	unsigned held; /* turns that the snapshot has to wait */
	uint64_t slow_ns;
};

static void start(struct world *w)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof addr;
	struct err err = {0};

	if (replica_open(&w->r, &w->config, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(getsockname(w->r->net.listeners[0].fd, (struct sockaddr *)&addr, &len), 0);
	w->client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(w->client, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(fcntl(w->client, F_SETFL, O_NONBLOCK), 0);
}

static void stop(struct world *w)
{
	close(w->client);
	replica_close(w->r);
	w->r = NULL;
}

static void build(struct world *w, const struct proto_ops *ops, uint64_t snapshot_log)
{
	*w = (struct world){.dir = "/tmp/pacelab-disk-test.XXXXXX"};
	assert_non_null(mkdtemp(w->dir));
	w->config = (struct replica_config){
		.ops = ops,
		.proto = {.nodes = 1,
			.read_level = PROTO_QUORUM,
			.write_level = PROTO_QUORUM,
			.request_timeout_ns = 5 * NS_PER_S,
			.election_min_ns = 20 * NS_PER_MS,
			.election_max_ns = 40 * NS_PER_MS,
			.heartbeat_ns = 5 * NS_PER_MS,
			.leader = -1},
		.listen = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}},
		.admin_fd = -1,
		.signal_fd = -1,
		.dir = w->dir,
		.sync = WAL_SYNC_ALWAYS,
		.snapshot_log = snapshot_log,
		.seed = 1,
	};
	start(w);
}

static void destroy(struct world *w)
{
	stop(w);
	data_remove(w->dir);
}

/* Counts the replies; none is an error. */
static void read_numbers(struct world *w)
{
	char got[4096];
	ssize_t n;

	while ((n = read(w->client, got, sizeof got)) > 0)
		for (ssize_t i = 0; i < n; i++) {
			if (got[i] == '-')
				fail_msg("%.*s", (int)n, got);
			w->answered += got[i] == '\n';
		}
	assert_true(n < 0 && errno == EAGAIN);
}

static void expect_number(struct world *w, uint64_t number)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	char got[64] = "";
	char want[64];
	size_t len = 0;
	int digits = snprintf(got, sizeof got, "%llu", (unsigned long long)number);

	(void)snprintf(want, sizeof want, "$%d\r\n%llu\r\n", digits, (unsigned long long)number);
	memset(got, 0, sizeof got);
	assert_int_equal(send(w->client, "GET n\r\n", 7, 0), 7);
	while (len < strlen(want)) {
		ssize_t n = read(w->client, got + len, sizeof got - 1 - len);

		assert_true(clock_now_ns() < deadline);
		len += n > 0 ? (size_t)n : 0;
		assert_int_equal(loop_turn(w->r->loop), 0);
	}
	assert_string_equal(got, want);
}

/* A disk that takes its time to open a file: a snapshot has begun and has nothing yet. */
static void open_slowly(struct world *w)
{
	struct snapshot *s = &w->r->snapshot;

	if (w->held > 0) {
		w->held--;
		s->op.pending -= w->held == 0;
	} else if (s->step == SNAPSHOT_OPEN && s->begun_ns != w->slow_ns) {
		w->slow_ns = s->begun_ns;
		w->held = HELD_TURNS;
		s->op.pending++;
	}
}

/* Snapshots are taken while numbers grow, and after each restart the number is the one told. */
static void counts_right(const struct proto_ops *ops)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	struct world w;
	uint64_t asked = 0;

	build(&w, ops, 20000);
	for (unsigned round = 0; round < 4; round++) {
		uint64_t snapshots = w.r->snapshot.count;

		while (w.r->snapshot.count < snapshots + 2 || asked > w.answered) {
			assert_true(clock_now_ns() < deadline);
			/* One in each turn: some while the snapshot's file is opened. */
			if (w.r->snapshot.count < snapshots + 2 && asked < w.answered + PIPELINED)
				asked += send(w.client, "INCR n\r\n", 8, 0) == 8;
			assert_int_equal(loop_turn(w.r->loop), 0);
			read_numbers(&w);
			open_slowly(&w);
		}
		stop(&w);
		start(&w);
		expect_number(&w, asked);
	}
	destroy(&w);
}

static void single__counts_right_after_snapshots_and_restarts(void **state)
{
	(void)state;
	counts_right(&single_ops);
}

/* --- a protocol that writes down each message --- */

static void writer_nothing(struct proto *p)
{
	(void)p;
}

static void writer_request(struct proto *p, const struct proto_request *req)
{
	(void)p;
	(void)req;
}

static int writer_message(struct proto *p, unsigned from, const void *bytes, size_t len)
{
	(void)from;
	(void)p->io->persist(p->io, bytes, len);
	return 0;
}

static void writer_persisted(struct proto *p, uint64_t seq)
{
	(void)p;
	(void)seq;
}

static void writer_status(const struct proto *p, struct proto_status_view *ret)
{
	(void)p;
	*ret = (struct proto_status_view){.leader = -1};
}

/* Whatever a client can ask. */
static void claim_all(const struct proto_config *cfg, struct proto_claim *ret)
{
	(void)cfg;
	*ret = (struct proto_claim){.does = UINT32_MAX};
}

static const struct proto_ops writer_ops = {
	.name = "writer",
	.size = sizeof(struct proto),
	.claim = claim_all,
	.init = writer_nothing,
	.start = writer_nothing,
	.request = writer_request,
	.message = writer_message,
	.persisted = writer_persisted,
	.status = writer_status,
	.fini = writer_nothing,
};

static void replica__bounds_what_others_have_it_write_while_the_disk_is_slow(void **state)
{
	static uint8_t value[PROTO_VALUE_MAX];
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	struct world w;

	(void)state;
	build(&w, &writer_ops, 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(replica_message(w.r, 1, value, sizeof value), 0);
	assert_true(wal_waiting(&w.r->wal) > WAL_QUEUE_MAX);
	assert_true(wal_waiting(&w.r->wal) <= REPLICA_PEERS_LOG_MAX + PROTO_MESSAGE_MAX);
	assert_true(w.r->peers.dropped > 0);
	/* When the disk has caught up they are heard again. */
	while (wal_waiting(&w.r->wal) > 0) {
		assert_true(clock_now_ns() < deadline);
		assert_int_equal(loop_turn(w.r->loop), 0);
	}
	assert_int_equal(replica_message(w.r, 1, value, sizeof value), 0);
	assert_true(wal_waiting(&w.r->wal) >= sizeof value);
	destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(single__counts_right_after_snapshots_and_restarts),
		cmocka_unit_test(replica__bounds_what_others_have_it_write_while_the_disk_is_slow),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
