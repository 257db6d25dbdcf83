/* SPDX-License-Identifier: MIT */
/*
 * commands_test.c - commands of clients and what becomes of replies, for a protocol that the test
 * itself is: requests are kept until it answers them
 */
#include "store/commands.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"
#include "store/replica.h"
#include "tests/lib/test.h"

#define DEADLINE_NS (10 * NS_PER_S)
#define BEAT_NS NS_PER_MS
#define HELD_MAX 2048u
#define BIG PROTO_VALUE_MAX

struct held {
	uint64_t ticket;
	enum proto_op op;
	enum proto_level level;
	char key[16];
	char value[16];
	bool session;
};

static struct world {
	struct replica *r;
	struct loop_timer beat; /* so that no turn waits for long */
	char dir[64];
	int fd;
	struct held held[HELD_MAX];
	unsigned n;
	enum proto_admin admin;
	int admin_node;
	size_t beside; /* what the protocol says that it keeps beside the table */
} world;

static void hold(struct proto *p, const struct proto_request *req)
{
	struct held *h = &world.held[world.n++];

	(void)p;
	assert_true(world.n <= HELD_MAX);
	*h = (struct held){.ticket = req->ticket, .op = req->op, .level = req->level};
	h->session = req->token;
	(void)snprintf(h->key, sizeof h->key, "%.*s", (int)req->key.len, (const char *)req->key.p);
	(void)snprintf(
		h->value, sizeof h->value, "%.*s", (int)req->value.len, (const char *)req->value.p);
}

static void admin(struct proto *p, uint64_t ticket, enum proto_admin what, unsigned node)
{
	struct proto_reply reply = {.status = PROTO_OK};

	world.admin = what;
	world.admin_node = (int)node;
	p->io->reply(p->io, ticket, &reply);
}

static void nothing(struct proto *p)
{
	(void)p;
}

static void status(const struct proto *p, struct proto_status_view *ret)
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

static size_t beside(const struct proto *p)
{
	(void)p;
	return world.beside;
}

static const struct proto_ops held_ops = {
	.name = "held",
	.size = sizeof(struct proto),
	.claim = claim_all,
	.init = nothing,
	.start = nothing,
	.request = hold,
	.admin = admin,
	.status = status,
	.memory = beside,
	.fini = nothing,
};

static void on_beat(struct loop_timer *timer)
{
	loop_arm(world.r->loop, timer, loop_now(world.r->loop) + BEAT_NS);
}

static int dial(void)
{
	struct sockaddr_in addr;
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(
		getsockname(world.r->net.listeners[0].fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

static int setup(void **state)
{
	struct replica_config config = {
		.ops = &held_ops,
		.proto = {.nodes = 3, .read_level = PROTO_ONE, .write_level = PROTO_ONE},
		.listen = {.sin_family = AF_INET},
		.admin_fd = -1,
		.signal_fd = -1,
		.dir = world.dir,
	};
	struct err err = {0};
	char addr[32];

	(void)state;
	world = (struct world){.beat = {.fire = on_beat}, .admin_node = -1};
	(void)snprintf(world.dir, sizeof world.dir, "/tmp/pacelab-commands-test.XXXXXX");
	assert_non_null(mkdtemp(world.dir));
	/* Addresses that no other test process uses; nobody is at the last two. */
	for (unsigned i = 0; i < 3; i++) {
		(void)snprintf(addr, sizeof addr, "127.%d.%d.%u", 1 + getpid() / 250 % 250,
			getpid() % 250, 9 + i);
		assert_int_equal(inet_pton(AF_INET, addr, &config.peers[i]), 1);
	}
	config.listen.sin_addr = config.peers[0];
	config.peer_port = 7000;
	if (replica_open(&world.r, &config, &err) < 0)
		fail_msg("%s", err.text);
	loop_arm(world.r->loop, &world.beat, loop_now(world.r->loop));
	world.fd = dial();
	return 0;
}

static int teardown(void **state)
{
	DIR *dir;
	struct dirent *file;
	char path[sizeof world.dir + sizeof file->d_name + 1];

	(void)state;
	close(world.fd);
	replica_close(world.r);
	dir = opendir(world.dir);
	assert_non_null(dir);
	while ((file = readdir(dir))) {
		(void)snprintf(path, sizeof path, "%s/%s", world.dir, file->d_name);
		(void)unlink(path);
	}
	closedir(dir);
	return rmdir(world.dir);
}

static void turn(void)
{
	assert_int_equal(loop_turn(world.r->loop), 0);
}

static void send_bytes(int fd, const char *bytes, size_t len)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(fd, bytes + done, len - done, MSG_NOSIGNAL);

		assert_true(n > 0 || errno == EAGAIN);
		done += n > 0 ? (size_t)n : 0;
		turn();
		assert_true(clock_now_ns() < deadline);
	}
}

/* Send, and wait until the protocol holds @requests in all. */
static void ask(const char *text, unsigned requests)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;

	send_bytes(world.fd, text, strlen(text));
	while (world.n < requests && clock_now_ns() < deadline)
		turn();
	assert_int_equal(world.n, requests);
}

