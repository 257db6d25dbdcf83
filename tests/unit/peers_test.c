/* SPDX-License-Identifier: MIT */
/*
 * peers_test.c - a replica among replicas that are not its own, and among those that mean harm
 *
 * Whole replicas on one thread, each on its own loop, on loopback addresses of this process; and
 * bare sockets that say what the test says.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "agent/base/crc32c.h"
#include "agent/base/log.h"
#include "store/hello.h"
#include "store/replica.h"
#include "store/settings.h"
#include "tests/lib/test.h"

#define REPLICAS 3
#define DEADLINE_NS (10 * NS_PER_S)
#define PORT 7070

struct world {
	struct replica *r[REPLICAS];
	struct replica_config config[REPLICAS];
	char dir[REPLICAS][64];
};

static void address(unsigned i, struct in_addr *ret)
{
	char text[32];

	(void)snprintf(text, sizeof text, "127.%d.%d.%u", 1 + getpid() / 250 % 250, getpid() % 250,
		101 + i);
	assert_int_equal(inet_pton(AF_INET, text, ret), 1);
}

static void prepare(struct world *w)
{
	*w = (struct world){.r = {NULL}};
	for (unsigned i = 0; i < REPLICAS; i++) {
		struct replica_config *c = &w->config[i];

		(void)snprintf(w->dir[i], sizeof w->dir[i], "/tmp/pacelab-peers-test.XXXXXX");
		assert_non_null(mkdtemp(w->dir[i]));
		*c = (struct replica_config){
			.ops = &raft_ops,
			.cluster = "ours",
			.proto = {.self = i,
				.nodes = REPLICAS,
				.read_level = PROTO_QUORUM,
				.write_level = PROTO_QUORUM,
				.request_timeout_ns = 800 * NS_PER_MS,
				.election_min_ns = 300 * NS_PER_MS,
				.election_max_ns = 600 * NS_PER_MS,
				.heartbeat_ns = 50 * NS_PER_MS,
				.leader = -1},
			.listen = {.sin_family = AF_INET},
			.peer_port = PORT,
			.admin_fd = -1,
			.signal_fd = -1,
			.dir = w->dir[i],
			.sync = WAL_SYNC_NONE,
			.seed = 1,
		};
		settings_defaults(&c->proto);
		for (unsigned k = 0; k < REPLICAS; k++)
			address(k, &c->peers[k]);
		c->listen.sin_addr = c->peers[i];
	}
}

static void start(struct world *w, unsigned i)
{
	struct err err = {0};

	if (replica_open(&w->r[i], &w->config[i], &err) < 0)
		fail_msg("%s", err.text);
}

static void stop(struct world *w, unsigned i)
{
	replica_close(w->r[i]);
	w->r[i] = NULL;
}

static void turn(struct world *w)
{
	for (unsigned i = 0; i < REPLICAS; i++)
		if (w->r[i])
			assert_int_equal(loop_turn(w->r[i]->loop), 0);
}

static void turn_for(struct world *w, uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;

	while (clock_now_ns() < until)
		turn(w);
}

static void destroy(struct world *w)
{
	for (unsigned i = 0; i < REPLICAS; i++) {
		char path[128];

		stop(w, i);
		(void)snprintf(path, sizeof path, "%s/" REPLICA_LOG, w->dir[i]);
		(void)unlink(path);
		(void)rmdir(w->dir[i]);
	}
}

#define TURN_UNTIL(w, condition) \
	do { \
		uint64_t deadline_ns = clock_now_ns() + DEADLINE_NS; \
		while (!(condition)) { \
			assert_true(clock_now_ns() < deadline_ns); \
			turn(w); \
		} \
	} while (0)

static const char *info(const struct replica *r)
{
	static struct buf text;

	text.len = 0;
	peers_info(&r->peers, &text);
	buf_u8(&text, 0);
	return (const char *)text.p;
}

static void assert_info(const struct replica *r, const char *line)
{
	if (!strstr(info(r), line))
		fail_msg("'%s' is not in: %s", line, info(r));
}

/* A socket that dials replica 0 from the address of number @as. */
static int dial_as(struct world *w, unsigned as)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr = w->config[0].peers[0], .sin_port = htons(PORT)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	address(as, &from.sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static void say(int fd, const struct buf *b)
{
	assert_int_equal(send(fd, b->p, b->len, MSG_NOSIGNAL), b->len);
}

/* Read until the other side closes, or until a frame is whole. Return: whether it is. */
static bool hear(struct world *w, int fd, struct buf *in, struct frame *ret)
{
	uint64_t deadline_ns = clock_now_ns() + DEADLINE_NS;
	size_t used;

	for (;;) {
		ssize_t n = recv(fd, buf_grow(in, 4096), 4096, 0);

		assert_true(clock_now_ns() < deadline_ns);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return false;
		if (n > 0) {
			in->len += (size_t)n;
			if (frame_decode(in->p, in->len, FRAME_PAYLOAD_MAX, ret, &used) == 0)
				return true;
		}
		turn(w);
	}
}

static void assert_closed(struct world *w, int fd)
{
	struct buf in = {0};
	struct frame frame;

	if (hear(w, fd, &in, &frame))
		fail_msg("there is an answer, of type %d", frame.type);
	buf_fini(&in);
	close(fd);
}

/* A hello from @from to @to with the words of @config. */
static void put_hello(struct buf *out, unsigned from, unsigned to, const struct replica_config *c)
{
	struct buf words = {0};
	struct frame_hello hello = {.to = (uint16_t)to};

	hello_words(&words, c);
	hello.words = (struct proto_bytes){.p = words.p, .len = (uint32_t)words.len};
	frame_hello_encode(out, FRAME_HELLO, (uint16_t)from, &hello);
	buf_fini(&words);
}

static void peers__of_another_cluster_are_refused_with_both_values_on_both_sides(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	w.config[1].cluster = "theirs";
	for (unsigned i = 0; i < REPLICAS; i++)
		start(&w, i);
	TURN_UNTIL(&w, w.r[0]->peers.peer[2].up && w.r[0]->peers.peer[1].refusal[0] &&
			       w.r[1]->peers.peer[0].refusal[0]);
	assert_info(w.r[0], "\npeer_1:refused,cluster=theirs there, cluster=ours here\r\n");
	assert_info(w.r[1], "\npeer_0:refused,cluster=ours there, cluster=theirs here\r\n");
	assert_info(w.r[0], "\npeer_2:up,");
	assert_int_equal(w.r[0]->peers.frames_bad, 0);
	assert_int_equal(peers_up(&w.r[1]->peers), 0);
	/* Started again as it should have been, it is one of them at once. */
	stop(&w, 1);
	w.config[1].cluster = "ours";
	start(&w, 1);
	TURN_UNTIL(&w, w.r[0]->peers.peer[1].up && w.r[1]->peers.peer[0].up);
	assert_info(w.r[0], "\npeer_1:up,");
	destroy(&w);
}

static void peers__with_another_configuration_are_refused(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	w.config[1].ops = &quorum_ops;
	w.config[2].proto.election_max_ns = 700 * NS_PER_MS;
	for (unsigned i = 0; i < REPLICAS; i++)
		start(&w, i);
	TURN_UNTIL(&w, w.r[0]->peers.peer[1].refusal[0] && w.r[0]->peers.peer[2].refusal[0]);
	assert_info(w.r[0], "\npeer_1:refused,proto=quorum there, proto=raft here\r\n");
	assert_info(w.r[0], "\npeer_2:refused,election=300000000ns-700000000ns there, "
			    "election=300000000ns-600000000ns here\r\n");
	destroy(&w);
}

static void peers__that_are_refused_are_not_dialed_in_a_loop(void **state)
{
	struct world w;
	uint64_t before;

	(void)state;
	prepare(&w);
	w.config[1].cluster = "theirs";
	start(&w, 0);
	start(&w, 1);
	TURN_UNTIL(&w, w.r[0]->peers.peer[1].refusal[0] && w.r[1]->peers.peer[0].refusal[0]);
	before = w.r[0]->peers.refused;
	turn_for(&w, 3 * NS_PER_S);
	/* In three seconds each side dials once or twice. */
	assert_in_range(w.r[0]->peers.refused - before, 1, 5);
	destroy(&w);
}

static void peers__of_another_version_are_told_which_one_this_is(void **state)
{
	struct buf in = {0};
	struct buf b = {0};
	struct frame frame;
	struct world w;
	int fd;

	(void)state;
	prepare(&w);
	start(&w, 0);
	put_hello(&b, 1, 0, &w.config[1]);
	b.p[4] = FRAME_VERSION + 1;
	b.len = 16;
	buf_u32(&b, crc32c(0, b.p, 16));
	fd = dial_as(&w, 1);
	say(fd, &b);
	assert_true(hear(&w, fd, &in, &frame));
	assert_int_equal(frame.type, FRAME_REFUSAL);
	assert_int_equal(frame.version, FRAME_VERSION);
	assert_int_equal(w.r[0]->peers.refused, 1);
	close(fd);
	buf_fini(&in);
	buf_fini(&b);
	destroy(&w);
}

/* What replica 0 says to a hello from @from to @to that comes from the address of @as. */
static void assert_refused(
	struct world *w, unsigned as, unsigned from, unsigned to, const char *expected)
{
	struct frame_hello hello;
	struct buf in = {0};
	struct buf b = {0};
	struct frame frame;
	int fd = dial_as(w, as);

	put_hello(&b, from, to, &w->config[1]);
	say(fd, &b);
	assert_true(hear(w, fd, &in, &frame));
	assert_int_equal(frame.type, FRAME_REFUSAL);
	assert_int_equal(frame_hello_decode(frame.payload, &hello), 0);
	assert_int_equal(hello.why.len, strlen(expected));
	assert_memory_equal(hello.why.p, expected, hello.why.len);
	in.len = 0;
	assert_false(hear(w, fd, &in, &frame));
	close(fd);
	buf_fini(&in);
	buf_fini(&b);
}

static void peers__that_claim_a_wrong_id_are_refused(void **state)
{
	struct world w;

	(void)state;
	prepare(&w);
	start(&w, 0);
	assert_refused(&w, 1, 1, 2, "id=1 meant id=2, this is id=0");
	assert_refused(&w, 1, 0, 0, "id=0 meant id=0, this is id=0");
	assert_refused(&w, 1, 9, 0, "id=9 meant id=0, this is id=0");
	assert_refused(&w, 2, 1, 0, "id=1 is not at the address it comes from");
	assert_refused(&w, 9, 1, 0, "id=1 is not at the address it comes from");
	assert_int_equal(w.r[0]->peers.refused, 5);
	assert_int_equal(w.r[0]->peers.frames_bad, 0);
	destroy(&w);
}

/* Connect as @as, after a hello if @hello, and say @b: the connection is closed without a word. */
static void assert_broken_off(struct world *w, unsigned as, bool hello, const struct buf *b)
{
	uint64_t bad = w->r[0]->peers.frames_bad;
	int fd = dial_as(w, as);

	if (hello) {
		struct frame frame;
		struct buf in = {0};

		put_hello(&in, 1, 0, &w->config[1]);
		say(fd, &in);
		in.len = 0;
		assert_true(hear(w, fd, &in, &frame));
		assert_int_equal(frame.type, FRAME_WELCOME);
		buf_fini(&in);
	}
	say(fd, b);
	assert_closed(w, fd);
	assert_int_equal(w->r[0]->peers.frames_bad, bad + 1);
}

static void put_frame(struct buf *out, enum frame_type type, unsigned from, size_t len)
{
	uint8_t *zero = calloc(1, len + 1);
	struct frame frame = {
		.type = type, .from = (uint16_t)from, .payload = {.p = zero, .len = (uint32_t)len}};

	assert_non_null(zero);
	out->len = 0;
	frame_encode(out, &frame);
	free(zero);
}

static void peers__that_break_the_rules_are_closed_and_counted(void **state)
{
	struct buf b = {0};
	struct world w;

	(void)state;
	prepare(&w);
	start(&w, 0);
	buf_printf(&b, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_broken_off(&w, 1, false, &b);
	put_frame(&b, FRAME_MESSAGE, 1, 100); /* before a hello */
	assert_broken_off(&w, 1, false, &b);
	put_frame(&b, FRAME_HELLO, 1, 2); /* a hello that is none */
	assert_broken_off(&w, 1, false, &b);
	put_frame(&b, FRAME_HELLO, 1, FRAME_HELLO_MAX + 1);
	b.len = FRAME_HEADER; /* the header alone says too much */
	assert_broken_off(&w, 1, false, &b);
	assert_broken_off(&w, 9, false, &b);
	put_frame(&b, FRAME_PING, 2, FRAME_PING_BYTES); /* in another's name */
	assert_broken_off(&w, 1, true, &b);
	put_frame(&b, FRAME_PING, 1, FRAME_PING_BYTES + 1);
	assert_broken_off(&w, 1, true, &b);
	put_frame(&b, FRAME_WELCOME, 1, 8); /* the wrong way round */
	assert_broken_off(&w, 1, true, &b);
	put_frame(&b, FRAME_MESSAGE, 1, 3); /* no message of raft */
	assert_broken_off(&w, 1, true, &b);
	put_frame(&b, FRAME_PING, 1, FRAME_PING_BYTES);
	b.p[b.len - 1] ^= 1;
	assert_broken_off(&w, 1, true, &b);
	buf_fini(&b);
	destroy(&w);
}

static void peers__close_who_says_no_hello_in_time(void **state)
{
	struct buf b = {0};
	struct world w;
	uint64_t begin;
	int silent, slow;

	(void)state;
	prepare(&w);
	start(&w, 0);
	put_hello(&b, 1, 0, &w.config[1]);
	silent = dial_as(&w, 9);
	slow = dial_as(&w, 1);
	begin = clock_now_ns();
	/* A byte now and then does not count. */
	for (unsigned i = 0; clock_now_ns() - begin < 2 * NS_PER_S; i++) {
		(void)send(slow, b.p + i % 8, 1, MSG_NOSIGNAL);
		turn_for(&w, 300 * NS_PER_MS);
	}
	assert_closed(&w, silent);
	assert_closed(&w, slow);
	assert_true(clock_now_ns() - begin < 5 * NS_PER_S);
	TURN_UNTIL(&w, w.r[0]->peers.inbound_count == 0);
	buf_fini(&b);
	destroy(&w);
}

static void peers__have_room_for_replicas_however_many_strangers_come(void **state)
{
	enum { CROWD = 200 };
	struct world w;
	int fd[CROWD];
	int same[3 * PEERS_PER_REPLICA_MAX];

	(void)state;
	prepare(&w);
	start(&w, 0);
	for (unsigned i = 0; i < CROWD; i++) {
		fd[i] = dial_as(&w, 9);
		turn(&w);
	}
	/* And from the address of a replica, whatever that is. */
	for (unsigned i = 0; i < 3 * PEERS_PER_REPLICA_MAX; i++) {
		same[i] = dial_as(&w, 1);
		turn(&w);
	}
	TURN_UNTIL(&w, w.r[0]->peers.inbound_count <= PEERS_STRANGERS_MAX + PEERS_PER_REPLICA_MAX);
	assert_int_equal(w.r[0]->peers.strangers, PEERS_STRANGERS_MAX);
	assert_true(
		w.r[0]->peers.overfull >= CROWD - PEERS_STRANGERS_MAX + 2 * PEERS_PER_REPLICA_MAX);
	start(&w, 1);
	start(&w, 2);
	TURN_UNTIL(&w, peers_up(&w.r[0]->peers) == 2 && peers_up(&w.r[1]->peers) == 2);
	for (unsigned i = 0; i < CROWD; i++)
		close(fd[i]);
	for (unsigned i = 0; i < 3 * PEERS_PER_REPLICA_MAX; i++)
		close(same[i]);
	TURN_UNTIL(&w, w.r[0]->peers.strangers == 0 && w.r[0]->peers.inbound_count == 2);
	assert_int_equal(peers_up(&w.r[0]->peers), 2);
	destroy(&w);
}

/* Says nothing wrong, but never reads: pings are answered until that fills a queue, no longer. */
static void peers__keep_a_bounded_queue_for_who_never_reads(void **state)
{
	enum { PINGS = 1000 };
	struct frame frame;
	struct buf in = {0};
	struct buf b = {0};
	struct world w;
	int small = 4096;
	uint64_t sent = 0;
	int fd;

	(void)state;
	prepare(&w);
	start(&w, 0);
	fd = dial_as(&w, 1);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	put_hello(&in, 1, 0, &w.config[1]);
	say(fd, &in);
	in.len = 0;
	assert_true(hear(&w, fd, &in, &frame));
	in.len = 0;
	for (unsigned i = 0; i < PINGS; i++) {
		put_frame(&b, FRAME_PING, 1, FRAME_PING_BYTES);
		buf_add(&in, b.p, b.len);
	}
	while (sent < 16 * PEERS_QUEUE_MAX) {
		ssize_t n = send(fd, in.p + sent % in.len, in.len - sent % in.len, MSG_NOSIGNAL);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			turn(&w);
		} else {
			sent += (uint64_t)n;
		}
		assert_true(peers_queued(&w.r[0]->peers) <= PEERS_QUEUE_MAX + (1u << 20));
	}
	assert_true(peers_queued(&w.r[0]->peers) >= PEERS_QUEUE_MAX);
	close(fd);
	buf_fini(&in);
	buf_fini(&b);
	destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			peers__of_another_cluster_are_refused_with_both_values_on_both_sides),
		cmocka_unit_test(peers__with_another_configuration_are_refused),
		cmocka_unit_test(peers__that_are_refused_are_not_dialed_in_a_loop),
		cmocka_unit_test(peers__of_another_version_are_told_which_one_this_is),
		cmocka_unit_test(peers__that_claim_a_wrong_id_are_refused),
		cmocka_unit_test(peers__that_break_the_rules_are_closed_and_counted),
		cmocka_unit_test(peers__close_who_says_no_hello_in_time),
		cmocka_unit_test(peers__have_room_for_replicas_however_many_strangers_come),
		cmocka_unit_test(peers__keep_a_bounded_queue_for_who_never_reads),
	};

	log_init(STDERR_FILENO, "peers-test", LOG_ERROR);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