static void expect(int fd, const char *reply)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	char got[1024] = "";
	size_t n = 0;

	while (n < strlen(reply) && clock_now_ns() < deadline) {
		ssize_t took = read(fd, got + n, strlen(reply) - n);

		n += took > 0 ? (size_t)took : 0;
		if (took == 0)
			break;
		turn();
	}
	got[n] = '\0';
	assert_string_equal(got, reply);
}

static void expect_closed(int fd)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;
	char byte;
	ssize_t n;

	while ((n = read(fd, &byte, 1)) < 0 && errno == EAGAIN && clock_now_ns() < deadline)
		turn();
	assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
}

static void answer(unsigned i, enum proto_status status_, const char *value)
{
	struct proto_reply reply = {
		.status = status_, .why = status_ == PROTO_UNAVAILABLE ? "no leader" : NULL};

	if (value)
		reply.value = (struct proto_bytes){
			.p = (const uint8_t *)value, .len = (uint32_t)strlen(value)};
	net_reply(&world.r->net, world.held[i].ticket, &reply);
}

static struct net_client *client(void)
{
	for (unsigned i = 0; i < world.r->net.clients_high; i++)
		if (world.r->net.clients[i])
			return world.r->net.clients[i];
	fail_msg("no client");
	return NULL;
}

/* --- one reply of many --- */

static void gather__answers_in_the_order_of_the_keys(void **state)
{
	(void)state;
	ask("MGET a b c\r\n", 3);
	answer(2, PROTO_OK, "3");
	answer(0, PROTO_OK, "1");
	answer(1, PROTO_NIL, NULL);
	expect(world.fd, "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n3\r\n");
	ask("DEL a b c\r\n", 6);
	answer(3, PROTO_OK, NULL);
	answer(4, PROTO_NIL, NULL);
	answer(5, PROTO_OK, NULL);
	expect(world.fd, ":2\r\n");
	assert_true(list_empty(&world.r->net.gathers));
}

static void gather__says_what_became_of_a_write_in_part(void **state)
{
	(void)state;
	ask("MSET a 1 b 2\r\n", 2);
	answer(1, PROTO_UNAVAILABLE, NULL);
	answer(0, PROTO_OK, NULL);
	expect(world.fd,
		"-UNCERTAIN 1 of 2 keys are done; first refusal: UNAVAILABLE no leader\r\n");
	ask("MSET a 1 b 2\r\n", 4);
	answer(2, PROTO_UNAVAILABLE, NULL);
	answer(3, PROTO_UNAVAILABLE, NULL);
	expect(world.fd, "-UNAVAILABLE no leader\r\n");
	ask("EXISTS a b\r\n", 6);
	answer(4, PROTO_OK, NULL);
	answer(5, PROTO_UNAVAILABLE, NULL);
	expect(world.fd, "-UNAVAILABLE no leader\r\n");
}

static void gather__ends_with_the_last_reply_when_the_client_has_gone(void **state)
{
	uint64_t deadline = clock_now_ns() + DEADLINE_NS;

	(void)state;
	ask("MGET a b\r\nMGET c d\r\n", 4);
	answer(0, PROTO_OK, "1");
	close(world.fd);
	/* It waits for what is under way, and then nobody takes it. */
	answer(1, PROTO_OK, "2");
	answer(3, PROTO_OK, "2");
	world.fd = dial();
	while (world.r->net.last_id < 2 && clock_now_ns() < deadline)
		turn();
	answer(2, PROTO_OK, "2");
	assert_true(list_empty(&world.r->net.gathers));
	assert_int_equal(world.r->net.requests_used, 0);
}

static void gather__keeps_no_more_than_its_limit(void **state)
{
	char *big = malloc(BIG + 1);
	static const char text[] = "MGET k k k k k k k k k k k k k k k k k k k k\r\n";

	(void)state;
	memset(big, 'x', BIG);
	big[BIG] = '\0';
	ask(text, 20);
	for (unsigned i = 0; i < 20; i++) {
		answer(i, PROTO_OK, big);
		assert_true(client()->waiting <= 16u << 20);
	}
	expect(world.fd,
		"-ERR the values are longer than 16777216 bytes together, ask for fewer\r\n");
	assert_int_equal(client()->waiting, 0);
	free(big);
}

/* --- sets, and values side by side --- */

/* A reply with the letters of @list as its list, @number and a token. */
static void answer_list(unsigned i, enum proto_status status_, const char *list, int64_t number)
{
	struct token token = {.n = 1, .at = {i + 1}};
	struct proto_bytes each[8];
	struct proto_reply reply = {
		.status = status_, .list = each, .number = number, .token = &token};

	for (; list[reply.listed]; reply.listed++)
		each[reply.listed] = (struct proto_bytes){(const uint8_t *)&list[reply.listed], 1};
	net_reply(&world.r->net, world.held[i].ticket, &reply);
}

static void set__is_changed_by_a_request_for_each_member(void **state)
{
	(void)state;
	ask("SADD s a b a\r\nSREM s b\r\n", 4);
	assert_int_equal(world.held[1].op, PROTO_ADD);
	assert_string_equal(world.held[1].key, "s");
	assert_string_equal(world.held[1].value, "b");
	assert_int_equal(world.held[3].op, PROTO_REMOVE);
	answer_list(3, PROTO_OK, "", 1);
	answer_list(2, PROTO_OK, "", 0);
	answer_list(0, PROTO_OK, "", 1);
	answer_list(1, PROTO_OK, "", 1);
	expect(world.fd, ":2\r\n:1\r\n");
	ask("SADD s a b\r\nSREM s a b\r\n", 8);
	answer(4, PROTO_UNAVAILABLE, NULL);
	answer_list(5, PROTO_OK, "", 1);
	answer(6, PROTO_WRONG, NULL);
	answer(7, PROTO_WRONG, NULL);
	expect(world.fd,
		"-UNCERTAIN 1 of 2 members are done; first refusal: UNAVAILABLE no leader\r\n"
		"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
}

static void set__is_looked_at_by_its_members(void **state)
{
	(void)state;
	ask("CONSISTENCY READ lease\r\nSMEMBERS s\r\nSCARD s\r\nSISMEMBER s b\r\n"
	    "SISMEMBER s x\r\nVALUES r\r\n",
		5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(world.held[i].op, i < 4 ? PROTO_MEMBERS : PROTO_VALUES);
		assert_int_equal(world.held[i].level, PROTO_LEASE);
		answer_list(i, PROTO_OK, "ba", 0);
	}
	expect(world.fd, "+OK\r\n*2\r\n$1\r\nb\r\n$1\r\na\r\n:2\r\n:1\r\n:0\r\n"
			 "*2\r\n$1\r\nb\r\n$1\r\na\r\n");
	ask("SMEMBERS s\r\nSCARD s\r\nSISMEMBER s b\r\nVALUES r\r\n", 9);
	for (unsigned i = 5; i < 9; i++)
		answer_list(i, PROTO_NIL, "", 0);
	expect(world.fd, "*0\r\n:0\r\n:0\r\n*0\r\n");
	ask("SISMEMBER s b\r\nHELLO 3\r\n", 10);
	answer(9, PROTO_WRONG, NULL);
	expect(world.fd,
		"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n%7");
	assert_int_equal(client()->waiting, 0);
}

static void set__is_a_set_in_resp3(void **state)
{
	(void)state;
	ask("PING\r\n", 0);
	expect(world.fd, "+PONG\r\n");
	client()->resp3 = true;
	ask("SMEMBERS s\r\nVALUES r\r\n", 2);
	answer_list(0, PROTO_OK, "a", 0);
	answer_list(1, PROTO_OK, "a", 0);
	expect(world.fd, "~1\r\n$1\r\na\r\n*1\r\n$1\r\na\r\n");
}

static void resolve__ends_a_value_by_name(void **state)
{
	(void)state;
	ask("RESOLVE k a\r\nRESOLVE k\r\nRESOLVE k a b\r\nresolve k b\r\nRESOLVE k c\r\n", 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(world.held[i].op, PROTO_RESOLVE);
		assert_string_equal(world.held[i].key, "k");
		assert_int_equal(world.held[i].value[0], 'a' + (int)i);
	}
	answer(0, PROTO_OK, NULL);
	answer(1, PROTO_NIL, NULL);
	answer(2, PROTO_UNSUPPORTED, NULL);
	expect(world.fd, ":1\r\n-ERR wrong number of arguments for 'resolve' command\r\n"
			 "-ERR wrong number of arguments for 'resolve' command\r\n"
			 ":0\r\n-UNSUPPORTED");
}

static void memory__that_is_full_takes_what_makes_room(void **state)
{
	(void)state;
	world.r->config.memory_max = 100 << 20;
	world.beside = 101 << 20;
	ask("SET k v\r\nSADD s a\r\nGET k\r\nDEL k\r\nSREM s a\r\nRESOLVE k v\r\n", 4);
	assert_int_equal(world.held[0].op, PROTO_GET);
	assert_int_equal(world.held[1].op, PROTO_DEL);
	assert_int_equal(world.held[2].op, PROTO_REMOVE);
	assert_int_equal(world.held[3].op, PROTO_RESOLVE);
	for (unsigned i = 0; i < 4; i++)
		answer(i, PROTO_NIL, NULL);
	expect(world.fd,
		"-UNAVAILABLE memory full\r\n-UNAVAILABLE memory full\r\n$-1\r\n:0\r\n:0\r\n:0\r\n");
	world.beside = 0;
	ask("SET k v\r\n", 5);
	answer(4, PROTO_OK, NULL);
	expect(world.fd, "+OK\r\n");
}

static void key__of_another_type_is_there(void **state)
{
	(void)state;
	ask("TYPE s\r\nEXISTS s\r\nTTL s\r\nEXISTS s n\r\nGET s\r\n", 6);
	for (unsigned i = 0; i < 6; i++)
		answer(i, i == 4 ? PROTO_NIL : PROTO_WRONG, NULL);
	expect(world.fd, "+set\r\n:1\r\n:-1\r\n:1\r\n"
			 "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
}

static void session__gets_its_token_with_replies_of_many_parts(void **state)
{
	(void)state;
	ask("WITH SESSION - SADD s a b\r\nWITH SESSION - SISMEMBER s a\r\n"
	    "WITH SESSION 7 MGET a b\r\nWITH SESSION - SMEMBERS s\r\n",
		6);
	for (unsigned i = 0; i < 6; i++) {
		assert_true(world.held[i].session);
		answer_list(i, i < 3 || i > 4 ? PROTO_OK : PROTO_NIL, i < 2 ? "" : "a", 1);
	}
	expect(world.fd, "*2\r\n:2\r\n$1\r\n2\r\n*2\r\n:1\r\n$1\r\n3\r\n"
			 "*2\r\n*2\r\n$-1\r\n$-1\r\n$1\r\n5\r\n"
			 "*2\r\n*1\r\n$1\r\na\r\n$1\r\n6\r\n");
}

/* --- what one client may make a replica keep --- */

static void pipeline_gets(unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_bytes(world.fd, "GET big\r\n", 9);
	for (int i = 0; i < 100; i++)
		turn();
}

static void client__has_no_more_requests_under_way_than_their_replies_may_be_long(void **state)
{
	struct table_entry e = {.key = {(const uint8_t *)"big", 3}};
	uint8_t *big = calloc(1, BIG);

	(void)state;
	e.value = (struct proto_bytes){.p = big, .len = BIG};
	table_put(world.r->table, &e);
	pipeline_gets(1000);
	assert_true(world.n > 1 && world.n <= NET_AHEAD_MAX / BIG + 1);
	for (unsigned i = 0; i < world.n; i++)
		answer(i, PROTO_NIL, NULL);
	assert_int_equal(client()->expected, 0);
	free(big);
}

static void client__gets_errors_instead_of_what_nobody_could_foresee(void **state)
{
	char *big = malloc(BIG + 1);
	unsigned n;

	(void)state;
	memset(big, 'x', BIG);
	big[BIG] = '\0';
	pipeline_gets(1000);
	n = world.n;
	assert_true(n == 1000);
	/* The first is not answered, so all others wait here. */
	for (unsigned i = n - 1; i > 0; i--) {
		answer(i, PROTO_OK, big);
		assert_true(client()->waiting <= NET_OUT_HARD_MAX + 1000 * 64);
	}
	assert_true(client()->waiting > NET_OUT_HARD_MAX - 2 * BIG);
	answer(0, PROTO_OK, "first");
	expect(world.fd, "$5\r\nfirst\r\n-UNAVAILABLE too many bytes wait for this client\r\n");
	assert_int_equal(client()->waiting, 0);
	free(big);
}

static void client__that_is_to_go_and_takes_nothing_is_closed(void **state)
{
	char *big = malloc(BIG + 1);
	struct net_client *c;

	(void)state;
	memset(big, 'x', BIG);
	big[BIG] = '\0';
	ask("GET a\r\nGET a\r\nGET a\r\nGET a\r\nGET a\r\nGET a\r\nQUIT\r\n", 6);
	for (unsigned i = 0; i < 6; i++)
		answer(i, PROTO_OK, big);
	for (int i = 0; i < 50; i++)
		turn();
	/* More is on its way than sockets hold, so it is still there; then its time is over. */
	c = client();
	assert_true(c->quit && stream_queued(&c->stream) > 0);
	loop_arm(world.r->loop, &c->linger, loop_now(world.r->loop));
	for (uint64_t end = clock_now_ns() + DEADLINE_NS;
		world.r->net.connected > 0 && clock_now_ns() < end;)
		turn();
	assert_int_equal(world.r->net.connected, 0);
	free(big);
}

static void client__is_closed_for_input_without_end(void **state)
{
	static const char *const starts[] = {"*5000\r\n", "*1\r\n$1048577\r\n", "*1\r\nx"};
	char *line = malloc(RESP_INLINE_MAX);

	(void)state;
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		int fd = dial();

		send_bytes(fd, starts[i], strlen(starts[i]));
		expect(fd, "-ERR Protocol error: ");
		while (read(fd, line, 1) > 0)
			;
		close(fd);
	}
	memset(line, 'a', RESP_INLINE_MAX);
	send_bytes(world.fd, line, RESP_INLINE_MAX);
	expect(world.fd, "-ERR Protocol error: too big inline request\r\n");
	expect_closed(world.fd);
	assert_int_equal(world.r->net.clients_bad, 4);
	free(line);
}

/* --- the connection --- */

static void consistency__is_chosen_for_reads_and_writes_and_for_one_request(void **state)
{
	(void)state;
	ask("CONSISTENCY READ lease\r\nCONSISTENCY WRITE all\r\nCONSISTENCY\r\n", 0);
	expect(world.fd, "+OK\r\n+OK\r\n$20\r\nread lease write all\r\n");
	ask("GET a\r\nSET a 1\r\nWITH three GET a\r\nWITH two MSET a 1 b 2\r\nTTL a\r\n", 6);
	assert_int_equal(world.held[0].level, PROTO_LEASE);
	assert_int_equal(world.held[1].level, PROTO_ALL);
	assert_int_equal(world.held[2].level, PROTO_THREE);
	assert_int_equal(world.held[3].level, PROTO_TWO);
	assert_int_equal(world.held[4].level, PROTO_TWO);
	assert_int_equal(world.held[5].level, PROTO_LEASE);
	for (unsigned i = 0; i < 6; i++)
		answer(i, PROTO_NIL, NULL);
}

static void hello__changes_the_replies_to_what_is_asked_from_then_on(void **state)
{
	(void)state;
	ask("GET a\r\nHELLO 3\r\nGET b\r\n", 2);
	answer(1, PROTO_NIL, NULL);
	answer(0, PROTO_NIL, NULL);
	expect(world.fd,
		"$-1\r\n%7\r\n$6\r\nserver\r\n$7\r\npacelab\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n"
		"$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n"
		"$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n_\r\n");
	ask("RESET\r\nGET b\r\n", 3);
	answer(2, PROTO_NIL, NULL);
	expect(world.fd, "+RESET\r\n$-1\r\n");
}

static void client__can_be_closed_by_another(void **state)
{
	int fd = dial();

	(void)state;
	ask("CLIENT ID\r\n", 0);
	expect(world.fd, ":1\r\n");
	send_bytes(fd, "CLIENT KILL ID 1\r\n", 18);
	expect(fd, ":1\r\n");
	expect_closed(world.fd);
	send_bytes(fd, "CLIENT KILL ID 1\r\n", 18);
	expect(fd, ":0\r\n");
	close(fd);
}

static void replica__passes_on_what_an_operator_asks(void **state)
{
	(void)state;
	ask("REPLICA TRANSFER 2\r\n", 0);
	expect(world.fd, "+OK\r\n");
	assert_int_equal(world.admin, PROTO_ADMIN_TRANSFER);
	assert_int_equal(world.admin_node, 2);
	ask("replica remove 1\r\n", 0);
	expect(world.fd, "+OK\r\n");
	assert_int_equal(world.admin, PROTO_ADMIN_REMOVE);
	ask("REPLICA ADD 3\r\nREPLICA ADD -1\r\nREPLICA ADD x\r\nREPLICA SHOOT 1\r\n", 0);
	expect(world.fd, "-ERR there is no replica 3, they are 0 to 2\r\n"
			 "-ERR there is no replica -1, they are 0 to 2\r\n"
			 "-ERR value is not an integer or out of range\r\n"
			 "-ERR REPLICA TRANSFER, ADD or REMOVE, and a replica's number\r\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gather__answers_in_the_order_of_the_keys),
		TEST(gather__says_what_became_of_a_write_in_part),
		TEST(gather__ends_with_the_last_reply_when_the_client_has_gone),
		TEST(gather__keeps_no_more_than_its_limit),
		TEST(set__is_changed_by_a_request_for_each_member),
		TEST(set__is_looked_at_by_its_members),
		TEST(set__is_a_set_in_resp3),
		TEST(resolve__ends_a_value_by_name),
		TEST(memory__that_is_full_takes_what_makes_room),
		TEST(key__of_another_type_is_there),
		TEST(session__gets_its_token_with_replies_of_many_parts),
		TEST(client__has_no_more_requests_under_way_than_their_replies_may_be_long),
		TEST(client__gets_errors_instead_of_what_nobody_could_foresee),
		TEST(client__that_is_to_go_and_takes_nothing_is_closed),
		TEST(client__is_closed_for_input_without_end),
		TEST(consistency__is_chosen_for_reads_and_writes_and_for_one_request),
		TEST(hello__changes_the_replies_to_what_is_asked_from_then_on),
		TEST(client__can_be_closed_by_another),
		TEST(replica__passes_on_what_an_operator_asks),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
